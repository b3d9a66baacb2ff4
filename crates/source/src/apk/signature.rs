//! Whether an APK is signed: that the signature of scheme 2 or 3 is by the key of its certificate and over the very bytes of
//! the file. Whose key that is, phones remember: an update has to be by the same one.

use std::{fs::File, os::unix::fs::FileExt};

use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use sha2::{Digest, Sha256, Sha512};

use super::{
    ApkError,
    archive::{Archive, Layout},
    signing_block::{self, SigningBlock},
};

/// How an APK is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The newest scheme that it is signed by.
    pub scheme: Scheme,
    /// SHA-256 of the certificate, in hex digits; not known of the oldest scheme, which is not looked into.
    pub certificate: Option<String>,
}

/// A scheme of Android's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    /// A signed list of digests within the archive. Android 11 and later refuse it alone of apps that are made for them.
    V1,
    /// Over the whole file.
    V2,
    /// As the second, with keys that change.
    V3,
}

impl Scheme {
    /// `v2`
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
            Self::V3 => "v3",
        }
    }
}

const SCHEME_2: u32 = 0x7109_871a;
const SCHEME_3: u32 = 0xf053_68c0;
const CHUNK: usize = 1 << 20;

type Step<T> = Result<T, ApkError>;

pub(super) fn check(file: &File, archive: &Archive) -> Step<Signature> {
    let block = signing_block::find(file, &archive.layout)?;
    let mut found = None;
    if let Some(block) = &block {
        let mut content = Content { file, layout: &archive.layout, start: block.start, sha256: None, sha512: None };
        for (id, scheme) in [(SCHEME_2, Scheme::V2), (SCHEME_3, Scheme::V3)] {
            if let Some(value) = only(block, id)? {
                let certificate = signers(value, scheme, &mut content)?;
                found = Some(Signature { scheme, certificate: Some(certificate) });
            }
        }
    }
    if let Some(found) = found {
        return Ok(found);
    }
    if archive.signed_lists.is_empty() {
        return Err(wrong("it is not signed"));
    }
    // Whoever signs by more than one scheme says so in the list, so that no one can cut the better one out.
    let promises = |list: &Vec<u8>| {
        let text = String::from_utf8_lossy(list);
        let said = text.lines().find_map(|l| l.strip_prefix("X-Android-APK-Signed:")).map(str::to_owned);
        said.is_some_and(|said| said.split(',').any(|n| matches!(n.trim(), "2" | "3")))
    };
    if archive.signed_lists.iter().any(promises) {
        return Err(wrong("its signing block was cut out"));
    }
    Ok(Signature { scheme: Scheme::V1, certificate: None })
}

fn wrong(why: impl Into<String>) -> ApkError {
    ApkError::Signature(why.into())
}

fn broken() -> ApkError {
    wrong("its signing block is damaged")
}

fn only(block: &SigningBlock, id: u32) -> Step<Option<&[u8]>> {
    let mut of_it = block.pairs.iter().filter(|(known, _)| *known == id);
    let first = of_it.next();
    if of_it.next().is_some() {
        return Err(wrong("its signing block says the same thing twice"));
    }
    Ok(first.map(|(_, value)| value.as_slice()))
}

/// Bytes that are read from the front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn number(&mut self) -> Step<u32> {
        let (first, rest) = self.0.split_first_chunk::<4>().ok_or_else(broken)?;
        self.0 = rest;
        Ok(u32::from_le_bytes(*first))
    }

    /// What follows its own length.
    fn part(&mut self) -> Step<&'a [u8]> {
        let length = self.number()? as usize;
        let (part, rest) = self.0.split_at_checked(length).ok_or_else(broken)?;
        self.0 = rest;
        Ok(part)
    }

    fn parts(mut self) -> Step<Vec<&'a [u8]>> {
        let mut all = Vec::new();
        while !self.0.is_empty() {
            all.push(self.part()?);
        }
        Ok(all)
    }

    /// Pairs of an algorithm and what it made.
    fn by_algorithm(self) -> Step<Vec<(u32, &'a [u8])>> {
        let pair = |part| {
            let mut bytes = Bytes(part);
            Ok((bytes.number()?, bytes.part()?))
        };
        self.parts()?.into_iter().map(pair).collect()
    }
}

