//! git, by its own program. Names come from people and pushes: they are always whole references or behind `--`, never
//! read as options, and no hook or helper of the repository runs.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{error::Error, version};

/// A repository, seen from a folder in it.
#[derive(Debug, Clone)]
pub struct Repository {
    top: PathBuf,
    /// The folder within the repository.
    prefix: PathBuf,
}

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its hash.
    pub id: String,
    /// The first line of its message.
    pub subject: String,
    /// Its author's e-mail address.
    pub author: String,
}

/// How `git log` tells a [`Head`].
const HEAD: &str = "--format=%H%x00%ae%x00%s";

impl Head {
    fn read(line: &str) -> Self {
        let mut parts = line.splitn(3, '\0').map(str::to_owned);
        let mut next = || parts.next().unwrap_or_default();
        Self { id: next(), author: next(), subject: next() }
    }
}

/// What a word names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefKind {
    /// A branch.
    Branch,
    /// A tag.
    Tag,
    /// A commit's hash.
    Commit,
}

/// Makes a repository without a working tree where there is none.
pub fn make_kept(path: &Path) -> Result<(), Error> {
    if path.join("HEAD").is_file() {
        return Ok(());
    }
    std::fs::create_dir_all(path).map_err(Error::io(path))?;
    let set = |name: &str, value: &str| git(path, &["config", name, value]).map(drop);
    git(path, &["init", "--quiet", "--bare", "--initial-branch=main"])?;
    // What is pushed is checked before it is taken in (git-config(1)).
    set("receive.fsckObjects", "true")?;
    set("receive.autogc", "false")?;
    set("gc.auto", "0")
}

