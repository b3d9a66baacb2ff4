//! A first `ambit.toml` for a tree that has none, from what lies in it.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    detect::{self, Recipe},
    error::Error,
    git,
};

/// A draft.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The file's text.
    pub toml: String,
    /// What was seen and why it says what it says.
    pub notes: Vec<String>,
}

/// What a folder of the tree is.
struct Part {
    name: String,
    folder: PathBuf,
    recipe: Recipe,
    worker: Option<String>,
}

/// Drafts a file for the tree.
pub fn draft(tree: &Path) -> Result<Draft, Error> {
    let mut notes = Vec::new();
    let parts = parts(tree, &mut notes)?;
    if parts.is_empty() {
        return Err(Error::Undetected { service: "this folder".into(), looked_for: detect::LOOKED_FOR.into() });
    }
    let name = project_name(tree);
    let mut out = String::new();
    let mut line = |text: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{text}");
    };
    line(
        "# One value for all environments, or a table with one for each: { dev = 1, prod = 2 }. All keys: ambit schema",
    );
    line(&format!("project = \"{name}\""));
    line("# domain = \"example.com\"               # what `@` stands for; on this machine it is PROJECT.localhost");
    line("");
    let branches = git::branches(tree);
    let three = ["develop", "staging", "main"].iter().all(|b| branches.iter().any(|have| have == b));
    if three {
        notes.push("the branches develop, staging and main become dev, test and prod".into());
        line("[environments.dev]\nbranch = \"develop\"\n\n[environments.test]\nbranch = \"staging\"\n");
        line("[environments.prod]\nbranch = \"main\"\n");
    } else {
        line("[environments.dev]                     # runs the files as they stand here");
        line("");
        line("# When these branches are there:");
        line("# [environments.test]\n# branch = \"staging\"\n# [environments.prod]\n# branch = \"main\"\n");
    }
    let facts = dotenv_facts(tree, &mut notes);
    let uses = |words: &[&str]| parts.iter().any(|p| mentions(&tree.join(&p.folder), words));
    let compose = fs::read_to_string(tree.join("docker-compose.yml"))
        .or_else(|_| fs::read_to_string(tree.join("docker-compose.yaml")))
        .or_else(|_| fs::read_to_string(tree.join("compose.yaml")))
        .unwrap_or_default()
        .to_lowercase();
    let postgres = facts.contains_key("DATABASE_URL")
        || compose.contains("image: postgres")
        || uses(&[
            "\"pg\"",
            "psycopg",
            "tokio-postgres",
            "sqlx",
            "asyncpg",
            "prisma",
            "dj-database-url",
            "knex",
            "diesel",
        ]);
    let redis = facts.contains_key("REDIS_URL")
        || compose.contains("image: redis")
        || uses(&["\"redis\"", "ioredis", "redis-py", "\nredis", "bullmq", "celery"]);
    let mut main = true;
    for part in &parts {
        service(&mut line, part, three, main, &railway(&tree.join(&part.folder)));
        main = false;
        notes.push(format!("{}: {} in {}", part.name, part.recipe.language, shown(&part.folder)));
    }
    if postgres {
        notes.push("PostgreSQL: the code or its settings name it".into());
        line("[services.postgres]                    # DATABASE_URL is given to every app\n");
    }
    if redis {
        notes.push("Redis: the code or its settings name it".into());
        line("[services.redis]                       # REDIS_URL is given to every app\n");
    }
    let (secrets, variables): (Vec<_>, Vec<_>) = facts
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "DATABASE_URL" | "REDIS_URL" | "PORT" | "HOST" | "PATH" | "HOME"))
        .filter(|(name, _)| !name.starts_with("AMBIT_"))
        .partition(|(name, value)| is_secret(name, value));
    let (made, secrets): (Vec<_>, Vec<_>) = secrets.into_iter().partition(|(name, _)| is_own_key(name));
    if !variables.is_empty() || !made.is_empty() {
        line("[variables]");
        for (name, _) in made {
            line(&format!("{name} = {{ generate = 50 }}           # made once for each environment"));
        }
        for (name, value) in variables {
            line(&format!("{name} = {}", toml_text(&value.replace("${", "$${"))));
        }
        line("");
    }
    if !secrets.is_empty() {
        line("[secrets]                              # values: ambit secret set NAME -e dev");
        for (name, _) in secrets {
            line(&format!("{name} = {{ required = false }}"));
        }
    }
    Ok(Draft { toml: out.trim_end().to_owned() + "\n", notes })
}

