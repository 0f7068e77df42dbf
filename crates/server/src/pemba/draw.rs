//! The ids of records that nobody names.

use std::sync::OnceLock;

use rustls::crypto::{SecureRandom, aws_lc_rs};
use tonic::{Code, Status};

use crate::status::plain;

/// 128 bits that nobody can guess.
pub(crate) fn draw_id() -> Result<u128, Status> {
    static SOURCE: OnceLock<&'static dyn SecureRandom> = OnceLock::new();
    let source = SOURCE.get_or_init(|| aws_lc_rs::default_provider().secure_random);
    let mut bytes = [0; 16];
    match source.fill(&mut bytes) {
        Ok(()) => Ok(u128::from_be_bytes(bytes)),
        Err(_) => Err(plain(Code::Internal, "the system gave no random number")),
    }
}
