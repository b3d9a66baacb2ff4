//! The encrypted file, as its callers see it.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    sync::atomic::{AtomicBool, Ordering},
};

use ambit_secrets::{Identities, Identity, Recipients, Secret, SecretsError, SecretsFile, keys};
use ambit_spec::EnvironmentName;
use proptest::prelude::*;

fn environment(name: &str) -> EnvironmentName {
    name.parse().unwrap()
}

fn to(people: &[&Identity]) -> Recipients {
    Recipients::parse(&people.iter().map(|person| keys::recipient_of(person)).collect::<Vec<_>>()).unwrap()
}

fn secret(value: &str) -> Secret {
    Secret::from(value.to_owned())
}

/// A file with two environments, and the key that opens it.
fn sample() -> (SecretsFile, Identities, Recipients) {
    let ana = keys::generate();
    let recipients = to(&[&ana]);
    let mut file = SecretsFile::default();
    for (place, name, value) in [("dev", "B", "two"), ("dev", "A", "one"), ("prod", "A", "three")] {
        file.set(&environment(place), name, &secret(value), &recipients).unwrap();
    }
    (file, ana.into(), recipients)
}

#[test]
fn a_missing_file_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    assert!(SecretsFile::load(&folder.path().join("ambit.secrets")).unwrap().is_none());
}

#[test]
fn what_was_stored_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ambit.secrets");
    let (mut file, identities, _) = sample();
    file.store(&path).unwrap();
    let read = SecretsFile::load(&path).unwrap().unwrap();
    assert_eq!(read.names(&environment("dev")).collect::<Vec<_>>(), ["A", "B"]);
    assert_eq!(read.get(&environment("dev"), "B", &identities).unwrap().unwrap().expose(), "two");
    assert!(read.get(&environment("dev"), "C", &identities).unwrap().is_none());
    assert!(read.get(&environment("test"), "A", &identities).unwrap().is_none());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
}

#[test]
fn the_text_is_toml_with_one_sorted_line_a_secret() {
    let (file, ..) = sample();
    let shape: Vec<String> = file
        .to_text()
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once(" = \"").map_or(line, |(name, _)| name).to_owned())
        .collect();
    assert_eq!(shape, ["format = 1", "", "[dev]", "A", "B", "", "[prod]", "A"]);
    assert!(file.to_text().parse::<toml_edit::DocumentMut>().is_ok());
}

#[test]
fn setting_a_value_changes_only_its_line() {
    let (mut file, _, recipients) = sample();
    let before = file.to_text();
    file.set(&environment("dev"), "A", &secret("other"), &recipients).unwrap();
    let after = file.to_text();
    let changed: Vec<&str> =
        before.lines().zip(after.lines()).filter(|(a, b)| a != b).map(|(_, b)| b.split(' ').next().unwrap()).collect();
    assert_eq!(changed, ["A"]);
    assert_eq!(before.lines().count(), after.lines().count());
}

#[test]
fn removing_the_last_secret_removes_the_environment() {
    let (mut file, ..) = sample();
    assert!(file.remove(&environment("prod"), "A"));
    assert!(!file.remove(&environment("prod"), "A"));
    assert!(!file.to_text().contains("[prod]"));
}

#[test]
fn a_line_moved_to_another_environment_or_renamed_is_refused() {
    let (file, identities, _) = sample();
    let text = file.to_text();
    let line = text.lines().find(|line| line.starts_with("B =")).unwrap();
    let moved = SecretsFile::parse(&format!("format = 1\n[prod]\n{line}\n")).unwrap();
    let error = moved.get(&environment("prod"), "B", &identities).unwrap_err();
    assert_eq!(error.to_string(), "B of prod holds a value that was encrypted as B of dev");
    let renamed = SecretsFile::parse(&format!("format = 1\n[dev]\nZ{}\n", &line[1..])).unwrap();
    let error = renamed.get(&environment("dev"), "Z", &identities).unwrap_err();
    assert!(matches!(error, SecretsError::Moved { .. }), "{error}");
}

