//! APKs as they come from people: sound ones, and every way in which one is not.

#![allow(clippy::unwrap_used, clippy::print_stderr)] // A test may panic, and says so where it is skipped.

use std::{
    fs::File,
    io::{Seek, Write},
    path::Path,
    process::Command,
};

use ambit_simulators::apk::{Apk, Key, archive, block, sign};
use ambit_source::apk::{self, ApkError, Scheme};
use proptest::prelude::*;

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

fn look(bytes: &[u8]) -> Result<apk::Apk, ApkError> {
    apk::read(&file(bytes))
}

fn refused(bytes: &[u8]) -> String {
    let error = look(bytes).unwrap_err();
    assert!(matches!(error, ApkError::Io(_)) || error.hint().is_some(), "{error}: no hint");
    error.to_string()
}

fn shop() -> Apk {
    Apk::new("com.example.shop", 42, "1.2.0")
}

#[test]
fn a_signed_apk_says_what_it_is_and_by_whom() {
    let (key, other) = (Key::new(), Key::new());
    let one = look(&shop().signed(&key)).unwrap();
    assert_eq!((one.manifest.package.as_str(), one.manifest.version_code), ("com.example.shop", 42));
    assert_eq!(one.signature.scheme, Scheme::V2);
    let same = look(&Apk { version_code: 43, ..shop() }.signed(&key)).unwrap();
    assert_eq!(one.signature.certificate, same.signature.certificate);
    assert_ne!(one.signature.certificate, look(&shop().signed(&other)).unwrap().signature.certificate);
}

#[test]
fn what_is_no_apk_is_refused_in_words() {
    let key = Key::new();
    let whole = shop().signed(&key);
    for (what, bytes, word) in [
        ("nothing", Vec::new(), "no zip archive"),
        ("a text", b"hello".to_vec(), "no zip archive"),
        ("a page", vec![b'<'; 70_000], "no zip archive"),
        ("half of one", whole[..whole.len() / 2].to_vec(), "no zip archive"),
        ("without its beginning", whole[200..].to_vec(), "end of its zip archive is damaged"),
        ("followed by something", [&whole[..], b"x"].concat(), "no zip archive"),
        ("no manifest", without_manifest(archive(b"", &[])), "no AndroidManifest.xml"),
        ("a bundle", archive(&shop().manifest(), &[("BundleConfig.pb".into(), vec![1])]), "only a store takes"),
        ("a manifest as text", archive(b"<manifest package='a.b'/>", &[]), "binary XML"),
        ("an empty manifest", archive(b"", &[]), "binary XML"),
        ("half a manifest", archive(&shop().manifest()[..200], &[]), "in the middle"),
    ] {
        let told = refused(&bytes);
        assert!(told.contains(word), "{what}: {told}");
    }
}

/// The same archive, whose manifest has another name.
fn without_manifest(mut archive: Vec<u8>) -> Vec<u8> {
    let name = b"AndroidManifest.xml";
    while let Some(at) = archive.windows(name.len()).position(|w| w == name) {
        archive[at] = b'X';
    }
    archive
}

#[test]
fn a_zip_bomb_is_refused_without_being_unpacked() {
    let zeros = vec![0; 64 << 20];
    let bomb = archive(&shop().manifest(), &[("assets/a".into(), zeros)]);
    assert!(bomb.len() < 100_000);
    assert!(refused(&bomb).contains("zip bomb"), "a large entry");
    let manifest = archive(&vec![0; 5 << 20], &[]);
    assert!(refused(&manifest).contains("larger than 4 MB"), "a large manifest");
}

#[test]
fn an_entry_that_lies_about_its_size_is_read_no_further_than_the_bound() {
    let mut bytes = archive(&vec![0; 8 << 20], &[]);
    // The uncompressed size in the central directory, of the one entry.
    let at = bytes.windows(4).rposition(|w| w == b"PK\x01\x02").unwrap() + 24;
    bytes[at..at + 4].copy_from_slice(&1000_u32.to_le_bytes());
    assert!(look(&bytes).is_err());
}

#[test]
fn an_unsigned_or_changed_apk_is_refused() {
    let key = Key::new();
    assert!(refused(&shop().unsigned()).contains("not signed"));
    let mut changed = shop().signed(&key);
    // A byte of the name in the local header of `classes.dex`, which nothing else looks at.
    let at = changed.windows(11).position(|w| w == b"classes.dex").unwrap();
    changed[at] ^= 1;
    assert!(refused(&changed).contains("changed after it was signed"));
    let empty = block(&shop().unsigned(), &[(0x7109_871a, Vec::new())]);
    assert!(refused(&empty).contains("signing block is damaged"));
    let padding = block(&shop().unsigned(), &[(0x4272_6577, vec![0; 64])]);
    assert!(refused(&padding).contains("not signed"));
    let twice = sign(&shop().signed(&key), &key);
    assert!(look(&twice).is_ok(), "a block before the block is a part of the file");
}

