//! Static types, with variables that are found out by use.

use std::fmt;

use crate::types::Type;

/// A static type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ty {
    /// Any; decided when evaluated.
    Dyn,
    /// Of a part that was reported; agrees with everything.
    Fault,
    Null,
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    Timestamp,
    Duration,
    IpAddress,
    List(Box<Ty>),
    Map(Box<Ty>, Box<Ty>),
    Optional(Box<Ty>),
    /// The type of a type.
    Type(Box<Ty>),
    /// Not known yet.
    Variable(usize),
}

/// The type that a parameter has in an expression. A `uint` is an int there.
pub(crate) fn of_parameter(declared: &Type) -> Ty {
    match declared {
        Type::Any => Ty::Dyn,
        Type::Bool => Ty::Bool,
        Type::String => Ty::String,
        Type::Int | Type::Uint => Ty::Int,
        Type::Double => Ty::Double,
        Type::Bytes => Ty::Bytes,
        Type::Duration => Ty::Duration,
        Type::Timestamp => Ty::Timestamp,
        Type::IpAddress => Ty::IpAddress,
        Type::List(element) => Ty::List(Box::new(of_parameter(element))),
        Type::Map(element) => Ty::Map(Box::new(Ty::String), Box::new(of_parameter(element))),
    }
}

impl fmt::Display for Ty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ty::Dyn | Ty::Variable(_) => "any",
            Ty::Fault => "unknown",
            Ty::Null => "null",
            Ty::Bool => "bool",
            Ty::Int => "int",
            Ty::Uint => "uint",
            Ty::Double => "double",
            Ty::String => "string",
            Ty::Bytes => "bytes",
            Ty::Timestamp => "timestamp",
            Ty::Duration => "duration",
            Ty::IpAddress => "ipaddress",
            Ty::List(element) => return write!(f, "list<{element}>"),
            Ty::Map(key, value) if **key == Ty::String => return write!(f, "map<{value}>"),
            Ty::Map(key, value) => return write!(f, "map<{key}, {value}>"),
            Ty::Optional(inner) => return write!(f, "optional<{inner}>"),
            Ty::Type(inner) => return write!(f, "type<{inner}>"),
        })
    }
}

/// What is known of the type variables.
#[derive(Debug, Default)]
pub(crate) struct Substitution {
    bound: Vec<Option<Ty>>,
    /// What was bound before, newest last, so that a failed attempt can be taken back.
    trail: Vec<(usize, Option<Ty>)>,
}

/// Most nodes of one type. Types of sane expressions have less than ten.
const SIZE_MAX: usize = 256;

impl Substitution {
    pub(crate) fn fresh(&mut self) -> Ty {
        self.bound.push(None);
        Ty::Variable(self.bound.len() - 1)
    }

    /// Runs an attempt and takes back what it bound if it fails.
    pub(crate) fn attempt(&mut self, run: impl FnOnce(&mut Substitution) -> bool) -> bool {
        let mark = self.trail.len();
        let held = run(self);
        if !held {
            for (variable, before) in self.trail.drain(mark..).rev() {
                if let Some(slot) = self.bound.get_mut(variable) {
                    *slot = before;
                }
            }
        }
        held
    }

    fn find(&self, variable: usize) -> Option<&Ty> {
        self.bound.get(variable).and_then(Option::as_ref)
    }

    fn bind(&mut self, variable: usize, ty: Ty) {
        if let Some(slot) = self.bound.get_mut(variable) {
            self.trail.push((variable, slot.replace(ty)));
        }
    }

    /// The type with all known variables replaced; none when that would be unreasonably large.
    pub(crate) fn resolve(&self, ty: &Ty) -> Option<Ty> {
        let mut left = SIZE_MAX;
        self.resolve_within(ty, &mut left)
    }

