//! The guides for developers, QA and lead: one text for site and repository, the same in both languages, and nothing in it that the
//! program does not know.

#![allow(clippy::unwrap_used)] // A test may panic.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Each guide in Spanish and in English.
const GUIDES: [(&str, &str); 3] =
    [("guia-desarrollo", "guide-developers"), ("guia-qa", "guide-qa"), ("guia-lider", "guide-lead")];

/// Guides that only the documentation of Ambit has.
const MORE_GUIDES: [(&str, &str); 4] = [
    ("inicio-rapido", "quick-start"),
    ("guia-incidente", "guide-incident"),
    ("guia-desde-railway", "guide-from-railway"),
    ("guia-vps", "guide-vps"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The text of a guide, read where the repository's documentation has it.
fn guide(name: &str) -> String {
    std::fs::read_to_string(root().join(format!("docs/{name}.md"))).unwrap()
}

/// What a guide tells people to type, in blocks of code and within sentences.
fn commands(text: &str) -> Vec<String> {
    let mut in_block = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            in_block = !in_block;
        } else if in_block {
            found.push(line.split(" #").next().unwrap().trim().to_owned());
        } else {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found.retain(|command| command.starts_with("ambit "));
    found
}

/// The words of a command: of its own, without what is another program's.
fn words(command: &str) -> Vec<String> {
    let ours = command.split(" -- ").next().unwrap().split(" < ").next().unwrap();
    let mut words = Vec::new();
    for (n, part) in ours.split('"').enumerate() {
        if n % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(|word| match word {
                "NÚMERO" | "NUMBER" => "1".to_owned(),
                word => word.to_owned(),
            }));
        }
    }
    words.split_off(1)
}

#[test]
fn docs_and_site_show_the_same_text() {
    for name in GUIDES.iter().flat_map(|(spanish, english)| [spanish, english]) {
        let shown = root().join(format!("docs/{name}.md")).canonicalize().unwrap();
        assert_eq!(shown, root().join(format!("apps/kaia/web/docs/guides/{name}.md")));
    }
    let served = std::fs::read_dir(root().join("apps/kaia/web/docs/guides")).unwrap().count();
    assert_eq!(served, 2 * GUIDES.len(), "a guide that nobody is led to");
}

#[test]
fn every_command_of_a_guide_is_one_that_the_program_takes() {
    let mut unknown = Vec::new();
    for name in GUIDES.iter().chain(&MORE_GUIDES).flat_map(|(spanish, english)| [spanish, english]) {
        let commands = commands(&guide(name));
        assert!(commands.len() > 8, "{name}: {commands:?}");
        for command in commands {
            // Arguments are understood up to `--help`, and then nothing is done.
            let output =
                Command::new(env!("CARGO_BIN_EXE_ambit")).args(words(&command)).arg("--help").output().unwrap();
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned();
                unknown.push(format!("{name}: {command}: {said}"));
            }
        }
    }
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
}

#[test]
fn both_languages_tell_the_same_steps() {
    // What differs are names that somebody chose, so only what begins a command counts, and its options.
    let steps = |name: &str| -> Vec<Vec<String>> {
        let steps = commands(&guide(name)).into_iter().map(|command| words(&command));
        steps
            .map(|words| {
                words.into_iter().enumerate().filter(|(n, w)| *n == 0 || w.starts_with('-')).map(|(_, w)| w).collect()
            })
            .collect()
    };
    let same = GUIDES.into_iter().chain(MORE_GUIDES).filter(|(spanish, _)| *spanish != "inicio-rapido");
    for (spanish, english) in same {
        assert_eq!(steps(spanish), steps(english), "{spanish} and {english}");
        let headings = |name: &str| guide(name).lines().filter(|line| line.starts_with('#')).count();
        assert_eq!(headings(spanish), headings(english), "{spanish} and {english}");
    }
}

#[test]
fn what_a_site_sends_is_small() {
    let web = root().join("apps/kaia/web");
    let size = |folder: &str| -> u64 {
        let files = std::fs::read_dir(web.join(folder)).unwrap().map(|entry| entry.unwrap().metadata().unwrap());
        files.filter(std::fs::Metadata::is_file).map(|file| file.len()).sum()
    };
    for (site, most) in [("home", 20_000), ("downloads", 25_000), ("docs", 35_000), ("admin", 25_000)] {
        let bytes = size(site) + size("shared");
        assert!(bytes <= most, "{site} sends {bytes} bytes, more than {most}");
    }
}

#[test]
fn the_book_leads_to_every_page_and_to_no_other() {
    let docs = root().join("docs");
    let summary = std::fs::read_to_string(docs.join("SUMMARY.md")).unwrap();
    let links = summary.split("](").skip(1).map(|rest| rest.split(')').next().unwrap().to_owned());
    let links: std::collections::BTreeSet<String> = links.collect();
    let pages = std::fs::read_dir(&docs).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let pages = pages.filter(|name| name.ends_with(".md") && name != "SUMMARY.md").collect();
    assert_eq!(links, pages);
}

#[test]
fn the_reference_of_the_command_line_is_what_the_program_says() {
    let output = Command::new(env!("CARGO_BIN_EXE_ambit")).arg("manual").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let page = std::fs::read_to_string(root().join("docs/commands.md")).unwrap();
    assert!(said == page, "run: cargo run -p ambit-cli -- manual > docs/commands.md");
}
