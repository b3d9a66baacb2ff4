//! A first `ambit.toml` for a tree that has none, from what lies in it.

mod phones;
mod platforms;
mod settings;

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use self::{
    phones::PhoneApp,
    platforms::Told,
    settings::{For, Values},
};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

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
        return Err(Error::Unknown);
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
    let mut facts = settings::read(tree, Path::new(""), &mut notes);
    for part in parts.iter().filter(|p| !p.folder.as_os_str().is_empty()) {
        for (name, values) in settings::read(tree, &part.folder, &mut notes) {
            facts.entry(name).or_insert(values);
        }
    }
    let uses = |words: &[&str]| parts.iter().any(|p| mentions(&tree.join(&p.folder), words));
    let (composed_postgres, composed_redis) = platforms::composed(tree);
    let postgres = facts.contains_key("DATABASE_URL")
        || composed_postgres
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
        || composed_redis
        || uses(&["\"redis\"", "ioredis", "redis-py", "\nredis", "bullmq", "celery"]);
    let mut main = true;
    for part in &parts {
        let told = platforms::told(&tree.join(&part.folder), &part.recipe);
        if let Some(file) = told.file.filter(|_| part.worker.is_none()) {
            notes.push(format!("{}: the commands of {file}", part.name));
        }
        service(&mut line, part, three, main, &told);
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
    if let Some(app) = phones::find(folders_at_the_top(tree)?.into_iter(), tree) {
        notes.push(format!("{}: an app for phones, made with Expo; it is no service", shown(&app.folder)));
        mobile(&mut line, &app);
    }
    declare_variables(&mut line, &facts, three);
    Ok(Draft { toml: out.trim_end().to_owned() + "\n", notes })
}

fn shown(folder: &Path) -> String {
    if folder.as_os_str().is_empty() { "this folder".into() } else { folder.display().to_string() }
}

fn service(line: &mut impl FnMut(&str), part: &Part, three: bool, main: bool, told: &Told) {
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
    tell(line, "build", &Some(part.recipe.build.join(" && ")).filter(|b| !b.is_empty()), &told.build);
    let chosen = part.recipe.run.clone().filter(|_| part.recipe.programs.len() > 1);
    tell(line, "run", &part.recipe.run, &told.run.clone().or(chosen));
    tell(line, "migrate", &part.recipe.migrate, &told.migrate);
    tell(line, "seed", &part.recipe.seed, &None);
    match &told.health {
        Some(path) => line(&format!("health = {}", toml_text(path))),
        None => line("# health = \"/health\"                   # a path that answers 200 when it is ready"),
    }
    line(&url);
    line("");
}

fn mobile(line: &mut impl FnMut(&str), app: &PhoneApp) {
    line("[mobile]");
    line(&format!("source = {}", toml_text(&app.folder.to_string_lossy())));
    match &app.package {
        Some(package) => line(&format!("package = {}", toml_text(package))),
        None => line("# package = \"com.example.app\"          # Android package and iOS bundle identifier"),
    }
    match &app.name {
        Some(name) => line(&format!("name = {}", toml_text(name))),
        None => line("# name = \"App\"                       # the name under the icon"),
    }
    line("");
}

/// Variables, and the secrets whose values somebody has to set.
fn declare_variables(line: &mut impl FnMut(&str), facts: &BTreeMap<String, Values>, three: bool) {
    // What Ambit gives by itself, and what is the machine's.
    let given = ["DATABASE_URL", "REDIS_URL", "PORT", "HOST", "PATH", "HOME"];
    let (secrets, variables): (Vec<_>, Vec<_>) = facts
        .iter()
        .filter(|(name, _)| !given.contains(&name.as_str()) && !name.starts_with("AMBIT_"))
        .partition(|(name, values)| settings::is_secret(name, values));
    let (made, secrets): (Vec<_>, Vec<_>) = secrets.into_iter().partition(|(name, _)| is_own_key(name));
    if !variables.is_empty() || !made.is_empty() {
        line("[variables]");
        for (name, _) in made {
            line(&format!("{name} = {{ generate = 50 }}           # made once for each environment"));
        }
        for (name, values) in variables {
            line(&format!("{name} = {}", declared(values, three)));
        }
        line("");
    }
    if !secrets.is_empty() {
        line("[secrets]                              # values: ambit secret set NAME -e dev");
        for (name, _) in secrets {
            line(&format!("{name} = {{ required = false }}"));
        }
    }
}

/// One value, or a table where the environments differ.
fn declared(values: &Values, three: bool) -> String {
    let own = |about: For| values.get(&about).or_else(|| values.get(&For::All)).or_else(|| values.values().next());
    let text = |value: Option<&String>| toml_text(&value.map_or("", String::as_str).replace("${", "$${"));
    let [dev, test, prod] = [For::Dev, For::Test, For::Prod].map(|about| text(own(about)));
    if !three || (dev == test && test == prod) {
        return dev;
    }
    format!("{{ dev = {dev}, test = {test}, prod = {prod} }}")
}

