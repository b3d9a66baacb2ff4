//! APKs as a build service makes them: a manifest in Android's binary XML in a zip archive, signed by scheme 2 with a key of
//! the test's own. Written from the formats' descriptions, so that what reads them is held against something else.

use std::io::{Cursor, Write};

use rcgen::PublicKeyData;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair},
};
use sha2::{Digest, Sha256};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// A key with its certificate.
pub struct Key {
    pair: EcdsaKeyPair,
    public: Vec<u8>,
    certificate: Vec<u8>,
}

impl Key {
    /// A new one.
    #[must_use]
    pub fn new() -> Self {
        let pair = rcgen::KeyPair::generate().expect("a key can be made");
        let parameters = rcgen::CertificateParams::new(Vec::new()).expect("no name is wrong");
        let certificate = parameters.self_signed(&pair).expect("a certificate can be made").der().to_vec();
        let signing =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &pair.serialize_der(), &SystemRandom::new())
                .expect("the key is one of P-256");
        Self { pair: signing, public: pair.subject_public_key_info(), certificate }
    }
}

impl Default for Key {
    fn default() -> Self {
        Self::new()
    }
}

/// What to make.
#[derive(Clone)]
pub struct Apk {
    /// Its package.
    pub package: String,
    /// Its version code.
    pub version_code: u32,
    /// Its version.
    pub version_name: String,
    /// Whether a debugger may look into it.
    pub debuggable: bool,
    /// Whether the texts of its manifest are UTF-16, as older tools write them.
    pub utf16: bool,
    /// Other files in it.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Apk {
    /// A plain one.
    #[must_use]
    pub fn new(package: &str, version_code: u32, version_name: &str) -> Self {
        Self {
            package: package.to_owned(),
            version_code,
            version_name: version_name.to_owned(),
            debuggable: false,
            utf16: false,
            files: vec![("classes.dex".to_owned(), b"dex\n035\0".to_vec())],
        }
    }

    /// Its manifest.
    #[must_use]
    pub fn manifest(&self) -> Vec<u8> {
        let android = "http://schemas.android.com/apk/res/android";
        let texts = [
            "versionCode",
            "versionName",
            "debuggable",
            android,
            "package",
            "manifest",
            "application",
            &self.package,
            &self.version_name,
        ];
        let mut file = chunk(0x0001, 28, &strings(&texts, self.utf16));
        let known = [0x0101_021b_u32, 0x0101_021c, 0x0101_000f].map(u32::to_le_bytes).concat();
        file.extend(chunk(0x0180, 8, &known));
        let code = attribute(3, 0, u32::MAX, 0x10, self.version_code);
        let name = attribute(3, 1, 8, 0x03, 8);
        let package = attribute(u32::MAX, 4, 7, 0x03, 7);
        file.extend(start(5, &[code, name, package]));
        let debuggable = attribute(3, 2, u32::MAX, 0x12, if self.debuggable { u32::MAX } else { 0 });
        file.extend(start(6, &[debuggable]));
        for element in [6_u32, 5] {
            let body = [0_u32, u32::MAX, u32::MAX, element].map(u32::to_le_bytes).concat();
            file.extend(chunk(0x0103, 16, &body));
        }
        chunk(0x0003, 8, &file)
    }

    /// The archive without a signature.
    #[must_use]
    pub fn unsigned(&self) -> Vec<u8> {
        archive(&self.manifest(), &self.files)
    }

    /// The archive, signed.
    #[must_use]
    pub fn signed(&self, key: &Key) -> Vec<u8> {
        sign(&self.unsigned(), key)
    }
}

/// An archive with a manifest of any content.
#[must_use]
pub fn archive(manifest: &[u8], files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let method = |method| SimpleFileOptions::default().compression_method(method);
    let mut add = |name: &str, bytes: &[u8]| {
        zip.start_file(name, method(CompressionMethod::Deflated)).expect("a name that is new");
        zip.write_all(bytes).expect("memory takes it");
    };
    add("AndroidManifest.xml", manifest);
    files.iter().for_each(|(name, bytes)| add(name, bytes));
    zip.finish().expect("memory takes it").into_inner()
}

