//! The data behind the API: a database of a template that has a TCP proxy is a real server of this machine, started when somebody
//! first asks how it is reached. Each is watched by a shell that holds a pipe of ours: when we are gone, in whichever way, so are the
//! server and its files.

use std::{
    collections::BTreeMap,
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};

mod archive;

/// Where every proxy is.
pub(super) const HOST: &str = "127.0.0.1";
const STARTS_WITHIN: Duration = Duration::from_secs(60);
/// Ends the server when nothing more can come from whoever started it.
const WATCHED: &str = r#""$@" & server=$!; read -r _; kill -INT "$server"; wait "$server"; cd /; rm -rf "$FOLDER""#;
/// Who owns the servers where this runs as root, the first that there is.
const OWNERS: [&str; 2] = ["postgres", "nobody"];

/// What a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    Postgres,
    Redis,
}

impl Engine {
    /// By the image that a service runs.
    pub(super) fn of(image: &str) -> Option<Self> {
        let name = image.rsplit('/').next().and_then(|name| name.split(':').next())?;
        match name {
            _ if name.starts_with("postgres") => Some(Self::Postgres),
            "redis" => Some(Self::Redis),
            _ => None,
        }
    }

    /// Whether this machine has its programs.
    pub(super) fn is_here(self) -> bool {
        match self {
            Self::Postgres => postgres_programs(None).is_some(),
            Self::Redis => found("redis-server").is_some(),
        }
    }
}

/// How a server is made.
pub(super) struct Wanted<'a> {
    pub(super) engine: Engine,
    pub(super) port: u16,
    pub(super) user: &'a str,
    pub(super) password: &'a str,
    pub(super) database: &'a str,
    /// The major version that is meant; the newest that is here where that one is not.
    pub(super) version: Option<u32>,
    /// The folder of the server whose data it begins with, and the moment of it.
    pub(super) recovers: Option<(PathBuf, &'a str)>,
}

/// The servers that run, by what has them.
#[derive(Default)]
pub(super) struct Servers(BTreeMap<(String, String), Server>);

struct Server {
    watch: Option<ChildStdin>,
    shell: Child,
    folder: PathBuf,
    port: u16,
    user: String,
    password: String,
    version: Option<u32>,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.watch.take());
        let _ = self.shell.wait();
    }
}

impl Servers {
    /// Where one listens, once it runs.
    pub(super) fn port(&self, environment: &str, service: &str) -> Option<u16> {
        self.0.get(&(environment.to_owned(), service.to_owned())).map(|server| server.port)
    }

    /// Starts one and waits until it takes connections.
    pub(super) fn start(&mut self, environment: &str, service: &str, wanted: &Wanted<'_>) -> io::Result<()> {
        let server = start(wanted)?;
        self.0.insert((environment.to_owned(), service.to_owned()), server);
        Ok(())
    }

    /// The first backup of a cluster whose log is archived from now on.
    pub(super) fn back_up(&self, environment: &str, service: &str) -> io::Result<()> {
        self.0.get(&(environment.to_owned(), service.to_owned())).map_or(Ok(()), Server::back_up)
    }

    /// The folder of a server, with everything of its log archived.
    pub(super) fn archived(&self, environment: &str, service: &str) -> io::Result<PathBuf> {
        let server = self.0.get(&(environment.to_owned(), service.to_owned()));
        let server = server.ok_or_else(|| io::Error::other("there is nothing to recover from"))?;
        server.archive_all()?;
        Ok(server.folder.clone())
    }

    /// Ends those that nothing has any more.
    pub(super) fn keep(&mut self, is_there: impl Fn(&str, &str) -> bool) {
        self.0.retain(|(environment, service), _| is_there(environment, service));
    }
}

/// A port that is free now.
pub(super) fn free_port() -> Option<u16> {
    Some(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).ok()?.local_addr().ok()?.port())
}

fn found(program: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH")?;
    std::env::split_paths(&paths).map(|folder| folder.join(program)).find(|path| path.exists())
}

/// The folder of PostgreSQL's programs.
fn postgres_programs(version: Option<u32>) -> Option<PathBuf> {
    let at = |major: u32| {
        let folders = [format!("/usr/lib/postgresql/{major}/bin"), format!("/usr/pgsql-{major}/bin")];
        folders.into_iter().map(PathBuf::from).find(|folder| folder.join("initdb").exists())
    };
    let beside = || found("initdb").and_then(|path| path.parent().map(Path::to_path_buf));
    version.and_then(at).or_else(|| (14..=18).rev().find_map(at)).or_else(beside)
}