/// Checks every signer; returns the digest of the first one's certificate.
fn signers(value: &[u8], scheme: Scheme, content: &mut Content<'_>) -> Step<String> {
    let signers = Bytes(Bytes(value).part()?).parts()?;
    let mut first = None;
    for signer in signers {
        let mut signer = Bytes(signer);
        let signed = signer.part()?;
        if scheme == Scheme::V3 {
            let _range_of_versions = (signer.number()?, signer.number()?);
        }
        let signatures = Bytes(signer.part()?).by_algorithm()?;
        let key = signer.part()?;
        let algorithm = verify(&signatures, key, signed)?;
        let mut data = Bytes(signed);
        let digests = Bytes(data.part()?).by_algorithm()?;
        let certificates = Bytes(data.part()?).parts()?;
        let certificate = *certificates.first().ok_or_else(broken)?;
        if !certificate.windows(key.len().max(1)).any(|part| part == key) {
            return Err(wrong("its key is not that of its certificate"));
        }
        let said = digests.iter().find(|(id, _)| *id == algorithm.id).ok_or_else(broken)?.1;
        if content.digest(algorithm.long)? != said {
            return Err(wrong("the file was changed after it was signed, or is not complete"));
        }
        first = first.or(Some(certificate));
    }
    let certificate = first.ok_or_else(|| wrong("it is not signed"))?;
    Ok(Sha256::digest(certificate).iter().map(|b| format!("{b:02x}")).collect())
}

struct Algorithm {
    id: u32,
    /// Whether its digests are those of SHA-512.
    long: bool,
}

/// Checks the first signature whose algorithm is known.
fn verify(signatures: &[(u32, &[u8])], key: &[u8], signed: &[u8]) -> Step<Algorithm> {
    let point = bit_string(key).ok_or_else(broken)?;
    for (id, signature) in signatures {
        let algorithm: &'static dyn VerificationAlgorithm = match (id, point.len()) {
            (0x0101, _) => &signature::RSA_PSS_2048_8192_SHA256,
            (0x0102, _) => &signature::RSA_PSS_2048_8192_SHA512,
            (0x0103, _) => &signature::RSA_PKCS1_2048_8192_SHA256,
            (0x0104, _) => &signature::RSA_PKCS1_2048_8192_SHA512,
            (0x0201, 65) => &signature::ECDSA_P256_SHA256_ASN1,
            (0x0201, 97) => &signature::ECDSA_P384_SHA256_ASN1,
            _ => continue,
        };
        let good = UnparsedPublicKey::new(algorithm, point).verify(signed, signature).is_ok();
        if !good {
            return Err(wrong("it was not made by the key of its certificate"));
        }
        return Ok(Algorithm { id: *id, long: matches!(id, 0x0102 | 0x0104) });
    }
    Err(wrong(
        "it was made by an algorithm that ambit does not know; RSA from 2048 bits on and ECDSA with SHA-256 are known",
    ))
}

/// The key within a SubjectPublicKeyInfo (RFC 5280, 4.1): a sequence of an algorithm and a string of bits.
fn bit_string(info: &[u8]) -> Option<&[u8]> {
    let (0x30, content, []) = element(info)? else { return None };
    let (0x30, _, rest) = element(content)? else { return None };
    let (0x03, bits, []) = element(rest)? else { return None };
    // The first byte counts the bits that are left over: none.
    bits.strip_prefix(&[0])
}

/// Tag, content and what follows, of DER.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = if first & 0x80 == 0 {
        (usize::from(*first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if digits.len() > 4 {
            return None;
        }
        (digits.iter().fold(0, |all, digit| (all << 8) | usize::from(*digit)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// The bytes that a signature is over: all but the block itself, whose place the end of the archive then names.
struct Content<'a> {
    file: &'a File,
    layout: &'a Layout,
    start: u64,
    sha256: Option<Vec<u8>>,
    sha512: Option<Vec<u8>>,
}

impl Content<'_> {
    fn digest(&mut self, long: bool) -> Step<Vec<u8>> {
        let known = if long { &self.sha512 } else { &self.sha256 };
        if let Some(known) = known {
            return Ok(known.clone());
        }
        let made = if long { self.made::<Sha512>()? } else { self.made::<Sha256>()? };
        let place = if long { &mut self.sha512 } else { &mut self.sha256 };
        Ok(place.insert(made).clone())
    }

    fn made<H: Digest>(&self) -> Step<Vec<u8>> {
        let Layout { directory, end, size } = *self.layout;
        let mut chunks = Vec::new();
        let mut count = 0_u32;
        let mut add = |bytes: &[u8]| {
            let length = u32::try_from(bytes.len()).unwrap_or_default().to_le_bytes();
            chunks
                .extend_from_slice(&H::new().chain_update([0xa5]).chain_update(length).chain_update(bytes).finalize());
            count += 1;
        };
        for (from, to) in [(0, self.start), (directory, end)] {
            let mut at = from;
            while at < to {
                let size = (to - at).min(CHUNK as u64);
                let mut buffer = vec![0; usize::try_from(size).unwrap_or_default()];
                self.file.read_exact_at(&mut buffer, at)?;
                add(&buffer);
                at += size;
            }
        }
        let mut last = vec![0; usize::try_from(size - end).unwrap_or_default()];
        self.file.read_exact_at(&mut last, end)?;
        let place = u32::try_from(self.start).map_err(|_| broken())?.to_le_bytes();
        last.get_mut(16..20).ok_or_else(broken)?.copy_from_slice(&place);
        add(&last);
        Ok(H::new().chain_update([0x5a]).chain_update(count.to_le_bytes()).chain_update(&chunks).finalize().to_vec())
    }
}
