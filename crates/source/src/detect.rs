//! How a tree is built and run, read from what lies in it.

use std::{fs, path::Path};

use ambit_spec::{App, Site};
use serde::{Deserialize, Serialize};

use crate::{error::Error, python};

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
        }
    }

    /// With what the file declares in the place of what was detected.
    #[must_use]
    pub fn overridden_by(mut self, app: &App) -> Self {
        if let Some(build) = &app.build {
            self.build = vec![build.clone()];
            // What a team's own command does is not known: the tests come after all of it.
            self.installs = 1;
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
        Some(rust(tree)?)
    } else if has("package.json") {
        Some(node(tree)?)
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

fn rust(tree: &Path) -> Result<Recipe, Error> {
    #[derive(Deserialize)]
    struct Manifest {
        package: Option<Package>,
        #[serde(default)]
        bin: Vec<Bin>,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
        #[serde(rename = "default-run")]
        default_run: Option<String>,
    }
    #[derive(Deserialize)]
    struct Bin {
        name: Option<String>,
    }
    let file = tree.join("Cargo.toml");
    let text = fs::read_to_string(&file).map_err(Error::io(&file))?;
    let manifest: Manifest = toml::from_str(&text)
        .map_err(|e| Error::Refused { path: "Cargo.toml".into(), why: format!("cannot be read: {}", e.message()) })?;
    let Some(package) = manifest.package else {
        return Err(Error::Refused {
            path: "Cargo.toml".into(),
            why: "is a workspace; set `source` to the member that is run, or `build` and `run`".into(),
        });
    };
    let mut names: Vec<String> = manifest.bin.into_iter().filter_map(|b| b.name).collect();
    if tree.join("src/main.rs").is_file() && names.is_empty() {
        names.push(package.name.clone());
    }
    let binary = match (package.default_run, names.as_slice()) {
        (Some(name), _) => name,
        (None, [one]) => one.clone(),
        (None, []) => package.name,
        (None, many) => {
            return Err(Error::Refused {
                path: "Cargo.toml".into(),
                why: format!("has several programs ({}); set `default-run`, or `run` in ambit.toml", many.join(", ")),
            });
        }
    };
    let locked = if tree.join("Cargo.lock").is_file() { " --locked" } else { "" };
    let mut recipe = Recipe::new("Rust");
    recipe.build = vec![
        format!("CARGO_TARGET_DIR=\"$AMBIT_CACHE/target\" cargo build --release{locked} --bin {binary}"),
        format!("mkdir -p bin && cp \"$AMBIT_CACHE/target/release/{binary}\" bin/{binary}"),
    ];
    recipe.run = Some(format!("exec bin/{binary}"));
    recipe.test = Some(format!("CARGO_TARGET_DIR=\"$AMBIT_CACHE/target\" cargo test --release{locked}"));
    recipe.needs = vec!["cargo".to_owned()];
    Ok(recipe)
}

fn node(tree: &Path) -> Result<Recipe, Error> {
    let file = tree.join("package.json");
    let text = fs::read_to_string(&file).map_err(Error::io(&file))?;
    let manifest: serde_json::Value = serde_json::from_str(&text)
        .map_err(|e| Error::Refused { path: "package.json".into(), why: format!("cannot be read: {e}") })?;
    let has = |name: &str| tree.join(name).is_file();
    let depends =
        |name: &str| ["dependencies", "devDependencies"].iter().any(|group| manifest[*group].get(name).is_some());
    let script = |name: &str| manifest["scripts"][name].as_str().is_some();
    let (manager, install) = if has("pnpm-lock.yaml") {
        ("pnpm", "pnpm install --frozen-lockfile")
    } else if has("yarn.lock") {
        ("yarn", "yarn install --frozen-lockfile")
    } else if has("package-lock.json") || has("npm-shrinkwrap.json") {
        ("npm", "npm ci --no-audit --no-fund")
    } else {
        ("npm", "npm install --no-audit --no-fund")
    };
    let mut recipe = Recipe::new("Node.js");
    recipe.needs = vec!["node".to_owned(), manager.to_owned()];
    recipe.build = vec![install.to_owned()];
    recipe.installs = 1;
    if has("prisma/schema.prisma") {
        recipe.build.push("npx prisma generate".to_owned());
        recipe.installs = 2;
        recipe.migrate = Some("npx prisma migrate deploy".to_owned());
        if manifest["prisma"]["seed"].is_string() {
            recipe.seed = Some("npx prisma db seed".to_owned());
        }
    }
    if script("build") {
        recipe.build.push(format!("{manager} run build"));
    }
    recipe.run = if script("start") {
        Some(format!("exec {manager} start"))
    } else if let Some(main) = manifest["main"].as_str().filter(|m| has(m)) {
        Some(format!("exec node {}", quote(main)))
    } else {
        ["server.js", "index.js", "app.js"].iter().find(|f| has(f)).map(|f| format!("exec node {f}"))
    };
    if recipe.run.is_none() && depends("vite") {
        recipe.site = Some("dist".to_owned());
    }
    // `npm init` writes a script that always fails.
    let placeholder = manifest["scripts"]["test"].as_str().is_some_and(|t| t.contains("no test specified"));
    if script("test") && !placeholder {
        recipe.test = Some(format!("{manager} test"));
    }
    recipe.variables.push(("npm_config_update_notifier".to_owned(), "false".to_owned()));
    Ok(recipe)
}

pub(crate) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

pub(crate) fn recipe(language: &str) -> Recipe {
    Recipe::new(language)
}
