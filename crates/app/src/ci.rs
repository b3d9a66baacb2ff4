//! `ci github`: writes the workflows of GitHub Actions, and tells what is not as `ambit.toml` has it. A matter of the folder
//! alone; no daemon is asked.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use ambit_domain::{
    Failure, FailureKind,
    ci::{self, CiDrift, CiError, CiState, Header, Needs, Pipeline, Target, file_name, has_workflow},
    spec::{Environment, EnvironmentName},
};
use ambit_source::{git::Repository, suites};
use serde::Serialize;

use crate::{code::source_failure, declaration::Declaration, generated};

/// Which workflows, and for where.
#[derive(Debug, Clone, Default)]
pub struct Workflows {
    /// The environments; all where none is named.
    pub environments: Vec<String>,
    /// Where they run; what the file says that is there, else where the environment is declared to live.
    pub target: Option<Target>,
}

/// A workflow that is there now.
#[derive(Debug, Clone, Serialize)]
pub struct WorkflowFile {
    /// The file, from the top of the repository.
    pub file: PathBuf,
    /// The environment, where it is still declared.
    pub environment: Option<EnvironmentName>,
    /// Where that runs.
    pub target: Target,
    /// What became of the file.
    pub state: CiState,
    /// What is tested before a deployment.
    pub tests: Vec<String>,
}

/// A workflow as it is to be, and as it is.
struct Wanted {
    environment: EnvironmentName,
    target: Target,
    file: PathBuf,
    text: String,
    there: Option<String>,
    tests: Vec<String>,
    needs: Needs,
}

/// One of an environment that is no more.
struct Stale {
    file: PathBuf,
    header: Header,
}

struct Found {
    top: PathBuf,
    wanted: Vec<Wanted>,
    stale: Vec<Stale>,
}

/// Writes the workflows. What somebody edited is refused with what would be lost, unless that is forced; then nothing is
/// written at all.
pub fn write_workflows(folder: &Path, which: &Workflows, force: bool) -> Result<Vec<WorkflowFile>, Failure> {
    let found = look(&Declaration::open(folder, "")?, which)?;
    if found.wanted.is_empty() && found.stale.is_empty() {
        return Err(Failure::new(FailureKind::Declaration, "no environment follows a branch or a tag")
            .hint("add `branch` or `tag` to an environment: files as they stand are deployed by nobody's push"));
    }
    if !force {
        for Wanted { file, there, text, .. } in &found.wanted {
            if let Some(there) =
                there.as_ref().filter(|there| CiDrift::of("", Some(there), text).is_some_and(|d| d.by_hand))
            {
                return Err(edited(file).because(format!(
                    "what would be lost (-) and what would stand there (+):\n{}",
                    generated::difference(there, text)
                )));
            }
        }
        if let Some(stale) = found.stale.iter().find(|stale| !stale.header.untouched) {
            return Err(edited(&stale.file).because("it deploys an environment that ambit.toml does not have"));
        }
    }
    let mut files = Vec::new();
    for Wanted { environment, target, file, text, there, tests, .. } in found.wanted {
        let state = if there.as_ref() == Some(&text) { CiState::Unchanged } else { CiState::Written };
        if state == CiState::Written {
            generated::replace(&found.top.join(&file), &text)?;
        }
        files.push(WorkflowFile { file, environment: Some(environment), target, state, tests });
    }
    for Stale { file, header } in found.stale {
        let whole = found.top.join(&file);
        fs::remove_file(&whole).map_err(|error| {
            Failure::new(FailureKind::Machine, format!("cannot remove {}", whole.display())).because(error.to_string())
        })?;
        let target = header.target;
        files.push(WorkflowFile { file, environment: None, target, state: CiState::Removed, tests: Vec::new() });
    }
    Ok(files)
}

/// A workflow as it is and as it should be.
pub(crate) struct FileState {
    pub(crate) file: PathBuf,
    /// Where it is still declared.
    pub(crate) environment: Option<EnvironmentName>,
    pub(crate) there: Option<String>,
    /// `None` where it should not be there.
    pub(crate) wanted: Option<String>,
    /// Whether somebody edited it.
    pub(crate) by_hand: bool,
}

/// How each workflow of the project stands.
pub(crate) fn file_states(declaration: &Declaration) -> Result<Vec<FileState>, Failure> {
    let found = look(declaration, &Workflows::default())?;
    let wanted = found.wanted.into_iter().map(|Wanted { environment, file, text, there, .. }| {
        let by_hand = there.as_ref().is_some_and(|there| !Header::read(there).is_some_and(|header| header.untouched));
        FileState { file, environment: Some(environment), there, wanted: Some(text), by_hand }
    });
    let mut states: Vec<FileState> = wanted.collect();
    for Stale { file, header } in found.stale {
        let there = generated::read(&found.top.join(&file))?;
        states.push(FileState { file, environment: None, there, wanted: None, by_hand: !header.untouched });
    }
    Ok(states)
}

/// Whether a workflow hands an environment's code to Railway: the one that is there, or that `ambit apply` writes.
pub(crate) fn deploys_to_railway(declaration: &Declaration, environment: &Environment) -> Result<bool, Failure> {
    if !has_workflow(environment) {
        return Ok(false);
    }
    let (top, within) = place(&declaration.folder)?;
    let file = top.join(ci::FOLDER).join(file_name(&declaration.project, &environment.name, &within));
    let there = generated::read(&file)?.as_deref().and_then(Header::read).map(|header| header.target);
    let written = declaration.project.providers.github.is_some() && environment.railway_project().is_some();
    Ok(there.map_or(written, |target| target == Target::Railway))
}

