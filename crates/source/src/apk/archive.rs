//! The zip archive that an APK is.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    os::unix::fs::FileExt,
};

use zip::ZipArchive;

use super::ApkError;

/// A larger file is refused.
pub const MAX_SIZE: u64 = 1 << 30;
/// The manifests of large apps have some hundred kilobytes.
const MAX_MANIFEST: u64 = 4 << 20;
/// What all entries come to when they are unpacked.
const MAX_UNPACKED: u64 = 4 << 30;
/// What an entry of some size comes to, for each byte that it takes in the file; text of one letter stays below 1032.
const MAX_RATIO: u64 = 300;
const SMALL: u64 = 16 << 20;
const MAX_SIGNATURE_FILE: u64 = 1 << 20;
/// Of the record at the end, without its comment (APPNOTE.TXT 4.3.16).
const END_SIZE: usize = 22;

const MANIFEST: &str = "AndroidManifest.xml";

/// What matters of an archive.
pub(super) struct Archive {
    /// The manifest, in binary XML.
    pub(super) manifest: Vec<u8>,
    /// Where its parts lie.
    pub(super) layout: Layout,
    /// Files of the old signature scheme: the `.SF` files, if a signature file stands beside one.
    pub(super) signed_lists: Vec<Vec<u8>>,
}

/// Where the parts of an archive lie.
pub(super) struct Layout {
    /// Of the central directory.
    pub(super) directory: u64,
    /// Of the record at the end, which follows it at once.
    pub(super) end: u64,
    pub(super) size: u64,
}

impl Archive {
    pub(super) fn open(file: &File) -> Result<Self, ApkError> {
        let (layout, entries) = layout(file)?;
        let not_zip =
            |error: &dyn std::error::Error| ApkError::NotApk(format!("it is a damaged zip archive ({error})"));
        let mut zip = ZipArchive::new(At { file, position: 0, size: layout.size }).map_err(|e| not_zip(&e))?;
        if zip.len() != usize::from(entries) {
            return Err(ApkError::NotApk("an entry stands in it twice".to_owned()));
        }
        let (mut packed, mut unpacked) = (0_u64, 0_u64);
        let (mut lists, mut signatures) = (Vec::new(), 0);
        let mut names_bundle = false;
        for n in 0..zip.len() {
            let entry = zip.by_index_raw(n).map_err(|e| not_zip(&e))?;
            let (small, large) = (entry.compressed_size(), entry.size());
            packed = packed.saturating_add(small);
            unpacked = unpacked.saturating_add(large);
            let name = entry.name().map_err(|e| not_zip(&e))?;
            if large > SMALL && large / MAX_RATIO > small {
                let name: String = name.chars().take(80).collect();
                return Err(ApkError::Bomb(format!("{} unpacks {small} bytes to {large}", name.escape_debug())));
            }
            names_bundle |= name == "BundleConfig.pb";
            if let Some(file) = name.strip_prefix("META-INF/")
                && !file.contains('/')
            {
                let ends = |ending: &str| file.to_ascii_uppercase().ends_with(ending);
                signatures += usize::from([".RSA", ".EC", ".DSA"].into_iter().any(ends));
                if ends(".SF") && large <= MAX_SIGNATURE_FILE {
                    lists.push(name.clone().into_owned());
                }
            }
        }
        // Entries that share their bytes unpack to more than any ratio tells.
        if packed > layout.size {
            return Err(ApkError::Bomb("its entries overlap".to_owned()));
        }
        if unpacked > MAX_UNPACKED {
            return Err(ApkError::Bomb(format!("it unpacks to {unpacked} bytes")));
        }
        if names_bundle {
            return Err(ApkError::NotApk("it is an app bundle, which only a store takes".to_owned()));
        }
        if zip.index_for_name(MANIFEST).is_none() {
            return Err(ApkError::NotApk(format!("there is no {MANIFEST} in it")));
        }
        let manifest = unpack(&mut zip, MANIFEST, MAX_MANIFEST)?;
        let lists = lists.iter().map(|name| unpack(&mut zip, name, MAX_SIGNATURE_FILE));
        let mut signed_lists: Vec<Vec<u8>> = lists.collect::<Result<_, _>>()?;
        if signatures == 0 {
            signed_lists.clear();
        }
        Ok(Self { manifest, layout, signed_lists })
    }
}

