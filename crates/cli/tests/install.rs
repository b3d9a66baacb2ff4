//! The daemon as a service of the machine, as far as that can be tried without systemd.

#![allow(clippy::unwrap_used)] // A test may panic.

mod support;

use support::Machine;

#[test]
fn the_unit_can_be_looked_at_before_anything_is_changed() {
    let machine = Machine::new();
    let folder = machine.folder.path();
    let printed = machine.ok(folder, &["install", "--print"]);
    let home = folder.join("home");
    assert!(printed.contains(&format!("Environment=\"AMBIT_HOME={}\"\n", home.display())), "{printed}");
    assert!(printed.contains(&format!("ExecStart=\"{}\" daemon\n", env!("CARGO_BIN_EXE_ambit"))), "{printed}");
    assert!(!home.exists(), "nothing was made");

    // systemd's own word on it, where its programs are here.
    let unit = folder.join("ambit.service");
    std::fs::write(&unit, &printed).unwrap();
    let Ok(verified) = std::process::Command::new("systemd-analyze").arg("verify").arg(&unit).output() else { return };
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert!(!said.contains("Unknown") && !said.contains("Invalid") && !said.contains("Failed to parse"), "{said}");
}

#[test]
fn a_machine_that_systemd_does_not_run_is_told_what_to_do_instead() {
    if std::path::Path::new("/run/systemd/system").is_dir() {
        eprintln!("skipped: this machine is run by systemd");
        return;
    }
    let machine = Machine::new();
    let output = machine.ambit(machine.folder.path(), &["install"]);
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("not run by systemd") && said.contains("ambit daemon"), "{said}");
    assert!(!machine.folder.path().join("home").exists(), "nothing was made");
}
