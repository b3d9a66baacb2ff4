//! What each masker makes of values.

mod support;

use std::collections::HashSet;

use ambit_data::column::Shape;
use ambit_data::masking::{Language, Mask, MaskKey};
use support::{column, made, mask, masked, masker, ready, text_mask};

#[test]
fn an_address_becomes_one_that_nobody_has_whatever_its_case() {
    let mask = text_mask("email");
    let one = made(&mask, "ana.lopez@empresa.es");
    assert!(one.ends_with("@example.com"), "{one}");
    assert_eq!(one.len(), 28);
    let other = made(&mask, "Ana.Lopez@empresa.es");
    assert_ne!(one, other);
    assert_eq!(one, other.to_lowercase());
}

#[test]
fn the_same_value_is_the_same_in_every_column_and_another_under_another_key() {
    let value = "ana@x.es";
    let here = made(&text_mask("email"), value);
    let there = ready("email", &column("audit.log.who", "character varying(80)", Shape::Text { longest: Some(80) }));
    assert_eq!(here, made(&there.unwrap(), value));
    let facts = column("public.t.c", "text", support::TEXT);
    let other = Mask::new(&masker("email"), &facts, Language::English, &MaskKey::new([7; 32])).unwrap();
    assert_ne!(here, made(&other, value));
    // Within JSON as well.
    let json = mask("json(mail: email)", Shape::Json);
    assert_eq!(made(&json, r#"{"mail": "ana@x.es"}"#), format!(r#"{{"mail": "{here}"}}"#));
}

#[test]
fn phones_keep_country_form_and_kind() {
    let mask = text_mask("phone");
    for (number, front) in [
        ("+34 612 34 56 78", "+34 61"),
        ("612345678", "61"),
        ("+34912345678", "+34912"),
        ("+1 (212) 555-0123", "+1 (212) "),
        ("+52 55 1234 5678", "+52 55 1"),
        ("+54 9 11 1234-5678", "+54 9 11 12"),
        ("+57 300 1234567", "+57 300 "),
        ("+44 7700 900123", "+44 7700 "),
        ("+33 6 12 34 56 78", "+33 6 12 "),
        ("+49 151 23456789", "+49 151 "),
        ("+351 912 345 678", "+351 91"),
        ("+39 333 1234567", "+39 333 "),
        ("0034612345678", "003461"),
        ("+358 40 123 4567", "+358 40 "),
    ] {
        let masked = made(&mask, number);
        assert!(masked.starts_with(front) && masked != number, "{number} became {masked}");
        let form = |n: &str| n.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect::<String>();
        assert_eq!(form(&masked), form(number));
    }
    // The North American plan: exchanges begin with 2 to 9.
    for i in 0..200 {
        let masked = made(&mask, &format!("+1212555{i:04}"));
        assert!(masked.as_bytes()[5] >= b'2', "{masked}");
    }
    // Where the language is the country's own, the code makes no difference.
    let with = made(&mask, "+34612345678");
    assert_eq!(with[3..], made(&mask, "612345678"));
}

#[test]
fn no_two_phones_of_a_form_become_one() {
    let mask = text_mask("phone");
    let numbers = (0..20_000).map(|i| format!("+3461{:07}", i * 499));
    let masked: HashSet<String> = numbers.map(|n| made(&mask, &n)).collect();
    assert_eq!(masked.len(), 20_000);
}

#[test]
fn names_are_of_the_language_and_have_as_many_parts() {
    let mask = text_mask("name");
    assert_eq!(made(&mask, "Ana").split(' ').count(), 1);
    assert_eq!(made(&mask, "Ana López").split(' ').count(), 2);
    assert_eq!(made(&mask, "Ana López García").split(' ').count(), 3);
    let english =
        Mask::new(&masker("first-name"), &column("a.b.c", "text", support::TEXT), Language::English, &support::key());
    let names: HashSet<String> = (0..3000).map(|i| made(english.as_ref().unwrap(), &format!("n{i}"))).collect();
    assert!(names.len() > 300, "{}", names.len());
    assert!(names.contains("Emily") && !names.contains("Íñigo"));
}

#[test]
fn names_are_cut_to_the_column_and_told_apart_where_they_are_unique() {
    let mut facts = column("public.t.c", "character varying(20)", Shape::Text { longest: Some(20) });
    facts.unique = true;
    for rule in ["name", "company", "address", "city", "street", "last-name", "first-name"] {
        let mask = ready(rule, &facts).unwrap();
        let masked: HashSet<String> = (0..3000).map(|i| made(&mask, &format!("Persona Número {i}"))).collect();
        assert_eq!(masked.len(), 3000, "{rule}");
        assert!(masked.iter().all(|m| m.chars().count() <= 20), "{rule}");
    }
    facts.shape = Shape::Text { longest: Some(5) };
    let why = ready("name", &facts).err().unwrap();
    assert!(why.contains("`id` fits any length"), "{why}");
}

#[test]
fn free_text_keeps_its_lines_words_and_length() {
    let mask = text_mask("text");
    let value = "Estimada Ana:\n\nSu cita del 3 de mayo (a las 10:30) sigue en pie.\n— Dr. Peña";
    let masked = made(&mask, value);
    assert_eq!(masked.chars().count(), value.chars().count());
    assert_eq!(masked.lines().count(), 4);
    assert_eq!(masked.split(' ').count(), value.split(' ').count());
    for word in ["Estimada", "Ana", "cita", "Peña", "10:30"] {
        assert!(!masked.contains(word), "{masked}");
    }
}

#[test]
fn ids_keep_their_form_and_never_meet() {
    let mask = text_mask("id");
    let masked = made(&mask, "ORD-2024-00017/x");
    let form: String = masked.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    assert_eq!((masked.len(), &form[3..4], &form[4..14]), (16, "-", "9999-99999"));
    let all: HashSet<String> = (0..1000).map(|i| made(&mask, &format!("{i:03}"))).collect();
    assert_eq!(all.len(), 1000, "a permutation of all texts of three digits");
    assert!((0..1000).all(|i| made(&mask, &format!("{i:03}")) != format!("{i:03}")), "and none stays");
    // Hexadecimal texts stay hexadecimal.
    let hex = made(&mask, "deadbeef00112233aabb");
    assert!(hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{hex}");
}

#[test]
fn integers_stay_in_their_type_and_as_long() {
    for (bytes, value) in
        [(2u8, "32767"), (2, "-32768"), (4, "2147483647"), (8, "-9223372036854775808"), (4, "0"), (4, "7")]
    {
        let masked = made(&mask("id", Shape::Integer { bytes }), value);
        let number: i128 = masked.parse().unwrap();
        let bits = 8 * u32::from(bytes) - 1;
        assert!((-(1i128 << bits)..1i128 << bits).contains(&number), "{value} became {masked}");
        assert_eq!(masked.len(), value.len());
        assert_ne!(masked, value);
    }
    let mask = mask("id", Shape::Integer { bytes: 2 });
    let all: HashSet<String> = (10_000..=i16::MAX).map(|i| made(&mask, &i.to_string())).collect();
    assert_eq!(all.len(), 22_768, "every smallint of five digits becomes another one");
    assert!(all.iter().all(|m| m.parse::<i16>().is_ok()));
}

fn luhn(number: &str) -> bool {
    let digits = number.chars().rev().filter_map(|c| c.to_digit(10)).enumerate();
    digits.map(|(i, d)| if i % 2 == 0 { d } else { d * 2 / 10 + d * 2 % 10 }).sum::<u32>() % 10 == 0
}

fn iban(text: &str) -> bool {
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let turned = format!("{}{}", &compact[4..], &compact[..4]);
    turned.chars().filter_map(|c| c.to_digit(36)).fold(0, |n, d| (n * if d > 9 { 100 } else { 10 } + d) % 97) == 1
}

#[test]
fn check_digits_are_right_again() {
    let mask = text_mask("digits");
    for card in ["4111 1111 1111 1111", "5500-0000-0000-0004", "378282246310005"] {
        let masked = made(&mask, card);
        assert!(luhn(&masked) && masked != card && masked[..1] == card[..1], "{card} became {masked}");
    }
    for number in ["ES91 2100 0418 4502 0005 1332", "DE89370400440532013000", "GB82WEST12345698765432"] {
        let masked = made(&mask, number);
        assert!(iban(&masked) && masked != number && masked[..2] == number[..2], "{number} became {masked}");
    }
    let nif = made(&mask, "12345678Z");
    let number: usize = nif[..8].parse().unwrap();
    assert_eq!(nif.as_bytes()[8], b"TRWAGMYFPDXBNJZSQVHLCKE"[number % 23], "{nif}");
    let nie = made(&mask, "X1234567L");
    assert!(nie.starts_with('X') && nie != "X1234567L");
    assert!(made(&mask, "B58378431").starts_with('B'));
    // What has no right check digit gets none: two kinds never meet.
    assert!(!luhn(&made(&mask, "4111111111111112")));
    assert!(luhn(&made(&bigint_digits(), "4111111111111111")), "a card number in a bigint");
}

fn bigint_digits() -> Mask {
    mask("digits", Shape::Integer { bytes: 8 })
}

#[test]
fn dates_of_a_subject_move_together_and_never_stay() {
    let mask = mask("date-shift(180, by=user_id)", Shape::Date);
    assert_eq!(mask.subject(), Some("user_id"));
    let shifted = |value: &str, subject: &str| {
        let mut out = String::new();
        mask.apply(value, Some(subject), &mut out).unwrap();
        out
    };
    for subject in 0..500 {
        let subject = subject.to_string();
        let (one, two) = (shifted("2024-02-28", &subject), shifted("2024-03-01", &subject));
        assert_ne!(one, "2024-02-28");
        let day = |d: &str| jiff::civil::Date::strptime("%Y-%m-%d", d).unwrap();
        assert_eq!((day(&two) - day(&one)).get_days(), 2, "{one} {two}");
        assert!((day(&one) - day("2024-02-28")).get_days().abs() <= 180);
    }
    assert_eq!(shifted("infinity", "1"), "infinity");
    for subject in 0..50 {
        assert!(shifted("5874897-12-31", &subject.to_string()).as_str() < "5874898-06-04");
        assert!(shifted("294276-12-31", &subject.to_string()).starts_with("294276-"));
    }
    assert!(shifted("0044-03-15 BC", "1").ends_with(" BC"));
}

#[test]
fn times_of_day_stay_when_dates_move() {
    let mask = mask("date-shift(3)", Shape::Timestamp { zone: true });
    let masked = made(&mask, "2024-05-06 07:08:09.123+02");
    assert!(masked.ends_with(" 07:08:09.123+02") && !masked.starts_with("2024-05-06"), "{masked}");
    let mut out = String::from("before");
    assert!(mask.apply("yesterday", None, &mut out).is_err());
    assert_eq!(out, "before");
    assert_eq!(made(&text_mask("date-shift(3)"), "31/12/1984").len(), 10);
}

#[test]
fn numbers_are_in_their_range_and_fit_their_type() {
    let shape = Shape::Numeric { precision: Some(6), scale: Some(2) };
    let mask = mask("number(10..20.5)", shape.clone());
    for i in 0..300 {
        let n: f64 = made(&mask, &format!("{i}.00")).parse().unwrap();
        assert!((10.0..=20.5).contains(&n));
    }
    let facts = column("a.b.c", "numeric(6,2)", shape);
    assert!(ready("number(0..100000)", &facts).err().unwrap().contains("more than the type takes"));
    let noise = ready("noise(10%)", &facts).unwrap();
    let n: f64 = made(&noise, "1000.00").parse().unwrap();
    assert!((900.0..=1100.0).contains(&n) && n != 1000.0, "{n}");
    let full = made(&noise, "9999.99");
    assert!(full.parse::<f64>().unwrap() <= 9999.99, "{full}");
    let small = support::mask("noise(10%)", Shape::Integer { bytes: 2 });
    assert_ne!(made(&small, "1"), "1");
    let float = support::mask("noise(50%)", Shape::Float);
    assert!(made(&float, "1e+300").parse::<f64>().unwrap().is_finite());
    assert_eq!(made(&float, "NaN"), "NaN");
}

#[test]
fn numbers_below_one_stay_below_one() {
    let mask = mask("id", Shape::Numeric { precision: Some(2), scale: Some(2) });
    for i in 0..100 {
        let masked = made(&mask, &format!("0.{i:02}"));
        assert!(masked.starts_with("0.") && masked != format!("0.{i:02}"), "{masked}");
    }
}

#[test]
fn masks_are_shared_between_threads() {
    let mask = std::sync::Arc::new(text_mask("json(a: email)"));
    let one = made(&mask, r#"{"a": "x@y.es"}"#);
    let other = std::thread::spawn(move || made(&mask, r#"{"a": "x@y.es"}"#)).join().unwrap();
    assert_eq!(one, other);
}

#[test]
fn addresses_of_machines_are_reserved_ones_or_keep_their_neighbours() {
    let ip = mask("ip", Shape::Network);
    let v4 = made(&ip, "83.44.12.9");
    assert!(v4.starts_with("198.18.") || v4.starts_with("198.19."), "{v4}");
    assert!(made(&ip, "2a02:9130::1").starts_with("2001:db8:"));
    assert!(made(&ip, "83.44.12.9/24").ends_with("/24"));
    let kept = mask("ip(prefix)", Shape::Network);
    let common = |a: &str, b: &str| {
        let bits = |t: &str| u32::from(t.parse::<std::net::Ipv4Addr>().unwrap());
        (bits(a) ^ bits(b)).leading_zeros()
    };
    for (a, b) in [("10.1.2.3", "10.1.2.4"), ("10.1.2.3", "10.200.0.1"), ("1.2.3.4", "200.2.3.4")] {
        assert_eq!(common(a, b), common(&made(&kept, a), &made(&kept, b)));
    }
    let all: HashSet<String> = (0..8192u32).map(|i| made(&kept, &format!("10.0.{}.{}", i >> 8, i & 255))).collect();
    assert_eq!(all.len(), 8192);
    let cidr = ready("ip(prefix)", &column("a.b.c", "cidr", Shape::Network)).unwrap();
    assert!(made(&cidr, "192.168.0.0/16").ends_with(".0.0/16"));
}

#[test]
fn uuids_keep_version_and_form() {
    let uuid = mask("uuid", Shape::Uuid);
    let value = "018f3c2e-7b1a-7cde-8f00-0123456789ab";
    let masked = made(&uuid, value);
    assert_eq!((masked.len(), &masked[14..15]), (36, "7"));
    assert!(matches!(&masked[19..20], "8" | "9" | "a" | "b"));
    let text = text_mask("uuid");
    assert_eq!(made(&text, &value.to_uppercase()), masked.to_uppercase());
    assert_eq!(made(&text, &value.replace('-', "")), masked.replace('-', ""));
}

#[test]
fn tokens_and_urls_keep_what_is_not_secret() {
    let token = made(&text_mask("token"), "sk_live_4eC39HqLyjWDarjtT1zdp7dc");
    assert!(token.starts_with("sk_live_") && token.len() == 32 && !token.contains("4eC39"), "{token}");
    let url = made(&text_mask("url"), "https://cdn.empresa.es/u/ana-lopez.jpg?v=3");
    assert!(url.starts_with("https://example.com/") && url.ends_with(".jpg") && !url.contains("ana"), "{url}");
}

#[test]
fn password_hashes_become_that_of_the_known_password_or_unusable() {
    let mask = text_mask("password");
    let bcrypt = "$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW";
    assert!(made(&mask, bcrypt).starts_with("$2b$10$") && made(&mask, bcrypt).len() == 60);
    let django = "pbkdf2_sha256$720000$abcdefghijkl$BpkxN8fGhNqyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy=";
    assert!(made(&mask, django).starts_with("pbkdf2_sha256$1000$"));
    assert_eq!(made(&mask, "hunter2"), "!");
    assert_eq!(made(&text_mask("password(unusable)"), bcrypt), "!");
}

#[test]
fn the_known_hashes_are_those_of_the_known_password() {
    use hmac::{Hmac, Mac};
    let hash = made(&text_mask("password"), "pbkdf2:sha256:260000$salt$00");
    let (_, rest) = hash.split_once("$").unwrap();
    let (salt, hex) = rest.split_once('$').unwrap();
    // PBKDF2 (RFC 8018, 5.2): one block of as many rounds as the hash says.
    let keyed = Hmac::<sha2::Sha256>::new_from_slice(b"ambit-test-password").unwrap();
    let round = |input: &[u8]| -> [u8; 32] { keyed.clone().chain_update(input).finalize().into_bytes().into() };
    let mut block = round(&[salt.as_bytes(), &[0, 0, 0, 1]].concat());
    let mut sum = block;
    for _ in 1..1000 {
        block = round(&block);
        sum.iter_mut().zip(block).for_each(|(s, b)| *s ^= b);
    }
    assert_eq!(hex, sum.map(|b| format!("{b:02x}")).concat());
}

#[test]
fn constants_templates_and_labels() {
    assert_eq!(masked(&text_mask("null"), "x"), None);
    assert_eq!(made(&text_mask(r#"fixed("so\"lo")"#), "x"), "so\"lo");
    let template = made(&text_mask(r#"template("user-{hash:12}@{{x}}.test")"#), "ana");
    assert!(template.starts_with("user-") && template.ends_with("@{x}.test") && template.len() == 26, "{template}");
    let labels = ["open", "paid", "sent"].map(str::to_owned).to_vec();
    let label = mask("enum", Shape::Enum { labels: labels.clone() });
    let all: HashSet<String> = labels.iter().map(|l| made(&label, l)).collect();
    assert_eq!(all.len(), 3);
    assert!(labels.iter().all(|l| made(&label, l) != *l));
    let bytes = mask("bytes", Shape::Bytes);
    assert_eq!(made(&bytes, "\\x00ff").len(), 6);
    assert_eq!(made(&bytes, "\\x"), "\\x");
}

#[test]
fn coordinates_move_a_little() {
    let point = ready("coordinates", &column("a.b.c", "point", Shape::Other)).unwrap();
    let moved = made(&point, "(40.4168,-3.7038)");
    let numbers: Vec<f64> = moved.trim_matches(['(', ')']).split(',').map(|n| n.parse().unwrap()).collect();
    assert!((numbers[0] - 40.4168).abs() <= 0.5 && (numbers[1] + 3.7038).abs() <= 0.5, "{moved}");
    assert_ne!(moved, "(40.4168,-3.7038)");
    let float = mask("coordinates", Shape::Float);
    assert!(made(&float, "1.5e-05").parse::<f64>().unwrap().abs() <= 0.51);
    assert_eq!(made(&float, "NaN"), "NaN");
}

#[test]
fn padded_values_are_masked_without_their_blanks_and_padded_again() {
    let padded = mask("id", Shape::Padded { length: 10 });
    let masked = made(&padded, "AB12      ");
    assert_eq!(masked.len(), 10);
    assert_eq!(masked.trim_end(), made(&text_mask("id"), "AB12"));
    assert_eq!(made(&padded, "          "), "          ");
}

#[test]
fn empty_texts_stay_empty() {
    for rule in ["email", "name", "text", "id", "token", "url", "phone", "username", "hash", "digits", "uuid", "ip"] {
        assert_eq!(made(&text_mask(rule), ""), "");
    }
}

#[test]
fn citext_takes_both_cases_for_the_same() {
    for rule in ["username", "name", "email", "id", "hash"] {
        let mask = ready(rule, &column("a.b.c", "citext", support::TEXT)).unwrap();
        assert_eq!(made(&mask, "ANA@x.es"), made(&mask, "ana@X.ES"), "{rule}");
    }
}

#[test]
fn what_does_not_fit_is_refused_with_the_reason() {
    let mut unique = column("public.t.c", "text", support::TEXT);
    unique.unique = true;
    for rule in
        ["text", "ip", "password", "fixed(\"x\")", "json", "template(\"{hash:4}\")", "date-shift(3)", "url", "hash"]
    {
        let refused = ready(rule, &unique);
        assert_eq!(refused.is_err(), !matches!(rule, "url" | "hash"), "{rule}");
    }
    let mut facts = column("public.t.c", "integer", Shape::Integer { bytes: 4 });
    assert!(ready("email", &facts).err().unwrap().contains("does not fit the type integer"));
    facts.not_null = true;
    assert_eq!(ready("null", &facts).err().unwrap(), "the column is NOT NULL");
    facts.generated = true;
    assert!(ready("id", &facts).err().unwrap().contains("computes this column"));
    let jsonb = column("public.t.c", "jsonb", Shape::Json);
    assert!(ready("text", &jsonb).err().unwrap().contains("json(path: masker, …)"));
    assert!(ready("json(a: date-shift(3, by=x), b: date-shift(3, by=y))", &jsonb).is_err());
}
