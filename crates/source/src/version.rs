//! The order of version tags: numbers by value, and a pre-release before its release.

use std::cmp::Ordering;

/// Compares two tags as versions: `v1.9.0` < `v1.10.0-rc.1` < `v1.10.0`.
#[must_use]
pub fn compare(a: &str, b: &str) -> Ordering {
    let (a_main, a_pre) = split(a);
    let (b_main, b_pre) = split(b);
    natural(a_main, b_main).then_with(|| match (a_pre, b_pre) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) => natural(a, b),
    })
}

/// Splits off what follows the first `-` after a digit (`v1.2-rc.1`), and drops build metadata (`+5`).
fn split(tag: &str) -> (&str, Option<&str>) {
    let tag = tag.split_once('+').map_or(tag, |(tag, _)| tag);
    let mut digit = false;
    for (at, c) in tag.char_indices() {
        if c == '-' && digit {
            return (&tag[..at], Some(&tag[at + 1..]));
        }
        digit = c.is_ascii_digit() || (digit && c == '.');
    }
    (tag, None)
}

fn natural(mut a: &str, mut b: &str) -> Ordering {
    loop {
        let (a_text, a_rest) = a.split_at(a.find(|c: char| c.is_ascii_digit()).unwrap_or(a.len()));
        let (b_text, b_rest) = b.split_at(b.find(|c: char| c.is_ascii_digit()).unwrap_or(b.len()));
        let (a_number, a_next) = a_rest.split_at(a_rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(a_rest.len()));
        let (b_number, b_next) = b_rest.split_at(b_rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(b_rest.len()));
        let (a_value, b_value) = (a_number.trim_start_matches('0'), b_number.trim_start_matches('0'));
        // Without leading zeros, the longer number is the greater one, whatever its length.
        let order = a_text
            .cmp(b_text)
            .then(a_number.is_empty().cmp(&b_number.is_empty()).reverse())
            .then(a_value.len().cmp(&b_value.len()))
            .then_with(|| a_value.cmp(b_value));
        if order != Ordering::Equal || (a_next.is_empty() && b_next.is_empty()) {
            return order;
        }
        (a, b) = (a_next, b_next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_number_and_a_pre_release_comes_first() {
        let mut tags = ["v1.10.0", "v1.9.0", "v1.10.0-rc.2", "v1.10.0-rc.10", "v0.1", "v1.10.0-beta"];
        tags.sort_by(|a, b| compare(a, b));
        assert_eq!(tags, ["v0.1", "v1.9.0", "v1.10.0-beta", "v1.10.0-rc.2", "v1.10.0-rc.10", "v1.10.0"]);
    }

    proptest::proptest! {
        #[test]
        fn the_order_is_total_and_nothing_panics(a in "\\PC{0,12}", b in "\\PC{0,12}", c in "[v0-9.-]{0,8}") {
            proptest::prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            proptest::prop_assert_eq!(compare(&a, &c), compare(&c, &a).reverse());
        }
    }
}
