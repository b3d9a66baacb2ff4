//! The known word that a misspelt one most likely means.

/// More words than this are not looked through: a file that has them is not written by hand.
const LOOKED_AT: usize = 500;

pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let word: String = word.chars().take(60).collect::<String>().to_lowercase();
    let begins = |k: &str| k.len() >= 3 && (word.starts_with(k) || (word.len() >= 3 && k.starts_with(word.as_str())));
    known
        .iter()
        .take(LOOKED_AT)
        .map(|k| (strsim::damerau_levenshtein(&word, &k.to_lowercase()), *k))
        .filter(|(distance, k)| *distance <= 1 + k.len() / 4 || begins(&k.to_lowercase()))
        .filter(|(distance, k)| *distance < k.chars().count().max(2))
        .min()
        .map(|(_, k)| k)
}

/// Names and values of the file in messages: bounded, without control characters.
pub(crate) fn shown(text: &str) -> String {
    shortened(text, 60)
}

pub(crate) fn shortened(text: &str, most: usize) -> String {
    let mut short: String = text.chars().take(most).filter(|c| !c.is_control()).collect();
    if text.chars().nth(most).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_understood_and_another_word_is_not() {
        let known = ["branch", "backup", "dev", "prod", "test"];
        for (word, meant) in
            [("brnch", Some("branch")), ("production", Some("prod")), ("PROD", Some("prod")), ("tset", Some("test"))]
        {
            assert_eq!(nearest(word, &known), meant, "{word}");
        }
        for word in ["", "x", "monitoring", "memory"] {
            assert_eq!(nearest(word, &known), None, "{word}");
        }
    }
}