pub(crate) fn command(folder: &Path) -> Command {
    let mut command = Command::new("git");
    for (name, _) in std::env::vars_os().filter(|(n, _)| n.to_string_lossy().starts_with("GIT_")) {
        command.env_remove(name);
    }
    command
        .arg("-C")
        .arg(folder)
        // Root may read the repository of a user: nothing in it is run.
        .args(["-c", "safe.directory=*", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"])
        .args(["-c", "protocol.allow=never"])
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .stdin(Stdio::null());
    command
}

pub(crate) fn git(folder: &Path, arguments: &[&str]) -> Result<Vec<u8>, Error> {
    let output = command(folder)
        .args(arguments)
        .output()
        .map_err(|_| Error::Missing { program: "git".into(), install: "apt-get install git".into() })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().lines().next_back().unwrap_or_default().to_owned();
    Err(Error::Git { what: arguments.first().copied().unwrap_or_default().to_owned(), said })
}

/// The object that a name leads to.
pub(crate) fn verified(folder: &Path, name: &str) -> Result<String, Error> {
    text(folder, &["rev-parse", "--verify", "--quiet", "--end-of-options", name])
}

pub(crate) fn text(folder: &Path, arguments: &[&str]) -> Result<String, Error> {
    Ok(String::from_utf8_lossy(&git(folder, arguments)?).trim_end().to_owned())
}

impl Repository {
    /// The repository that a folder lies in.
    pub fn find(folder: &Path) -> Result<Option<Self>, Error> {
        match text(folder, &["rev-parse", "--show-toplevel", "--show-prefix"]) {
            Ok(lines) => {
                let mut lines = lines.lines();
                let top = PathBuf::from(lines.next().unwrap_or_default());
                Ok(Some(Self { top, prefix: PathBuf::from(lines.next().unwrap_or_default()) }))
            }
            Err(Error::Git { .. }) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// A repository at its own path, seen from a folder in it: for those that Ambit keeps, which have no working tree.
    #[must_use]
    pub fn at(top: PathBuf, prefix: PathBuf) -> Self {
        Self { top, prefix }
    }

    /// The folder within the repository that it is seen from.
    #[must_use]
    pub fn prefix(&self) -> &Path {
        &self.prefix
    }

    /// The commit that a hash or a reference leads to.
    pub fn commit(&self, reference: &str) -> Result<Head, Error> {
        let line = text(&self.top, &["log", "-1", HEAD, "--end-of-options", reference, "--"])?;
        Ok(Head::read(&line))
    }

    /// The whole message of a commit.
    pub fn message(&self, commit: &str) -> Result<String, Error> {
        text(&self.top, &["log", "-1", "--format=%B", "--end-of-options", commit, "--"])
    }

    /// When a commit was made, in milliseconds since the Unix epoch.
    pub fn time(&self, commit: &str) -> Result<i64, Error> {
        let seconds = text(&self.top, &["log", "-1", "--format=%ct", "--end-of-options", commit, "--"])?;
        Ok(seconds.parse::<i64>().unwrap_or_default().saturating_mul(1000))
    }

    /// What a person means by a word: a branch, a tag or the beginning of a commit's hash.
    pub fn resolve(&self, word: &str) -> Result<Option<(Head, RefKind)>, Error> {
        for (prefix, kind) in [("refs/heads/", RefKind::Branch), ("refs/tags/", RefKind::Tag)] {
            let name = format!("{prefix}{word}");
            if verified(&self.top, &name).is_ok() {
                return Ok(Some((self.commit(&name)?, kind)));
            }
        }
        let hash = word.len() >= 4 && word.len() <= 64 && word.chars().all(|c| c.is_ascii_hexdigit());
        if !hash {
            return Ok(None);
        }
        let name = format!("{word}^{{commit}}");
        match verified(&self.top, &name) {
            Ok(id) => Ok(Some((self.commit(&id)?, RefKind::Commit))),
            Err(Error::Git { .. }) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// Whether a commit is on a branch.
    pub fn is_on(&self, commit: &str, branch: &str) -> Result<bool, Error> {
        self.is_ancestor(commit, &format!("refs/heads/{branch}"))
    }

    /// Whether a commit leads to another.
    pub fn is_ancestor(&self, commit: &str, of: &str) -> Result<bool, Error> {
        match git(&self.top, &["merge-base", "--is-ancestor", "--end-of-options", commit, of]) {
            Ok(_) => Ok(true),
            Err(Error::Git { .. }) => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// The content of a file in a commit; `None` where it is not there.
    pub fn file(&self, commit: &str, path: &Path) -> Result<Option<Vec<u8>>, Error> {
        let name = format!("{commit}:{}", self.within(path));
        match git(&self.top, &["cat-file", "blob", &name]) {
            Ok(content) => Ok(Some(content)),
            Err(Error::Git { .. }) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// The commits that lead to `to` and not to `from`, the newest first, without merges.
    pub fn changes(&self, from: Option<&str>, to: &str) -> Result<Vec<Head>, Error> {
        let range = from.map_or_else(|| to.to_owned(), |from| format!("{from}..{to}"));
        let listed =
            text(&self.top, &["log", "--no-merges", "--max-count=1000", HEAD, "--end-of-options", &range, "--"])?;
        Ok(listed.lines().map(Head::read).collect())
    }

    /// The files that differ between two commits.
    pub fn changed_files(&self, from: &str, to: &str) -> Result<Vec<PathBuf>, Error> {
        let listed = git(&self.top, &["diff", "--name-only", "-z", "--end-of-options", from, to, "--"])?;
        Ok(listed
            .split(|b| *b == 0)
            .filter(|p| !p.is_empty())
            .map(|p| PathBuf::from(String::from_utf8_lossy(p).into_owned()))
            .collect())
    }

    /// Copies a commit with all that it needs into a repository that Ambit keeps, under a reference that keeps it from
    /// being cleaned away. The repository is made where it is not there.
    pub fn keep_in(&self, kept: &Path, commit: &str) -> Result<Self, Error> {
        make_kept(kept)?;
        let own = kept.to_path_buf();
        let kept_as = format!("refs/ambit/commits/{commit}");
        if verified(&own, &kept_as).is_ok() {
            return Ok(Self { top: own, prefix: self.prefix.clone() });
        }
        if own == self.top {
            git(&own, &["update-ref", "--", &kept_as, commit])?;
            return Ok(Self { top: own, prefix: self.prefix.clone() });
        }
        let reference = format!("{commit}:{kept_as}");
        let target = kept.to_string_lossy().into_owned();
        let pushed = command(&self.top)
            .args(["-c", "protocol.file.allow=always", "push", "--quiet", "--no-verify", "--force"])
            // What people push passes the hooks and cannot name Ambit's own references; this is Ambit itself.
            .arg("--receive-pack=git -c core.hooksPath=/dev/null -c receive.hideRefs=!refs/ambit receive-pack")
            .args(["--", &target])
            .arg(&reference)
            .output()
            .map_err(|_| Error::Missing { program: "git".into(), install: "apt-get install git".into() })?;
        if !pushed.status.success() {
            let said = String::from_utf8_lossy(&pushed.stderr).trim().to_owned();
            return Err(Error::Git { what: "push".into(), said });
        }
        Ok(Self { top: own, prefix: self.prefix.clone() })
    }

    /// The newest commit of a branch.
    pub fn branch_head(&self, branch: &str) -> Result<Head, Error> {
        self.commit(&format!("refs/heads/{branch}")).map_err(|error| match error {
            Error::Git { .. } => {
                let known = text(&self.top, &["for-each-ref", "--format=%(refname:short)", "refs/heads"]);
                let known = known.unwrap_or_default().lines().map(str::to_owned).collect();
                Error::NoBranch { branch: branch.to_owned(), repository: self.top.clone(), known }
            }
            other => other,
        })
    }

    /// The tag with the highest version that matches a pattern and is on a branch; `None` where there is none.
    pub fn newest_tag(&self, pattern: &str, branch: &str) -> Result<Option<(String, Head)>, Error> {
        self.branch_head(branch)?;
        let merged = format!("--merged=refs/heads/{branch}");
        let tags = text(&self.top, &["for-each-ref", "--format=%(refname:strip=2)", &merged, "refs/tags"])?;
        let matching = tags.lines().filter(|tag| ambit_domain::glob::matches(pattern, tag));
        let Some(newest) = matching.max_by(|a, b| version::compare(a, b)) else { return Ok(None) };
        Ok(Some((newest.to_owned(), self.commit(&format!("refs/tags/{newest}"))?)))
    }

    fn within(&self, path: &Path) -> String {
        self.prefix.join(path).to_string_lossy().trim_end_matches('/').to_owned()
    }

    /// The hash of a folder's tree in a commit.
    pub fn tree_hash(&self, commit: &str, path: &Path) -> Result<String, Error> {
        let within = self.within(path);
        let name = if within.is_empty() { format!("{commit}^{{tree}}") } else { format!("{commit}:{within}") };
        verified(&self.top, &name)
            .map_err(|_| Error::NoFolder { path: path.to_path_buf(), at: commit.get(..7).unwrap_or(commit).to_owned() })
    }

    /// Writes the files of a folder as they are in a commit.
    pub fn export(&self, commit: &str, path: &Path, into: &Path) -> Result<(), Error> {
        let tree = self.tree_hash(commit, path)?;
        let listed = git(&self.top, &["ls-tree", "-r", "-z", "--full-tree", &tree])?;
        if let Some(entry) = listed.split(|b| *b == 0).find(|e| e.starts_with(b"160000")) {
            let name = String::from_utf8_lossy(entry).split('\t').nth(1).unwrap_or_default().to_owned();
            return Err(Error::Refused { path: name.into(), why: "is a submodule: not supported yet".into() });
        }
        let mut archive = command(&self.top)
            .args(["archive", "--format=tar", &tree])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(Error::io(&self.top))?;
        let out = archive.stdout.take().map_or_else(Stdio::null, Stdio::from);
        let unpacked = Command::new("tar")
            .args(["-x", "--no-same-owner", "-C"])
            .arg(into)
            .stdin(out)
            .output()
            .map_err(|_| Error::Missing { program: "tar".into(), install: "apt-get install tar".into() })?;
        let archived = archive.wait().map_err(Error::io(&self.top))?;
        if !archived.success() || !unpacked.status.success() {
            let said = String::from_utf8_lossy(&unpacked.stderr).trim().to_owned();
            if said.contains("No space left") {
                let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
                return Err(Error::Io { path: into.to_path_buf(), source });
            }
            return Err(Error::Git { what: "archive".into(), said });
        }
        crate::working_tree::check_links(into)
    }
}

/// The files below a folder that git tracks, relative to it; none where it is in no repository.
pub fn tracked_files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    match git(folder, &["ls-files", "-z"]) {
        Ok(listed) => Ok(listed
            .split(|b| *b == 0)
            .filter(|p| !p.is_empty())
            .map(|p| PathBuf::from(String::from_utf8_lossy(p).into_owned()))
            .collect()),
        Err(Error::Git { .. }) => Ok(Vec::new()),
        Err(other) => Err(other),
    }
}

/// The address that commits made in a folder carry; `None` where nobody set one.
#[must_use]
pub fn user_email(folder: &Path) -> Option<String> {
    text(folder, &["config", "--get", "user.email"]).ok().filter(|email| !email.is_empty())
}

/// Which of some branches are there.
pub(crate) fn branches(folder: &Path) -> Vec<String> {
    let listed = text(folder, &["for-each-ref", "--format=%(refname:short)", "refs/heads"]).unwrap_or_default();
    listed.lines().map(str::to_owned).collect()
}
