//! The differential test: generated cases go to Pemba and to the real SpiceDB, and every answer is compared.
//!
//! `generate` and `ask` make a case from a seed, `peer` asks it, `answer` brings both answers to a form without tokens
//! and accidental order, `tolerate` knows the differences that are meant, and `shrink` makes the others small.

mod agree;
pub mod answer;
mod ask;
pub mod caveats;
mod cycles;
mod damage;
pub mod generate;
pub mod naive;
pub mod oracle;
pub mod peer;
pub mod random;
pub mod run;
pub mod schema;
pub mod second;
pub mod shrink;
pub mod step;
pub mod tolerate;
