//! The repository that Ambit keeps of a project, as others push to it, and how it takes commits from elsewhere.
//!
//! Its hooks run this very program. References below `refs/ambit` are Ambit's own: nobody sees them or pushes to them.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::io::AsyncReadExt;

use crate::{
    build::as_pid,
    detect::quote,
    error::{Error, Output},
    git::{command, git, make_kept, text, verified},
};

/// What the hooks of a kept repository call.
pub struct Hooks<'a> {
    /// The `ambit` program.
    pub program: &'a Path,
    /// The state folder.
    pub home: &'a Path,
    /// The project.
    pub project: &'a str,
}

const HOOKS: [&str; 2] = ["pre-receive", "post-receive"];

impl Hooks<'_> {
    /// Makes the repository where there is none, and its hooks; writing them again brings them up to date.
    pub fn install(&self, repository: &Path) -> Result<(), Error> {
        make_kept(repository)?;
        let folder = repository.join("hooks");
        fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        for name in HOOKS {
            let path = folder.join(name);
            let text = self.script(name);
            if fs::read_to_string(&path).is_ok_and(|old| old == text) {
                continue;
            }
            // Renamed over the old one: a push that is under way reads one or the other.
            let new = folder.join(format!("{name}.new"));
            fs::write(&new, text).map_err(Error::io(&new))?;
            fs::set_permissions(&new, fs::Permissions::from_mode(0o700)).map_err(Error::io(&new))?;
            fs::rename(&new, &path).map_err(Error::io(&path))?;
        }
        let set = |name: &str, value: &str| git(repository, &["config", name, value]).map(drop);
        // A `core.hooksPath` of the user's own would come before the repository's folder.
        set("core.hooksPath", &folder.to_string_lossy())?;
        set("receive.hideRefs", "refs/ambit")?;
        set("uploadpack.hideRefs", "refs/ambit")?;
        // The hook refuses where it matters, and says why.
        set("receive.denyNonFastForwards", "false")?;
        set("receive.denyDeletes", "false")
    }

    fn script(&self, name: &str) -> String {
        format!(
            "#!/bin/sh\n# Written by ambit; `ambit remote add` writes it anew.\nAMBIT_HOME={}\nexport AMBIT_HOME\n\
             exec {} hook {name} {}\n",
            quote(&self.home.to_string_lossy()),
            quote(&self.program.to_string_lossy()),
            quote(self.project),
        )
    }

    /// Whether a repository has them.
    #[must_use]
    pub fn are_in(repository: &Path) -> bool {
        HOOKS.iter().all(|name| repository.join("hooks").join(name).is_file())
    }
}

/// What a push brings, before it is taken in: git keeps its objects aside until the hook has said yes (git-receive-pack(1),
/// "Quarantine Environment").
pub struct Offered {
    /// The repository that is pushed to.
    pub repository: PathBuf,
    /// `GIT_OBJECT_DIRECTORY` and `GIT_ALTERNATE_OBJECT_DIRECTORIES` of the hook.
    pub objects: Vec<(&'static str, String)>,
    /// The folder of the project within the repository.
    pub prefix: PathBuf,
}

impl Offered {
    fn run(&self, arguments: &[&str]) -> Result<Option<Vec<u8>>, Error> {
        let output = command(&self.repository)
            .envs(self.objects.iter().map(|(name, value)| (*name, value)))
            .args(arguments)
            .output()
            .map_err(|_| Error::Missing { program: "git".into(), install: "apt-get install git".into() })?;
        Ok(output.status.success().then_some(output.stdout))
    }

    /// Whether a commit leads to another.
    pub fn is_ancestor(&self, commit: &str, of: &str) -> Result<bool, Error> {
        Ok(self.run(&["merge-base", "--is-ancestor", "--end-of-options", commit, of])?.is_some())
    }

    /// The commit that an object is or names; `None` where it is none.
    pub fn commit(&self, object: &str) -> Result<Option<String>, Error> {
        let name = format!("{object}^{{commit}}");
        let found = self.run(&["rev-parse", "--verify", "--quiet", "--end-of-options", &name])?;
        Ok(found.map(|id| String::from_utf8_lossy(&id).trim().to_owned()))
    }

