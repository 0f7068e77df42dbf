//! What a server keeps of a key.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};

/// The SHA-256 of a key. Keys are random and long, so that nobody finds one that has a given digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyDigest([u8; SHA256_OUTPUT_LEN]);

/// A text that is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 is {} hexadecimal digits; {reason}", SHA256_OUTPUT_LEN * 2)]
pub struct InvalidKeyDigest {
    reason: String,
}

impl KeyDigest {
    /// The digest of a key, which is the bytes behind `Bearer `.
    pub fn of(key: &[u8]) -> KeyDigest {
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        for (byte, digested) in bytes.iter_mut().zip(digest(&SHA256, key).as_ref()) {
            *byte = *digested;
        }
        KeyDigest(bytes)
    }
}

impl FromStr for KeyDigest {
    type Err = InvalidKeyDigest;

    /// Reads 64 hexadecimal digits of either case.
    fn from_str(text: &str) -> Result<KeyDigest, InvalidKeyDigest> {
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        let count = text.chars().count();
        if count != SHA256_OUTPUT_LEN * 2 {
            return Err(InvalidKeyDigest { reason: format!("{count} characters are given") });
        }
        for (at, digit) in text.chars().enumerate() {
            let value = digit.to_digit(16).and_then(|value| u8::try_from(value).ok());
            let Some(value) = value else {
                return Err(InvalidKeyDigest { reason: format!("`{digit}` is none") });
            };
            if let Some(byte) = bytes.get_mut(at / 2) {
                *byte = *byte << 4 | value;
            }
        }
        Ok(KeyDigest(bytes))
    }
}

impl fmt::Display for KeyDigest {
    /// 64 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyDigest {
    /// The first digits, enough to tell keys apart in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.8}…", self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_what_sha256sum_prints() {
        let digest = KeyDigest::of(b"abc");
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest.to_string(), text);
        assert_eq!(text.parse(), Ok(digest));
        assert_eq!(text.to_uppercase().parse(), Ok(digest));
        assert_eq!(format!("{digest:?}"), "ba7816bf…");
        assert_ne!(KeyDigest::of(b"abd"), digest);
    }

    #[test]
    fn what_is_no_digest_is_refused() {
        for text in ["", "abc", &"g".repeat(64), &"0".repeat(63), &"0".repeat(65), &"é".repeat(64)] {
            assert!(text.parse::<KeyDigest>().is_err(), "{text}");
        }
    }
}
