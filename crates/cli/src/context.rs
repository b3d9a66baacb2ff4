//! Where a command finds things: the project, the state folder, the keys, the daemon.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use ambit_app::{Ambit, Declaration, Service, Surroundings};
use ambit_domain::{Actor, EnvironmentId, Failure, FailureKind, Home, spec::ProjectName};
use ambit_server::Client;

/// Settings of package managers that a build inherits: registries, proxies, certificates. Nothing that steers a build.
const BUILD_VARIABLES: &[&str] = &[
    "npm_config_",
    "NPM_CONFIG_",
    "PIP_",
    "UV_",
    "CARGO_REGISTRIES_",
    "CARGO_SOURCE_",
    "CARGO_NET_",
    "CARGO_HTTP_",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
];

pub(crate) fn home() -> Result<Home, Failure> {
    let chosen = std::env::var_os("AMBIT_HOME").filter(|v| !v.is_empty()).map(PathBuf::from);
    let root = match chosen {
        Some(path) if path.is_absolute() => path,
        Some(path) => {
            return Err(Failure::new(
                FailureKind::User,
                format!("AMBIT_HOME is not an absolute path: {}", path.display()),
            ));
        }
        None if nix::unistd::geteuid().is_root() => PathBuf::from("/var/lib/ambit"),
        None => base("XDG_DATA_HOME", ".local/share")?.join("ambit"),
    };
    Ok(Home::new(root))
}

/// XDG Base Directory Specification: relative values are ignored.
fn base(variable: &str, default: &str) -> Result<PathBuf, Failure> {
    let set = std::env::var_os(variable).map(PathBuf::from).filter(|p| p.is_absolute());
    set.or_else(|| std::env::var_os("HOME").map(|h| PathBuf::from(h).join(default)))
        .ok_or_else(|| Failure::new(FailureKind::User, "HOME is not set").hint("set HOME, or AMBIT_HOME"))
}

/// The file of a project's key.
pub(crate) fn key_file(project: &ProjectName) -> Result<PathBuf, Failure> {
    Ok(base("XDG_CONFIG_HOME", ".config")?.join("ambit/keys").join(format!("{project}.txt")))
}

/// The keys of a project as text: AMBIT_KEY, else the file in the user's configuration; empty where there is neither.
pub(crate) fn keys(project: &ProjectName) -> Result<String, Failure> {
    if let Ok(text) = std::env::var("AMBIT_KEY")
        && !text.trim().is_empty()
    {
        return Ok(text);
    }
    let file = key_file(project)?;
    let metadata = match fs::metadata(&file) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(unreadable(&file, &error)),
    };
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(Failure::new(FailureKind::Machine, format!("the key {} can be read by others", file.display()))
            .hint(format!("chmod 600 {}", file.display())));
    }
    fs::read_to_string(&file).map_err(|error| unreadable(&file, &error))
}

fn unreadable(file: &Path, error: &std::io::Error) -> Failure {
    Failure::new(FailureKind::Machine, format!("cannot read {}", file.display())).because(error.to_string())
}

/// The folder of the project that a command is about.
pub(crate) fn folder(directory: Option<&Path>) -> Result<PathBuf, Failure> {
    let start = match directory {
        Some(directory) => directory.to_path_buf(),
        None => std::env::current_dir().map_err(|e| {
            Failure::new(FailureKind::User, "the folder that you are in is gone").because(e.to_string())
        })?,
    };
    let start = start.canonicalize().map_err(|e| {
        Failure::new(FailureKind::NotFound, format!("there is no folder {}", start.display())).because(e.to_string())
    })?;
    start.ancestors().find(|f| f.join("ambit.toml").is_file()).map(Path::to_path_buf).ok_or_else(|| {
        Failure::new(FailureKind::NotFound, format!("there is no ambit.toml in {} or above it", start.display()))
            .hint("ambit init writes one for the folder that you are in")
    })
}

/// The name of the project in a folder, read without checking the rest, so that stopping needs no valid file.
pub(crate) fn project(folder: &Path) -> Result<ProjectName, Failure> {
    let text = fs::read_to_string(folder.join("ambit.toml")).map_err(|e| unreadable(&folder.join("ambit.toml"), &e))?;
    let line = text.lines().find_map(|l| l.trim_start().strip_prefix("project")?.trim_start().strip_prefix('='));
    let value = line.map(|l| l.trim().trim_start_matches(['"', '\'']).split(['"', '\'']).next().unwrap_or_default());
    value.and_then(|v| v.parse().ok()).ok_or_else(|| {
        Failure::new(FailureKind::Declaration, "ambit.toml does not say the project's name").hint("ambit check")
    })
}

/// The OS user that commands run as.
pub(crate) fn os_user() -> String {
    let uid = nix::unistd::geteuid();
    nix::unistd::User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |u| u.name)
}

/// What this machine calls itself.
pub(crate) fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "localhost".to_owned() } else { name.trim().to_owned() }
}

/// Who types: AMBIT_USER, else the address that git has for commits in the project, else the OS user.
pub(crate) fn actor(folder: &Path) -> Actor {
    let uid = nix::unistd::geteuid();
    let chosen = std::env::var("AMBIT_USER").ok().filter(|v| !v.trim().is_empty());
    let who = chosen.or_else(|| ambit_source::git::user_email(folder)).unwrap_or_else(os_user);
    match std::env::var("AMBIT_FROM") {
        // Said by `ssh serve`, whose caller has no say in its environment.
        Ok(from) if from == "ssh" => Actor::new(&who, "ssh"),
        _ => Actor::cli(&who, uid.as_raw()),
    }
}