#[test]
fn a_changed_or_cut_ciphertext_is_refused_at_every_byte() {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let (file, identities, _) = sample();
    let text = file.to_text();
    let line = text.lines().find(|line| line.starts_with("B =")).unwrap();
    let (head, encoded) = line.trim_end_matches('"').rsplit_once(' ').unwrap();
    let bytes = BASE64_STANDARD.decode(encoded).unwrap();
    let open = |bytes: &[u8]| {
        let text = format!("format = 1\n[dev]\n{head} {}\"\n", BASE64_STANDARD.encode(bytes));
        SecretsFile::parse(&text).unwrap().get(&environment("dev"), "B", &identities).map(|secret| secret.is_some())
    };
    assert!(open(&bytes).unwrap());
    for index in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[index] ^= 1 << (index % 8);
        assert!(open(&flipped).is_err(), "flipped byte {index} was accepted");
        assert!(open(&bytes[..index]).is_err(), "the first {index} bytes were accepted");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(open(&longer).is_err());
}

#[test]
fn a_wrong_key_is_told_whom_to_ask() {
    let (file, identities, _) = sample();
    let ana = identities.public_keys().next().unwrap();
    let berta = keys::generate();
    let own = keys::recipient_of(&berta);
    let error = file.get(&environment("dev"), "A", &berta.into()).unwrap_err();
    assert_eq!(error.to_string(), format!("no key at hand opens A of dev; it is encrypted to {}…", &ana[..16]));
    let hint = error.hint().unwrap();
    assert!(hint.contains(&own) && hint.contains("ambit secret rotate"), "{hint}");
}

#[test]
fn after_a_rotation_the_new_recipient_can_read_and_the_old_one_cannot() {
    let (mut file, ana, before) = sample();
    let berta = keys::generate();
    let both = Recipients::parse(&[ana.public_keys().next().unwrap(), keys::recipient_of(&berta)]).unwrap();
    let berta_alone = to(&[&berta]);
    let berta = Identities::from(berta);
    let dev = environment("dev");

    assert!(!file.needs_rotation(&dev, &before));
    assert!(file.needs_rotation(&dev, &both));
    assert!(file.get(&dev, "A", &berta).is_err());
    assert_eq!(file.rotate(&dev, &ana, &both).unwrap(), 2);
    assert!(!file.needs_rotation(&dev, &both));
    assert!(file.needs_rotation(&environment("prod"), &both), "only one environment was rotated");
    assert_eq!(file.get(&dev, "A", &berta).unwrap().unwrap().expose(), "one");
    assert_eq!(file.get(&dev, "A", &ana).unwrap().unwrap().expose(), "one");

    assert_eq!(file.rotate(&dev, &berta, &berta_alone).unwrap(), 2);
    assert!(matches!(file.get(&dev, "A", &ana), Err(SecretsError::NoMatchingKey { .. })));
}

#[test]
fn a_rotation_that_fails_changes_nothing() {
    let (mut file, _, recipients) = sample();
    let before = file.to_text();
    assert!(file.rotate(&environment("dev"), &keys::generate().into(), &recipients).is_err());
    assert_eq!(file.to_text(), before);
}

#[test]
fn a_value_set_by_a_teammate_with_the_old_list_is_found_after_a_merge() {
    let (mut file, ana, old) = sample();
    let both = Recipients::parse(&[ana.public_keys().next().unwrap(), keys::recipient_of(&keys::generate())]).unwrap();
    file.rotate(&environment("dev"), &ana, &both).unwrap();
    file.set(&environment("dev"), "NEW", &secret("x"), &old).unwrap();
    assert_eq!(file.outdated(&environment("dev"), &both), ["NEW"]);
}