fn shown(folder: &Path) -> String {
    if folder.as_os_str().is_empty() { "this folder".into() } else { folder.display().to_string() }
}

fn service(line: &mut impl FnMut(&str), part: &Part, three: bool, main: bool, railway: &Railway) {
    line(&format!("[services.{}]", part.name));
    let source = part.folder.to_string_lossy();
    let at = |host: &str| {
        if main { host.to_owned() } else { format!("{}{}{host}", part.name, if host == "@" { "." } else { "-" }) }
    };
    let url = if three {
        format!("url = {{ dev = \"{}\", test = \"{}\", prod = \"{}\" }}", at("dev.@"), at("test.@"), at("@"))
    } else {
        format!("url = {{ dev = \"{}\" }}", at("dev.@"))
    };
    if let Some(site) = &part.recipe.site {
        let folder =
            if site == "." { source.clone().into_owned() } else { part.folder.join(site).display().to_string() };
        line(&format!("static = {}", toml_text(if folder.is_empty() { "." } else { &folder })));
        if !part.recipe.build.is_empty() {
            line(&format!("source = {}", toml_text(if source.is_empty() { "." } else { &source })));
            line(&format!("build = {}", toml_text(&part.recipe.build.join(" && "))));
        }
        line(&url);
        line("");
        return;
    }
    if !source.is_empty() {
        line(&format!("source = {}", toml_text(&source)));
    }
    if let Some(command) = &part.worker {
        line("kind = \"worker\"");
        line(&format!("run = {}", toml_text(command)));
        line("");
        return;
    }
    let tell = |line: &mut dyn FnMut(&str), key: &str, value: &Option<String>, declared: &Option<String>| match (
        declared, value,
    ) {
        (Some(declared), _) => line(&format!("{key} = {}", toml_text(declared))),
        (None, Some(value)) => line(&format!("# {key} = {}   # found by itself", toml_text(value))),
        (None, None) => {}
    };
    tell(line, "build", &Some(part.recipe.build.join(" && ")).filter(|b| !b.is_empty()), &railway.build);
    tell(line, "run", &part.recipe.run, &railway.run);
    tell(line, "migrate", &part.recipe.migrate, &None);
    tell(line, "seed", &part.recipe.seed, &None);
    match &railway.health {
        Some(path) => line(&format!("health = {}", toml_text(path))),
        None => line("# health = \"/health\"                   # a path that answers 200 when it is ready"),
    }
    line(&url);
    line("");
}

fn parts(tree: &Path, notes: &mut Vec<String>) -> Result<Vec<Part>, Error> {
    let mut found = Vec::new();
    let root = detect::detect(tree)?;
    if let Some(recipe) = root.filter(|r| r.run.is_some() || r.site.is_some()) {
        let name = if recipe.site.is_some() { "web" } else { "app" };
        found.push(Part { name: name.into(), folder: PathBuf::new(), recipe, worker: None });
    } else {
        let mut folders: Vec<PathBuf> = fs::read_dir(tree)
            .map_err(Error::io(tree))?
            .filter_map(|e| e.ok().filter(|e| e.path().is_dir()).map(|e| PathBuf::from(e.file_name())))
            .filter(|f| {
                !f.to_string_lossy().starts_with('.') && f != Path::new("node_modules") && f != Path::new("target")
            })
            .collect();
        folders.sort();
        for folder in folders {
            let name = valid_name(&folder.to_string_lossy());
            match detect::detect(&tree.join(&folder)) {
                Ok(Some(recipe)) if recipe.run.is_some() || recipe.site.is_some() => {
                    found.push(Part { name, folder, recipe, worker: None });
                }
                Ok(_) => {}
                Err(error) => notes.push(format!("{}: {error}", folder.display())),
            }
        }
    }
    for (name, command) in detect::procfile(tree) {
        if name != "web" && name != "release" && !found.is_empty() {
            let recipe = Recipe::declared();
            let worker = Some(format!("exec {command}"));
            found.push(Part { name: valid_name(&name), folder: PathBuf::new(), recipe, worker });
        }
    }
    Ok(found)
}

