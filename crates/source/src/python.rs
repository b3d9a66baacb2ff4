//! Python: Django, FastAPI, Flask or a plain program, in a virtual environment within the build.

use std::{fs, path::Path};

use crate::detect::{Recipe, quote, recipe};

/// Where a program usually begins, the likeliest first.
const USUAL: &[&str] = &["main.py", "app.py", "asgi.py", "wsgi.py", "server.py", "run.py", "api.py"];
const PIP: &str =
    ".venv/bin/python -m pip install --quiet --disable-pip-version-check --cache-dir \"$AMBIT_CACHE/pip\"";
/// What a project of Poetry without a lockfile depends on, in the words of pip.
const POETRY_REQUIRES: &str = "from poetry.core.factory import Factory
for one in Factory().create_poetry().package.requires: print(one.to_pep_508())";

pub(crate) fn detect(tree: &Path) -> Recipe {
    let mut recipe = recipe("Python");
    let read = |name: &str| fs::read_to_string(tree.join(name)).unwrap_or_default();
    let requirements = format!("{}{}", read("requirements.txt"), read("pyproject.toml")).to_lowercase();
    recipe.needs = vec!["python3".to_owned()];
    recipe.build = install(tree);
    recipe.installs = recipe.build.len();
    recipe.variables.push(("PYTHONUNBUFFERED".to_owned(), "1".to_owned()));
    if tree.join("manage.py").is_file() {
        django(tree, &requirements, &mut recipe);
        return recipe;
    }
    let candidates = candidates(tree);
    let found = candidates.iter().find_map(|c| Some((c, server(c, &read(&c.file), &requirements)?)));
    if let Some((candidate, server)) = found {
        let module = &candidate.module;
        recipe.run = Some(match server {
            Server::Asgi(name) => {
                if !requirements.contains("uvicorn") && !requirements.contains("fastapi[") {
                    recipe.build.push(format!("{PIP} uvicorn"));
                }
                let factory = if name.ends_with("()") { " --factory" } else { "" };
                let name = name.trim_end_matches("()");
                format!("exec .venv/bin/python -m uvicorn {module}:{name}{factory} --host 127.0.0.1 --port \"$PORT\"")
            }
            Server::Wsgi(name) if requirements.contains("gunicorn") => {
                format!("exec .venv/bin/gunicorn '{module}:{name}' --bind \"127.0.0.1:$PORT\"")
            }
            Server::Wsgi(name) => {
                format!("exec .venv/bin/python -m flask --app '{module}:{name}' run --host 127.0.0.1 --port \"$PORT\"")
            }
        });
    } else if let Some(plain) = candidates.iter().find(|c| USUAL.contains(&c.file.as_str()) || c.file == "src/main.py")
    {
        recipe.run = Some(format!("exec .venv/bin/python {}", plain.file));
    }
    recipe
}

/// Commands that make the virtual environment with everything that the code depends on.
fn install(tree: &Path) -> Vec<String> {
    let has = |name: &str| tree.join(name).is_file();
    let mut build = vec!["python3 -m venv .venv".to_owned()];
    // A tool of its own, away from what the code depends on.
    let tool = |packages: &str| {
        format!(
            "python3 -m venv \"$AMBIT_CACHE/tool\" && \"$AMBIT_CACHE/tool/bin/python\" -m pip install --quiet --disable-pip-version-check {packages}"
        )
    };
    // Lockfiles go through pip, so that one setting names the index for all.
    let from = |command: &str| {
        [format!("mkdir -p .ambit && {command} > .ambit/requirements.txt"), format!("{PIP} -r .ambit/requirements.txt")]
    };
    let text = fs::read_to_string(tree.join("pyproject.toml")).unwrap_or_default();
    let project: toml::Table = toml::from_str(&text).unwrap_or_default();
    let at = |path: &[&str]| {
        let mut value = project.get(path.first().copied()?)?;
        for key in &path[1..] {
            value = value.get(key)?;
        }
        Some(value)
    };
    if has("requirements.txt") {
        build.push(format!("{PIP} -r requirements.txt"));
    } else if has("uv.lock") {
        build.push(tool("uv"));
        build.extend(from(
            "\"$AMBIT_CACHE/tool/bin/uv\" export --quiet --frozen --no-dev --no-emit-project --no-python-downloads",
        ));
        if at(&["build-system"]).is_some() {
            build.push(format!("{PIP} --no-deps ."));
        }
    } else if at(&["tool", "poetry"]).is_some() {
        if has("poetry.lock") {
            build.push(tool("poetry poetry-plugin-export"));
            build.extend(from("\"$AMBIT_CACHE/tool/bin/poetry\" export --only main --no-interaction"));
        } else {
            build.push(tool("poetry-core"));
            build.extend(from(&format!("\"$AMBIT_CACHE/tool/bin/python\" -c {}", quote(POETRY_REQUIRES))));
        }
        let name = at(&["tool", "poetry", "name"]).and_then(toml::Value::as_str).unwrap_or_default().replace('-', "_");
        let package = at(&["tool", "poetry", "package-mode"]).and_then(toml::Value::as_bool) != Some(false)
            && (at(&["tool", "poetry", "packages"]).is_some()
                || [name.clone(), format!("src/{name}")].iter().any(|f| tree.join(f).is_dir()));
        if package {
            build.push(format!("{PIP} --no-deps ."));
        }
    } else if at(&["build-system"]).is_some() {
        build.push(format!("{PIP} ."));
    } else if let Some(dependencies) = at(&["project", "dependencies"]).and_then(toml::Value::as_array) {
        // No package, says PEP 518: the code runs where it lies, and only what it depends on is installed.
        let names: String = dependencies.iter().filter_map(|d| d.as_str()).map(|d| format!(" {}", quote(d))).collect();
        if !names.is_empty() {
            build.push(format!("{PIP}{names}"));
        }
    }
    build
}

