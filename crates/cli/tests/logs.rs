//! Logs as people search them, over everything that an environment printed: also by releases that were replaced.

#![allow(clippy::unwrap_used)] // A test may panic.

#[path = "support/load.rs"]
mod load;
#[path = "support/shop.rs"]
mod shop;
mod support;

use std::process::Stdio;

use shop::{Shop, app, code, text};

/// What an app prints when it starts.
fn prints(lines: &[&str]) -> String {
    format!("print({:?}, flush=True)", lines.join("\n"))
}

fn shop() -> Shop {
    Shop::new(&["test"], "[environments.test]\nkind = \"staging\"\nbranch = \"main\"\nsoak = \"1s\"\n")
}

#[test]
fn what_a_replaced_release_printed_is_found_by_time_text_level_and_release() {
    let shop = shop();
    let lines = ["INFO began", "ERROR no stock", "  at shelf 3", "{\"level\":\"warn\",\"msg\":\"slow\"}"];
    shop.write("app.py", &app("one", &prints(&lines), ""));
    shop.commit("one");
    shop.up();
    let first = shop.json(&["status", "test"]);
    let shown = |arguments: &[&str]| -> Vec<(String, String)> {
        let out = shop.ok(&[&["logs", "-e", "test", "app", "--json"], arguments].concat());
        let line = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let word = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            (word("release"), word("text"))
        };
        // Beside what the app prints there is what its keeper says of it.
        out.lines().map(line).filter(|(_, text)| !text.starts_with("[ambit]")).collect()
    };
    let texts = |arguments: &[&str]| -> Vec<String> { shown(arguments).into_iter().map(|(_, text)| text).collect() };
    let one = shown(&["--grep", "began"])[0].0.clone();
    assert!(first.to_string().contains(&one), "status tells what a release is called: {first}");
    let between = jiff::Timestamp::now().to_string();

    shop.write("app.py", &app("two", &prints(&["INFO began again"]), ""));
    shop.commit("two");
    shop.ok(&["deploy", "-e", "test"]);
    support::until("the first release is gone", || texts(&[]) == ["INFO began again"]);

    assert_eq!(texts(&["--grep", "began"]), ["INFO began", "INFO began again"]);
    assert_eq!(texts(&["--level", "warn"]), lines[1..]);
    assert_eq!(texts(&["--level", "error", "--since", "1h"]), lines[1..3]);
    assert_eq!(texts(&["--release", &one]), lines);
    assert_eq!(texts(&["--until", &between]), lines);
    assert_eq!(texts(&["--since", &between]), ["INFO began again"]);
    assert_eq!(texts(&["--release", &one, "-n", "2"]), lines[3..], "the keeper's word is the last");
    assert_eq!(texts(&["--grep", "began", "--release", "0000"]), [""; 0]);
    for wrong in [["--grep", "("], ["--since", "yesterday"], ["--level", "loud"]] {
        let output = shop.ambit(&[&["logs", "-e", "test"], &wrong[..]].concat());
        assert!(matches!(code(&output), Some(1 | 2)), "{wrong:?}: {}", text(&output));
    }

    // Nothing of what the processes were started with is kept beside what they printed.
    let old = shop.machine.folder.path().join("home/old-logs/shop/test");
    let kept: Vec<_> = files_in(&old);
    assert!(kept.iter().all(|name| name.starts_with("log") || name == "release"), "{kept:?}");
    shop.ok(&["destroy", "test", "--confirm", "test"]);
    assert!(!old.exists(), "they go with the environment");
}

fn files_in(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|one| std::fs::read_dir(one).unwrap());
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn whoever_stops_reading_ends_it_quietly() {
    let shop = shop();
    shop.write("app.py", &app("one", "for n in range(50000): print('line', n)\nsys.stdout.flush()", ""));
    shop.commit("one");
    shop.up();
    let mut command = shop.machine.command(&shop.project, &["logs", "-e", "test", "--since", "1h"]);
    let mut logs = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(logs.stdout.take().unwrap()), &mut first).unwrap();
    assert!(first.contains("line"), "{first}");
    let output = logs.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_ne!(output.status.code(), Some(101));
}