    fn resolve_within(&self, ty: &Ty, left: &mut usize) -> Option<Ty> {
        *left = left.checked_sub(1)?;
        let mut inside = |inner: &Ty| self.resolve_within(inner, left).map(Box::new);
        Some(match ty {
            Ty::List(element) => Ty::List(inside(element)?),
            Ty::Optional(element) => Ty::Optional(inside(element)?),
            Ty::Type(element) => Ty::Type(inside(element)?),
            Ty::Map(key, value) => Ty::Map(inside(key)?, inside(value)?),
            Ty::Variable(variable) => match self.find(*variable) {
                Some(found) => self.resolve_within(found, left)?,
                None => ty.clone(),
            },
            plain => plain.clone(),
        })
    }

    fn occurs(&self, variable: usize, ty: &Ty) -> bool {
        match ty {
            Ty::Variable(other) if *other == variable => true,
            Ty::Variable(other) => self.find(*other).is_some_and(|found| self.occurs(variable, found)),
            Ty::List(inner) | Ty::Optional(inner) | Ty::Type(inner) => self.occurs(variable, inner),
            Ty::Map(key, value) => self.occurs(variable, key) || self.occurs(variable, value),
            _ => false,
        }
    }

    /// Whether a value of type `from` can stand where `to` is asked for; binds variables on the way.
    pub(crate) fn assignable(&mut self, from: &Ty, to: &Ty) -> bool {
        if let Ty::Variable(variable) = to {
            return self.assign_variable(*variable, from, true);
        }
        if let Ty::Variable(variable) = from {
            return self.assign_variable(*variable, to, false);
        }
        match (from, to) {
            (Ty::Dyn | Ty::Fault, _) | (_, Ty::Dyn | Ty::Fault) => true,
            (Ty::Null, to) => nullable(to),
            (from, Ty::Null) => nullable(from),
            (Ty::List(from), Ty::List(to)) | (Ty::Optional(from), Ty::Optional(to)) => {
                self.assignable(from, to)
            }
            // All types of types agree: which one it is shows when evaluated.
            (Ty::Type(_), Ty::Type(_)) => true,
            (Ty::Map(from_key, from_value), Ty::Map(to_key, to_value)) => {
                self.assignable(from_key, to_key) && self.assignable(from_value, to_value)
            }
            (from, to) => from == to,
        }
    }

    fn assign_variable(&mut self, variable: usize, other: &Ty, other_is_from: bool) -> bool {
        if matches!(other, Ty::Variable(same) if *same == variable) {
            return true;
        }
        match self.find(variable).cloned() {
            Some(known) => {
                let agrees = if other_is_from {
                    self.assignable(other, &known)
                } else {
                    self.assignable(&known, other)
                };
                if !agrees {
                    return false;
                }
                let general = self.most_general(other, &known);
                if general != known && !self.occurs(variable, &general) {
                    self.bind(variable, general);
                }
                true
            }
            None if self.occurs(variable, other) => false,
            None => {
                self.bind(variable, other.clone());
                true
            }
        }
    }

    /// The one of two agreeing types that says less.
    fn most_general(&self, left: &Ty, right: &Ty) -> Ty {
        if self.says_less(left, right) { left.clone() } else { right.clone() }
    }

    /// Whether the left type says as much as the right or less.
    fn says_less(&self, left: &Ty, right: &Ty) -> bool {
        match (left, right) {
            (Ty::Dyn | Ty::Variable(_), _) => true,
            (_, Ty::Dyn | Ty::Variable(_)) => false,
            (Ty::Null, right) => !nullable(right),
            (Ty::List(left), Ty::List(right)) | (Ty::Optional(left), Ty::Optional(right)) => {
                self.says_less(left, right)
            }
            (Ty::Map(left_key, left_value), Ty::Map(right_key, right_value)) => {
                self.says_less(left_key, right_key) && self.says_less(left_value, right_value)
            }
            (left, right) => left == right,
        }
    }

    /// The type of a literal's elements, given that of those before and of one more.
    pub(crate) fn join(&mut self, before: Option<Ty>, next: Ty) -> Ty {
        let Some(before) = before else { return next };
        if self.attempt(|substitution| substitution.assignable(&before, &next)) {
            self.most_general(&before, &next)
        } else {
            Ty::Dyn
        }
    }
}

fn nullable(ty: &Ty) -> bool {
    matches!(ty, Ty::Null | Ty::Timestamp | Ty::Duration | Ty::IpAddress | Ty::Optional(_))
}
