//! Compiling an expression, and evaluating what came of it.

use std::fmt;
use std::sync::Arc;

use pemba_model::limits::{CAVEAT_SOURCE_MAX_CHARS, CAVEAT_STEPS_MAX, CAVEAT_VALUES_MAX_BYTES};
use pemba_model::{Context, Diagnostic, Span};
use smol_str::SmolStr;

use crate::budget::{Budget, Halt, Stop};
use crate::check::check;
use crate::eval::{Evaluation, Slots};
use crate::json;
use crate::node::Node;
use crate::parser::{FINDINGS_MAX, parse};
use crate::print::print;
use crate::types::Type;
use crate::value::Value;

/// Most parameters that a program can have: one bit each says which are missing.
pub const PARAMETERS_MAX: usize = 32;

/// A checked expression. Cloning it is cheap, and it can be shared between threads.
#[derive(Clone)]
pub struct Program {
    inner: Arc<Inner>,
}

struct Inner {
    source: String,
    canonical: String,
    parameters: Vec<(SmolStr, Type)>,
    referenced: u32,
    node: Node,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").field("source", &self.inner.source).finish_non_exhaustive()
    }
}

/// Two programs are the same when source and parameters are.
impl PartialEq for Program {
    fn eq(&self, other: &Program) -> bool {
        self.inner.source == other.inner.source && self.inner.parameters == other.inner.parameters
    }
}

impl Eq for Program {}

/// What an evaluation may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvaluationLimits {
    /// Most steps: parts evaluated, elements walked, pieces of 64 bytes compared or copied.
    pub steps_max: u64,
    /// Most memory for all values made on the way, roughly, in bytes.
    pub values_max_bytes: u64,
}

impl Default for EvaluationLimits {
    fn default() -> Self {
        EvaluationLimits { steps_max: CAVEAT_STEPS_MAX, values_max_bytes: CAVEAT_VALUES_MAX_BYTES }
    }
}

/// What an expression says about the values given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It holds, whatever the missing parameters are.
    True,
    /// It does not hold, whatever the missing parameters are.
    False,
    /// It depends on these parameters, which were not given; sorted, never empty.
    Missing(Vec<SmolStr>),
}

/// Why an evaluation has no outcome. Never a denial.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluateError {
    /// A value does not have the type its parameter is declared with.
    #[error("parameter `{parameter}` of type `{expected}`: {message}")]
    ParameterType {
        /// The parameter.
        parameter: SmolStr,
        /// The type it is declared with.
        expected: String,
        /// What was given.
        found: String,
        /// What was needed, what was given and where.
        message: String,
    },
    /// The expression went wrong: division by zero, a key that is not there.
    #[error("{message}")]
    Evaluation {
        /// What went wrong.
        message: String,
    },
    /// The expression would take more work than allowed.
    #[error("the caveat needs more than {steps_max} steps; simplify it, or give it smaller values")]
    TooManySteps {
        /// The limit, in steps.
        steps_max: u64,
    },
    /// The expression would make larger values than allowed.
    #[error(
        "the caveat makes values of more than {values_max_bytes} bytes; simplify it, or give it smaller values"
    )]
    TooLarge {
        /// The limit, in bytes.
        values_max_bytes: u64,
    },
}

/// Why a value cannot be bound to a parameter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConversionError {
    /// The expression has no such parameter.
    #[error("there is no parameter `{parameter}`")]
    UnknownParameter {
        /// The name given.
        parameter: SmolStr,
    },
    /// The value does not have the type declared.
    #[error("parameter `{parameter}` of type `{expected}`: {message}")]
    WrongType {
        /// The parameter.
        parameter: SmolStr,
        /// The type it is declared with.
        expected: String,
        /// What was given.
        found: String,
        /// What was needed, what was given and where.
        message: String,
    },
}

/// Compiles an expression with these parameters. Fails with every finding about it, in the order of the source, with
/// spans in the source; the result of an expression must be a bool.
pub fn compile(source: &str, parameters: &[(SmolStr, Type)]) -> Result<Program, Vec<Diagnostic>> {
    let chars = source.chars().count();
    let whole = Span::new(0, source.len());
    if chars > CAVEAT_SOURCE_MAX_CHARS {
        let message = format!(
            "the expression is {chars} characters long; at most {CAVEAT_SOURCE_MAX_CHARS} are allowed"
        );
        return Err(vec![Diagnostic::error("caveat-too-long", whole, message)]);
    }
    if parameters.len() > PARAMETERS_MAX {
        let count = parameters.len();
        let message = format!("the expression has {count} parameters; at most {PARAMETERS_MAX} are allowed");
        return Err(vec![Diagnostic::error("parameter-count", whole, message)]);
    }
    let mut findings = Vec::new();
    let parsed = parse(source, &mut findings);
    if findings.iter().any(|finding| finding.code == "caveat-nesting") {
        // What was read behind such a place is in disorder.
        return Err(findings);
    }
    let (node, referenced) = check(&parsed, parameters, &mut findings);
    if !findings.is_empty() {
        findings.sort_by_key(|finding| (finding.span.start, finding.span.end));
        findings.truncate(FINDINGS_MAX);
        return Err(findings);
    }
    let inner = Inner {
        source: source.to_owned(),
        canonical: print(&parsed),
        parameters: parameters.to_vec(),
        referenced,
        node,
    };
    Ok(Program { inner: Arc::new(inner) })
}

