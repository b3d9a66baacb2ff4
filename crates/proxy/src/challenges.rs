//! Answers to HTTP-01 challenges (RFC 8555, section 8.3): one file a token in `challenges`, written by whoever orders a
//! certificate and served to whoever asks for it on a host of the routing table.

use std::{io, path::Path};

use crate::folder::Folder;

/// Where a challenge is looked for.
pub(crate) const PREFIX: &str = "/.well-known/acme-challenge/";

const FOLDER: &str = "challenges";
/// A key authorization is a token, a dot and 43 characters.
const MOST: u64 = 1024;

/// Makes the proxy of a folder answer a token. It does at once.
pub fn answer(folder: &Path, token: &str, key_authorization: &str) -> io::Result<()> {
    check(token)?;
    if key_authorization.len() as u64 > MOST {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the answer to a challenge is too long"));
    }
    Folder::open(folder)?.make_below(FOLDER)?.write_private(token, key_authorization.as_bytes())
}

/// Takes the answer to a token back, if there is one.
pub fn forget(folder: &Path, token: &str) -> io::Result<()> {
    check(token)?;
    match Folder::open(folder)?.below(FOLDER) {
        Ok(folder) => folder.remove(token),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Takes every answer back: those that somebody who died in the middle of an order left behind.
pub fn forget_all(folder: &Path) -> io::Result<()> {
    let folder = match Folder::open(folder)?.below(FOLDER) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        folder => folder?,
    };
    folder.files()?.iter().try_for_each(|name| folder.remove(name))
}

pub(crate) fn read(folder: &Folder, token: &str) -> Option<Vec<u8>> {
    check(token).ok()?;
    folder.below(FOLDER).ok()?.bytes(token, MOST).ok()
}

/// Tokens are of the base64url alphabet (RFC 8555, section 8.3), so none leads anywhere else.
fn check(token: &str) -> io::Result<()> {
    let good = (1..=200).contains(&token.len())
        && token.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if good { Ok(()) } else { Err(io::Error::new(io::ErrorKind::InvalidInput, "not a challenge's token")) }
}
