//! The daemon as a service of this machine: its unit is written, started, stopped and removed.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use ambit_domain::{Failure, FailureKind, Home, service_unit};

use crate::machine::cannot;

/// Where an administrator's units lie (systemd.unit(5)).
const UNITS: &str = "/etc/systemd/system";
/// There exactly where systemd is the machine's first process (sd_booted(3)).
const BOOTED: &str = "/run/systemd/system";

/// The daemon's service.
pub struct Service {
    unit: PathBuf,
    text: String,
    home: Home,
}

impl Service {
    /// The service that runs a program on a state folder.
    #[must_use]
    pub fn new(program: &Path, home: &Home) -> Self {
        let unit = Path::new(UNITS).join(service_unit::NAME);
        Self { unit, text: service_unit::unit(program, home.root()), home: home.clone() }
    }

    /// The unit's file.
    #[must_use]
    pub fn unit(&self) -> &Path {
        &self.unit
    }

    /// What is to stand there.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Fails where there is no systemd, or where it may not be told anything.
    pub fn can_be_installed(&self) -> Result<(), Failure> {
        if !Path::new(BOOTED).is_dir() {
            return Err(Failure::new(FailureKind::Machine, "this machine is not run by systemd")
                .because(format!("{BOOTED} is not there"))
                .hint("let the machine's own init start `ambit daemon` with AMBIT_HOME set, and stop it by SIGTERM to that process alone")
                .hint("in a container: make `ambit daemon` its command"));
        }
        if !nix::unistd::geteuid().is_root() {
            return Err(Failure::new(FailureKind::Machine, "a service of the machine is installed by root")
                .hint("sudo ambit install"));
        }
        Ok(())
    }

    /// Whether the unit that is installed runs this state folder.
    #[must_use]
    pub fn looks_after_home(&self) -> bool {
        let wanted = self.text.lines().find(|line| line.starts_with("Environment="));
        let there = fs::read_to_string(&self.unit).unwrap_or_default();
        Path::new(BOOTED).is_dir() && wanted.is_some_and(|wanted| there.lines().any(|line| line == wanted))
    }

    /// Writes the unit; whether that changed anything.
    pub fn write(&self) -> Result<bool, Failure> {
        if fs::read_to_string(&self.unit).is_ok_and(|there| there == self.text) {
            return Ok(false);
        }
        if self.unit.exists() && !self.looks_after_home() {
            return Err(Failure::new(
                FailureKind::User,
                format!("{} looks after another state folder than {}", self.unit.display(), self.home.root().display()),
            )
            .hint("set AMBIT_HOME to that one, or take it away first: ambit install --remove"));
        }
        let beside = self.unit.with_extension("service.new");
        fs::write(&beside, &self.text).map_err(cannot("write", &beside))?;
        fs::rename(&beside, &self.unit).map_err(cannot("write", &self.unit))?;
        systemctl(&["daemon-reload"])?;
        Ok(true)
    }

    /// Starts it now and with the machine; one that runs takes on what was written.
    pub fn start(&self, changed: bool) -> Result<(), Failure> {
        systemctl(&["enable", "--quiet", service_unit::NAME])?;
        systemctl(&[if changed { "restart" } else { "start" }, service_unit::NAME])
    }

    /// Starts the daemon by the unit, anew where it runs.
    pub fn restart(&self) -> Result<(), Failure> {
        systemctl(&["restart", service_unit::NAME])
    }

    /// Stops the daemon and takes the unit away; whether there was one. What the daemon started goes on.
    pub fn remove(&self) -> Result<bool, Failure> {
        if !self.unit.exists() {
            return Ok(false);
        }
        systemctl(&["disable", "--quiet", "--now", service_unit::NAME])?;
        fs::remove_file(&self.unit).map_err(cannot("remove", &self.unit))?;
        systemctl(&["daemon-reload"])?;
        Ok(true)
    }
}

fn systemctl(arguments: &[&str]) -> Result<(), Failure> {
    let failed = |why: String| {
        Failure::new(FailureKind::Machine, format!("systemctl {} failed", arguments.join(" ")))
            .because(why)
            .hint(format!("journalctl -u {} shows what the daemon says", service_unit::NAME))
    };
    let output = Command::new("systemctl").args(arguments).stdin(Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(failed("there is no systemctl".to_owned())),
        Err(error) => Err(failed(error.to_string())),
    }
}