/// Where Expo puts what an app was built with: its settings, and its code, in which the values of variables stand.
const BUILT_WITH: [&str; 2] = ["assets/app.config", "assets/index.android.bundle"];
const MAX_CODE: u64 = 64 << 20;

/// Which of some texts stand in what an app was built with. What is larger than any app is not looked at to its end.
pub(super) fn mentions(file: &File, texts: &[&str]) -> Result<Vec<bool>, ApkError> {
    let size = file.metadata()?.len();
    let mut found = vec![false; texts.len()];
    let damaged = |error: &dyn std::error::Error| ApkError::NotApk(format!("it is damaged ({error})"));
    let mut zip = ZipArchive::new(At { file, position: 0, size }).map_err(|e| damaged(&e))?;
    for name in BUILT_WITH {
        if zip.index_for_name(name).is_none() {
            continue;
        }
        let mut bytes = Vec::new();
        let entry = zip.by_name(name).map_err(|e| damaged(&e))?;
        entry.take(MAX_CODE).read_to_end(&mut bytes).map_err(|e| damaged(&e))?;
        for (text, found) in texts.iter().zip(&mut found) {
            *found |= memchr::memmem::find(&bytes, text.as_bytes()).is_some();
        }
    }
    Ok(found)
}

fn unpack(zip: &mut ZipArchive<At<'_>>, name: &str, most: u64) -> Result<Vec<u8>, ApkError> {
    let wrong = |why: String| ApkError::NotApk(format!("{name}: {why}"));
    let entry = zip.by_name(name).map_err(|e| wrong(e.to_string()))?;
    let mut bytes = Vec::new();
    entry.take(most + 1).read_to_end(&mut bytes).map_err(|e| wrong(e.to_string()))?;
    if bytes.len() as u64 > most {
        return Err(ApkError::Bomb(format!("{name} is larger than {} MB", most >> 20)));
    }
    Ok(bytes)
}

/// Finds the record at the end as Android does: it ends the file, and the central directory ends where it begins.
fn layout(file: &File) -> Result<(Layout, u16), ApkError> {
    let not = |why: &str| ApkError::NotApk(why.to_owned());
    let size = file.metadata()?.len();
    if size > MAX_SIZE {
        return Err(ApkError::NotApk(format!("it is larger than {} MB", MAX_SIZE >> 20)));
    }
    let longest = size.min((END_SIZE + usize::from(u16::MAX)) as u64);
    let mut tail = vec![0; usize::try_from(longest).unwrap_or_default()];
    file.read_exact_at(&mut tail, size - longest)?;
    let short = |at: usize| Some(u16::from_le_bytes(tail.get(at..at + 2)?.try_into().ok()?));
    let long = |at: usize| Some(u32::from_le_bytes(tail.get(at..at + 4)?.try_into().ok()?));
    let is_end = |at: &usize| {
        tail.get(*at..*at + 4) == Some(b"PK\x05\x06")
            && short(*at + 20).is_some_and(|comment| at + END_SIZE + usize::from(comment) == tail.len())
    };
    let found = (0..(tail.len() + 1).saturating_sub(END_SIZE)).rev().find(is_end);
    let at = found.ok_or_else(|| not("it is no zip archive, or its end is missing"))?;
    let damaged = || not("the end of its zip archive is damaged");
    let (entries, directory_size, directory) =
        (|| Some((short(at + 10)?, u64::from(long(at + 12)?), u64::from(long(at + 16)?))))().ok_or_else(damaged)?;
    let end = size - longest + at as u64;
    if directory + directory_size != end || entries == u16::MAX {
        return Err(damaged());
    }
    Ok((Layout { directory, end, size }, entries))
}

/// Reads a file that others read too, without moving their position.
struct At<'a> {
    file: &'a File,
    position: u64,
    size: u64,
}

impl Read for At<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read_at(into, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for At<'_> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let to = match to {
            SeekFrom::Start(to) => Some(to),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
        };
        self.position = to.ok_or(std::io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}
