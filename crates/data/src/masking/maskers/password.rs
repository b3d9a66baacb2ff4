//! `password`: everybody can be logged in as with one known password, or nobody.

use super::Generate;
use crate::masking::mask::MaskError;

/// Hashes of the password `ambit-test-password`, by how hashes of their kind begin. A value gets the hash of its own kind, which the
/// app's library can check: bcrypt, Argon2 (RFC 9106), crypt(3), Django, Werkzeug.
const HASHES: &[(&str, &str)] = &[
    ("$2a$", "$2a$10$bnxgGCxVkoNtzfo4HIhUDuaigMrJaMp9HjHPZCmYuotRIIdR0Mavu"),
    ("$2b$", "$2b$10$bnxgGCxVkoNtzfo4HIhUDuaigMrJaMp9HjHPZCmYuotRIIdR0Mavu"),
    ("$2y$", "$2y$10$bnxgGCxVkoNtzfo4HIhUDuaigMrJaMp9HjHPZCmYuotRIIdR0Mavu"),
    ("bcrypt$$2b$", "bcrypt$$2b$10$bnxgGCxVkoNtzfo4HIhUDuaigMrJaMp9HjHPZCmYuotRIIdR0Mavu"),
    ("$argon2id$", "$argon2id$v=19$m=19456,t=2,p=1$YW1iaXR0ZXN0bWFza2VkIQ$EwnLg2HioMpzp/cU7LrgZelZCpULeo8QEBCKo9ywO6w"),
    (
        "argon2$argon2id$",
        "argon2$argon2id$v=19$m=19456,t=2,p=1$YW1iaXR0ZXN0bWFza2VkIQ$EwnLg2HioMpzp/cU7LrgZelZCpULeo8QEBCKo9ywO6w",
    ),
    ("$argon2i$", "$argon2i$v=19$m=19456,t=2,p=1$YW1iaXR0ZXN0bWFza2VkIQ$s3QrMQtfyhxBtlZo+9fg+4nl9H2WSJOaD+NsFjkU0CY"),
    (
        "$6$",
        "$6$ambittestmasked$AoHsyj2ozXnoiOYBSF20/1jCVeLmD41TMZ.s4SnE/W7NxQyRAa5wH7AuCnIbgC5jbVbFR0RZoMzEJyCRgippZ1",
    ),
    ("$5$", "$5$ambittestmasked$DtvqIOOfXW8bgY43aIRlYfjlA1kbthyYeOtuhIHNJI/"),
    ("pbkdf2_sha256$", "pbkdf2_sha256$1000$ambittestmasked$STQPpCpwHCXY0clrm8DGYuUDoP+M4u3Nk8qkAZmTNKY="),
    (
        "pbkdf2:sha256:",
        "pbkdf2:sha256:1000$ambittestmasked$49340fa42a701c25d8d1c96b9bc0c662e503a0ff8ce2edcd93caa401999334a6",
    ),
    (
        "scrypt:",
        "scrypt:32768:8:1$ambittestmasked$e6218ee99beaed250fc1053cd8ece07edeb3c440854b14df54e8c6182d326e6a\
         7aef93b26c1dd79e44bc1609ca9605a1d5961b6f5057b0c3d5d0cc033da10c33",
    ),
];

/// No hash begins like this, so no password fits it; Django means the same by it.
const UNUSABLE: &str = "!";

/// Whether a text is the hash of a password, by its beginning.
pub(crate) fn is_password_hash(text: &str) -> bool {
    text.len() >= 40
        && !text.contains(char::is_whitespace)
        && (HASHES.iter().any(|(prefix, _)| text.starts_with(prefix))
            || ["$y$", "$7$", "$scrypt$", "$argon2d$", "$pbkdf2", "pbkdf2_sha1$", "{SSHA"]
                .iter()
                .any(|p| text.starts_with(p)))
}

pub(super) struct Password {
    pub(super) usable: bool,
    pub(super) longest: Option<usize>,
}

impl Generate for Password {
    /// What is of no known kind (a plain MD5, a password in clear) becomes unusable: a hash of its kind could be anybody's.
    fn generate(&self, value: &str, _: Option<&str>, _: u32, out: &mut String) -> Result<(), MaskError> {
        let known = HASHES.iter().find(|(prefix, _)| self.usable && value.starts_with(prefix)).map(|(_, hash)| *hash);
        let fits = |hash: &&str| self.longest.is_none_or(|longest| hash.len() <= longest);
        out.push_str(known.filter(fits).unwrap_or(UNUSABLE));
        Ok(())
    }
}