    /// The `ambit.toml` of a commit.
    pub fn declaration(&self, commit: &str) -> Result<Option<String>, Error> {
        let path = self.prefix.join("ambit.toml");
        let found = self.run(&["cat-file", "blob", &format!("{commit}:{}", path.to_string_lossy())])?;
        Ok(found.and_then(|bytes| String::from_utf8(bytes).ok()))
    }
}

/// Sets a remote of the repository that a folder lies in, in the place of an earlier one of that name. Tells whether
/// anything changed.
pub fn set_remote(folder: &Path, name: &str, url: &str) -> Result<bool, Error> {
    let key = format!("remote.{name}.url");
    let before = text(folder, &["config", "--get", &key]).ok();
    match before {
        Some(before) if before == url => return Ok(false),
        Some(_) => git(folder, &["remote", "set-url", "--", name, url])?,
        None => git(folder, &["remote", "add", "--", name, url])?,
    };
    Ok(true)
}

/// The object that a reference of a kept repository leads to.
#[must_use]
pub fn reference(repository: &Path, name: &str) -> Option<String> {
    verified(repository, name).ok().filter(|id| !id.is_empty())
}

/// Points a reference of a kept repository at an object.
pub fn set_reference(repository: &Path, name: &str, object: &str) -> Result<(), Error> {
    git(repository, &["update-ref", "--", name, object]).map(drop)
}

/// Forgets a reference of a kept repository.
pub fn forget_reference(repository: &Path, name: &str) -> Result<(), Error> {
    git(repository, &["update-ref", "-d", "--", name]).map(drop)
}

/// The references of a kept repository below some others, by their names without the beginning: `heads/develop`.
pub fn references(repository: &Path, below: &str) -> Result<BTreeMap<String, String>, Error> {
    let listed = text(repository, &["for-each-ref", "--format=%(objectname) %(refname)", "--", below])?;
    let one = |line: &str| {
        let (object, name) = line.split_once(' ')?;
        Some((name.strip_prefix(below)?.to_owned(), object.to_owned()))
    };
    Ok(listed.lines().filter_map(one).collect())
}

/// Refuses a place that commits could not or should not be fetched from.
pub fn check_place(place: &str) -> Result<(), Error> {
    let refused = |why: &str| Err(Error::Place { place: without_password(place), why: why.to_owned() });
    if place.contains(|c: char| c.is_control() || c.is_whitespace()) || place.starts_with('-') {
        return refused("it is no address");
    }
    if let Some(rest) = place.strip_prefix("https://") {
        let authority = rest.split('/').next().unwrap_or_default();
        if authority.contains('@') {
            return refused("a password in an address ends up in logs; let a credential helper of git keep it");
        }
        return if authority.is_empty() { refused("it names no host") } else { Ok(()) };
    }
    if let Some(rest) = place.strip_prefix("ssh://") {
        // A host that begins with a hyphen is an option for ssh.
        let authority = rest.split('/').next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        let bad = authority.starts_with('-') || host.starts_with('-') || host.is_empty();
        return if bad { refused("it names no host") } else { Ok(()) };
    }
    if place.starts_with('/') {
        return Ok(());
    }
    // git@github.com:OWNER/NAME.git
    match place.split_once(':') {
        Some((host, path)) if !host.contains('/') && host.contains('@') && !path.starts_with(':') => Ok(()),
        _ => refused("only https, ssh and absolute paths are used"),
    }
}

fn without_password(place: &str) -> String {
    match (place.split_once("://"), place.split_once("://").and_then(|(_, rest)| rest.split_once('@'))) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://…@{rest}"),
        _ => place.to_owned(),
    }
}

/// Fetches one reference, whole and well formed, into another of a kept repository: nothing else, no tags, no submodules,
/// no hooks, and only as long as the limit lasts. Credentials are those of git's own configuration.
pub async fn fetch(
    repository: &Path,
    from: &str,
    reference: &str,
    into: &str,
    limit: Duration,
) -> Result<String, Error> {
    check_place(from)?;
    let failed =
        |said: String| Error::Fetch { reference: reference.to_owned(), from: from.to_owned(), said: Output(said) };
    let refspec = format!("+{reference}:{into}");
    let mut command = command(repository);
    for protocol in ["https", "ssh", "file"] {
        command.args(["-c", &format!("protocol.{protocol}.allow=always")]);
    }
    command
        .args(["-c", "fetch.fsckObjects=true", "fetch", "--quiet", "--no-tags", "--no-recurse-submodules"])
        .args(["--no-write-fetch-head", "--no-auto-maintenance", "--", from, &refspec])
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut command = tokio::process::Command::from(command);
    let mut child = command
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|_| Error::Missing { program: "git".into(), install: "apt-get install git".into() })?;
    let group = child.id().and_then(as_pid);
    let mut stderr = child.stderr.take();
    let mut said = Vec::new();
    let work = async {
        if let Some(stderr) = &mut stderr {
            let _ = stderr.take(64 << 10).read_to_end(&mut said).await;
        }
        child.wait().await
    };
    let ended = tokio::time::timeout(limit, work).await;
    let Ok(status) = ended else {
        // git and the helpers that it started.
        if let Some(group) = group {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = child.wait().await;
        return Err(failed(format!("it did not answer within {} s", limit.as_secs())));
    };
    if !status.map_err(Error::io(repository))?.success() {
        let said = String::from_utf8_lossy(&said);
        let last: Vec<&str> = said.trim().lines().rev().take(3).collect();
        return Err(failed(last.into_iter().rev().collect::<Vec<_>>().join("\n")));
    }
    self::reference(repository, into).ok_or_else(|| failed("it is not there".to_owned()))
}

#[cfg(test)]
mod tests {
    use std::{
        process::Command,
        time::{Duration, Instant},
    };

    use super::*;

