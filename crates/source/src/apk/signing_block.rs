//! The APK Signing Block, between an archive's entries and its central directory
//! (<https://source.android.com/docs/security/features/apksigning/v2>).

use std::{fs::File, os::unix::fs::FileExt};

use super::{ApkError, archive::Layout};

const MAGIC: &[u8; 16] = b"APK Sig Block 42";
const MAX_BLOCK: u64 = 16 << 20;

/// The block's pairs of a number and a value.
pub(super) struct SigningBlock {
    /// Where it begins: the entries end there.
    pub(super) start: u64,
    pub(super) pairs: Vec<(u32, Vec<u8>)>,
}

/// `None` where there is no block.
pub(super) fn find(file: &File, layout: &Layout) -> Result<Option<SigningBlock>, ApkError> {
    let broken = || ApkError::Signature("its signing block is damaged".to_owned());
    let Some(footer_at) = layout.directory.checked_sub(24) else { return Ok(None) };
    let mut footer = [0; 24];
    file.read_exact_at(&mut footer, footer_at)?;
    if &footer[8..] != MAGIC {
        return Ok(None);
    }
    let size = number(&footer[..8]).ok_or_else(broken)?;
    if !(24..=MAX_BLOCK).contains(&size) {
        return Err(broken());
    }
    let start = layout.directory.checked_sub(size + 8).ok_or_else(broken)?;
    let mut block = vec![0; usize::try_from(size - 16).map_err(|_| broken())?];
    file.read_exact_at(&mut block, start)?;
    let (first, mut rest) = block.split_at_checked(8).ok_or_else(broken)?;
    if number(first) != Some(size) {
        return Err(broken());
    }
    let mut pairs = Vec::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_at_checked(8).ok_or_else(broken)?;
        let length = number(length).and_then(|n| usize::try_from(n).ok()).ok_or_else(broken)?;
        let (pair, after) = after.split_at_checked(length).ok_or_else(broken)?;
        let (id, value) = pair.split_first_chunk::<4>().ok_or_else(broken)?;
        pairs.push((u32::from_le_bytes(*id), value.to_vec()));
        rest = after;
    }
    Ok(Some(SigningBlock { start, pairs }))
}

fn number(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}