/// The user that servers run as, where they cannot run as we do.
fn owner() -> Option<(u32, u32)> {
    if fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) != 0) {
        return None;
    }
    let passwd = fs::read_to_string("/etc/passwd").ok()?;
    OWNERS.iter().find_map(|name| {
        let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}

fn start(wanted: &Wanted<'_>) -> io::Result<Server> {
    // A folder that outlives us is deleted by the shell.
    let folder = tempfile::Builder::new().prefix("ambit-simulated-").tempdir()?.keep();
    let owner = owner();
    let own = |path: &Path, mode: u32| -> io::Result<()> {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        match owner {
            Some((user, group)) => chown(path, Some(user), Some(group)),
            None => Ok(()),
        }
    };
    own(&folder, 0o700)?;
    let write = |name: &str, text: &str| -> io::Result<PathBuf> {
        let path = folder.join(name);
        fs::write(&path, text)?;
        own(&path, 0o600)?;
        Ok(path)
    };
    let command = match wanted.engine {
        Engine::Postgres => postgres(wanted, &folder, owner, &write)?,
        Engine::Redis => {
            let program = found("redis-server").ok_or_else(|| io::Error::other("no redis-server"))?;
            let settings = format!(
                "bind {HOST}\nport {}\ndir {}\nsave \"\"\nrequirepass {}\n",
                wanted.port,
                folder.display(),
                wanted.password
            );
            vec![program.into(), write("redis.conf", &settings)?.into()]
        }
    };
    let log = fs::File::create(folder.join("log"))?;
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", WATCHED, "sh"]).args(command).env("FOLDER", &folder).current_dir(&folder);
    // What is pressed at a terminal is ours to hear: the server ends after us.
    shell.process_group(0).stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log);
    let mut shell = as_owner(&mut shell, owner).spawn()?;
    let (user, password) = (wanted.user.to_owned(), wanted.password.to_owned());
    let (watch, port, version) = (shell.stdin.take(), wanted.port, wanted.version);
    let server = Server { watch, shell, folder: folder.clone(), port, user, password, version };
    let end = Instant::now() + STARTS_WITHIN;
    while !answers(wanted) {
        if Instant::now() > end {
            let said = fs::read_to_string(folder.join("log")).unwrap_or_default();
            return Err(io::Error::other(format!("the server behind a proxy does not start: {said}")));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    if wanted.engine == Engine::Postgres && wanted.recovers.is_none() && wanted.database != "postgres" {
        make_database(wanted, &folder, owner)?;
    }
    if wanted.recovers.is_some() {
        server.has_recovered()?;
    }
    Ok(server)
}

fn as_owner(command: &mut Command, owner: Option<(u32, u32)>) -> &mut Command {
    match owner {
        Some((user, group)) => command.uid(user).gid(group),
        None => command,
    }
}

fn checked(command: &mut Command) -> io::Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() { Ok(()) } else { Err(io::Error::other(String::from_utf8_lossy(&output.stderr))) }
}

/// A cluster that takes connections over TLS with a certificate of its own, as the template's image does.
fn postgres(
    wanted: &Wanted<'_>,
    folder: &Path,
    owner: Option<(u32, u32)>,
    write: &dyn Fn(&str, &str) -> io::Result<PathBuf>,
) -> io::Result<Vec<std::ffi::OsString>> {
    let programs = postgres_programs(wanted.version).ok_or_else(|| io::Error::other("no PostgreSQL"))?;
    let password = write("password", wanted.password)?;
    let data = folder.join("data");
    if let Some((source, target)) = &wanted.recovers {
        archive::recover(source, target, &data, owner)?;
    } else {
        initdb(wanted, &programs, folder, &password, owner)?;
    }
    fs::remove_file(&password)?;
    let pair = rcgen::generate_simple_self_signed([HOST.to_owned()]).map_err(io::Error::other)?;
    let certificate = write("certificate.pem", &pair.cert.pem())?;
    let key = write("key.pem", &pair.signing_key.serialize_pem())?;
    let settings = [
        format!("port={}", wanted.port),
        format!("listen_addresses={HOST}"),
        "unix_socket_directories=".to_owned(),
        "fsync=off".to_owned(),
        "ssl=on".to_owned(),
        format!("ssl_cert_file={}", certificate.display()),
        format!("ssl_key_file={}", key.display()),
        "archive_mode=on".to_owned(),
        format!("archive_command={}", archive::command(folder)),
    ];
    let mut command = vec![programs.join("postgres").into(), "-D".into(), data.into()];
    command.extend(settings.into_iter().flat_map(|setting| ["-c".into(), setting.into()]));
    Ok(command)
}

fn initdb(
    wanted: &Wanted<'_>,
    programs: &Path,
    folder: &Path,
    password: &Path,
    owner: Option<(u32, u32)>,
) -> io::Result<()> {
    let mut initdb = Command::new(programs.join("initdb"));
    initdb.args(["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--wal-segsize=1"]);
    initdb.arg("--username").arg(wanted.user).arg("--pwfile").arg(password);
    initdb.arg("-D").arg(folder.join("data")).current_dir(folder);
    checked(as_owner(&mut initdb, owner))
}

/// The database that the template's image makes at its first start.
fn make_database(wanted: &Wanted<'_>, folder: &Path, owner: Option<(u32, u32)>) -> io::Result<()> {
    let programs = postgres_programs(wanted.version).ok_or_else(|| io::Error::other("no PostgreSQL"))?;
    let end = Instant::now() + STARTS_WITHIN;
    loop {
        let mut createdb = Command::new(programs.join("createdb"));
        createdb.args(["-h", HOST, "-p", &wanted.port.to_string(), "-U", wanted.user, wanted.database]);
        createdb.env("PGPASSWORD", wanted.password).current_dir(folder);
        match checked(as_owner(&mut createdb, owner)) {
            // It listens a moment before it lets anybody in.
            Err(error) if error.to_string().contains("starting up") && Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(20));
            }
            made => return made,
        }
    }
}

fn answers(wanted: &Wanted<'_>) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, wanted.port));
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}