fn project_name(tree: &Path) -> String {
    let name = tree.canonicalize().ok().and_then(|t| t.file_name().map(|n| n.to_string_lossy().into_owned()));
    valid_name(&name.unwrap_or_default())
}

fn valid_name(text: &str) -> String {
    let mut name: String =
        text.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(30).collect();
    name = name.trim_matches('-').to_owned();
    while name.contains("--") {
        name = name.replace("--", "-");
    }
    match name.chars().next() {
        None => "app".into(),
        Some(c) if c.is_ascii_digit() => format!("p{name}").chars().take(30).collect(),
        Some(_) if matches!(name.as_str(), "postgres" | "redis" | "services" | "environment") => format!("{name}-app"),
        Some(_) => name,
    }
}

/// Whether a folder's manifests mention one of some words.
fn mentions(folder: &Path, words: &[&str]) -> bool {
    ["package.json", "requirements.txt", "pyproject.toml", "Cargo.toml"].iter().any(|file| {
        let text = fs::read_to_string(folder.join(file)).unwrap_or_default().to_lowercase();
        words.iter().any(|w| text.contains(w))
    })
}

/// What Railway's own files say.
#[derive(Default)]
struct Railway {
    build: Option<String>,
    run: Option<String>,
    health: Option<String>,
}

fn railway(folder: &Path) -> Railway {
    let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
    let parsed: Option<serde_json::Value> = read("railway.json")
        .and_then(|t| serde_json::from_str(&t).ok())
        .or_else(|| read("railway.toml").and_then(|t| toml::from_str(&t).ok()));
    let mut found = Railway::default();
    if let Some(value) = parsed {
        let text = |group: &str, key: &str| value[group][key].as_str().map(str::to_owned);
        found.build = text("build", "buildCommand");
        found.run = text("deploy", "startCommand");
        found.health = text("deploy", "healthcheckPath");
    }
    if let Some(value) = read("nixpacks.toml").and_then(|t| toml::from_str::<serde_json::Value>(&t).ok()) {
        let start = value["start"]["cmd"].as_str().map(str::to_owned);
        found.run = found.run.or(start);
    }
    found
}

/// Names and values of `.env` files; examples first, so that real files win.
fn dotenv_facts(tree: &Path, notes: &mut Vec<String>) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    for file in [".env.example", ".env.sample", ".env.production", ".env.test", ".env", ".env.development"] {
        let Ok(text) = fs::read_to_string(tree.join(file)) else { continue };
        notes.push(format!("{file}: names and harmless values are taken over, secrets without their values"));
        for line in text.lines() {
            let line = line.trim().trim_start_matches("export ");
            let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) else { continue };
            let plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if plain {
                facts.insert(name.to_owned(), value.trim().trim_matches(['"', '\'']).to_owned());
            }
        }
    }
    facts
}

fn is_secret(name: &str, value: &str) -> bool {
    let words = ["SECRET", "TOKEN", "PASSWORD", "PASS", "KEY", "DSN", "CREDENTIAL", "PRIVATE", "SALT"];
    name.to_uppercase().split('_').any(|w| words.contains(&w))
        || value.split_once("://").is_some_and(|(_, rest)| rest.split('/').next().is_some_and(|h| h.contains('@')))
}

/// Keys that an app signs with: any random one will do, as long as it stays.
fn is_own_key(name: &str) -> bool {
    matches!(name, "SECRET_KEY" | "SECRET_KEY_BASE" | "APP_KEY" | "SESSION_SECRET" | "COOKIE_SECRET" | "JWT_SECRET")
}

fn toml_text(text: &str) -> String {
    // A JSON string is a basic string of TOML: the same quotes, the same escapes.
    serde_json::Value::from(text).to_string()
}
