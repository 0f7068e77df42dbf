//! Caveat expressions: text to checked program, program and values to an answer.
//!
//! **Invariant: evaluation is a pure function of program and values, ends within its budget, and answers true or false
//! only when no missing parameter could change that.**

mod address;
mod ast;
mod budget;
mod check;
mod compare;
mod eval;
mod function;
mod json;
mod lexer;
mod literal;
mod node;
mod parser;
mod pattern;
mod print;
pub mod program;
pub mod time;
pub mod types;
pub mod value;

pub use program::{
    ConversionError, EvaluateError, EvaluationLimits, Outcome, PARAMETERS_MAX, Program, compile,
};
pub use types::Type;
pub use value::Value;
