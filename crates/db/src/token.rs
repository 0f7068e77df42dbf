//! Consistency tokens: a position in the log of one database, as opaque text.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pemba_model::Revision;

/// The only version of the text there is.
const VERSION: u8 = 1;
/// Version, database id, revision, checksum.
const ENCODED_BYTES: usize = 1 + 8 + 8 + 4;
/// Longest part of an undecodable token that its error repeats, in characters.
const SHOWN_MAX_CHARS: usize = 64;

/// A position in the log of one database. It prints as the text that clients keep; that text is opaque to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token {
    /// Which database; a random number given to it when it was created.
    pub database_id: u64,
    /// Which position in its log.
    pub revision: Revision,
}

/// A text that is not a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It was not made by any version of this program, or was changed since.
    #[error(
        "`{shown}` is not a consistency token of this server: pass on a token exactly as it was returned"
    )]
    Undecodable {
        /// The text, cut to 64 characters.
        shown: String,
    },
}

impl Token {
    /// Reads the text of a token, of whichever database.
    pub fn decode(text: &str) -> Result<Token, TokenError> {
        let undecodable = || TokenError::Undecodable { shown: text.chars().take(SHOWN_MAX_CHARS).collect() };
        // Decoding only what has the right length keeps the work for a huge text at nothing.
        if text.len() != ENCODED_BYTES.div_ceil(3) * 4 {
            return Err(undecodable());
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| undecodable())?;
        let (body, sum) = bytes.split_at_checked(ENCODED_BYTES - 4).ok_or_else(undecodable)?;
        let (version, numbers) = body.split_first().ok_or_else(undecodable)?;
        let (database_id, revision) = numbers.split_at_checked(8).ok_or_else(undecodable)?;
        if *version != VERSION || checksum(body).to_be_bytes() != *sum {
            return Err(undecodable());
        }
        let number = |bytes: &[u8]| bytes.try_into().map(u64::from_be_bytes).map_err(|_| undecodable());
        Ok(Token { database_id: number(database_id)?, revision: Revision(number(revision)?) })
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::with_capacity(ENCODED_BYTES);
        bytes.push(VERSION);
        bytes.extend(self.database_id.to_be_bytes());
        bytes.extend(self.revision.0.to_be_bytes());
        let sum = checksum(&bytes);
        bytes.extend(sum.to_be_bytes());
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// 32-bit FNV-1a: it finds damage and stray texts, it does not keep anybody from forging a token.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_text_is_frozen() {
        let token = Token { database_id: 0x0102_0304_0506_0708, revision: Revision(258) };
        assert_eq!(token.to_string(), "AQECAwQFBgcIAAAAAAAAAQKqQcuX");
        assert_eq!(Token::decode("AQECAwQFBgcIAAAAAAAAAQKqQcuX"), Ok(token));
    }

    proptest! {
        #[test]
        fn every_token_round_trips(database_id: u64, revision: u64) {
            let token = Token { database_id, revision: Revision(revision) };
            prop_assert_eq!(Token::decode(&token.to_string()), Ok(token));
        }

        #[test]
        fn a_changed_character_is_noticed(database_id: u64, revision: u64, at in 0_usize..28, to in "[A-Za-z0-9_-]") {
            let text = Token { database_id, revision: Revision(revision) }.to_string();
            let mut changed = text.clone();
            changed.replace_range(at..=at, &to);
            prop_assert_eq!(Token::decode(&changed).is_ok(), changed == text);
        }

        #[test]
        fn other_text_is_refused(text in "\\PC{0,40}") {
            prop_assert!(Token::decode(&text).is_err());
        }
    }
}
