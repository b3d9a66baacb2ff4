//! How many tests passed, read out of what test runners print last.

use regex::Regex;

/// Forms of the closing lines: cargo, jest and vitest, pytest, node, TAP and unittest (with Django).
const FORMS: &[&str] = &[
    r"test result: ok\. (\d+) passed",
    r"Tests:\s.*?(\d+) passed",
    r"Tests\s+(\d+) passed",
    r"=+ .*?(\d+) passed.* in [\d.]+s",
    r"^(\d+) passed",
    r"^\s*(\d+) passing",
    r"^# pass (\d+)",
    r"^ℹ pass (\d+)",
    r"^Ran (\d+) tests? in",
];

/// The sum over all closing lines of one form; `None` where no line has a known form.
pub(crate) fn passed<'a>(lines: impl Iterator<Item = &'a String> + Clone) -> Option<u64> {
    FORMS.iter().find_map(|form| {
        let form = Regex::new(form).ok()?;
        let counts: Vec<u64> = lines.clone().filter_map(|l| form.captures(l)?.get(1)?.as_str().parse().ok()).collect();
        (!counts.is_empty()).then(|| counts.iter().sum())
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_common_runners_are_understood() {
        let read = |text: &str| super::passed(text.lines().map(str::to_owned).collect::<Vec<_>>().iter());
        assert_eq!(read("test result: ok. 3 passed; 0 failed;\n\ntest result: ok. 2 passed; 0 failed"), Some(5));
        assert_eq!(read("Tests:       1 skipped, 12 passed, 13 total"), Some(12));
        assert_eq!(read("      Tests  7 passed (7)"), Some(7));
        assert_eq!(read("====== 5 passed, 1 warning in 0.12s ======"), Some(5));
        assert_eq!(read("  4 passing (20ms)"), Some(4));
        assert_eq!(read("# tests 9\n# pass 9\n# fail 0"), Some(9));
        assert_eq!(read("Ran 11 tests in 0.2s\n\nOK"), Some(11));
        assert_eq!(read("all is well"), None);
    }
}
