//! A tree becomes a build, once.
//!
//! It is built at its final place, because tools write absolute paths into what they make. A place without `build.json`
//! is an interrupted build and is cleared before the next one; a lock keeps two builders of the same build apart.

use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Mutex,
    time::Duration,
};

use ambit_domain::{BuildId, release::TestResult};
use ambit_keeper::MemoryBound;
use ambit_spec::{Form, Service};
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::Command,
};
use tokio_util::sync::CancellationToken;

use crate::{
    builds::{self, Build, FORMAT, Stored},
    detect::{self, LOOKED_FOR, Recipe, quote},
    error::{Error, Output},
    files,
    git::Repository,
    toolchain, working_tree,
};

/// How often it is looked whether a build has too much memory.
const LOOK: Duration = Duration::from_millis(200);
/// The beginning of the names of folders that a tree is exported to.
const EXPORTED: &str = ".export-";
/// The beginning of the names of folders that tests run in.
const TESTED: &str = ".test-";
/// Bytes of a line of output that are read.
const LONGEST_LINE: usize = 16 << 10;
/// Lines of its output that a failure shows.
const SHOWN: usize = 30;
/// A log is not written beyond this.
const LOG_LIMIT: usize = 64 << 20;

/// Where the code comes from.
pub enum Tree {
    /// A folder as it stands.
    WorkingTree(PathBuf),
    /// A folder of a commit.
    Commit {
        /// The repository.
        repository: Repository,
        /// The commit's hash.
        commit: String,
        /// The folder, relative to that of the repository's view.
        path: PathBuf,
    },
}

/// What to build.
pub struct BuildRequest {
    /// The service as declared.
    pub service: Service,
    /// Its code.
    pub tree: Tree,
    /// The project's builds.
    pub builds: PathBuf,
    /// The project's dependency caches.
    pub cache: PathBuf,
    /// Where logs of builds go.
    pub logs: PathBuf,
    /// User and group that the build runs as; `None` keeps the present one.
    pub user: Option<(u32, u32)>,
    /// Where programs are looked for.
    pub path: Vec<PathBuf>,
    /// Settings of package managers and the like.
    pub variables: Vec<(String, String)>,
    /// Takes the build's output, line by line.
    pub output: Box<dyn Fn(&str) + Send + Sync>,
    /// Stops the build.
    pub cancel: CancellationToken,
}

/// Code on its way to a build: exported, its recipe and its id known, and locked against a second builder.
pub struct Prepared {
    request: BuildRequest,
    exported: tempfile::TempDir,
    tree: String,
    recipe: Recipe,
    /// Without what only this service declares: another one may be run from the same build.
    shared: Recipe,
    id: BuildId,
    present: Option<Build>,
    _lock: File,
}

/// What tests find in their environment, besides what builds do.
pub type TestVariables = Vec<(String, String)>;

/// Exports the code and finds out how it is built, and whether it was built before.
pub async fn prepare(request: BuildRequest) -> Result<Prepared, Error> {
    files::make_folders(&request.builds, 0o711).map_err(Error::io(&request.builds))?;
    let exported =
        tempfile::Builder::new().prefix(EXPORTED).tempdir_in(&request.builds).map_err(Error::io(&request.builds))?;
    export(&request.tree, exported.path())?;
    let tree = tree_hash(&request.tree)?;
    let (recipe, shared) = recipe(&request.service, exported.path())?;
    let id = build_id(&tree, &recipe);
    let lock = lock(&request, &id).await?;
    let present = builds::find(&request.builds, &id)?;
    Ok(Prepared { request, exported, tree, recipe, shared, id, present, _lock: lock })
}

impl Prepared {
    /// The command of the tests that have not run yet for this build; `None` where there is none, or they have.
    #[must_use]
    pub fn untested(&self) -> Option<&str> {
        match &self.present {
            Some(build) if build.tests.is_some() => None,
            _ => self.recipe.test.as_deref(),
        }
    }

