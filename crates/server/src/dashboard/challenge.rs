//! Challenges that passkeys answer. One is a random number with its end and a mark that only this daemon can make, so that nothing
//! is kept for those who merely look at a page; those that were answered are remembered until their end.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::parts::now;

/// For so long a challenge may be answered, in milliseconds.
const LASTS: i64 = 10 * 60 * 1000;

pub(crate) struct Challenges {
    key: [u8; 32],
    answered: Mutex<HashMap<Vec<u8>, i64>>,
}

impl Default for Challenges {
    fn default() -> Self {
        Self { key: rand::random(), answered: Mutex::default() }
    }
}

impl Challenges {
    /// A challenge for something, in base64url.
    pub(crate) fn give(&self, purpose: &str) -> String {
        let body: Vec<u8> = rand::random::<[u8; 16]>().into_iter().chain((now() + LASTS).to_be_bytes()).collect();
        let mark = self.mark(purpose, &body).finalize().into_bytes();
        BASE64.encode([&body[..], &mark].concat())
    }

    /// Whether a challenge was given for that, is not over, and was not answered before. It is answered now.
    pub(crate) fn take(&self, purpose: &str, challenge: &str) -> bool {
        let Ok(bytes) = BASE64.decode(challenge) else { return false };
        let Some((body, mark)) = bytes.split_at_checked(24) else { return false };
        let end = body.get(16..).and_then(|end| end.try_into().ok()).map_or(0, i64::from_be_bytes);
        if end <= now() || self.mark(purpose, body).verify_slice(mark).is_err() {
            return false;
        }
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        answered.retain(|_, end| *end > now());
        answered.insert(body.to_vec(), end).is_none()
    }

    fn mark(&self, purpose: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("a key of any length is one");
        mac.update(body);
        mac.update(purpose.as_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_good_once_for_what_it_was_given_for() {
        let challenges = Challenges::default();
        let one = challenges.give("sign-in");
        assert!(!challenges.take("register ana", &one) && !Challenges::default().take("sign-in", &one));
        for forged in ["", "00", &one[4..], &format!("{}AAAA", &one[..one.len() - 4]), &"A".repeat(one.len())] {
            assert!(!challenges.take("sign-in", forged), "{forged}");
        }
        assert!(challenges.take("sign-in", &one));
        assert!(!challenges.take("sign-in", &one) && !challenges.take("sign-in", &one.to_uppercase()));
        assert_ne!(challenges.give("sign-in"), challenges.give("sign-in"));
    }
}
