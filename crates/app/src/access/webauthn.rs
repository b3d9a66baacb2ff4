//! What a browser sends when a passkey is made or used, checked as Web Authentication says (W3C, level 3, §7.1 and §7.2): for this
//! server, in this browser's page, for the challenge that was given, by somebody whom the device knows.
//!
//! No attestation is asked for, and browsers hand the public key over ready to be used (`getPublicKey`), so that nothing of CBOR
//! or COSE is read here. Two algorithms are asked for, as platforms have them: ES256, and RS256 with 2048 bits.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use ring::signature::{ECDSA_P256_SHA256_ASN1, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm};
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// Texts of a browser are no longer, as they are sent.
const LONGEST: usize = 8 << 10;
/// How a public key on P-256 begins (RFC 5480), and its length with the uncompressed point that follows.
const P256: ([u8; 26], usize) = (
    [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
        0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ],
    91,
);
/// The same of a public key of RSA with 2048 bits and the usual exponent (RFC 3279).
const RSA: ([u8; 24], usize) = (
    [
        0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05,
        0x00, 0x03, 0x82, 0x01, 0x0f, 0x00,
    ],
    294,
);
/// Flags of the authenticator's data: somebody was there, was recognised, and a key was made.
const PRESENT: u8 = 1;
const VERIFIED: u8 = 1 << 2;
const ATTESTED: u8 = 1 << 6;

/// For whom a passkey is, and what it has to answer.
#[derive(Debug, Clone, Copy)]
pub struct Ceremony<'a> {
    /// The challenge, as it was given to the browser.
    pub challenge: &'a str,
    /// The origin of the page: `https://ambit.kaia.ai`.
    pub origin: &'a str,
    /// Its host, which the passkey is bound to.
    pub host: &'a str,
}

/// What a browser sends of a new passkey; each in base64url.
#[derive(Debug, Clone)]
pub struct Made {
    /// Its id.
    pub id: String,
    /// `clientDataJSON`.
    pub client: String,
    /// The authenticator's data.
    pub authenticator: String,
    /// The public key.
    pub key: String,
}

/// What a browser sends when a passkey is used; each in base64url.
#[derive(Debug, Clone)]
pub struct Used {
    /// Its id.
    pub id: String,
    /// `clientDataJSON`.
    pub client: String,
    /// The authenticator's data.
    pub authenticator: String,
    /// The signature.
    pub signature: String,
}

/// Why what a browser sent is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refused(&'static str);

#[derive(Deserialize)]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(default, rename = "crossOrigin")]
    cross_origin: bool,
}

/// Checks a new passkey; returns its public key.
pub(super) fn check_made(made: &Made, ceremony: &Ceremony<'_>) -> Result<Vec<u8>, Refused> {
    client_data(&decoded(&made.client)?, "webauthn.create", ceremony)?;
    let data = decoded(&made.authenticator)?;
    let (flags, _) = authenticator_data(&data, ceremony)?;
    // After flags and counter: sixteen bytes of the model, and the id with its length.
    let id = decoded(&made.id)?;
    let length = data.get(53..55).map(|two| usize::from(two[0]) << 8 | usize::from(two[1]));
    let told = length.and_then(|length| data.get(55..55 + length));
    if flags & ATTESTED == 0 || id.is_empty() || told != Some(id.as_slice()) {
        return Err(Refused("the passkey is not the one that was made"));
    }
    let key = decoded(&made.key)?;
    if understood(&key).is_none() {
        return Err(Refused("its key is of a kind that was not asked for"));
    }
    Ok(key)
}

/// The algorithm of a public key, and the part of it that the algorithm takes.
fn understood(key: &[u8]) -> Option<(&'static dyn VerificationAlgorithm, &[u8])> {
    let of = |begin: &[u8], length| key.strip_prefix(begin).filter(|_| key.len() == length);
    let point = of(&P256.0, P256.1).filter(|point| point.first() == Some(&4));
    let point = point.map(|point| (&ECDSA_P256_SHA256_ASN1 as &dyn VerificationAlgorithm, point));
    point.or_else(|| of(&RSA.0, RSA.1).map(|key| (&RSA_PKCS1_2048_8192_SHA256 as _, key)))
}

/// Checks the use of a passkey with its public key; returns how often it was used, as it counts itself.
pub(super) fn check_used(used: &Used, key: &[u8], ceremony: &Ceremony<'_>) -> Result<u32, Refused> {
    let client = decoded(&used.client)?;
    client_data(&client, "webauthn.get", ceremony)?;
    let mut signed = decoded(&used.authenticator)?;
    let (_, count) = authenticator_data(&signed, ceremony)?;
    signed.extend(Sha256::digest(&client));
    let (algorithm, key) = understood(key).ok_or(Refused("its key cannot be used"))?;
    UnparsedPublicKey::new(algorithm, key)
        .verify(&signed, &decoded(&used.signature)?)
        .map_err(|_| Refused("the signature is not that of the passkey"))?;
    Ok(count)
}

