//! Globs over the names of tags and branches.

/// Whether a name matches a glob of `*`, `?` and `[…]`, as git matches tags: `*` also matches slashes.
pub fn matches(pattern: &str, name: &str) -> bool {
    matches_chars(&pattern.chars().collect::<Vec<_>>(), &name.chars().collect::<Vec<_>>())
}

fn matches_chars(pattern: &[char], name: &[char]) -> bool {
    let (mut p, mut n) = (0, 0);
    // Where to go on when the text after the last `*` did not match: one character further.
    let mut retry: Option<(usize, usize)> = None;
    while n < name.len() {
        let step = match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, n + 1));
                p += 1;
                continue;
            }
            Some('?') => Some(1),
            Some('[') => class(&pattern[p..], name[n]),
            Some(c) if *c == name[n] => Some(1),
            _ => None,
        };
        match (step, retry) {
            (Some(length), _) => {
                p += length;
                n += 1;
            }
            (None, Some((after_star, next))) => {
                retry = Some((after_star, next + 1));
                p = after_star;
                n = next;
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// The length of the class at the start of `pattern` when it takes `c`; `None` when it does not or is not a class.
fn class(pattern: &[char], c: char) -> Option<usize> {
    let end = 2 + pattern.get(2..)?.iter().position(|c| *c == ']')?;
    let (negated, set) = match pattern[1] {
        '!' | '^' => (true, &pattern[2..end]),
        _ => (false, &pattern[1..end]),
    };
    let mut found = false;
    let mut at = 0;
    while at < set.len() {
        if at + 2 < set.len() && set[at + 1] == '-' {
            found |= (set[at]..=set[at + 2]).contains(&c);
            at += 3;
        } else {
            found |= set[at] == c;
            at += 1;
        }
    }
    (found != negated).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_as_git_matches_tags() {
        assert!(matches("v*", "v1.2.0"));
        assert!(matches("*", "release/1"));
        assert!(matches("v[0-9].?", "v1.2"));
        assert!(matches("v[!a-z]*", "v1"));
        assert!(!matches("v[0-9]*", "vx"));
        assert!(!matches("v?", "v"));
        assert!(!matches("v", "v1"));
        assert!(matches("*a*b*", "xxaxxbxx"));
    }

    proptest::proptest! {
        #[test]
        fn any_glob_and_any_name_have_an_answer(pattern in "\\PC{0,12}", name in "[v0-9.-]{0,8}") {
            let _ = matches(&pattern, &name);
            proptest::prop_assert!(matches("*", &name));
        }
    }
}
