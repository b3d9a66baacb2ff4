//! Private keys in PEM.

/// Where one begins.
pub(super) const BEGIN: &str = "-----BEGIN ";

/// The end of the key's first line of Base64, when a private key begins here. A lone `-----BEGIN PRIVATE KEY-----` in a
/// program that reads keys is none.
pub(super) fn private_key(text: &[u8]) -> Option<usize> {
    let head = &text[..text.len().min(600)];
    let label_end = BEGIN.len() + memchr::memmem::find(head.get(BEGIN.len()..)?, b"-----")?;
    let label = &head[BEGIN.len()..label_end];
    let private = label.ends_with(b"PRIVATE KEY") || label == b"PGP PRIVATE KEY BLOCK";
    if !private || label.len() > 40 {
        return None;
    }
    let body = &head[label_end + 5..];
    let body = &body[..memchr::memmem::find(body, b"-----").unwrap_or(body.len())];
    let mut run = 0;
    for (index, byte) in body.iter().enumerate() {
        run = if byte.is_ascii_alphanumeric() || b"+/=".contains(byte) { run + 1 } else { 0 };
        if run == 40 && super::plausible::entropy(&body[index - 39..=index]) > 3.0 {
            return Some(label_end + 5 + index + 1);
        }
    }
    None
}
