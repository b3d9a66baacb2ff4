//! What is found out about trees as they lie about in the world, and the file that is drafted for them.

#![allow(clippy::unwrap_used)] // A test may panic.

use std::{fs, path::Path};

use ambit_source::{
    detect::{Recipe, detect},
    init::draft,
};
use tempfile::TempDir;

fn tree(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::Builder::new().prefix("shop").tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn recipe(files: &[(&str, &str)]) -> Recipe {
    detect(tree(files).path()).unwrap().unwrap()
}

fn run(files: &[(&str, &str)]) -> String {
    recipe(files).run.unwrap()
}

fn drafted(folder: &Path) -> String {
    let text = draft(folder).unwrap().toml;
    let parsed = ambit_spec::parse(&text);
    assert!(parsed.project.is_some(), "{text}\n{:?}", parsed.diagnostics);
    text
}

#[test]
fn the_package_manager_is_that_of_the_lockfile_and_is_fetched_where_it_is_missing() {
    let package =
        ("package.json", r#"{"scripts":{"start":"node a.js","test":"echo \"Error: no test specified\" && exit 1"}}"#);
    let pnpm = recipe(&[package, ("pnpm-lock.yaml", "lockfileVersion: '6.0'\n")]);
    assert!(pnpm.build[0].starts_with("command -v pnpm") && pnpm.build[0].ends_with(" pnpm@8"), "{:?}", pnpm.build);
    assert_eq!(pnpm.build[1], "pnpm install --frozen-lockfile");
    assert_eq!(pnpm.run.as_deref(), Some("exec pnpm start"));
    assert_eq!(pnpm.test, None, "npm's placeholder is no test");
    let berry = recipe(&[package, ("yarn.lock", "__metadata:\n  version: 8\n")]);
    assert!(berry.build[0].ends_with("@yarnpkg/cli-dist@4") && berry.build[1].ends_with("--immutable"));
    let classic = recipe(&[package, ("yarn.lock", "# yarn lockfile v1\n")]);
    assert!(classic.build[0].ends_with(" yarn@1") && classic.build[1].ends_with("--frozen-lockfile"));
    assert_eq!(recipe(&[package]).build, ["npm install --no-audit --no-fund"]);
    let hostile = r#"{"packageManager":"pnpm@9;reboot","scripts":{"start":"x"}}"#;
    let hostile = recipe(&[("package.json", hostile), ("pnpm-lock.yaml", "")]);
    assert!(!hostile.build[0].contains("reboot"), "{:?}", hostile.build);
}

#[test]
fn a_start_that_is_a_developers_server_means_a_site() {
    for (start, folder) in [("vite", "dist"), ("react-scripts start", "build"), ("npx astro dev", "dist")] {
        let package = format!(r#"{{"scripts":{{"start":"{start}","build":"b"}}}}"#);
        let found = recipe(&[("package.json", &package)]);
        assert_eq!((found.site.as_deref(), found.run), (Some(folder), None), "{start}");
    }
    let found = recipe(&[("package.json", r#"{"scripts":{"start":"vite-node server.ts","build":"b"}}"#)]);
    assert_eq!(found.run.as_deref(), Some("exec npm start"));
}

#[test]
fn a_python_server_is_found_wherever_it_is_made() {
    let fastapi = ("requirements.txt", "fastapi\nuvicorn\n");
    let flask = ("requirements.txt", "Flask==3.0\n");
    for (files, wanted) in [
        (vec![fastapi, ("main.py", "app = FastAPI(\n    title='x',\n)\n")], "uvicorn main:app --host"),
        (
            vec![fastapi, ("app/main.py", "import fastapi\napi: fastapi.FastAPI = fastapi.FastAPI()\n")],
            "uvicorn app.main:api ",
        ),
        (
            vec![fastapi, ("src/shop/main.py", "def create_app():\n    app = FastAPI()\n")],
            "uvicorn shop.main:create_app --factory ",
        ),
        (
            vec![flask, ("app.py", "def create_app():\n    app = Flask(__name__)\n    return app\n")],
            "flask --app 'app:create_app()' run",
        ),
        (
            vec![flask, ("hello/__init__.py", "def create_app(x=None):\n    pass\n")],
            "flask --app 'hello:create_app()' run",
        ),
        (
            vec![flask, ("wsgi.py", "from shop import create_app\napplication = create_app()\n")],
            "flask --app 'wsgi:application' run",
        ),
        (vec![flask, ("main.py", "import app\n"), ("app.py", "app = Flask(__name__)\n")], "flask --app 'app:app' run"),
        (vec![("requirements.txt", ""), ("main.py", "print(1)\n")], "python main.py"),
    ] {
        let run = run(&files);
        assert!(run.contains(wanted), "{wanted} is not in {run}");
    }
}

#[test]
fn what_python_code_depends_on_is_installed_as_its_files_say() {
    let main = ("main.py", "app = FastAPI()\n");
    let build = |toml: &str, more: &[(&str, &str)]| {
        let mut files = vec![main, ("pyproject.toml", toml)];
        files.extend_from_slice(more);
        recipe(&files).build.join("\n")
    };
    let plain = build("[project]\nname='x'\ndependencies=['fastapi[standard]>=0.1']\n", &[]);
    assert!(plain.ends_with(" 'fastapi[standard]>=0.1'"), "{plain}");
    let package = build("[project]\nname='x'\ndependencies=['uvicorn']\n[build-system]\nrequires=[]\n", &[]);
    assert!(package.ends_with(" ."), "{package}");
    let uv = build("[project]\nname='x'\ndependencies=['uvicorn']\n", &[("uv.lock", "")]);
    assert!(uv.contains("uv\" export") && uv.ends_with("-r .ambit/requirements.txt"), "{uv}");
    let poetry = build("[tool.poetry]\nname='x'\npackage-mode=false\n[tool.poetry.dependencies]\nuvicorn='*'\n", &[]);
    assert!(poetry.contains("create_poetry()") && !poetry.contains("--no-deps ."), "{poetry}");
}

#[test]
fn the_static_files_of_django_are_collected_where_its_settings_say_where() {
    let files = [("manage.py", ""), ("requirements.txt", "django\ngunicorn\n"), ("site1/wsgi.py", "")];
    let with = [&files[..], &[("site1/settings.py", "STATIC_ROOT = BASE_DIR / 'static'\n")]].concat();
    assert!(recipe(&with).build.last().unwrap().contains("collectstatic"));
    assert!(!recipe(&files).build.last().unwrap().contains("collectstatic"));
    assert!(run(&files).contains("gunicorn site1.wsgi"));
}

#[test]
fn a_workspace_of_cargo_is_built_at_its_top_and_its_program_is_run() {
    let files = [
        ("Cargo.toml", "[workspace]\nmembers = ['crates/*', 'core']\n"),
        ("crates/api/Cargo.toml", "[package]\nname = 'api'\n"),
        ("crates/api/src/main.rs", ""),
        ("core/Cargo.toml", "[package]\nname = 'core-lib'\n"),
        ("core/src/lib.rs", ""),
    ];
    let found = recipe(&files);
    assert_eq!(found.run.as_deref(), Some("exec bin/api"));
    let two = [&files[..], &[("core/src/bin/jobs-worker.rs", "")]].concat();
    assert_eq!(recipe(&two).run, None, "which of two is meant has to be said");
    let text = drafted(tree(&two).path());
    assert!(text.contains("[services.api]") && text.contains("run = \"exec bin/api\""), "{text}");
    assert!(text.contains("kind = \"worker\"\nrun = \"exec bin/jobs-worker\""), "{text}");
}

#[test]
fn files_of_other_platforms_keep_their_meaning() {
    let files = [
        ("package.json", r#"{"scripts":{"start":"node a.js"}}"#),
        (
            "railway.toml",
            "[build]\nbuildCommand='npm run x'\n[deploy]\nstartCommand='node b.js'\npreDeployCommand=['npm run m']\nhealthcheckPath='/up'\n",
        ),
        (
            "docker-compose.yml",
            "services:\n  db:\n    image: \"docker.io/library/postgres:16-alpine\"\n  q:\n    image: 'redis'\n",
        ),
    ];
    let text = drafted(tree(&files).path());
    for wanted in [
        "build = \"npm install --no-audit --no-fund && npm run x\"",
        "run = \"node b.js\"",
        "\nmigrate = \"npm run m\"",
        "health = \"/up\"",
        "[services.postgres]",
        "[services.redis]",
    ] {
        assert!(text.contains(wanted), "{wanted} is not in\n{text}");
    }
}

#[test]
fn a_draft_holds_no_secret_whatever_the_settings_hold() {
    let secrets = [
        "sk_live_51H8abcdefghijklmnopqrstuv",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "hunter2",
        "T000/B000/XXXXXXXX",
    ];
    let text = format!(
        "LOG_LEVEL=info\nSTRIPE={}\nGH={}\nSMTP_PWD={}\nHOOK=https://hooks.example.com/services/{}XXXXXXXXXXXXXXXX\nJWT_SECRET=abc\n",
        secrets[0], secrets[1], secrets[2], secrets[3]
    );
    let folder = tree(&[
        ("package.json", r#"{"scripts":{"start":"x"}}"#),
        (".env.production", &text),
        (".env.development", "LOG_LEVEL=debug\n"),
    ]);
    let text = drafted(folder.path());
    for secret in secrets {
        assert!(!text.contains(secret), "{secret} is in\n{text}");
    }
    assert!(text.contains("LOG_LEVEL = \"debug\"") && text.contains("JWT_SECRET = { generate = 50 }"), "{text}");
    assert!(text.contains("SMTP_PWD = { required = false }"), "{text}");
}

#[test]
fn what_is_wrong_at_the_top_does_not_hide_the_folders_below() {
    let folder = tree(&[
        ("Dockerfile", "FROM scratch\n"),
        ("api/package.json", r#"{"scripts":{"start":"x"}}"#),
        ("Api!/index.html", ""),
    ]);
    let text = drafted(folder.path());
    assert!(text.contains("[services.api]") && text.contains("[services.api-2]"), "{text}");
    let nothing = draft(tree(&[("go.mod", "module x\n")]).path()).unwrap_err();
    assert!(nothing.hint().unwrap().contains("run ="), "{nothing}");
}

#[test]
fn a_folder_of_any_name_gives_a_project_a_name() {
    for (folder, wanted) in
        [("Mi Tienda Ñandú", "mi-tienda-nandu"), ("123 go", "p123-go"), ("日本", "app"), ("-x-", "x")]
    {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join(folder);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("index.html"), "").unwrap();
        assert!(drafted(&folder).contains(&format!("project = \"{wanted}\"")), "{wanted}");
    }
}

#[test]
fn an_app_for_phones_is_declared_and_is_no_service() {
    let expo = r#"{ "main": "index.ts", "scripts": { "start": "expo start" }, "dependencies": { "expo": "~53.0.0" } }"#;
    let shop = tree(&[
        ("api/package.json", r#"{ "scripts": { "start": "node server.js" } }"#),
        ("api/server.js", ""),
        ("phone/package.json", expo),
        ("phone/index.js", ""),
        ("phone/app.json", r#"{ "expo": { "name": "La Tienda", "android": { "package": "com.shop.app" } } }"#),
    ]);
    let text = drafted(shop.path());
    assert!(text.contains("[services.api]") && !text.contains("[services.phone]"), "{text}");
    assert!(text.contains("[mobile]\nsource = \"phone\"\npackage = \"com.shop.app\"\nname = \"La Tienda\""), "{text}");

    // Without an app.json that says so, what is missing is left to be filled in.
    fs::remove_file(shop.path().join("phone/app.json")).unwrap();
    let text = drafted(shop.path());
    assert!(text.contains("[mobile]\nsource = \"phone\"\n# package ="), "{text}");

    // A server that only uses a library of Expo is a server.
    let server = r#"{ "scripts": { "start": "node server.js" }, "dependencies": { "expo": "1", "express": "5" } }"#;
    assert_eq!(run(&[("package.json", server), ("server.js", "")]), "exec npm start");
}
