use ambit_simulators::apk::Apk;
use proptest::prelude::*;

use super::*;

#[test]
fn a_manifest_says_package_version_and_whether_it_can_be_debugged() {
    for utf16 in [false, true] {
        for debuggable in [false, true] {
            let apk = Apk { debuggable, utf16, ..Apk::new("com.example.shop", 42, "1.2.0") };
            let manifest = read(&apk.manifest()).unwrap();
            let expected = Manifest {
                package: "com.example.shop".into(),
                version_code: 42,
                version_name: "1.2.0".into(),
                debuggable,
            };
            assert_eq!(manifest, expected);
        }
    }
}

#[test]
fn texts_of_any_length_and_script_are_read() {
    for text in ["ñandú 😀 2.0", &"x".repeat(127), &"x".repeat(128), &"ñ".repeat(120)] {
        for utf16 in [false, true] {
            let apk = Apk { utf16, ..Apk::new("a.b", 1, text) };
            assert_eq!(read(&apk.manifest()).unwrap().version_name, *text);
        }
    }
}

#[test]
fn what_a_terminal_or_a_path_would_obey_is_refused() {
    for (package, version) in [
        ("../../etc", "1"),
        ("a.b/c", "1"),
        ("", "1"),
        ("a.b\u{202e}", "1"),
        ("a.b", "1\u{1b}[2J"),
        ("a.b", "1\n2"),
        ("a.b", ""),
        ("a.b", &"9".repeat(256)),
    ] {
        let error = read(&Apk::new(package, 1, version).manifest()).unwrap_err();
        assert!(!error.contains(['\u{1b}', '\n']), "{error}");
    }
}

#[test]
fn half_a_pair_of_surrogates_is_not_text() {
    let mut bytes = Apk { utf16: true, ..Apk::new("a.b", 1, "😀") }.manifest();
    let pair: Vec<u8> = "😀".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let at = bytes.windows(4).position(|w| w == pair).unwrap();
    bytes[at..at + 2].copy_from_slice(&0xdc00_u16.to_le_bytes());
    assert!(read(&bytes).unwrap_err().contains("not text"));
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused_in_words_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = read(&bytes);
    }

    #[test]
    fn nor_is_a_manifest_with_some_of_its_bytes_changed(
        utf16 in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = Apk { utf16, ..Apk::new("com.example.shop", 42, "1.2.0") }.manifest();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = read(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        let _ = read(&bytes);
    }

    #[test]
    fn a_number_of_a_size_anywhere_is_no_reason_to_take_much_memory(at in 0usize..80, size in any::<u32>()) {
        let mut bytes = Apk::new("com.example.shop", 42, "1.2.0").manifest();
        let at = at * 4;
        if at + 4 <= bytes.len() {
            bytes[at..at + 4].copy_from_slice(&size.to_le_bytes());
        }
        let _ = read(&bytes);
    }
}