    fn run(folder: &Path, arguments: &[&str]) -> String {
        let identity = ["-c", "user.name=Ana", "-c", "user.email=ana@example.org"];
        let output = Command::new("git").args(identity).args(arguments).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn repository(folder: &Path) -> PathBuf {
        let path = folder.join("theirs");
        fs::create_dir(&path).unwrap();
        run(&path, &["init", "-q", "-b", "main"]);
        fs::write(path.join("a"), "1").unwrap();
        run(&path, &["add", "-A"]);
        run(&path, &["commit", "-q", "-m", "one"]);
        path
    }

    #[test]
    fn only_addresses_that_carry_no_password_and_run_no_program_are_fetched_from() {
        for good in ["https://github.com/a/b.git", "ssh://git@host/a", "git@github.com:a/b.git", "/srv/a.git"] {
            assert!(check_place(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "http://host/a",
            "git://host/a",
            "ext::sh -c touch% x",
            "ext::sh",
            "-oProxyCommand=x",
            "--upload-pack=x",
            "https://user:pass@host/a",
            "https:///a",
            "ssh://-oProxyCommand=x/a",
            "ssh://u@-x/a",
            "a/b",
            "../a",
            "file:///a",
            "fd::17",
            "a@b",
            "https://host/a b",
            "https://host/a\n",
        ] {
            assert!(check_place(bad).is_err(), "{bad}");
        }
        assert!(!check_place("https://user:hunter2@host/a").unwrap_err().to_string().contains("hunter2"));
    }

    #[tokio::test]
    async fn one_reference_is_fetched_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let theirs = repository(folder.path());
        run(&theirs, &["tag", "v1"]);
        run(&theirs, &["branch", "other"]);
        let kept = folder.path().join("kept.git");
        make_kept(&kept).unwrap();
        let from = theirs.to_string_lossy().into_owned();
        let limit = Duration::from_secs(30);
        let id = fetch(&kept, &from, "refs/heads/main", "refs/ambit/fetched/heads/main", limit).await.unwrap();
        assert_eq!(id, run(&theirs, &["rev-parse", "main"]));
        assert_eq!(run(&kept, &["for-each-ref", "--format=%(refname)"]), "refs/ambit/fetched/heads/main");
        let missing = fetch(&kept, &from, "refs/heads/gone", "refs/ambit/fetched/heads/gone", limit).await.unwrap_err();
        assert!(matches!(missing, Error::Fetch { .. }), "{missing}");
    }

    #[tokio::test]
    async fn a_repository_that_never_answers_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("kept.git");
        make_kept(&kept).unwrap();
        // Takes the connection and says nothing.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let from = format!("https://{}/a.git", silent.local_addr().unwrap());
        let start = Instant::now();
        let failed = fetch(&kept, &from, "refs/heads/main", "refs/ambit/x", Duration::from_millis(300)).await;
        assert!(failed.is_err() && start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    }

    #[test]
    fn hooks_survive_any_path_and_a_hooks_folder_of_the_users_own() {
        let folder = tempfile::tempdir().unwrap();
        let odd = folder.path().join("it's $(here) \"now\"");
        fs::create_dir(&odd).unwrap();
        let program = odd.join("ambit");
        let script = "#!/bin/sh\nprintf '%s|%s|%s|%s' \"$AMBIT_HOME\" \"$1\" \"$2\" \"$3\" > \"$AMBIT_HOME/$2\"\n";
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let kept = odd.join("shop.git");
        let hooks = Hooks { program: &program, home: &odd, project: "shop" };
        hooks.install(&kept).unwrap();
        hooks.install(&kept).unwrap();
        assert!(Hooks::are_in(&kept));
        let theirs = repository(folder.path());
        let url = kept.to_string_lossy().into_owned();
        assert!(set_remote(&theirs, "ambit", &url).unwrap());
        assert!(!set_remote(&theirs, "ambit", &url).unwrap());
        let mut push = Command::new("git");
        push.args(["push", "-q", "ambit", "main"]).current_dir(&theirs);
        let own =
            [("GIT_CONFIG_COUNT", "1"), ("GIT_CONFIG_KEY_0", "core.hooksPath"), ("GIT_CONFIG_VALUE_0", "/dev/null")];
        let output = push.envs(own).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        for name in HOOKS {
            let said = fs::read_to_string(odd.join(name)).unwrap();
            assert_eq!(said, format!("{}|hook|{name}|shop", odd.display()));
        }
        let hidden =
            Command::new("git").args(["push", "-q", "ambit", "main:refs/ambit/x"]).current_dir(&theirs).output();
        assert!(!hidden.unwrap().status.success(), "a reference of ambit's own was pushed to");
    }

    #[test]
    fn a_commit_is_kept_past_the_hooks_and_once_it_is_there_without_a_push() {
        let folder = tempfile::tempdir().unwrap();
        let theirs = repository(folder.path());
        let id = run(&theirs, &["rev-parse", "main"]);
        let kept = folder.path().join("kept.git");
        Hooks { program: Path::new("/bin/false"), home: folder.path(), project: "shop" }.install(&kept).unwrap();
        let found = crate::git::Repository::find(&theirs).unwrap().unwrap();
        let own = found.keep_in(&kept, &id).unwrap();
        own.keep_in(&kept, &id).unwrap();
        assert_eq!(reference(&kept, &format!("refs/ambit/commits/{id}")), Some(id));
    }
}
