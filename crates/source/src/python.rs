//! Python: Django, FastAPI, Flask or a plain program, in a virtual environment within the build.

use std::{fs, path::Path};

use crate::detect::{Recipe, recipe};

pub(crate) fn detect(tree: &Path) -> Recipe {
    let mut recipe = recipe("Python");
    let read = |name: &str| fs::read_to_string(tree.join(name)).unwrap_or_default();
    let requirements = format!("{}{}", read("requirements.txt"), read("pyproject.toml")).to_lowercase();
    recipe.needs = vec!["python3".to_owned()];
    recipe.build = vec!["python3 -m venv .venv".to_owned()];
    let pip = ".venv/bin/python -m pip install --quiet --disable-pip-version-check --cache-dir \"$AMBIT_CACHE/pip\"";
    if tree.join("requirements.txt").is_file() {
        recipe.build.push(format!("{pip} -r requirements.txt"));
    } else if tree.join("pyproject.toml").is_file() {
        recipe.build.push(format!("{pip} ."));
    }
    recipe.installs = recipe.build.len();
    recipe.variables.push(("PYTHONUNBUFFERED".to_owned(), "1".to_owned()));
    if tree.join("manage.py").is_file() {
        "Django".clone_into(&mut recipe.language);
        recipe.migrate = Some(".venv/bin/python manage.py migrate --noinput".to_owned());
        recipe.test = Some(".venv/bin/python manage.py test".to_owned());
        let module = wsgi_module(tree);
        recipe.run = Some(match module.filter(|_| requirements.contains("gunicorn")) {
            Some(module) => format!("exec .venv/bin/gunicorn {module}.wsgi --bind \"127.0.0.1:$PORT\""),
            None => "exec .venv/bin/python manage.py runserver --noreload \"127.0.0.1:$PORT\"".to_owned(),
        });
        return recipe;
    }
    for file in ["main.py", "app.py", "app/main.py", "src/main.py", "wsgi.py", "server.py"] {
        let text = read(file);
        if text.is_empty() {
            continue;
        }
        let module = file.trim_end_matches(".py").replace('/', ".");
        recipe.run = Some(if let Some(name) = assigned(&text, "FastAPI(") {
            format!("exec .venv/bin/python -m uvicorn {module}:{name} --host 127.0.0.1 --port \"$PORT\"")
        } else if let Some(name) = assigned(&text, "Flask(") {
            if requirements.contains("gunicorn") {
                format!("exec .venv/bin/gunicorn {module}:{name} --bind \"127.0.0.1:$PORT\"")
            } else {
                format!("exec .venv/bin/python -m flask --app {module}:{name} run --host 127.0.0.1 --port \"$PORT\"")
            }
        } else {
            format!("exec .venv/bin/python {file}")
        });
        break;
    }
    recipe
}

/// The package that holds `wsgi.py`.
fn wsgi_module(tree: &Path) -> Option<String> {
    let entries = fs::read_dir(tree).ok()?;
    let found = entries.filter_map(Result::ok).find(|e| e.path().join("wsgi.py").is_file())?;
    let name = found.file_name().into_string().ok()?;
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_').then_some(name)
}

/// The variable that is assigned a call: `app` of `app = FastAPI()`.
fn assigned(text: &str, call: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        let name = name.trim().split(':').next().unwrap_or_default().trim();
        let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        (plain && value.trim_start().starts_with(call)).then(|| name.to_owned())
    })
}