impl Program {
    /// The expression as it was written.
    pub fn source(&self) -> &str {
        &self.inner.source
    }

    /// The expression in canonical form: blanks, quotes and parentheses as the field's tools show them in traces. It
    /// means the same; comments are gone.
    pub fn canonical(&self) -> &str {
        &self.inner.canonical
    }

    /// The parameters in the order they were declared.
    pub fn parameters(&self) -> &[(SmolStr, Type)] {
        &self.inner.parameters
    }

    /// The parameters that the expression uses, in the order they were declared.
    pub fn referenced(&self) -> Vec<SmolStr> {
        self.names(self.inner.referenced).collect()
    }

    fn names(&self, slots: u32) -> impl Iterator<Item = SmolStr> {
        self.inner
            .parameters
            .iter()
            .enumerate()
            .filter(move |(slot, _)| u32::try_from(*slot).is_ok_and(|slot| slots >> slot & 1 == 1))
            .map(|(_, (name, _))| name.clone())
    }

    /// What the expression says. A bound value wins over one of the request with the same name; names that are no
    /// parameters are ignored; every value of a parameter must have its type, needed or not.
    pub fn evaluate(
        &self,
        bound: &Context,
        request: Option<&Context>,
        limits: &EvaluationLimits,
    ) -> Result<Outcome, EvaluateError> {
        let mut slots = Slots::new();
        let mut elements = 0;
        for (name, declared) in &self.inner.parameters {
            let given =
                bound.get(name.as_str()).or_else(|| request.and_then(|request| request.get(name.as_str())));
            slots.push(match given {
                Some(value) => Some(convert(name, declared, value, &mut elements)?),
                None => None,
            });
        }
        let budget = Budget::new(limits.steps_max, limits.values_max_bytes);
        let mut evaluation = Evaluation { slots: &slots, locals: Vec::new(), budget };
        let value = evaluation.budget.spend(elements).and_then(|()| evaluation.run(&self.inner.node));
        match value {
            Ok(Value::Bool(true)) => Ok(Outcome::True),
            Ok(Value::Bool(false)) => Ok(Outcome::False),
            Ok(other) => Err(EvaluateError::Evaluation {
                message: format!("the expression gave a value of type {}, not a bool", other.kind().name()),
            }),
            Err(Stop::Unknown(slots)) => {
                let mut missing: Vec<SmolStr> = self.names(slots).collect();
                missing.sort();
                Ok(Outcome::Missing(missing))
            }
            Err(Stop::Fault(message)) => Err(EvaluateError::Evaluation { message: message.into_owned() }),
            Err(Stop::Halt(Halt::Steps)) => Err(EvaluateError::TooManySteps { steps_max: limits.steps_max }),
            Err(Stop::Halt(Halt::Bytes)) => {
                Err(EvaluateError::TooLarge { values_max_bytes: limits.values_max_bytes })
            }
        }
    }

    /// Converts a value for a parameter, as it would be for an evaluation.
    pub fn convert_parameter(&self, name: &str, value: &serde_json::Value) -> Result<Value, ConversionError> {
        let Some((name, declared)) = self.inner.parameters.iter().find(|(parameter, _)| parameter == name)
        else {
            return Err(ConversionError::UnknownParameter { parameter: SmolStr::new(name) });
        };
        json::convert(value, declared, &mut 0).map_err(|mismatch| ConversionError::WrongType {
            parameter: name.clone(),
            expected: declared.to_string(),
            message: mismatch.to_string(),
            found: mismatch.found,
        })
    }
}

fn convert(
    name: &SmolStr,
    declared: &Type,
    value: &serde_json::Value,
    elements: &mut u64,
) -> Result<Value, EvaluateError> {
    json::convert(value, declared, elements).map_err(|mismatch| EvaluateError::ParameterType {
        parameter: name.clone(),
        expected: declared.to_string(),
        message: mismatch.to_string(),
        found: mismatch.found,
    })
}
