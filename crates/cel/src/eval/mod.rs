//! Nodes and values to an answer, in three values.
//!
//! A part that depends on missing parameters is unknown, and says on which. What takes all its parts adds up what they
//! lack; `&&`, `||` and `? :` look only as far as they must. A fault wins over an unknown, except beside `&&` and `||`.

mod arithmetic;
mod calls;
mod convert;
mod fields;
mod folds;
mod strings;

pub(crate) use convert::print_double;
use smallvec::SmallVec;

use crate::ast::Binary;
use crate::budget::{Budget, Stop};
use crate::compare;
use crate::node::Node;
use crate::value::{Key, Value};

/// The values of the parameters by slot; none for what is missing.
pub(crate) type Slots = SmallVec<[Option<Value>; 4]>;

/// One evaluation.
pub(crate) struct Evaluation<'a> {
    pub(crate) slots: &'a Slots,
    pub(crate) locals: Vec<Value>,
    pub(crate) budget: Budget,
}

/// Bytes that an element of a list or map takes, roughly.
const ELEMENT_BYTES: usize = 64;

impl Evaluation<'_> {
    pub(crate) fn run(&mut self, node: &Node) -> Result<Value, Stop> {
        self.budget.spend(1)?;
        match node {
            Node::Constant(value) => Ok(value.clone()),
            Node::Parameter(slot) => match self.slots.get(*slot) {
                Some(Some(value)) => Ok(value.clone()),
                _ => Err(Stop::Unknown(u32::try_from(*slot).map_or(0, |slot| 1_u32.wrapping_shl(slot)))),
            },
            Node::Local(at) => self.locals.get(*at).cloned().ok_or_else(Stop::no_overload),
            Node::Select { operand, field, optional } => {
                let operand = self.run(operand)?;
                fields::select(&operand, &Value::String(field.clone()), *optional)
            }
            Node::Has { operand, field } => {
                let operand = self.run(operand)?;
                fields::has(&operand, field).map(Value::Bool)
            }
            Node::Index { operand, index, optional } => {
                let operand = self.run(operand)?;
                let index = self.run(index)?;
                fields::index(&operand, &index, *optional)
            }
            Node::List(elements) => self.list(elements),
            Node::Map(entries) => self.map(entries),
            Node::Not(operand) => match self.run(operand)? {
                Value::Bool(flag) => Ok(Value::Bool(!flag)),
                _ => Err(Stop::no_overload()),
            },
            Node::Negate(operand) => arithmetic::negate(&self.run(operand)?),
            Node::Binary(operator, operands) => self.binary(*operator, operands),
            Node::And(operands) => self.decide(operands, false),
            Node::Or(operands) => self.decide(operands, true),
            Node::Conditional(parts) => {
                let [condition, yes, no] = parts.as_ref();
                match self.run(condition)? {
                    Value::Bool(true) => self.run(yes),
                    Value::Bool(false) => self.run(no),
                    _ => Err(Stop::no_overload()),
                }
            }
            Node::Call(function, arguments) => self.call(*function, arguments),
            Node::Matches(operand, regex) => {
                let operand = self.run(operand)?;
                strings::matches(&operand, regex, &mut self.budget)
            }
            Node::Fold(fold) => self.fold(fold),
            Node::OptionalMap { target, body } => self.optional_map(target, body),
        }
    }

    /// `||` for `deciding` true, `&&` for false: an operand that decides makes up for all others.
    fn decide(&mut self, operands: &[Node], deciding: bool) -> Result<Value, Stop> {
        let mut state = Decision::new(deciding);
        for operand in operands {
            let value = self.run(operand);
            if state.add(value)? {
                return Ok(Value::Bool(deciding));
            }
        }
        state.finish()
    }

    /// Evaluates two operands of which both are needed.
    fn both(&mut self, left: &Node, right: &Node) -> Result<(Value, Value), Stop> {
        let left = match self.run(left) {
            Err(Stop::Unknown(lacking)) => Err(lacking),
            other => Ok(other?),
        };
        match (left, self.run(right)) {
            (Ok(left), Ok(right)) => Ok((left, right)),
            (Err(left), Err(Stop::Unknown(right))) => Err(Stop::Unknown(left | right)),
            (_, Err(stop)) => Err(stop),
            (Err(lacking), Ok(_)) => Err(Stop::Unknown(lacking)),
        }
    }

    fn binary(&mut self, operator: Binary, operands: &[Node; 2]) -> Result<Value, Stop> {
        let [left, right] = operands;
        let (left, right) = self.both(left, right)?;
        let budget = &mut self.budget;
        let flag = match operator {
            Binary::Equal => compare::equal(&left, &right, budget)?,
            Binary::NotEqual => !compare::equal(&left, &right, budget)?,
            Binary::Less => compare::order(&left, &right, budget)?.is_some_and(std::cmp::Ordering::is_lt),
            Binary::LessEqual => {
                compare::order(&left, &right, budget)?.is_some_and(std::cmp::Ordering::is_le)
            }
            Binary::Greater => compare::order(&left, &right, budget)?.is_some_and(std::cmp::Ordering::is_gt),
            Binary::GreaterEqual => {
                compare::order(&left, &right, budget)?.is_some_and(std::cmp::Ordering::is_ge)
            }
            Binary::In => fields::contains(&left, &right, budget)?,
            other => return arithmetic::apply(other, &left, &right, budget),
        };
        Ok(Value::Bool(flag))
    }

    /// Evaluates all of several parts; what they lack is added up, and the first fault ends it.
    fn all(&mut self, nodes: &[Node]) -> Result<SmallVec<[Value; 3]>, Stop> {
        let mut values = SmallVec::new();
        let mut lacking = 0;
        for node in nodes {
            match self.run(node) {
                Ok(value) => values.push(value),
                Err(Stop::Unknown(more)) => lacking |= more,
                Err(stop) => return Err(stop),
            }
        }
        if lacking == 0 { Ok(values) } else { Err(Stop::Unknown(lacking)) }
    }

    fn list(&mut self, elements: &[(Node, bool)]) -> Result<Value, Stop> {
        self.budget.hold(elements.len() * ELEMENT_BYTES)?;
        let mut values = Vec::with_capacity(elements.len());
        let mut lacking = 0;
        for (element, optional) in elements {
            match self.run(element) {
                Ok(value) if *optional => values.extend(present(value)?),
                Ok(value) => values.push(value),
                Err(Stop::Unknown(more)) => lacking |= more,
                Err(stop) => return Err(stop),
            }
        }
        if lacking == 0 { Ok(Value::list(values)) } else { Err(Stop::Unknown(lacking)) }
    }

    fn map(&mut self, entries: &[(Node, Node, bool)]) -> Result<Value, Stop> {
        self.budget.hold(entries.len() * ELEMENT_BYTES * 2)?;
        let mut values = std::collections::BTreeMap::new();
        let mut lacking = 0;
        for (key, value, optional) in entries {
            match self.both(key, value) {
                Ok((key, value)) => {
                    let key = Key::of(&key).ok_or_else(|| {
                        Stop::made(format!("a value of type {} cannot be a key", key.kind().name()))
                    })?;
                    let value = if *optional { present(value)? } else { Some(value) };
                    match value {
                        Some(value) => values.insert(key, value),
                        None => values.remove(&key),
                    };
                }
                Err(Stop::Unknown(more)) => lacking |= more,
                Err(stop) => return Err(stop),
            }
        }
        if lacking == 0 { Ok(Value::Map(values.into())) } else { Err(Stop::Unknown(lacking)) }
    }
}