/// What the workflow of each environment reads at GitHub, as it is to be.
pub(crate) fn needs(declaration: &Declaration) -> Result<BTreeMap<EnvironmentName, Needs>, Failure> {
    let found = look(declaration, &Workflows::default())?;
    Ok(found.wanted.into_iter().map(|wanted| (wanted.environment, wanted.needs)).collect())
}

/// What is not as it should be.
pub fn workflow_drift(folder: &Path, which: &Workflows) -> Result<Vec<CiDrift>, Failure> {
    Ok(look(&Declaration::open(folder, "")?, which)?.drift())
}

/// As [`workflow_drift`] of all, for a project that has such workflows; nothing for the others.
pub(crate) fn drift_where_used(declaration: &Declaration) -> Result<Vec<CiDrift>, Failure> {
    let (top, _) = place(&declaration.folder)?;
    let own = headers(&top)?.into_iter().any(|(_, header)| header.project == declaration.project.name.as_str());
    if own { Ok(look(declaration, &Workflows::default())?.drift()) } else { Ok(Vec::new()) }
}

impl Found {
    fn drift(&self) -> Vec<CiDrift> {
        let wanted = self.wanted.iter();
        let wanted = wanted.filter_map(|w| CiDrift::of(&w.file.display().to_string(), w.there.as_deref(), &w.text));
        let stale = self.stale.iter().map(|s| CiDrift::stale(&s.file.display().to_string(), s.header.untouched));
        wanted.chain(stale).collect()
    }
}

fn edited(file: &Path) -> Failure {
    Failure::new(FailureKind::Declaration, format!("{} was edited by hand; nothing was written", file.display()))
        .hint("say it in ambit.toml, or in a workflow of your own beside it")
        .hint("ambit ci github --force writes over it")
}

fn look(declaration: &Declaration, which: &Workflows) -> Result<Found, Failure> {
    let project = &declaration.project;
    let selected = declaration.select(&which.environments)?;
    let (top, within) = place(&declaration.folder)?;
    let mut wanted = Vec::new();
    for name in &selected {
        let Some(environment) = project.environments.get(name).filter(|e| has_workflow(e)) else { continue };
        let sources = suites(&declaration.folder, within.clone(), environment).map_err(|e| source_failure(&e))?;
        let file = Path::new(ci::FOLDER).join(file_name(project, name, &within));
        let there = generated::read(&top.join(&file))?;
        let said = there.as_deref().and_then(Header::read).map(|header| header.target);
        let lives = if environment.railway_project().is_some() { Target::Railway } else { Target::Host };
        let target = which.target.or(said).unwrap_or(lives);
        let pipeline = Pipeline { project, environment, sources: &sources, target };
        let failed = |error: CiError| Failure::from_error(FailureKind::Declaration, &error).hint(error.hint());
        let text = pipeline.text().map_err(failed)?;
        let needs = pipeline.needs().map_err(failed)?;
        let mut tests: Vec<String> = sources.suites.iter().map(|suite| suite.service.to_string()).collect();
        tests.extend(sources.mobile.iter().filter(|m| m.test.is_some()).map(|_| "mobile app".to_owned()));
        wanted.push(Wanted { environment: name.clone(), target, file, text, there, tests, needs });
    }
    let mut stale = Vec::new();
    if which.environments.is_empty() {
        for (file, header) in headers(&top)? {
            let ours = header.project == project.name.as_str() && !wanted.iter().any(|w| w.file == file);
            if ours {
                stale.push(Stale { file, header });
            }
        }
    }
    Ok(Found { top, wanted, stale })
}

/// The workflows that Ambit wrote, by name.
fn headers(top: &Path) -> Result<Vec<(PathBuf, Header)>, Failure> {
    let folder = top.join(ci::FOLDER);
    let cannot = |error: io::Error| {
        Failure::new(FailureKind::Declaration, format!("cannot read {}", folder.display())).because(error.to_string())
    };
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(cannot(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(cannot)?;
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
        let regular = entry.file_type().is_ok_and(|t| t.is_file());
        if !regular || !name.starts_with("deploy-") || !name.ends_with(".yml") {
            continue;
        }
        if let Some(header) = generated::read(&entry.path())?.as_deref().and_then(Header::read) {
            found.push((Path::new(ci::FOLDER).join(name), header));
        }
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(found)
}

/// The top of the repository that is GitHub's, and the folder of `ambit.toml` in it. A folder with a `.github` of its own is
/// such a top, wherever it lies: so is an app that is laid out as a repository later.
fn place(folder: &Path) -> Result<(PathBuf, PathBuf), Failure> {
    let own = || (folder.to_path_buf(), PathBuf::new());
    if folder.join(".github").is_dir() {
        return Ok(own());
    }
    let Some(repository) = Repository::find(folder).map_err(|e| source_failure(&e))? else { return Ok(own()) };
    let within: PathBuf = repository.prefix().components().collect();
    let top = folder.ancestors().nth(within.components().count()).unwrap_or(folder);
    Ok((top.to_path_buf(), within))
}