#[test]
fn the_oldest_scheme_alone_is_known_as_such_and_not_where_a_better_one_was_cut_out() {
    let with = |list: &str| {
        let files =
            vec![("META-INF/CERT.SF".to_owned(), list.as_bytes().to_vec()), ("META-INF/CERT.RSA".to_owned(), vec![1])];
        archive(&shop().manifest(), &files)
    };
    let old = look(&with("Signature-Version: 1.0\r\n\r\n")).unwrap();
    assert_eq!((old.signature.scheme, old.signature.certificate), (Scheme::V1, None));
    assert!(refused(&with("Signature-Version: 1.0\r\nX-Android-APK-Signed: 2, 3\r\n\r\n")).contains("cut out"));
    let list_alone = archive(&shop().manifest(), &[("META-INF/CERT.SF".to_owned(), b"x".to_vec())]);
    assert!(refused(&list_alone).contains("not signed"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_file_with_any_of_its_bytes_changed_is_never_taken_for_the_signed_one(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut bytes = shop().signed(&Key::new());
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        // A signing block may hold what nobody reads, such as another pair's number; here every bit of it counts, and every
        // bit of the rest is signed.
        prop_assert!(look(&bytes).is_err(), "byte {at} of {}", bytes.len());
    }

    #[test]
    fn a_file_cut_anywhere_is_refused(at in any::<prop::sample::Index>()) {
        let bytes = shop().signed(&Key::new());
        prop_assert!(look(&bytes[..at.index(bytes.len())]).is_err());
    }
}

/// Debian's own tools make a real one; skipped where they are not installed.
#[test]
fn an_apk_of_androids_own_tools_is_read_and_its_rsa_signatures_hold() {
    let framework = Path::new("/usr/share/android-framework-res/framework-res.apk");
    let have = |program: &str| Command::new(program).arg("--version").output().is_ok();
    if !(framework.exists() && have("aapt") && have("apksigner") && have("keytool")) {
        eprintln!("skipped: aapt, apksigner, keytool or android-framework-res is not here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let run = |program: &str, arguments: &[&std::ffi::OsStr]| {
        let output = Command::new(program).args(arguments).current_dir(folder.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{program}: {said}");
    };
    let words = |text: &str| text.split(' ').map(std::ffi::OsString::from).collect::<Vec<_>>();
    let call = |program: &str, text: &str| {
        let words = words(text);
        run(program, &words.iter().map(std::ffi::OsString::as_os_str).collect::<Vec<_>>());
    };
    std::fs::write(
        at("AndroidManifest.xml"),
        "<manifest xmlns:android='http://schemas.android.com/apk/res/android' package='com.example.real'
            android:versionCode='77' android:versionName='3.1'><application android:label='Real' android:debuggable='false'/></manifest>",
    )
    .unwrap();
    call("aapt", &format!("package -M AndroidManifest.xml -I {} -F unsigned.apk", framework.display()));
    call(
        "keytool",
        "-genkeypair -keystore k.p12 -storetype PKCS12 -storepass changeit -alias k -keyalg RSA -keysize 2048 -dname CN=k",
    );
    let sign = |schemes: &str, out: &str| {
        call(
            "apksigner",
            &format!("sign --ks k.p12 --ks-pass pass:changeit --min-sdk-version 21 {schemes} --out {out} unsigned.apk"),
        );
        apk::read(&File::open(at(out)).unwrap()).unwrap()
    };
    let second = sign("--v1-signing-enabled false --v2-signing-enabled true --v3-signing-enabled false", "two.apk");
    assert_eq!((second.manifest.package.as_str(), second.manifest.version_code), ("com.example.real", 77));
    assert_eq!(second.manifest.version_name, "3.1");
    assert_eq!(second.signature.scheme, Scheme::V2);
    let third = sign("--v1-signing-enabled true --v2-signing-enabled true --v3-signing-enabled true", "three.apk");
    assert_eq!(third.signature.scheme, Scheme::V3);
    assert_eq!(third.signature.certificate, second.signature.certificate);
    let first = sign("--v1-signing-enabled true --v2-signing-enabled false --v3-signing-enabled false", "one.apk");
    assert_eq!(first.signature.scheme, Scheme::V1);
    let mut bytes = std::fs::read(at("three.apk")).unwrap();
    bytes[100] ^= 0x20;
    assert!(look(&bytes).is_err());
}