fn client_data(json: &[u8], kind: &str, ceremony: &Ceremony<'_>) -> Result<(), Refused> {
    let client: ClientData =
        serde_json::from_slice(json).map_err(|_| Refused("what the browser says cannot be read"))?;
    let ClientData { kind: said, challenge, origin, cross_origin } = client;
    if said != kind {
        return Err(Refused("it is the answer to another question"));
    }
    if challenge != ceremony.challenge {
        return Err(Refused("it answers another challenge"));
    }
    if origin != ceremony.origin || cross_origin {
        return Err(Refused("it was asked for by another page"));
    }
    Ok(())
}

fn authenticator_data(data: &[u8], ceremony: &Ceremony<'_>) -> Result<(u8, u32), Refused> {
    let (Some(host), Some(flags), Some(count)) = (data.get(..32), data.get(32), data.get(33..37)) else {
        return Err(Refused("what the device says is too short"));
    };
    if host != Sha256::digest(ceremony.host).as_slice() {
        return Err(Refused("the passkey is for another host"));
    }
    if flags & PRESENT == 0 || flags & VERIFIED == 0 {
        return Err(Refused("the device did not recognise anybody"));
    }
    let count = count.try_into().map(u32::from_be_bytes).unwrap_or_default();
    Ok((*flags, count))
}

fn decoded(text: &str) -> Result<Vec<u8>, Refused> {
    if text.len() > LONGEST {
        return Err(Refused("what the browser says is too long"));
    }
    BASE64.decode(text).map_err(|_| Refused("what the browser says cannot be read"))
}

/// A device for tests, which answers as browsers hand its answers over.
#[cfg(test)]
pub(super) mod device {
    use ring::{
        rand::SystemRandom,
        signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
    };

    use super::*;

    pub(in crate::access) struct Device {
        pair: EcdsaKeyPair,
        pub(in crate::access) id: Vec<u8>,
        pub(in crate::access) flags: u8,
        pub(in crate::access) count: u32,
    }

    impl Device {
        pub(in crate::access) fn new(id: &[u8]) -> Self {
            let random = SystemRandom::new();
            let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref(), &random).unwrap();
            Self { pair, id: id.to_vec(), flags: PRESENT | VERIFIED, count: 1 }
        }

        fn data(&self, host: &str, more: u8) -> Vec<u8> {
            [Sha256::digest(host).as_slice(), &[self.flags | more], &self.count.to_be_bytes()].concat()
        }

        fn client(kind: &str, ceremony: &Ceremony<'_>) -> String {
            serde_json::json!({ "type": kind, "challenge": ceremony.challenge, "origin": ceremony.origin }).to_string()
        }

        pub(in crate::access) fn make(&self, ceremony: &Ceremony<'_>) -> Made {
            let length = u16::try_from(self.id.len()).unwrap().to_be_bytes();
            let data = [&self.data(ceremony.host, ATTESTED)[..], &[0; 16], &length, &self.id].concat();
            Made {
                id: BASE64.encode(&self.id),
                client: BASE64.encode(Self::client("webauthn.create", ceremony)),
                authenticator: BASE64.encode(data),
                key: BASE64.encode([&P256.0[..], self.pair.public_key().as_ref()].concat()),
            }
        }