/// The same for a command that needs no project.
pub(crate) fn person(directory: Option<&Path>) -> Actor {
    let here = directory.map(Path::to_path_buf).or_else(|| std::env::current_dir().ok());
    actor(&here.unwrap_or_else(|| PathBuf::from("/")))
}

pub(crate) fn declaration(folder: &Path) -> Result<Declaration, Failure> {
    Declaration::open(folder, &keys(&project(folder)?)?)
}

/// The keys of a project where they can be found without asking; why they cannot is told when they are needed.
fn found_keys(project: &ProjectName) -> String {
    keys(project).unwrap_or_default()
}

pub(crate) fn surroundings() -> Result<Surroundings, Failure> {
    let program = std::env::current_exe().map_err(|e| {
        Failure::new(FailureKind::Internal, "the program does not know where it lies").because(e.to_string())
    })?;
    let mut path: Vec<PathBuf> =
        std::env::var_os("PATH").map(|p| std::env::split_paths(&p).collect()).unwrap_or_default();
    for usual in ["/usr/local/bin", "/usr/bin", "/bin"] {
        if !path.contains(&PathBuf::from(usual)) {
            path.push(usual.into());
        }
    }
    let build_variables =
        std::env::vars().filter(|(name, _)| BUILD_VARIABLES.iter().any(|known| name.starts_with(known))).collect();
    Ok(Surroundings {
        program,
        path,
        build_variables,
        listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
        keys: found_keys,
    })
}

/// The application in this process: for what only reads.
pub(crate) fn ambit() -> Result<Ambit, Failure> {
    Ambit::open(home()?, surroundings()?)
}

/// An environment of a project on this machine, by its name.
pub(crate) fn environment(folder: &Path, name: &str) -> Result<EnvironmentId, Failure> {
    let environment = name.parse().map_err(|e| Failure::from_error(FailureKind::User, &e))?;
    Ok(EnvironmentId { project: project(folder)?, environment })
}

/// Tells one build of the program from another.
pub(crate) fn program_mark() -> String {
    let metadata = std::env::current_exe().and_then(fs::metadata);
    metadata.map_or_else(|_| "unknown".to_owned(), |m| format!("{}-{}-{}", m.dev(), m.ino(), m.mtime()))
}

/// What there was when a daemon was asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum DaemonWas {
    /// One of this build, which stays.
    Current,
    /// One that was replaced.
    Replaced,
    /// None.
    Missing,
}

/// The daemon, started where it is not there, replaced where it is of another build.
pub(crate) async fn daemon() -> Result<Client, Failure> {
    Ok(current_daemon(false).await?.0)
}

/// The daemon, replaced also where it is of this build if that is forced.
pub(crate) async fn current_daemon(force: bool) -> Result<(Client, DaemonWas), Failure> {
    let home = home()?;
    // Refuses a state folder that cannot be used, in words, before a daemon would in its log.
    drop(ambit()?);
    let client = Client::new(&home);
    let was = match client.health().await {
        Ok(health) if health.program == program_mark() && !force => return Ok((client, DaemonWas::Current)),
        Ok(_) => {
            stop(&client).await?;
            DaemonWas::Replaced
        }
        Err(_) => DaemonWas::Missing,
    };
    let service = Service::new(&surroundings()?.program, &home);
    if service.looks_after_home() && nix::unistd::geteuid().is_root() {
        service.restart()?;
        if wait(|| async { client.health().await.is_ok() }).await {
            return Ok((client, was));
        }
        return Err(Failure::new(FailureKind::Machine, "the daemon does not start").hint("journalctl -u ambit"));
    }
    let log = home.logs().join("daemon.log");
    let record = home.run();
    for folder in [home.logs(), record] {
        fs::create_dir_all(&folder)
            .and_then(|()| fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)))
            .map_err(|e| unreadable(&folder, &e))?;
    }
    let program = surroundings()?.program;
    // A daemon that a push starts is not a part of it: it must not take the hook's repository (githooks(5)) for its own,
    // nor whoever pushed for whom it works.
    ambit_keeper::client::spawn_apart(&program, &["daemon"], &["GIT_", "SSH_", "AMBIT_USER", "AMBIT_FROM"], &log)
        .map_err(|e| Failure::new(FailureKind::Machine, "the daemon cannot be started").because(e.to_string()))?;
    if wait(|| async { client.health().await.is_ok() }).await {
        return Ok((client, was));
    }
    let said = fs::read_to_string(&log).unwrap_or_default();
    let last: Vec<&str> = said.lines().rev().take(5).collect();
    Err(Failure::new(FailureKind::Machine, "the daemon does not start")
        .because(last.into_iter().rev().collect::<Vec<_>>().join("\n"))
        .hint(format!("its whole log: {}", log.display())))
}

/// Stops the daemon and waits until it has gone, so that the next command meets no daemon that is about to go.
pub(crate) async fn stop(client: &Client) -> Result<(), Failure> {
    client.stop().await?;
    wait(|| async { client.health().await.is_err() }).await;
    Ok(())
}

async fn wait<F: Future<Output = bool>>(condition: impl Fn() -> F) -> bool {
    let until = Instant::now() + Duration::from_secs(10);
    while Instant::now() < until {
        if condition().await {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    false
}
