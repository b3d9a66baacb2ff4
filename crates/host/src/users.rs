//! OS users: one for each environment, one for builds and one for the proxy, where Ambit runs as root.

use std::{
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
    thread,
    time::Duration,
};

use ambit_domain::{EnvironmentId, Failure, FailureKind};
use sha2::{Digest, Sha256};

use crate::{Host, machine::failed};

/// The default state folder of root, whose users carry no mark.
const DEFAULT_HOME: &str = "/var/lib/ambit";
/// useradd(8) refuses longer names.
const LONGEST: usize = 32;
/// How often a user is made that is not found.
const MADE_AGAIN: u32 = 5;

/// A user and its own group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Host {
    /// The OS user of an environment; `None` is the one that Ambit runs as.
    pub(crate) fn user(&self, id: &EnvironmentId) -> Result<Option<User>, Failure> {
        self.ensure_user(&format!("{}-{}", id.project, id.environment))
    }

    /// User and group that builds run as; `None` is the one that Ambit runs as.
    pub fn build_user(&self) -> Result<Option<(u32, u32)>, Failure> {
        Ok(self.ensure_user("build")?.map(|u| (u.uid, u.gid)))
    }

    /// User and group that the proxy drops to; `None` is the one that Ambit runs as.
    pub(crate) fn proxy_user(&self) -> Result<Option<(u32, u32)>, Failure> {
        Ok(self.ensure_user("proxy")?.map(|u| (u.uid, u.gid)))
    }

    pub(crate) fn remove_user(&self, id: &EnvironmentId) -> Result<(), Failure> {
        if !self.root {
            return Ok(());
        }
        let name = self.user_name(&format!("{}-{}", id.project, id.environment));
        if find(&name).is_none() {
            return Ok(());
        }
        repeat(&name, || Command::new("userdel").arg(&name).output())
    }

    fn ensure_user(&self, whose: &str) -> Result<Option<User>, Failure> {
        if !self.root {
            return Ok(None);
        }
        let name = self.user_name(whose);
        if let Some(user) = find(&name) {
            return Ok(Some(user));
        }
        self.check_passage()?;
        // Whoever writes /etc/passwd without minding the lock at this very moment may leave out the line of a user that was just made.
        for _ in 0..MADE_AGAIN {
            repeat(&name, || {
                Command::new("useradd")
                    .args(["--system", "--no-create-home", "--user-group", "--shell", "/usr/sbin/nologin"])
                    .args(["--home-dir", "/nonexistent", "--comment", "Ambit", &name])
                    .output()
            })?;
            if let Some(user) = find(&name) {
                return Ok(Some(user));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Err(Failure::new(FailureKind::Machine, format!("the user {name} was made but is not found"))
            .hint("are users kept elsewhere on this machine (LDAP, sssd)? make it there"))
    }

    /// Users of two state folders on one machine must not meet: all but the default one's carry a mark of the folder.
    fn user_name(&self, whose: &str) -> String {
        let root = self.home.root();
        let plain = format!("ambit-{whose}");
        if root == Path::new(DEFAULT_HOME) && plain.len() <= LONGEST {
            return plain;
        }
        let mut hash = Sha256::new();
        hash.update(root.as_os_str().as_encoded_bytes());
        hash.update([0]);
        hash.update(whose.as_bytes());
        let mark: String = hash.finalize().iter().take(4).map(|b| format!("{b:02x}")).collect();
        let room = LONGEST - mark.len() - 1;
        format!("{}-{mark}", plain.get(..room).unwrap_or(&plain).trim_end_matches('-'))
    }

    /// The users of environments have to pass through every folder above their own.
    fn check_passage(&self) -> Result<(), Failure> {
        for folder in self.home.root().ancestors().skip(1) {
            let Ok(metadata) = folder.metadata() else { continue };
            if metadata.permissions().mode() & 0o001 == 0 {
                return Err(Failure::new(
                    FailureKind::Machine,
                    format!("the state folder {} cannot be used", self.home.root().display()),
                )
                .because(format!("the OS users of environments cannot pass through {}", folder.display()))
                .hint(format!("set AMBIT_HOME to a folder elsewhere, such as {DEFAULT_HOME}")));
            }
        }
        Ok(())
    }
}

fn find(name: &str) -> Option<User> {
    let user = nix::unistd::User::from_name(name).ok()??;
    Some(User { uid: user.uid.as_raw(), gid: user.gid.as_raw() })
}

/// useradd and userdel refuse to work side by side: they lock /etc/passwd and do not wait for it.
fn repeat(name: &str, command: impl Fn() -> std::io::Result<Output>) -> Result<(), Failure> {
    let mut said = String::new();
    for _ in 0..100 {
        let output =
            command().map_err(|e| failed("useradd cannot be run", &e).hint("install it: apt-get install passwd"))?;
        // 9: the name is there already, made by another Ambit at this moment (useradd(8)). 6: it is gone (userdel(8)).
        if output.status.success() || matches!(output.status.code(), Some(9 | 6)) {
            return Ok(());
        }
        said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if output.status.code() != Some(1) && !said.contains("lock") {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    Err(Failure::new(FailureKind::Machine, format!("the OS user {name} cannot be made or removed")).because(said))
}