    /// Tests, where variables for the tests are given, and builds, where it was not built before. Tests come first: a tree
    /// whose tests fail never becomes a build.
    pub async fn finish(self, tests: Option<TestVariables>) -> Result<Build, Error> {
        let tests = tests.and_then(|variables| Some((self.untested()?.to_owned(), variables)));
        let Self { request, exported, tree, recipe, shared, id, present, _lock } = self;
        let job = Job::new(&request, &id)?;
        if let Some(mut build) = present {
            if let Some((command, variables)) = tests {
                let result = job.test(&build.folder(), &command, &variables).await?;
                store_tests(&build.place, &result)?;
                build.tests = Some(result);
            }
            return Ok(build);
        }
        for program in &recipe.needs {
            if toolchain::find(&request.path, program).is_none() {
                return Err(Error::Missing { program: program.clone(), install: toolchain::install(program) });
            }
        }
        let place = request.builds.join(&id.0);
        if place.exists() {
            // The commands of a daemon that was killed go on by themselves.
            end_marked(&format!("{}/{id}-", request.builds.display()));
            fs::remove_dir_all(&place).map_err(Error::io(&place))?;
        }
        files::make_folders(&place, 0o755).map_err(Error::io(&place))?;
        let folder = place.join("tree");
        fs::rename(exported.path(), &folder).map_err(Error::io(&folder))?;
        let tested = match job.make(&recipe, &folder, tests).await {
            Ok(tested) => tested,
            Err(error) => {
                fs::remove_dir_all(&place).map_err(Error::io(&place))?;
                return Err(error);
            }
        };
        let owner = request.user.map(|_| (0, 0));
        let size = files::seal(&folder, owner).map_err(Error::io(&folder))?;
        if let Some(result) = &tested {
            store_tests(&place, result)?;
        }
        let stored = Stored { format: FORMAT, tree, recipe: shared, size };
        let file = place.join("build.json");
        let text = serde_json::to_vec_pretty(&stored).map_err(|e| Error::io(&file)(e.into()))?;
        files::write_durably(&file, &text).map_err(Error::io(&file))?;
        builds::find(&request.builds, &id)?.ok_or_else(|| Error::NoFolder { path: place, at: "the build store".into() })
    }
}

fn store_tests(place: &Path, result: &TestResult) -> Result<(), Error> {
    let file = place.join(builds::TESTS);
    let text = serde_json::to_vec_pretty(result).map_err(|e| Error::io(&file)(e.into()))?;
    files::write_durably(&file, &text).map_err(Error::io(&file))
}

fn export(tree: &Tree, into: &Path) -> Result<(), Error> {
    match tree {
        Tree::WorkingTree(folder) => working_tree::copy(folder, into),
        Tree::Commit { repository, commit, path } => repository.export(commit, path, into),
    }
}

fn tree_hash(tree: &Tree) -> Result<String, Error> {
    match tree {
        Tree::WorkingTree(folder) => working_tree::hash(folder),
        Tree::Commit { repository, commit, path } => repository.tree_hash(commit, path),
    }
}

/// The recipe of a service, and what of it every service on the same build shares.
fn recipe(service: &Service, tree: &Path) -> Result<(Recipe, Recipe), Error> {
    match &service.form {
        Form::Site(site) => Ok((Recipe::of_site(site), Recipe::of_site(site))),
        Form::App(app) => {
            let undetected =
                || Error::Undetected { service: service.name.to_string(), looked_for: LOOKED_FOR.to_owned() };
            let detected = match detect::detect(tree) {
                Ok(Some(recipe)) => recipe,
                Ok(None) if app.run.is_some() => Recipe::declared(),
                Err(_) if app.run.is_some() && app.build.is_some() => Recipe::declared(),
                Ok(None) => return Err(undetected()),
                Err(error) => return Err(error),
            };
            let recipe = detected.clone().overridden_by(app);
            let shared = Recipe { build: recipe.build.clone(), installs: recipe.installs, ..detected };
            match (&recipe.run, recipe.programs.as_slice()) {
                (Some(_), _) => Ok((recipe, shared)),
                (None, []) => Err(undetected()),
                (None, programs) => {
                    Err(Error::Several { service: service.name.to_string(), programs: programs.to_vec() })
                }
            }
        }
    }
}

fn build_id(tree: &str, recipe: &Recipe) -> BuildId {
    let mut hash = Sha256::new();
    hash.update(format!("{FORMAT} {} {}\0{tree}\0", std::env::consts::ARCH, std::env::consts::OS));
    // How it is run, migrated, seeded and tested changes nothing about what is built.
    for part in &recipe.build {
        hash.update(part);
        hash.update([0]);
    }
    BuildId(files::hex(&hash.finalize()).chars().take(40).collect())
}

