//! What an APK says of itself, read without installing or unpacking it: which app it is, which version, and whether it is
//! signed. The file comes from somebody's machine, so that nothing in it is believed before it was looked at, and
//! whatever is read has a bound.

mod archive;
mod manifest;
mod signature;
mod signing_block;

use std::fs::File;

pub use archive::MAX_SIZE;
pub use manifest::Manifest;
pub use signature::{Scheme, Signature};

/// An APK that Android would install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Apk {
    /// What its manifest says.
    pub manifest: Manifest,
    /// How it is signed.
    pub signature: Signature,
}

/// Why a file is no APK that can be handed out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApkError {
    /// It cannot be read.
    #[error("cannot read the file")]
    Io(#[from] std::io::Error),
    /// It is something else.
    #[error("the file is not an APK: {0}")]
    NotApk(String),
    /// It is made to exhaust whoever unpacks it.
    #[error("the file is a zip bomb: {0}")]
    Bomb(String),
    /// Its manifest cannot be read.
    #[error("its AndroidManifest.xml cannot be read: {0}")]
    Manifest(String),
    /// It is not signed, or not as Android wants it.
    #[error("its signature is not good: {0}")]
    Signature(String),
}

impl ApkError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Io(_) => return None,
            Self::NotApk(why) if why.contains("app bundle") => {
                "build it with `buildType` apk: ambit mobile build --profile preview-test"
            }
            Self::NotApk(_) | Self::Bomb(_) | Self::Manifest(_) => "was the download complete? build it anew otherwise",
            Self::Signature(_) => "EAS signs what it builds; by hand: apksigner sign --ks KEYSTORE app.apk",
        };
        Some(text.to_owned())
    }
}

/// Looks at a file.
pub fn read(file: &File) -> Result<Apk, ApkError> {
    let archive = archive::Archive::open(file)?;
    let manifest = manifest::read(&archive.manifest).map_err(ApkError::Manifest)?;
    let signature = signature::check(file, &archive)?;
    Ok(Apk { manifest, signature })
}

/// Which of some texts stand in what an app of Expo's was built with: its settings and its code.
pub fn mentions(file: &File, texts: &[&str]) -> Result<Vec<bool>, ApkError> {
    archive::mentions(file, texts)
}