        pub(in crate::access) fn sign(&self, ceremony: &Ceremony<'_>) -> Used {
            let (client, data) = (Self::client("webauthn.get", ceremony), self.data(ceremony.host, 0));
            let signed = [&data[..], &Sha256::digest(&client)].concat();
            Used {
                id: BASE64.encode(&self.id),
                client: BASE64.encode(client),
                authenticator: BASE64.encode(data),
                signature: BASE64.encode(self.pair.sign(&SystemRandom::new(), &signed).unwrap()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{device::Device, *};

    const RSA_KEY: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAzlgBkWwSRQIaSknLmcch_uKyhjhhANHls6PRLJ4JGqxIKq8roAWqFQQn\
        wRUeTaYGDs4IQTzEOYaGgSCt87QDrpMLoWupyRy35mT1XfNiKR-B1gIL9z0dydUyvwse0oj5NsSpwD1nrguzsQWF6b7TXa758GgG\
        V6B8FJq3S0EUw7YyuCSYNmjkh4FRj-uxd-jGtlO8FD_83YuPaGGRfLhGlXqGcaqVrKwaian1ArvLdiCUohqVzUs3BtI1WFEwjGgn\
        hiFFUtWn7kiGviG1QMJOKRdOZL5bvo0rmgZKFL57ip0F-iJz9T7NLrUtdWslR2nZeK7KWIRUeFkzo90PARm3tQIDAQAB";
    const RSA_SIGNATURE: &str = "OtAz8MavdiEcN4SBftzcSQ04FSPC_MlA_knAY5bY5jQCb9ilKU0x9VXwZXyEVfbGMCDWrOyK6G2XZxgJOicFmuMvl6pHCyHRqjao\
        h8MddsY5ltuDfmhMkffu2iZAw_8saeF7Fl_EM5UCcv-1Ekx9xLnJW--PNPJs924JaXlfK3q7tPzvrVWb9aNcLLYKeZ-EkmVL44ej\
        2Tv4pmgQSUEkBT3x-XJY36NA_Eql8it8-EEbZ1NauHCjXQQ167QlVjAETJCbxXUrIbwo8bmwFSyFwKUnh9rPRzQNJFHrfG0F4mCB\
        0Di5MpPxYA7kmmFJcrZOF_QhiS_q4MIHFwbkaNV0RA";
    const HERE: Ceremony<'_> = Ceremony { challenge: "abc", origin: "https://ambit.kaia.ai", host: "ambit.kaia.ai" };

    #[test]
    fn what_a_device_made_it_can_use_and_nobody_else() {
        let (device, other) = (Device::new(b"one"), Device::new(b"one"));
        let key = check_made(&device.make(&HERE), &HERE).unwrap();
        assert_eq!(check_used(&device.sign(&HERE), &key, &HERE), Ok(1));
        assert_eq!(
            check_used(&other.sign(&HERE), &key, &HERE),
            Err(Refused("the signature is not that of the passkey"))
        );
        let genuine = device.sign(&HERE);
        let tampered = BASE64.encode([&BASE64.decode(&genuine.authenticator).unwrap()[..36], &[9]].concat());
        assert!(
            check_used(&Used { authenticator: tampered, ..genuine }, &key, &HERE).is_err(),
            "the counter was changed"
        );
    }

    #[test]
    fn a_key_of_rsa_is_taken_too() {
        // Made by OpenSSL; the private key was thrown away.
        let key = BASE64.decode(RSA_KEY).unwrap();
        let client = r#"{"type":"webauthn.get","challenge":"abc","origin":"https://ambit.kaia.ai"}"#;
        let data = [Sha256::digest(HERE.host).as_slice(), &[PRESENT | VERIFIED], &7_u32.to_be_bytes()].concat();
        let used = Used {
            id: "AAAA".into(),
            client: BASE64.encode(client),
            authenticator: BASE64.encode(data),
            signature: RSA_SIGNATURE.into(),
        };
        assert_eq!(check_used(&used, &key, &HERE), Ok(7));
        let other = Used { signature: RSA_SIGNATURE.replace('A', "B"), ..used };
        assert!(check_used(&other, &key, &HERE).is_err());
    }

    #[test]
    fn what_was_asked_for_elsewhere_or_earlier_or_of_nobody_is_refused() {
        let device = Device::new(b"one");
        let key = check_made(&device.make(&HERE), &HERE).unwrap();
        for elsewhere in [
            Ceremony { challenge: "abd", ..HERE },
            Ceremony { origin: "http://ambit.kaia.ai", ..HERE },
            Ceremony { origin: "https://evil.example", ..HERE },
            Ceremony { host: "evil.example", ..HERE },
        ] {
            assert!(check_used(&device.sign(&elsewhere), &key, &HERE).is_err(), "{elsewhere:?}");
            assert!(check_made(&device.make(&elsewhere), &HERE).is_err(), "{elsewhere:?}");
        }
        for flags in [0, PRESENT, VERIFIED] {
            let mut unseen = Device::new(b"one");
            unseen.flags = flags;
            assert!(check_made(&unseen.make(&HERE), &HERE).is_err(), "{flags}");
        }
        // Registering is not signing in.
        let made = device.make(&HERE);
        let as_use =
            Used { id: made.id, client: made.client, authenticator: made.authenticator, signature: String::new() };
        assert!(check_used(&as_use, &key, &HERE).is_err());
    }

    #[test]
    fn a_key_or_an_id_that_is_none_is_refused() {
        let device = Device::new(b"one");
        let good = device.make(&HERE);
        for key in [
            String::new(),
            "A".into(),
            "é".into(),
            BASE64.encode([0; 91]),
            BASE64.encode([&P256.0[..], &[2; 65]].concat()),
            "A".repeat(LONGEST + 1),
        ] {
            assert!(check_made(&Made { key: key.clone(), ..good.clone() }, &HERE).is_err(), "{key}");
        }
        for id in ["", "AAAA", "!"] {
            assert!(check_made(&Made { id: id.into(), ..good.clone() }, &HERE).is_err(), "{id}");
        }
        for authenticator in ["", "AAAA", &BASE64.encode([0; 37])] {
            assert!(check_made(&Made { authenticator: authenticator.into(), ..good.clone() }, &HERE).is_err());
        }
        assert!(check_made(&Made { client: BASE64.encode("[]"), ..good }, &HERE).is_err());
    }
}