async fn lock(request: &BuildRequest, id: &BuildId) -> Result<File, Error> {
    let path = request.builds.join(format!(".{id}.lock"));
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(Error::io(&path))?;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) if request.cancel.is_cancelled() => {
                return Err(Error::Cancelled);
            }
            Err(rustix::io::Errno::WOULDBLOCK) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(error) => return Err(Error::io(&path)(error.into())),
        }
    }
}

/// The commands of one build, run one after the other as the build's user, with one log.
struct Job<'a> {
    request: &'a BuildRequest,
    id: &'a BuildId,
    cache: PathBuf,
    log_path: PathBuf,
    log: Mutex<Log>,
}

impl<'a> Job<'a> {
    fn new(request: &'a BuildRequest, id: &'a BuildId) -> Result<Self, Error> {
        let cache = request.cache.join(request.service.name.as_str());
        for part in [cache.clone(), cache.join("home")] {
            files::make_folders(&part, 0o711).map_err(Error::io(&part))?;
            if let Some((uid, gid)) = request.user {
                std::os::unix::fs::chown(&part, Some(uid), Some(gid)).map_err(Error::io(&part))?;
            }
        }
        fs::create_dir_all(&request.logs).map_err(Error::io(&request.logs))?;
        let log_path = request.logs.join(format!("{}-{}.log", request.service.name, id.short()));
        Ok(Self {
            request,
            id,
            cache,
            log: Mutex::new(Log { path: log_path.clone(), file: None, written: 0, last: VecDeque::new() }),
            log_path,
        })
    }

    fn give(&self, folder: &Path) -> Result<(), Error> {
        match self.request.user {
            Some((uid, gid)) => files::give(folder, uid, gid).map_err(Error::io(folder)),
            None => Ok(()),
        }
    }

    /// Installs, tests where that is asked for, and builds.
    async fn make(
        &self,
        recipe: &Recipe,
        folder: &Path,
        tests: Option<(String, TestVariables)>,
    ) -> Result<Option<TestResult>, Error> {
        if recipe.build.is_empty() && tests.is_none() {
            return Ok(None);
        }
        self.give(folder)?;
        let (install, build) = recipe.build.split_at(recipe.installs.min(recipe.build.len()));
        for command in install {
            self.run(command, folder, &[]).await?;
        }
        let tested = match tests {
            Some((command, variables)) => Some(self.test(folder, &command, &variables).await?),
            None => None,
        };
        for command in build {
            self.run(command, folder, &[]).await?;
        }
        Ok(tested)
    }

    /// Runs the tests in a copy, so that what they leave behind is no part of the build.
    async fn test(&self, folder: &Path, command: &str, variables: &TestVariables) -> Result<TestResult, Error> {
        let copy = tempfile::Builder::new()
            .prefix(TESTED)
            .tempdir_in(&self.request.builds)
            .map_err(Error::io(&self.request.builds))?;
        let tree = copy.path().join("tree");
        let copied = Command::new("cp")
            .args(["-a", "--reflink=auto", "--"])
            .args([folder, &tree])
            .kill_on_drop(true)
            .output()
            .await
            .map_err(Error::io(folder))?;
        if !copied.status.success() {
            let said = String::from_utf8_lossy(&copied.stderr).trim().to_owned();
            let full = said.contains("No space left");
            let kind = if full { std::io::ErrorKind::StorageFull } else { std::io::ErrorKind::Other };
            return Err(Error::io(&tree)(std::io::Error::new(kind, said)));
        }
        files::open_for_owner(&tree).map_err(Error::io(&tree))?;
        let path = copy.path();
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o711)).map_err(Error::io(path))?;
        self.give(&tree)?;
        let start = std::time::Instant::now();
        let ran = self.run(command, &tree, variables).await;
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        match ran {
            Ok(()) => Ok(TestResult {
                command: command.to_owned(),
                passed: self.log.lock().ok().and_then(|log| crate::test_output::passed(log.last.iter())),
                at: i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
                millis: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
            }),
            Err(Error::Build { command, status, output, log }) => Err(Error::Tests { command, status, output, log }),
            Err(other) => Err(other),
        }
    }
}

struct Log {
    path: PathBuf,
    /// Opened with its first line: a build that is only found leaves the log of its making alone.
    file: Option<File>,
    written: usize,
    last: VecDeque<String>,
}

