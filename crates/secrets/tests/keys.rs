//! Keys and recipients.
#![allow(clippy::unwrap_used)]

use std::{fs, os::unix::fs::PermissionsExt};

use age::secrecy::ExposeSecret;
use ambit_secrets::{Identities, KeyError, RecipientError, Recipients, keys};

#[test]
fn a_stored_key_is_read_again_and_only_its_owner_can() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ambit/keys/kaia.txt");
    let identity = keys::generate();
    keys::store(&path, &identity).unwrap();
    assert_eq!(keys::load(&path).unwrap().public_keys().collect::<Vec<_>>(), [keys::recipient_of(&identity)]);
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_command_that_mends_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kaia.txt");
    keys::store(&path, &keys::generate()).unwrap();
    for mode in [0o640, 0o604, 0o620, 0o601, 0o777] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = keys::load(&path).unwrap_err();
        assert!(matches!(error, KeyError::Exposed { .. }), "{mode:o}: {error}");
        assert!(error.hint().unwrap().contains(&format!("chmod 600 {}", path.display())));
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    keys::load(&path).unwrap();
}

#[test]
fn a_key_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kaia.txt");
    keys::store(&path, &keys::generate()).unwrap();
    let before = fs::read(&path).unwrap();
    assert!(matches!(keys::store(&path, &keys::generate()), Err(KeyError::Exists { .. })));
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays");
}

#[test]
fn a_missing_key_says_how_to_make_one() {
    let folder = tempfile::tempdir().unwrap();
    let error = keys::load(&folder.path().join("kaia.txt")).unwrap_err();
    assert!(matches!(error, KeyError::Missing { .. }));
    assert!(error.hint().unwrap().contains("AMBIT_KEY"));
}

#[test]
fn a_text_may_hold_several_keys_and_comments() {
    let (one, two) = (keys::generate(), keys::generate());
    let text = format!(
        "# mine\n{}\r\n\n  # the old one\n \"{}\" \n",
        one.secret_text().expose_secret(),
        two.secret_text().expose_secret()
    );
    let expected = [keys::recipient_of(&one), keys::recipient_of(&two)];
    assert_eq!(Identities::parse(&text).unwrap().public_keys().collect::<Vec<_>>(), expected);
}

#[test]
fn a_line_that_is_no_key_is_told_by_its_number_and_not_repeated() {
    let key = keys::generate();
    let almost = key.secret_text().expose_secret().replace("KEY-1", "KEY-2");
    let error = Identities::parse(&format!("# x\n{almost}\n")).unwrap_err();
    assert_eq!(error.to_string(), "line 2 of the key is not an age secret key");
    assert!(matches!(Identities::parse("# nothing\n"), Err(KeyError::Empty { .. })));
    let ssh = ["-----BEGIN OPENSSH", " PRIVATE KEY-----\nabc"].concat();
    assert!(Identities::parse(&ssh).unwrap_err().to_string().contains("SSH keys are not supported yet"));
}

#[test]
fn recipients_are_the_same_in_any_order_and_repetition() {
    let (one, two) = (keys::recipient_of(&keys::generate()), keys::recipient_of(&keys::generate()));
    let a = Recipients::parse(&[&one, &two, &one]).unwrap();
    let b = Recipients::parse(&[two, one]).unwrap();
    assert_eq!(a.public_keys().collect::<Vec<_>>(), b.public_keys().collect::<Vec<_>>());
}

#[test]
fn what_is_no_age_public_key_is_refused_by_its_kind() {
    let refused = |text: &str| Recipients::parse(&[text]).unwrap_err();
    assert!(matches!(refused("ssh-ed25519 AAAAC3Nza ana@host"), RecipientError::Ssh { .. }));
    assert!(refused("ssh-ed25519 AAAAC3Nza ana@host").to_string().contains("not supported yet"));
    assert!(matches!(refused("age1abc"), RecipientError::Malformed { .. }));
    assert!(matches!(refused(""), RecipientError::Malformed { .. }));
    let key = keys::generate();
    let error = refused(key.secret_text().expose_secret());
    assert_eq!(error, RecipientError::SecretKey);
    assert!(!error.to_string().contains(&key.secret_text().expose_secret()[15..]));
    assert_eq!(Recipients::parse::<&str>(&[]).unwrap_err(), RecipientError::Nobody);
}
