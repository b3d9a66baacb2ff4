//! What a person is told who asks for help.

#![allow(clippy::unwrap_used)] // A test may panic.

use std::process::Command;

fn help(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_ambit")).args(arguments).arg("--help").output().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The names below `Commands:`.
fn commands(help: &str) -> Vec<String> {
    let list = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = list.lines().filter(|l| l.starts_with("  ") && !l.starts_with("   "));
    names.filter_map(|l| l.split_whitespace().next().map(str::to_owned)).filter(|n| n != "help").collect()
}

#[test]
fn every_command_has_an_example_in_its_help() {
    let all = commands(&help(&[]));
    assert!(all.len() > 15, "{all:?}");
    for command in &all {
        let text = help(&[command]);
        assert!(text.contains("Example"), "ambit {command} --help has no example");
        if text.contains("Commands:\n") {
            for below in commands(&text) {
                assert!(help(&[command, &below]).contains("Example"), "ambit {command} {below} --help has no example");
            }
        }
    }
}