#[test]
fn mistakes_in_the_file_are_told_with_their_line() {
    let error = |text: &str| SecretsFile::parse(text).unwrap_err().to_string();
    assert_eq!(error(""), "ambit.secrets, line 1: it should begin with `format = 1`");
    assert_eq!(error("# x\n\n[dev]\n"), "ambit.secrets, line 3: it should begin with `format = 1`");
    assert_eq!(error("format = 1\nA = \"x\"\n"), "ambit.secrets, line 2: a value before the first [environment]");
    assert_eq!(error("format = 1\n[Dev]\n"), "ambit.secrets, line 2: not the name of an environment");
    assert_eq!(error("format = 1\n[dev\n"), "ambit.secrets, line 2: a table header without `]`");
    assert_eq!(
        error("format = 1\n[dev]\n[dev]"),
        "ambit.secrets, line 2: it should begin"
            .replace("line 2: it should begin", "line 3: [dev] stands here a second time; join the two")
    );
    assert_eq!(error("format = 1\n[dev]\nA"), "ambit.secrets, line 3: expected NAME = \"…\"");
    assert_eq!(error("format = 1\n[dev]\nA = x"), "ambit.secrets, line 3: the value of A is not in double quotes");
    assert_eq!(error("format = 1\n[dev]\nA = \"age1q !!\""), "ambit.secrets, line 3: the value of A is cut or garbled");
    let twice = "format = 1\n[dev]\nA = \"age1q YQ==\"\nA = \"age1q YQ==\"\n";
    assert_eq!(error(twice), "ambit.secrets, line 4: A stands here a second time; keep one of the two lines");
}

#[test]
fn an_unfinished_merge_is_named_as_such() {
    let (file, ..) = sample();
    let text =
        file.to_text().replace("[dev]", "[dev]\n<<<<<<< HEAD").replace("[prod]", "=======\n>>>>>>> topic\n[prod]");
    let error = SecretsFile::parse(&text).unwrap_err();
    assert_eq!(error.to_string(), "ambit.secrets, line 6: the marks of an unfinished git merge");
    assert!(error.hint().unwrap().contains("keep the lines of both sides"));
}

#[test]
fn windows_line_ends_are_accepted() {
    let (file, identities, _) = sample();
    let read = SecretsFile::parse(&file.to_text().replace('\n', "\r\n")).unwrap();
    assert_eq!(read.get(&environment("dev"), "A", &identities).unwrap().unwrap().expose(), "one");
}

#[test]
fn a_newer_format_is_refused_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ambit.secrets");
    fs::write(&path, "format = 2\n(anything)\n").unwrap();
    assert!(matches!(SecretsFile::load(&path), Err(SecretsError::Newer { found: 2 })));
    assert!(SecretsFile::default().store(&path).is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "format = 2\n(anything)\n");
}

#[test]
fn a_file_that_somebody_changed_meanwhile_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ambit.secrets");
    let (mut first, _, recipients) = sample();
    first.store(&path).unwrap();
    let mut second = SecretsFile::load(&path).unwrap().unwrap();
    first.set(&environment("dev"), "C", &secret("c"), &recipients).unwrap();
    first.store(&path).unwrap();
    second.set(&environment("dev"), "D", &secret("d"), &recipients).unwrap();
    assert!(matches!(second.store(&path), Err(SecretsError::ChangedMeanwhile { .. })));
    assert!(SecretsFile::load(&path).unwrap().unwrap().contains(&environment("dev"), "C"));
    first.store(&path).unwrap();
}

#[test]
fn a_reader_sees_the_old_file_or_the_new_one_and_never_a_part() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ambit.secrets");
    let (mut file, _, recipients) = sample();
    file.store(&path).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..40 {
                file.set(&environment("dev"), &format!("N{round}"), &secret("x"), &recipients).unwrap();
                file.store(&path).unwrap();
            }
            done.store(true, Ordering::Release);
        });
        let mut seen = 0;
        while !done.load(Ordering::Acquire) {
            let now = SecretsFile::load(&path).unwrap().unwrap().names(&environment("dev")).count();
            assert!(now >= seen);
            seen = now;
        }
    });
}

