//! Names taken apart into words.

/// The words of a name, in lower case and without accents: `fechaNacimiento`, `FECHA_NACIMIENTO` and `fecha de nacimiento` are
/// the same. Digits are words of their own.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut previous = ' ';
    let mut chars = name.chars().peekable();
    while let Some(c) = chars.next() {
        let begins = match (previous, c) {
            (p, c) if p.is_lowercase() && c.is_uppercase() => true,
            // The last capital of several begins a word: `IPAddress`.
            (p, c) if p.is_uppercase() && c.is_uppercase() => chars.peek().is_some_and(|n| n.is_lowercase()),
            (p, c) => p.is_numeric() != c.is_numeric() && p.is_alphanumeric() && c.is_alphanumeric(),
        };
        if begins || !c.is_alphanumeric() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(folded(c));
        }
        previous = c;
    }
    words.retain(|w| !w.is_empty() && !matches!(w.as_str(), "de" | "del" | "la" | "el" | "of" | "the"));
    words
}

/// A character in lower case without its accent.
fn folded(c: char) -> impl Iterator<Item = char> {
    c.to_lowercase().map(|c| match c {
        'á' | 'à' | 'â' | 'ä' | 'ã' => 'a',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'í' | 'ì' | 'î' | 'ï' => 'i',
        'ó' | 'ò' | 'ô' | 'ö' | 'õ' => 'o',
        'ú' | 'ù' | 'û' | 'ü' => 'u',
        'ñ' => 'n',
        'ç' => 'c',
        c => c,
    })
}

/// A text in lower case without accents.
pub(super) fn fold(text: &str) -> String {
    text.chars().flat_map(folded).collect()
}

/// Whether a word is another or its plural.
pub(super) fn is_form_of(word: &str, of: &str) -> bool {
    match word.strip_prefix(of) {
        Some("" | "s" | "es") => true,
        _ => of.strip_suffix('y').is_some_and(|stem| word.strip_suffix("ies") == Some(stem)),
    }
}