impl Log {
    fn line(&mut self, line: &str) {
        if self.written < LOG_LIMIT {
            self.written += line.len() + 1;
            // A log that cannot be written must not fail the build.
            if self.file.is_none() {
                let mut options = OpenOptions::new();
                self.file = options.write(true).create(true).truncate(true).mode(0o600).open(&self.path).ok();
            }
            if let Some(file) = &mut self.file {
                let _ = writeln!(file, "{line}");
            }
        }
        self.last.push_back(line.to_owned());
        if self.last.len() > SHOWN {
            self.last.pop_front();
        }
    }
}

impl Job<'_> {
    async fn run(&self, command: &str, folder: &Path, variables: &[(String, String)]) -> Result<(), Error> {
        let Self { request, id, cache, log_path, log: lines } = self;
        let marker = format!("{}/{id}-{}", request.builds.display(), std::process::id());
        let mut path = toolchain::reachable(&request.path, request.user.is_some());
        // What the build itself put there, a package manager for instance.
        path.push(folder.join(".ambit/bin"));
        let mut shell = command_line(request, command, cache, &mut path)?;
        let joined: Vec<String> = path.iter().map(|p| p.to_string_lossy().into_owned()).collect();
        shell
            .env_clear()
            .envs(request.variables.iter().map(|(k, v)| (k, v)))
            .env("HOME", cache.join("home"))
            .env("CARGO_HOME", cache.join("cargo"))
            .env("npm_config_cache", cache.join("npm"))
            .env("LANG", "C.UTF-8")
            .env("CI", "1")
            .env("AMBIT_CACHE", cache)
            .envs(variables.iter().map(|(k, v)| (k, v)))
            .env("PATH", joined.join(":"))
            .env("AMBIT_BUILD", &marker)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        if let Ok(mut log) = lines.lock() {
            log.line(&format!("$ {command}"));
        }
        let limits = request.service.form.build_limits();
        let most = limits.memory.unwrap_or_else(three_quarters_of_memory);
        let bound = MemoryBound::new(&format!("{}/{id}", request.builds.display()), most);
        bound.admit(shell.as_std_mut()).map_err(Error::io(folder))?;
        let mut child = shell.spawn().map_err(Error::io(folder))?;
        let ender = Ender { group: child.id(), marker, bound };
        let say = |line: &str| {
            (request.output)(line);
            if let Ok(mut log) = lines.lock() {
                log.line(line);
            }
        };
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let work = async {
            // What it leaves behind may hold its output open: the end of the command is the end of the build.
            let status = child.wait();
            let readers = async { tokio::join!(read(out, &say), read(err, &say)) };
            tokio::pin!(readers);
            tokio::pin!(status);
            tokio::select! {
                status = &mut status => {
                    let _ = tokio::time::timeout(Duration::from_millis(500), &mut readers).await;
                    status
                }
                _ = &mut readers => status.await,
            }
        };
        let too_much_memory = |used| Error::TooMuchMemory {
            service: request.service.name.to_string(),
            command: command.to_owned(),
            used,
            limit: most,
        };
        let status = tokio::select! {
            status = work => status.map_err(Error::io(folder))?,
            () = request.cancel.cancelled() => return Err(Error::Cancelled),
            used = ender.too_much_memory() => return Err(too_much_memory(used)),
            () = tokio::time::sleep(limits.time) => {
                return Err(Error::TooLong {
                    service: request.service.name.to_string(),
                    command: command.to_owned(),
                    longest: limits.time,
                });
            }
        };
        if status.success() {
            return Ok(());
        }
        let passed = ender.memory_passed();
        drop(ender);
        if let Some(used) = passed {
            return Err(too_much_memory(used));
        }
        let last: Vec<String> = lines.lock().map(|log| log.last.iter().cloned().collect()).unwrap_or_default();
        let text = last.join("\n");
        if text.contains("No space left on device") {
            let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
            return Err(Error::Io { path: folder.to_path_buf(), source });
        }
        Err(Error::Build {
            command: command.to_owned(),
            status: status.to_string(),
            output: Output(text),
            log: log_path.clone(),
        })
    }
}

