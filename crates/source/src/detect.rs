//! How a tree is built and run, read from what lies in it.

use std::{fs, path::Path};

use ambit_domain::ci::PackageManager;
use ambit_spec::{App, Role, Site};
use serde::{Deserialize, Serialize};

use crate::{error::Error, node, python, rust};

/// How a tree is built and run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// What it is written in, for people.
    pub language: String,
    /// Shell commands that build it, in order, in the tree.
    pub build: Vec<String>,
    /// How many of them only install what the code depends on: the tests run after these.
    #[serde(default)]
    pub installs: usize,
    /// Shell command that starts it.
    pub run: Option<String>,
    /// Shell command that brings the database up to date.
    pub migrate: Option<String>,
    /// Shell command that fills a new database.
    pub seed: Option<String>,
    /// Shell command that tests it.
    pub test: Option<String>,
    /// Programs that the build needs.
    pub needs: Vec<String>,
    /// Variables that its processes are given besides the declared ones.
    pub variables: Vec<(String, String)>,
    /// Where it is a folder of files: that folder.
    pub site: Option<String>,
    /// The programs that the build makes, where there are several to choose from.
    #[serde(skip)]
    pub(crate) programs: Vec<String>,
    /// The package manager that the first command of the build brings along, where the machine may have none.
    #[serde(skip)]
    pub(crate) manager: Option<PackageManager>,
}

impl Recipe {
    fn new(language: &str) -> Self {
        Self {
            language: language.to_owned(),
            build: Vec::new(),
            installs: 0,
            run: None,
            migrate: None,
            seed: None,
            test: None,
            needs: Vec::new(),
            variables: Vec::new(),
            site: None,
            programs: Vec::new(),
            manager: None,
        }
    }

    /// With what the file declares in the place of what was detected.
    #[must_use]
    pub fn overridden_by(mut self, app: &App) -> Self {
        if let Some(build) = &app.build {
            self.build = vec![build.clone()];
            // What a team's own command does is not known: the tests come after all of it.
            self.installs = 1;
            self.manager = None;
        }
        if app.role != Role::Web {
            // The database is brought up to date once, by the service that people reach.
            (self.migrate, self.seed) = (None, None);
        }
        let set = |detected: &mut Option<String>, declared: &Option<String>| {
            if declared.is_some() {
                detected.clone_from(declared);
            }
        };
        set(&mut self.run, &app.run);
        set(&mut self.migrate, &app.migrate);
        set(&mut self.seed, &app.seed);
        set(&mut self.test, &app.test);
        self
    }

    /// The recipe of a declared site.
    #[must_use]
    pub fn of_site(site: &Site) -> Self {
        let mut recipe = Self::new("files");
        recipe.build = site.build.clone().into_iter().collect();
        recipe
    }

    /// The recipe of an app whose file says everything.
    #[must_use]
    pub fn declared() -> Self {
        Self::new("as declared")
    }
}

/// Finds out how a tree is built and run; `Ok(None)` where nothing tells.
pub fn detect(tree: &Path) -> Result<Option<Recipe>, Error> {
    let has = |name: &str| tree.join(name).is_file();
    let mut found = if has("Cargo.toml") {
        Some(rust::detect(tree)?)
    } else if has("package.json") {
        Some(node::detect(tree)?)
    } else if has("requirements.txt") || has("pyproject.toml") || has("manage.py") {
        Some(python::detect(tree))
    } else if has("index.html") {
        let mut recipe = Recipe::new("files");
        recipe.site = Some(".".to_owned());
        Some(recipe)
    } else {
        None
    };
    if has("Procfile") {
        let recipe = found.get_or_insert_with(|| Recipe::new("Procfile"));
        for (name, command) in procfile(tree) {
            match name.as_str() {
                "web" => recipe.run = Some(command),
                "release" => recipe.migrate = Some(command),
                _ => {}
            }
        }
    }
    if found.is_none() && has("Dockerfile") {
        return Err(Error::Refused {
            path: "Dockerfile".into(),
            why: "alone does not tell how to build on this machine: not supported yet; set `build` and `run` in ambit.toml".into(),
        });
    }
    Ok(found)
}

/// What is looked for, for people.
pub(crate) const LOOKED_FOR: &str =
    "looked for Cargo.toml, package.json, requirements.txt, pyproject.toml, manage.py, Procfile and index.html";

/// Process types and their commands.
pub(crate) fn procfile(tree: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(tree.join("Procfile")).unwrap_or_default();
    text.lines()
        .filter_map(|l| l.trim().split_once(':'))
        .filter(|(name, _)| !name.starts_with('#'))
        .map(|(name, command)| (name.trim().to_owned(), command.trim().to_owned()))
        .collect()
}

/// A text as one word of a POSIX shell, whatever it holds.
#[must_use]
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

pub(crate) fn recipe(language: &str) -> Recipe {
    Recipe::new(language)
}
