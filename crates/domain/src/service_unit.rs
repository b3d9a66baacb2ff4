//! The systemd unit of the daemon (systemd.service(5), systemd.exec(5)), as a text.

use std::path::Path;

/// Its name.
pub const NAME: &str = "ambit.service";

/// The unit that runs a program as the daemon of a state folder.
///
/// What it closes is closed to everything that the daemon starts: so nothing that an app may need (memory that is written and
/// executed, for Node.js) and nothing that making environments needs (`/etc/passwd`, control groups, folders with set-group-id).
#[must_use]
pub fn unit(program: &Path, home: &Path) -> String {
    let (program, home) = (quoted(program), quoted(home));
    format!(
        "[Unit]
Description=Ambit: development, test and production from one file
Documentation=man:ambit(1)
Wants=network-online.target
After=network-online.target
# A daemon that cannot start is tried again for as long as that takes.
StartLimitIntervalSec=0

[Service]
Type=exec
Environment=\"AMBIT_HOME={home}\"
ExecStart=\"{program}\" daemon
Restart=always
RestartSec=2
# The proxy, the apps and the databases go on while the daemon is stopped or replaced.
KillMode=process
SendSIGKILL=no
# An app that the kernel ends for want of memory does not end the others.
OOMPolicy=continue
TasksMax=infinity
LimitNOFILE=65536
UMask=0077

ProtectSystem=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
RestrictRealtime=yes
LockPersonality=yes
SystemCallArchitectures=native
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK

[Install]
WantedBy=multi-user.target
"
    )
}

/// A path within double quotes: `%` begins a specifier, and a backslash an escape.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain: String = text.chars().filter(|c| !c.is_control()).collect();
    plain.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_leave_its_quotes() {
        let unit = unit(Path::new("/opt/a b/100%/ambit\"\nUser=x"), Path::new("/srv/$HOME"));
        assert!(unit.contains("ExecStart=\"/opt/a b/100%%/ambit\\\"User=x\" daemon\n"), "{unit}");
        assert!(unit.contains("Environment=\"AMBIT_HOME=/srv/$$HOME\"\n"), "{unit}");
        assert!(!unit.lines().any(|line| line.starts_with("User=")));
    }

    #[test]
    fn what_the_daemon_started_outlives_it() {
        assert!(unit(Path::new("/usr/bin/ambit"), Path::new("/var/lib/ambit")).contains("\nKillMode=process\n"));
    }
}