/// Puts a signing block of scheme 2 into an archive without a comment.
#[must_use]
pub fn sign(archive: &[u8], key: &Key) -> Vec<u8> {
    let end = archive.len() - 22;
    let directory = u32::from_le_bytes(archive[end + 16..end + 20].try_into().expect("four bytes")) as usize;
    let mut chunks = Vec::new();
    let mut count = 0_u32;
    for section in [&archive[..directory], &archive[directory..end], &archive[end..]] {
        for part in section.chunks(1 << 20) {
            let length = u32::try_from(part.len()).expect("a megabyte at most").to_le_bytes();
            chunks.extend(Sha256::new().chain_update([0xa5]).chain_update(length).chain_update(part).finalize());
            count += 1;
        }
    }
    let digest = Sha256::new().chain_update([0x5a]).chain_update(count.to_le_bytes()).chain_update(chunks).finalize();

    const ECDSA: u32 = 0x0201;
    let by = |made: &[u8]| prefixed(&prefixed(&[&ECDSA.to_le_bytes()[..], &prefixed(made)].concat()));
    let certificates = prefixed(&prefixed(&key.certificate));
    let data = [by(&digest), certificates, prefixed(&[])].concat();
    let signature = key.pair.sign(&SystemRandom::new(), &data).expect("the key signs");
    let signer = [prefixed(&data), by(signature.as_ref()), prefixed(&key.public)].concat();
    let value = prefixed(&prefixed(&signer));
    block(archive, &[(0x7109_871a, value)])
}

/// Puts a signing block with some values into an archive.
#[must_use]
pub fn block(archive: &[u8], pairs: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let end = archive.len() - 22;
    let directory = u32::from_le_bytes(archive[end + 16..end + 20].try_into().expect("four bytes")) as usize;
    let mut inner = Vec::new();
    for (id, value) in pairs {
        inner.extend((value.len() as u64 + 4).to_le_bytes());
        inner.extend(id.to_le_bytes());
        inner.extend(value);
    }
    let size = (inner.len() as u64 + 24).to_le_bytes();
    let block = [&size[..], &inner, &size, b"APK Sig Block 42"].concat();
    let mut signed = [&archive[..directory], &block, &archive[directory..]].concat();
    let place = u32::try_from(directory + block.len()).expect("a small file").to_le_bytes();
    let end = end + block.len();
    signed[end + 16..end + 20].copy_from_slice(&place);
    signed
}

fn prefixed(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).expect("a small part").to_le_bytes()[..], bytes].concat()
}

/// `header` counts from the beginning of the chunk; the rest of the header is in `body`.
fn chunk(kind: u16, header: u16, body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len() + 8).expect("a small part");
    [&kind.to_le_bytes()[..], &header.to_le_bytes(), &size.to_le_bytes(), body].concat()
}

fn strings(texts: &[&str], utf16: bool) -> Vec<u8> {
    let mut offsets = Vec::new();
    let mut data = Vec::new();
    let length8 = |n: usize, into: &mut Vec<u8>| {
        if n > 127 {
            into.push(u8::try_from(n >> 8).expect("below 32768") | 0x80);
        }
        into.push(u8::try_from(n & 0xff).expect("a byte"));
    };
    for text in texts {
        offsets.extend(u32::try_from(data.len()).expect("small").to_le_bytes());
        if utf16 {
            let units: Vec<u16> = text.encode_utf16().collect();
            data.extend(u16::try_from(units.len()).expect("short").to_le_bytes());
            data.extend(units.into_iter().chain([0]).flat_map(u16::to_le_bytes));
        } else {
            length8(text.encode_utf16().count(), &mut data);
            length8(text.len(), &mut data);
            data.extend(text.bytes().chain([0]));
        }
    }
    while data.len() % 4 != 0 {
        data.push(0);
    }
    let count = u32::try_from(texts.len()).expect("few");
    let flags = if utf16 { 0 } else { 1_u32 << 8 };
    let start = 28 + count * 4;
    let header = [count, 0, flags, start, 0].map(u32::to_le_bytes).concat();
    [header, offsets, data].concat()
}

fn attribute(namespace: u32, name: u32, raw: u32, kind: u8, data: u32) -> Vec<u8> {
    let words = [namespace, name, raw].map(u32::to_le_bytes).concat();
    [&words[..], &8_u16.to_le_bytes(), &[0, kind], &data.to_le_bytes()].concat()
}

fn start(name: u32, attributes: &[Vec<u8>]) -> Vec<u8> {
    let head = [0, u32::MAX, u32::MAX, name].map(u32::to_le_bytes).concat();
    let count = u16::try_from(attributes.len()).expect("few");
    let shape = [20_u16, 20, count, 0, 0, 0].map(u16::to_le_bytes).concat();
    chunk(0x0102, 16, &[head, shape, attributes.concat()].concat())
}
