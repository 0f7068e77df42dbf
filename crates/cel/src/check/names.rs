//! Names, fields and indexes.

use pemba_model::{Diagnostic, Span, suggest};
use smol_str::SmolStr;

use super::ty::{Ty, of_parameter};
use super::{Checker, nothing};
use crate::ast::{Expr, Kind};
use crate::node::Node;
use crate::value::{self, Value};

impl Checker<'_> {
    /// The variable of this name: of the innermost macro that has it, else the parameter.
    fn variable(&mut self, name: &str, rooted: bool) -> Option<(Ty, Node)> {
        if !rooted {
            let local = self.locals.iter().rposition(|(local, _)| local == name);
            if let Some((at, (_, ty))) = local.and_then(|at| self.locals.get(at).map(|local| (at, local))) {
                return Some((ty.clone(), Node::Local(at)));
            }
        }
        let slot = self.parameters.iter().position(|(parameter, _)| parameter == name)?;
        let (_, declared) = self.parameters.get(slot)?;
        self.referenced |= 1_u32.checked_shl(u32::try_from(slot).ok()?)?;
        Some((of_parameter(declared), Node::Parameter(slot)))
    }

    pub(super) fn name(&mut self, name: &SmolStr, rooted: bool, span: Span) -> (Ty, Node) {
        if let Some(found) = self.variable(name, rooted) {
            return found;
        }
        if let Some(found) = type_name(name) {
            return found;
        }
        let mut finding = Diagnostic::error(
            "caveat-unknown-name",
            span,
            format!("`{name}` is neither a parameter nor a type"),
        );
        let locals = self.locals.iter().map(|(local, _)| local.as_str());
        let names = locals.chain(self.parameters.iter().map(|(parameter, _)| parameter.as_str()));
        finding.help = suggest::nearest(name, names).map(|near| format!("did you mean `{near}`?"));
        self.report(finding);
        (Ty::Fault, nothing())
    }

    pub(super) fn select(
        &mut self,
        expr: &Expr,
        operand: &Expr,
        field: &SmolStr,
        optional: bool,
    ) -> (Ty, Node) {
        if let Some(path) = dotted(expr).filter(|path| type_name(path).is_some()) {
            let root = path.split('.').next().unwrap_or("");
            if self.variable(root, false).is_none() {
                return type_name(&path).unwrap_or((Ty::Fault, nothing()));
            }
        }
        let (ty, operand_node) = self.check(operand);
        let Some(field_ty) = self.field_type(&ty, operand.span) else { return (Ty::Fault, nothing()) };
        let wrapped = optional || matches!(ty, Ty::Optional(_));
        let result = if wrapped { Ty::Optional(Box::new(field_ty)) } else { field_ty };
        (result, Node::Select { operand: Box::new(operand_node), field: field.clone(), optional })
    }

    /// The type of a field of a value of this type; none, with a finding, when it has no fields.
    pub(super) fn field_type(&mut self, ty: &Ty, span: Span) -> Option<Ty> {
        match ty {
            Ty::Map(key, value) => {
                let (key, value) = (key.as_ref().clone(), value.as_ref().clone());
                // Fields are entries by text.
                self.substitution.attempt(|substitution| substitution.assignable(&Ty::String, &key));
                Some(value)
            }
            Ty::Optional(inner) => self.field_type(inner, span),
            Ty::Dyn | Ty::Fault | Ty::Variable(_) => Some(Ty::Dyn),
            other => {
                self.error("caveat-type", span, format!("values of type `{other}` have no fields"));
                None
            }
        }
    }

    pub(super) fn index(&mut self, operand: &Expr, index: &Expr, optional: bool, span: Span) -> (Ty, Node) {
        let ((ty, operand), (index_ty, index)) = (self.check(operand), self.check(index));
        let (element, key) = (self.substitution.fresh(), self.substitution.fresh());
        let list = Ty::List(Box::new(element.clone()));
        let map = Ty::Map(Box::new(key.clone()), Box::new(element.clone()));
        let wrapped = Ty::Optional(Box::new(element.clone()));
        let plain = if optional { wrapped.clone() } else { element };
        let signatures = [
            (vec![list.clone(), Ty::Int], plain.clone()),
            (vec![map.clone(), key.clone()], plain),
            (vec![Ty::Optional(Box::new(list)), Ty::Int], wrapped.clone()),
            (vec![Ty::Optional(Box::new(map)), key], wrapped),
        ];
        let result = self.overload("[]", &signatures, &[ty, index_ty], true, span);
        (result, Node::Index { operand: Box::new(operand), index: Box::new(index), optional })
    }
}

/// The dotted path that a selection spells, if it is one.
fn dotted(expr: &Expr) -> Option<String> {
    match &expr.kind {
        Kind::Name { name, .. } => Some(name.to_string()),
        Kind::Select { operand, field, optional: false } => {
            let before = dotted(operand)?;
            Some(format!("{before}.{field}"))
        }
        _ => None,
    }
}

/// The type that a name stands for, as a value.
fn type_name(name: &str) -> Option<(Ty, Node)> {
    use value::Kind;
    let any = || Box::new(Ty::Dyn);
    let (ty, kind) = match name {
        "bool" => (Ty::Bool, Kind::Bool),
        "bytes" => (Ty::Bytes, Kind::Bytes),
        "double" => (Ty::Double, Kind::Double),
        "int" => (Ty::Int, Kind::Int),
        "uint" => (Ty::Uint, Kind::Uint),
        "string" => (Ty::String, Kind::String),
        "list" => (Ty::List(any()), Kind::List),
        "map" => (Ty::Map(any(), any()), Kind::Map),
        "null_type" => (Ty::Null, Kind::Null),
        "type" => (Ty::Type(any()), Kind::Type),
        "optional_type" => (Ty::Optional(any()), Kind::Optional),
        "google.protobuf.Timestamp" => (Ty::Timestamp, Kind::Timestamp),
        "google.protobuf.Duration" => (Ty::Duration, Kind::Duration),
        _ => return None,
    };
    Some((Ty::Type(Box::new(ty)), Node::Constant(Value::Kind(kind))))
}