fn parts(tree: &Path, notes: &mut Vec<String>) -> Result<Vec<Part>, Error> {
    let mut found = Vec::new();
    let root = detect::detect(tree);
    match &root {
        Ok(Some(recipe)) if recipe.run.is_some() || recipe.site.is_some() => {
            let name = if recipe.site.is_some() { "web" } else { "app" };
            add(&mut found, name, Path::new(""), recipe.clone(), None);
        }
        Ok(Some(recipe)) if !recipe.programs.is_empty() => programs(&mut found, recipe, notes),
        _ => folders(&mut found, tree, notes)?,
    }
    // What is wrong at the top does not matter where the folders below say enough.
    if found.is_empty() {
        root?;
    }
    for (name, command) in detect::procfile(tree) {
        if name != "web" && name != "release" && !found.is_empty() {
            add(&mut found, &name, Path::new(""), Recipe::declared(), Some(format!("exec {command}")));
        }
    }
    Ok(found)
}

/// Adds a part under a name that no other one has.
fn add(found: &mut Vec<Part>, name: &str, folder: &Path, recipe: Recipe, worker: Option<String>) {
    let name = valid_name(name);
    let taken = |name: &str| found.iter().any(|p| p.name == name);
    let free = (2..).map(|n| format!("{name}-{n}")).find(|n| !taken(n));
    let name = if taken(&name) { free.unwrap_or(name) } else { name };
    found.push(Part { name, folder: folder.to_path_buf(), recipe, worker });
}

/// The folders at the top that can be run or served by themselves.
fn folders(found: &mut Vec<Part>, tree: &Path, notes: &mut Vec<String>) -> Result<(), Error> {
    for folder in folders_at_the_top(tree)? {
        match detect::detect(&tree.join(&folder)) {
            Ok(Some(recipe)) if recipe.run.is_some() || recipe.site.is_some() => {
                add(found, &folder.to_string_lossy(), &folder, recipe, None);
            }
            Ok(_) => {}
            Err(error) => notes.push(format!("{}: {error}", folder.display())),
        }
    }
    // What answers requests comes before what is served as files: it gets the environment's own address.
    found.sort_by_key(|part| part.recipe.site.is_some());
    Ok(())
}

fn folders_at_the_top(tree: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut folders: Vec<PathBuf> = fs::read_dir(tree)
        .map_err(Error::io(tree))?
        .filter_map(|e| e.ok().filter(|e| e.path().is_dir()).map(|e| PathBuf::from(e.file_name())))
        .filter(|f| !f.to_string_lossy().starts_with('.') && f != Path::new("node_modules") && f != Path::new("target"))
        .collect();
    folders.sort();
    Ok(folders)
}

/// The programs of a workspace, told apart by their names.
fn programs(found: &mut Vec<Part>, recipe: &Recipe, notes: &mut Vec<String>) {
    for program in &recipe.programs {
        let has = |words: &[&str]| words.iter().any(|w| program.contains(w));
        if has(&["cli", "migrat", "seed", "xtask", "tool"]) {
            notes.push(format!("{program}: left out, since it looks like a program for people"));
            continue;
        }
        let run = format!("exec bin/{program}");
        if has(&["worker", "consumer", "queue"]) {
            add(found, program, Path::new(""), Recipe::declared(), Some(run));
        } else {
            let mut recipe = recipe.clone();
            recipe.run = Some(run);
            add(found, program, Path::new(""), recipe, None);
        }
    }
}

fn project_name(tree: &Path) -> String {
    let name = tree.canonicalize().ok().and_then(|t| t.file_name().map(|n| n.to_string_lossy().into_owned()));
    valid_name(&name.unwrap_or_default())
}

/// A name that `ambit.toml` takes: `Mi Tienda Ñandú` becomes `mi-tienda-nandu`.
fn valid_name(text: &str) -> String {
    let mut name: String = text
        .nfd()
        .filter(|c| !is_combining_mark(*c))
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .collect();
    while name.contains("--") {
        name = name.replace("--", "-");
    }
    let name: String = name.trim_matches('-').chars().take(28).collect();
    let name = name.trim_matches('-');
    match name.chars().next() {
        None => "app".into(),
        Some(c) if c.is_ascii_digit() => format!("p{name}"),
        Some(_) if matches!(name, "postgres" | "redis" | "services" | "environment") => format!("{name}-app"),
        Some(_) => name.to_owned(),
    }
}

/// Whether the manifests of a folder, or of the members of a workspace in it, mention one of some words.
fn mentions(folder: &Path, words: &[&str]) -> bool {
    mentions_to(folder, words, if folder.join("Cargo.toml").is_file() { 2 } else { 0 })
}

fn mentions_to(folder: &Path, words: &[&str], depth: u32) -> bool {
    let here = ["package.json", "requirements.txt", "pyproject.toml", "Cargo.toml"].iter().any(|file| {
        let text = fs::read_to_string(folder.join(file)).unwrap_or_default().to_lowercase();
        words.iter().any(|w| text.contains(w))
    });
    let below = || fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|e| e.path());
    here || (depth > 0 && below().filter(|p| p.is_dir()).any(|p| mentions_to(&p, words, depth - 1)))
}

/// Keys that an app signs with: any random one will do, as long as it stays.
fn is_own_key(name: &str) -> bool {
    matches!(name, "SECRET_KEY" | "SECRET_KEY_BASE" | "APP_KEY" | "SESSION_SECRET" | "COOKIE_SECRET" | "JWT_SECRET")
}

fn toml_text(text: &str) -> String {
    // A JSON string is a basic string of TOML: the same quotes, the same escapes.
    serde_json::Value::from(text).to_string()
}
