//! Folders and files of an environment.
//!
//! What lies in a folder that an environment's user owns is written as that user: an app of the environment could have
//! put a link there, and root would follow it.

use std::{
    fs,
    io::{self, Write},
    os::unix::{
        fs::{DirBuilderExt, MetadataExt, chown},
        process::CommandExt,
    },
    path::Path,
    process::{Command, Stdio},
};

use ambit_domain::{EnvironmentId, Failure};

use crate::{
    Host,
    machine::{cannot, failed},
    users::User,
};

impl Host {
    /// The environment's folders and user.
    pub(crate) fn prepare_now(&self, id: &EnvironmentId) -> Result<(), Failure> {
        let user = self.user(id)?;
        let folder = self.home.environment(id);
        // Others pass through the folders above it, and see nothing there.
        let above = if self.root { 0o711 } else { 0o700 };
        for ancestor in
            [self.home.root().join("environments"), self.home.root().join("environments").join(id.project.as_str())]
        {
            make(&ancestor, above, None)?;
        }
        make(&folder, 0o700, user)?;
        for inner in ["postgres", "redis", "home"] {
            let inner = folder.join(inner);
            if !inner.is_dir() {
                as_user(user, Command::new("mkdir").args(["-m", "700", "-p"]).arg(&inner))
                    .map_err(cannot("make", &inner))?;
            }
        }
        Ok(())
    }
}

pub(crate) fn make(folder: &Path, mode: u32, user: Option<User>) -> Result<(), Failure> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new().recursive(true).mode(mode).create(folder).map_err(cannot("make", folder))?;
    if let Some(user) = user {
        chown(folder, Some(user.uid), Some(user.gid)).map_err(cannot("give away", folder))?;
    }
    Ok(())
}

/// The same for a folder that a user owns, with everything in it, also where it was another user's before: of an environment
/// that was destroyed and is made anew.
pub(crate) fn make_own(folder: &Path, mode: u32, user: Option<User>) -> Result<(), Failure> {
    make(folder, mode, user)?;
    match user {
        Some(user) => give(folder, user),
        None => Ok(()),
    }
}

/// Gives a folder with everything in it to a user, where it is not the user's yet. Links are given, never followed.
pub(crate) fn give(folder: &Path, user: User) -> Result<(), Failure> {
    let owner = fs::symlink_metadata(folder).map_err(cannot("read", folder))?.uid();
    if owner == user.uid {
        return Ok(());
    }
    let owner = format!("{}:{}", user.uid, user.gid);
    as_user(None, Command::new("chown").args(["-R", "-P", "--no-dereference", &owner, "--"]).arg(folder))
        .map(drop)
        .map_err(cannot("give away", folder))
}

/// Sets the user of a command. As root this drops every supplementary group too.
pub(crate) fn drop_to(user: Option<User>, command: &mut Command) -> &mut Command {
    if let Some(user) = user {
        command.uid(user.uid).gid(user.gid);
    }
    command
}

/// Runs a short command as a user of an environment; its errors become the error's text.
pub(crate) fn as_user(user: Option<User>, command: &mut Command) -> io::Result<Vec<u8>> {
    let output = drop_to(user, command).current_dir("/").stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(told(&said))
}

/// What a command said on its way out, as an error of the kind that it means.
fn told(said: &str) -> io::Error {
    let full = ["No space left", "Check free disk space", "Disk quota exceeded"].iter().any(|text| said.contains(text));
    io::Error::new(if full { io::ErrorKind::StorageFull } else { io::ErrorKind::Other }, said.trim())
}

/// Replaces a file as a whole, readable by its owner only.
pub(crate) fn write_as(user: Option<User>, path: &Path, content: &str) -> Result<(), Failure> {
    let write = || -> io::Result<()> {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", "umask 077; cat > \"$0.new\" && sync -d \"$0.new\" && mv -f \"$0.new\" \"$0\""])
            .arg(path)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = drop_to(user, &mut command).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(content.as_bytes())?;
        }
        let output = child.wait_with_output()?;
        if output.status.success() {
            return Ok(());
        }
        Err(told(&String::from_utf8_lossy(&output.stderr)))
    };
    write().map_err(|e| failed(format!("cannot write {}", path.display()), &e))
}
