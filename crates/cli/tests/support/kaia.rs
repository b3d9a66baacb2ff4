//! Kaia in its environments, from `apps/kaia`, with the backend built once for all tests.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::{Machine, git};

/// Kaia on a machine of its own.
pub(crate) struct Kaia {
    pub(crate) machine: Machine,
    pub(crate) project: PathBuf,
    environments: Vec<&'static str>,
}

/// What the seed gives everybody.
pub(crate) const PASSWORD: &str = "kaia-dev-2025";
pub(crate) const ADMINISTRATOR: &str = "admin@kaia.ai";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

impl Kaia {
    /// A repository laid out as `script/quickstart` does it, with these environments alone, and not brought up yet.
    pub(crate) fn new(environments: &[&'static str]) -> Self {
        let mut machine = Machine::new();
        let project = machine.project("kaia", environments);
        let files = root().join("apps/kaia");
        copy(&files.join("web"), &project.join("web"));
        for name in ["masking.toml", "CHANGELOG.md", "README.md"] {
            std::fs::copy(files.join(name), project.join(name)).unwrap();
        }
        // The backend's own tests and its build are tried elsewhere: here it comes built.
        let toml = std::fs::read_to_string(files.join("ambit.toml")).unwrap();
        let source = "source    = \"backend\"";
        assert!(toml.contains(source));
        let built = format!("{source}\nbuild     = \"true\"\nrun       = \"exec bin/kaia-backend\"");
        let toml = toml.replace(source, &built);
        // Backups are tried elsewhere too, and take most of the time that an environment needs to come up.
        let elsewhere = |line: &str| line.starts_with("backup ") || line.starts_with("test ");
        let toml: Vec<&str> = toml.lines().filter(|line| !elsewhere(line)).collect();
        std::fs::write(project.join("ambit.toml"), toml.join("\n")).unwrap();
        let bin = project.join("backend/bin");
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::copy(backend(), bin.join("kaia-backend")).unwrap();
        std::fs::set_permissions(bin.join("kaia-backend"), std::fs::Permissions::from_mode(0o755)).unwrap();

        let kaia = Self { machine, project, environments: environments.to_vec() };
        git(&kaia.project, &["init", "-q"]);
        git(&kaia.project, &["config", "user.email", "ana@example.org"]);
        kaia.ambit(&["secret", "key", "--add"]);
        for environment in environments {
            let values = root().join(format!("script/kaia/{environment}.env"));
            kaia.ambit(&["secret", "set", "--from", values.to_str().unwrap(), "-e", environment]);
        }
        kaia
    }

    /// Adds lines after the header of a table of `ambit.toml`, or the whole table.
    pub(crate) fn declare(&self, header: &str, lines: &str) {
        let file = self.project.join("ambit.toml");
        let toml = std::fs::read_to_string(&file).unwrap();
        let toml = match toml.split_once(&format!("\n{header}")) {
            Some((before, after)) => {
                let (rest, after) = after.split_once('\n').unwrap();
                format!("{before}\n{header}{rest}\n{lines}\n{after}")
            }
            None => format!("{toml}\n{header}\n{lines}\n"),
        };
        std::fs::write(file, toml).unwrap();
    }

    /// Gives a secret its value.
    pub(crate) fn secret(&self, environment: &str, name: &str, value: &str) {
        let file = self.machine.folder.path().join("value.env");
        std::fs::write(&file, format!("{name}={value}\n")).unwrap();
        self.ambit(&["secret", "set", "--from", file.to_str().unwrap(), "-e", environment]);
    }

    /// What is there becomes 1.0.0, on every branch, and runs.
    pub(crate) fn begin(&self) {
        git(&self.project, &["add", "-A"]);
        git(&self.project, &["commit", "-q", "-m", "Kaia 1.0.0"]);
        git(&self.project, &["tag", "-a", "v1.0.0", "-m", "Release 1.0.0"]);
        git(&self.project, &["branch", "develop"]);
        git(&self.project, &["branch", "staging"]);
        self.up();
    }

    pub(crate) fn ambit(&self, arguments: &[&str]) -> String {
        self.machine.ok(&self.project, arguments)
    }

    /// Puts a file below the project's folder.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let file = self.project.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    fn up(&self) {
        let listen = format!("127.0.0.1:{}", self.machine.port);
        self.ambit(&[&["up", "--listen", &listen], &*self.environments].concat());
    }

    /// Where a service of an environment is reached on this machine.
    pub(crate) fn url(&self, environment: &str, service: &str) -> String {
        let listed = self.ambit(&["url", service, "-e", environment, "--json"]);
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        listed[0]["url"].as_str().unwrap().to_owned()
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// The backend's program, built where it is out of date.
fn backend() -> PathBuf {
    static BUILT: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    BUILT
        .get_or_init(|| {
            let folder = root().join("apps/kaia/backend");
            let target = folder.join("target");
            let cargo = Command::new(env!("CARGO"))
                .args(["build", "--quiet", "--locked", "--bin", "kaia-backend", "--target-dir"])
                .arg(&target)
                .current_dir(&folder)
                .output()
                .unwrap();
            assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
            target.join("debug/kaia-backend")
        })
        .clone()
}
