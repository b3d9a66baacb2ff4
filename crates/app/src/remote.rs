//! `remote add`: the project's repository on this machine, which deploys what is pushed to it.

use std::path::PathBuf;

use ambit_domain::{Actor, Failure, FailureKind, audit::Note, spec::ProjectName};
use ambit_source::{
    git::Repository,
    remote::{self, Hooks},
};
use serde::{Deserialize, Serialize};

use crate::{
    ambit::{Ambit, store_failure},
    code::source_failure,
    declaration::Declaration,
};

/// A remote to be added.
#[derive(Clone, Serialize, Deserialize)]
pub struct AddRemote {
    /// The folder that holds `ambit.toml`.
    pub folder: PathBuf,
    /// What the remote is called in the folder's repository.
    pub name: String,
    /// Who asks.
    pub actor: Actor,
}

/// A remote that is there.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Remote {
    /// The repository that Ambit keeps.
    pub path: PathBuf,
    /// Whether anything is different now.
    pub changed: bool,
}

impl Ambit {
    /// Makes the repository that is pushed to and sets it as a remote of the folder's own. The project is known on this
    /// machine from then on, so that the first push brings its environments up.
    pub async fn add_remote(&self, request: &AddRemote) -> Result<Remote, Failure> {
        let declaration = Declaration::load(&request.folder, "").map_err(Failure::from)?;
        let project = &declaration.project.name;
        let named = !request.name.is_empty()
            && request.name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
            && request.name.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !named {
            return Err(Failure::new(
                FailureKind::User,
                format!("`{}` is no name for a remote", request.name.escape_debug()),
            )
            .hint("use letters, digits, dots and hyphens"));
        }
        let repository = Repository::find(&request.folder).map_err(|e| source_failure(&e))?.ok_or_else(|| {
            Failure::new(FailureKind::User, format!("{} is not in a git repository", request.folder.display()))
                .hint("git init && git add -A && git commit -m 'first' && git branch -M main")
        })?;
        self.check_machine(&declaration)?;
        let path = self.home.repository(project);
        self.install_hooks(project.as_str(), &path)?;
        self.store.set_project_folder(project, &declaration.folder).map_err(|e| store_failure(&e))?;
        self.store.set_project_prefix(project, repository.prefix()).map_err(|e| store_failure(&e))?;
        let changed = remote::set_remote(&request.folder, &request.name, &path.to_string_lossy())
            .map_err(|e| source_failure(&e))?;
        if changed {
            self.note(Note::new(&request.actor, project, "remote.added").about("name", request.name.as_str()))?;
        }
        Ok(Remote { path, changed })
    }

    /// Every project that is known on this machine.
    pub fn projects(&self) -> Result<Vec<ProjectName>, Failure> {
        self.store.projects().map_err(|e| store_failure(&e))
    }

    /// The folder of a project that is known on this machine.
    pub fn project_folder(&self, project: &ProjectName) -> Result<PathBuf, Failure> {
        let found = self.store.project_folder(project).map_err(|e| store_failure(&e))?;
        found.ok_or_else(|| {
            Failure::new(FailureKind::NotFound, format!("there is no project `{project}` on this machine"))
        })
    }

    /// What a project's folder declares now.
    pub fn declaration_in_folder(&self, project: &ProjectName) -> Result<Declaration, Failure> {
        Declaration::open(&self.project_folder(project)?, &self.keys_of(project))
    }

    fn install_hooks(&self, project: &str, repository: &std::path::Path) -> Result<(), Failure> {
        let hooks = Hooks { program: &self.surroundings.program, home: self.home.root(), project };
        hooks.install(repository).map_err(|e| source_failure(&e))
    }

    /// At the start of the daemon: the hooks of every remote call the program that runs now.
    pub fn refresh_hooks(&self) -> Result<(), Failure> {
        for project in self.store.projects().map_err(|e| store_failure(&e))? {
            let path = self.home.repository(&project);
            if Hooks::are_in(&path) {
                self.install_hooks(project.as_str(), &path)?;
            }
        }
        Ok(())
    }
}