fn django(tree: &Path, requirements: &str, recipe: &mut Recipe) {
    "Django".clone_into(&mut recipe.language);
    recipe.migrate = Some(".venv/bin/python manage.py migrate --noinput".to_owned());
    recipe.test = Some(".venv/bin/python manage.py test".to_owned());
    let module = package_with(tree, "wsgi.py");
    recipe.run = Some(match module.filter(|_| requirements.contains("gunicorn")) {
        Some(module) => format!("exec .venv/bin/gunicorn {module}.wsgi --bind \"127.0.0.1:$PORT\""),
        None => "exec .venv/bin/python manage.py runserver --noreload \"127.0.0.1:$PORT\"".to_owned(),
    });
    if declares_static_root(tree, 3) {
        // The settings may ask for what only an environment has; an app without its collected files still starts.
        recipe.build.push(
            "SECRET_KEY=build DJANGO_SECRET_KEY=build DATABASE_URL=sqlite:///build.sqlite3 \
             .venv/bin/python manage.py collectstatic --noinput --verbosity 0 \
             || echo 'collectstatic failed: set `build` in ambit.toml with what its settings need'"
                .to_owned(),
        );
    }
}

/// Whether settings say where static files are collected.
fn declares_static_root(folder: &Path, depth: u32) -> bool {
    fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).any(|entry| {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() {
            return depth > 0 && !name.starts_with('.') && declares_static_root(&path, depth - 1);
        }
        let settings = name.starts_with("settings") || folder.file_name().is_some_and(|f| f == "settings");
        settings
            && name.ends_with(".py")
            && fs::read_to_string(path).is_ok_and(|t| t.lines().any(|l| l.starts_with("STATIC_ROOT")))
    })
}

/// The package that holds a file.
fn package_with(tree: &Path, file: &str) -> Option<String> {
    packages(tree).into_iter().find(|name| tree.join(name).join(file).is_file())
}

/// Folders that can be imported, sorted.
fn packages(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut names: Vec<String> = entries
        .filter(|e| e.path().is_dir())
        .filter_map(|e| e.file_name().into_string().ok())
        .filter(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
        .filter(|name| !matches!(name.as_str(), "tests" | "test" | "docs" | "node_modules" | "venv" | "migrations"))
        .collect();
    names.sort();
    names
}

struct Candidate {
    file: String,
    module: String,
}

/// Files in which a server may be found: at the top, in packages, in packages below `src`.
fn candidates(tree: &Path) -> Vec<Candidate> {
    let mut all: Vec<Candidate> = Vec::new();
    let mut add = |folder: &str, module: &str| {
        for name in USUAL.iter().chain(&["__init__.py"]) {
            let file = if folder.is_empty() { (*name).to_owned() } else { format!("{folder}/{name}") };
            if tree.join(&file).is_file() && !(folder.is_empty() && *name == "__init__.py") {
                let stem = name.trim_end_matches(".py");
                let parts = [module, if stem == "__init__" { "" } else { stem }];
                let module = parts.into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(".");
                all.push(Candidate { file, module });
            }
        }
    };
    add("", "");
    let top = packages(tree);
    for package in top.iter().filter(|p| *p != "src") {
        add(package, package);
    }
    for package in packages(&tree.join("src")) {
        add(&format!("src/{package}"), &package);
    }
    add("src", "src");
    all
}

/// What answers requests: the name of the object, or `name()` of the function that makes it.
enum Server {
    Asgi(String),
    Wsgi(String),
}

fn server(candidate: &Candidate, text: &str, requirements: &str) -> Option<Server> {
    for call in ["FastAPI(", "Starlette(", "Litestar(", "Quart("] {
        if let Some(name) = assigned(text, call) {
            return Some(Server::Asgi(name));
        }
    }
    if let Some(name) = assigned(text, "Flask(") {
        return Some(Server::Wsgi(name));
    }
    let asgi = ["fastapi", "starlette", "litestar", "quart"].iter().any(|name| requirements.contains(name));
    let factory = ["create_app", "make_app", "get_app"]
        .into_iter()
        .find(|name| text.lines().any(|l| l.strip_prefix("def ").is_some_and(|l| l.starts_with(&format!("{name}(")))));
    let made = ["create_app(", "make_app(", "get_app("].iter().find_map(|call| assigned(text, call));
    let imported = candidate.file.ends_with("wsgi.py")
        && text.lines().any(|l| l.starts_with("from ") && l.ends_with("import app"));
    let name = made.or_else(|| factory.map(|f| format!("{f}()"))).or_else(|| imported.then(|| "app".to_owned()))?;
    match (asgi, requirements.contains("flask")) {
        (true, false) => Some(Server::Asgi(name)),
        (_, true) => Some(Server::Wsgi(name)),
        (false, false) => None,
    }
}

/// The variable of the module that is assigned a call: `app` of `app = FastAPI()`.
fn assigned(text: &str, call: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        let name = name.split(':').next().unwrap_or_default().trim_end();
        let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let called = value.trim_start().split_once('(').map_or("", |(called, _)| called);
        let path = called.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
        let last = called.rsplit('.').next().unwrap_or_default();
        (plain && path && last == call.trim_end_matches('(')).then(|| name.to_owned())
    })
}