/// What an optional holds; another value is a fault.
fn present(value: Value) -> Result<Option<Value>, Stop> {
    match value {
        Value::Optional(inner) => Ok(inner.map(|inner| inner.as_ref().clone())),
        other => Err(Stop::made(format!("an optional is needed after `?`, not a {}", other.kind().name()))),
    }
}

/// The state of `&&` and `||` between two operands.
pub(super) struct Decision {
    deciding: bool,
    lacking: u32,
    fault: Option<Stop>,
}

impl Decision {
    pub(super) fn new(deciding: bool) -> Decision {
        Decision { deciding, lacking: 0, fault: None }
    }

    /// Takes one operand in; true when it decides.
    pub(super) fn add(&mut self, value: Result<Value, Stop>) -> Result<bool, Stop> {
        match value {
            Ok(Value::Bool(flag)) => return Ok(flag == self.deciding),
            Ok(_) => self.fault = self.fault.take().or_else(|| Some(Stop::no_overload())),
            Err(Stop::Unknown(more)) => self.lacking |= more,
            Err(stop @ Stop::Fault(_)) => self.fault = self.fault.take().or(Some(stop)),
            Err(stop @ Stop::Halt(_)) => return Err(stop),
        }
        Ok(false)
    }

    /// The value when no operand decided.
    pub(super) fn finish(self) -> Result<Value, Stop> {
        if self.lacking != 0 {
            return Err(Stop::Unknown(self.lacking));
        }
        match self.fault {
            Some(fault) => Err(fault),
            None => Ok(Value::Bool(!self.deciding)),
        }
    }
}