/// The command as the build's user, with root's toolchain shown to it where it could not reach it.
fn command_line(
    request: &BuildRequest,
    command: &str,
    cache: &Path,
    path: &mut Vec<PathBuf>,
) -> Result<Command, Error> {
    let Some((uid, gid)) = request.user else {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-euc", command]);
        return Ok(shell);
    };
    let hidden = toolchain::find(path, "cargo").is_none().then(|| toolchain::rust(&request.path)).flatten();
    let Some(toolchain) = hidden else {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-euc", command]).uid(uid).gid(gid);
        return Ok(shell);
    };
    let shown = cache.join("toolchain");
    files::make_folders(&shown, 0o755).map_err(Error::io(&shown))?;
    path.insert(0, shown.join("bin"));
    let script = format!(
        "mount --bind {from} {to} && mount -o remount,bind,ro {to} && \
         exec setpriv --reuid {uid} --regid {gid} --clear-groups /bin/sh -euc {command}",
        from = quote(&toolchain.to_string_lossy()),
        to = quote(&shown.to_string_lossy()),
        command = quote(command),
    );
    let mut shell = Command::new("unshare");
    shell.args(["--mount", "/bin/sh", "-euc", &script]);
    Ok(shell)
}

/// Passes on lines; of a longer one, its beginning.
async fn read<R: AsyncRead + Unpin>(from: Option<R>, say: &(dyn Fn(&str) + Sync)) {
    let Some(from) = from else { return };
    let mut from = BufReader::with_capacity(64 << 10, from);
    let mut line = Vec::new();
    loop {
        let Ok(chunk) = from.fill_buf().await else { return };
        if chunk.is_empty() {
            if !line.is_empty() {
                say(&shown(&line));
            }
            return;
        }
        let end = chunk.iter().position(|b| *b == b'\n');
        let part = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
        line.extend_from_slice(part.get(..LONGEST_LINE.saturating_sub(line.len())).unwrap_or(part));
        let taken = part.len() + usize::from(end.is_some());
        from.consume(taken);
        if end.is_some() {
            say(&shown(&line));
            line.clear();
        }
    }
}

fn shown(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end().to_owned()
}

/// Ends the builds of a daemon that was killed, and deletes what they worked on. `builds` holds the builds of every project;
/// nobody else builds there now.
pub fn end_abandoned(builds: &Path) {
    end_marked(&format!("{}/", builds.display()));
    let projects = fs::read_dir(builds).into_iter().flatten().filter_map(|e| Some(e.ok()?.path()));
    for entry in projects.flat_map(|p| fs::read_dir(p).into_iter().flatten()).filter_map(Result::ok) {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(EXPORTED) || name.starts_with(TESTED) {
            // What cannot be deleted now is tried again the next time.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Ends every process of a build whose mark begins so.
fn end_marked(mark: &str) {
    end_all(|| marked(mark));
}

fn marked(mark: &str) -> Vec<u32> {
    ambit_keeper::carrying(&format!("AMBIT_BUILD={mark}"))
}

/// Kills until a look finds nothing: what is killed may have started more in the meantime.
fn end_all(look: impl Fn() -> Vec<u32>) {
    let until = std::time::Instant::now() + Duration::from_secs(2);
    loop {
        let left = look();
        for pid in left.iter().copied().filter_map(as_pid) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        if left.is_empty() || std::time::Instant::now() > until {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn three_quarters_of_memory() -> u64 {
    let told = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes =
        told.lines().find_map(|l| l.strip_prefix("MemTotal:")?.trim().strip_suffix("kB")?.trim().parse().ok());
    kilobytes.map_or(u64::MAX, |total: u64| total * 1024 / 4 * 3)
}

pub(crate) fn as_pid(pid: u32) -> Option<rustix::process::Pid> {
    i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw)
}

/// Ends a build's processes, those that left its group included, when it goes out of scope.
struct Ender {
    group: Option<u32>,
    marker: String,
    bound: MemoryBound,
}

impl Ender {
    fn memory_passed(&self) -> Option<u64> {
        self.bound.passed(|| {
            let mut all = marked(&self.marker);
            // Some clear their environment.
            all.extend(self.group.into_iter().flat_map(ambit_keeper::descendants));
            all.sort_unstable();
            all.dedup();
            all
        })
    }

    /// Returns once they have more memory than they may, with the bytes.
    async fn too_much_memory(&self) -> u64 {
        loop {
            tokio::time::sleep(LOOK).await;
            if let Some(used) = self.memory_passed() {
                return used;
            }
        }
    }
}

impl Drop for Ender {
    fn drop(&mut self) {
        if let Some(pid) = self.group.and_then(as_pid) {
            // It has ended, as a rule.
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
        end_all(|| [marked(&self.marker), self.bound.processes()].concat());
    }
}