/// Not a test of its own: the process that the next test kills. It stores until it dies.
#[test]
#[ignore = "run by a_process_killed_while_it_stores_leaves_a_whole_file"]
fn storing_without_end() {
    let Some(path) = std::env::var_os("AMBIT_TEST_STORE").map(std::path::PathBuf::from) else { return };
    let recipients = to(&[&keys::generate()]);
    for round in 0_u32.. {
        let mut file = SecretsFile::load(&path).unwrap().unwrap();
        file.set(&environment("dev"), &format!("N{}", round % 50), &secret("x"), &recipients).unwrap();
        file.store(&path).unwrap();
    }
}

#[test]
fn a_process_killed_while_it_stores_leaves_a_whole_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ambit.secrets");
    let (mut file, identities, _) = sample();
    file.store(&path).unwrap();
    for changes in 1..=8 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "storing_without_end", "--ignored"])
            .env("AMBIT_TEST_STORE", &path)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // Killed somewhere within a store, after a few of them were seen.
        let mut seen = 0;
        let mut before = fs::read(&path).unwrap();
        while seen < changes {
            let now = fs::read(&path).unwrap();
            if now != before {
                (before, seen) = (now, seen + 1);
            }
            assert!(child.try_wait().unwrap().is_none(), "the storing process ended by itself");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let read = SecretsFile::load(&path).unwrap().unwrap();
        assert_eq!(read.get(&environment("dev"), "A", &identities).unwrap().unwrap().expose(), "one");
    }
}

#[test]
fn a_store_that_fails_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (mut file, ..) = sample();
    assert!(file.store(&folder.path().join("missing/ambit.secrets")).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    // A stray temporary file of a crashed command is in nobody's way.
    fs::write(folder.path().join(".ambit.secrets-AbCdEf"), "format = 1\n[dev").unwrap();
    file.store(&folder.path().join("ambit.secrets")).unwrap();
    assert!(SecretsFile::load(&folder.path().join("ambit.secrets")).unwrap().is_some());
}

#[test]
fn names_and_values_that_no_variable_can_have_are_refused() {
    let (mut file, _, recipients) = sample();
    let dev = environment("dev");
    for name in ["", "1A", "A-B", "A B", "Ä", "A\nB", "A=\"", &"A".repeat(129)] {
        assert!(matches!(file.set(&dev, name, &secret("x"), &recipients), Err(SecretsError::Name(_))), "{name}");
    }
    for value in ["a\0b", &"x".repeat(64 * 1024 + 1)] {
        assert!(matches!(file.set(&dev, "A", &secret(value), &recipients), Err(SecretsError::Value { .. })));
    }
}

#[test]
fn debug_output_never_shows_a_value_or_a_secret_key() {
    let identity = keys::generate();
    assert_eq!(format!("{:?}", secret("hunter2")), "Secret(…)");
    assert!(!format!("{identity:?} {:?}", Identities::from(identity.clone())).contains("SECRET"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_value_comes_back_as_it_was(
        values in proptest::collection::btree_map("[A-Za-z_][A-Za-z0-9_]{0,20}", "[^\\x00]{0,200}", 1..4),
    ) {
        let ana = keys::generate();
        let recipients = to(&[&ana]);
        let identities = Identities::from(ana);
        let dev = environment("dev");
        let mut file = SecretsFile::default();
        for (name, value) in &values {
            file.set(&dev, name, &secret(value), &recipients).unwrap();
        }
        let read = SecretsFile::parse(&file.to_text()).unwrap();
        prop_assert_eq!(read.to_text(), file.to_text());
        for (name, value) in &values {
            let got = read.get(&dev, name, &identities).unwrap().unwrap();
            prop_assert_eq!(got.expose(), value);
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "(format = 1\n)?(\\[[a-z]{0,3}\\]?\n|[A-Z]{0,3} ?= ?\"?(age1[a-z]{0,3} )?[A-Za-z=]{0,8}\"?\n|\\PC{0,20}\n){0,6}") {
        if let Ok(file) = SecretsFile::parse(&text) {
            for place in ["dev", "a"] {
                let place = environment(place);
                for name in file.names(&place) {
                    prop_assert!(file.get(&place, name, &keys::generate().into()).is_err());
                }
            }
        }
    }
}
