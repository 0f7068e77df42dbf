//! Tree to nodes: every name is found, every type agrees, or what does not is told.

mod calls;
mod names;
pub(crate) mod ty;

use pemba_model::{Diagnostic, Span};
use smol_str::SmolStr;

use crate::ast::{Binary, Expr, Fold, Kind};
use crate::budget::Budget;
use crate::eval::{Evaluation, Slots};
use crate::node::{FoldNode, Node};
use crate::parser::FINDINGS_MAX;
use crate::types::Type;
use crate::value::Value;
use ty::{Substitution, Ty};

/// Checks a parsed expression; gives its node and the parameters it uses, one bit each.
pub(crate) fn check(
    parsed: &Expr,
    parameters: &[(SmolStr, Type)],
    findings: &mut Vec<Diagnostic>,
) -> (Node, u32) {
    let mut checker = Checker {
        parameters,
        locals: Vec::new(),
        substitution: Substitution::default(),
        findings,
        referenced: 0,
    };
    let (ty, node) = checker.check(parsed);
    let ty = checker.resolved(&ty, parsed.span);
    if !matches!(ty, Ty::Bool | Ty::Fault) {
        let message = format!("the expression must be a bool, and is of type `{ty}`");
        checker.error("caveat-result-type", parsed.span, message);
    }
    (node, checker.referenced)
}

struct Checker<'a> {
    parameters: &'a [(SmolStr, Type)],
    /// Variables of the macros around, outermost first.
    locals: Vec<(SmolStr, Ty)>,
    substitution: Substitution,
    findings: &'a mut Vec<Diagnostic>,
    referenced: u32,
}

/// Most steps for computing a part ahead of every evaluation.
const AHEAD_STEPS_MAX: u64 = 100_000;
/// Most memory for the same, in bytes.
const AHEAD_MAX_BYTES: u64 = 1 << 20;

/// The node itself, or its value when it is made of constants alone. What goes wrong stays for the evaluation, which
/// may not come to it.
fn computed(node: Node) -> Node {
    let constant = |node: &Node| matches!(node, Node::Constant(_));
    let ahead = match &node {
        Node::List(elements) => elements.iter().all(|(element, _)| constant(element)),
        Node::Map(entries) => entries.iter().all(|(key, value, _)| constant(key) && constant(value)),
        Node::Call(_, arguments) => arguments.iter().all(constant),
        _ => false,
    };
    if !ahead {
        return node;
    }
    let budget = Budget::new(AHEAD_STEPS_MAX, AHEAD_MAX_BYTES);
    let slots = Slots::new();
    let mut evaluation = Evaluation { slots: &slots, locals: Vec::new(), budget };
    evaluation.run(&node).map_or(node, Node::Constant)
}

/// The node of a part that was reported; it is never evaluated.
fn nothing() -> Node {
    Node::Constant(Value::Null)
}

impl Checker<'_> {
    fn error(&mut self, code: &'static str, span: Span, message: impl Into<String>) {
        self.report(Diagnostic::error(code, span, message));
    }

    fn report(&mut self, finding: Diagnostic) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        }
    }

    /// The type with what is known put in; one that is too large is a finding.
    fn resolved(&mut self, ty: &Ty, span: Span) -> Ty {
        self.substitution.resolve(ty).unwrap_or_else(|| {
            self.error("caveat-type-too-large", span, "the type of this part is too large to be followed");
            Ty::Fault
        })
    }

    fn check(&mut self, expr: &Expr) -> (Ty, Node) {
        let (ty, node) = self.check_kind(expr);
        (self.resolved(&ty, expr.span), computed(node))
    }

    fn check_kind(&mut self, expr: &Expr) -> (Ty, Node) {
        match &expr.kind {
            Kind::Fault => (Ty::Fault, nothing()),
            Kind::Literal(value) => (literal_type(value), Node::Constant(value.clone())),
            Kind::Name { name, rooted } => self.name(name, *rooted, expr.span),
            Kind::Select { operand, field, optional } => self.select(expr, operand, field, *optional),
            Kind::Has { operand, field } => {
                let (ty, operand_node) = self.check(operand);
                if self.field_type(&ty, operand.span).is_none() {
                    return (Ty::Fault, nothing());
                }
                (Ty::Bool, Node::Has { operand: Box::new(operand_node), field: field.clone() })
            }
            Kind::Index { operand, index, optional } => self.index(operand, index, *optional, expr.span),
            Kind::Call { function, target, arguments } => {
                self.call(function, target.as_deref(), arguments, expr.span)
            }
            Kind::List(elements) => self.list(elements),
            Kind::Map(entries) => self.map(entries),
            Kind::Not(operand) => {
                let node = self.expect_bool(operand);
                (Ty::Bool, Node::Not(Box::new(node)))
            }
            Kind::Negate(operand) => {
                let (ty, node) = self.check(operand);
                let signatures = [(vec![Ty::Int], Ty::Int), (vec![Ty::Double], Ty::Double)];
                let result = self.overload("-", &signatures, &[ty], false, expr.span);
                (result, Node::Negate(Box::new(node)))
            }
            Kind::Binary(operator, left, right) => self.binary(*operator, left, right, expr.span),
            Kind::And(operands) => {
                (Ty::Bool, Node::And(operands.iter().map(|operand| self.expect_bool(operand)).collect()))
            }
            Kind::Or(operands) => {
                (Ty::Bool, Node::Or(operands.iter().map(|operand| self.expect_bool(operand)).collect()))
            }
            Kind::Conditional(parts) => self.conditional(parts, expr.span),
            Kind::Fold { fold, range, variable, filter, body } => {
                self.fold(*fold, range, variable, filter.as_deref(), body)
            }
            Kind::OptionalMap { target, variable, body } => self.optional_map(target, variable, body),
        }
    }

    fn expect_bool(&mut self, expr: &Expr) -> Node {
        let (ty, node) = self.check(expr);
        if !self.substitution.attempt(|substitution| substitution.assignable(&ty, &Ty::Bool)) {
            self.error(
                "caveat-type",
                expr.span,
                format!("a bool is needed here, and this is of type `{ty}`"),
            );
        }
        node
    }

    fn conditional(&mut self, parts: &[Expr; 3], span: Span) -> (Ty, Node) {
        let [condition, yes, no] = parts;
        let condition = self.expect_bool(condition);
        let ((yes_ty, yes), (no_ty, no)) = (self.check(yes), self.check(no));
        let either = self.substitution.fresh();
        let agree = self.substitution.attempt(|substitution| {
            substitution.assignable(&yes_ty, &either) && substitution.assignable(&no_ty, &either)
        });
        if !agree {
            let message = format!("both outcomes must be of one type, and are `{yes_ty}` and `{no_ty}`");
            self.error("caveat-type", span, message);
            return (Ty::Fault, nothing());
        }
        (either, Node::Conditional(Box::new([condition, yes, no])))
    }

    fn list(&mut self, elements: &[(Expr, bool)]) -> (Ty, Node) {
        let mut ty = None;
        let mut nodes = Vec::with_capacity(elements.len());
        for (element, optional) in elements {
            let (found, node) = self.check(element);
            let found = if *optional { self.unwrapped(found, element.span) } else { found };
            ty = Some(self.substitution.join(ty, found));
            nodes.push((node, *optional));
        }
        let element = ty.unwrap_or_else(|| self.substitution.fresh());
        (Ty::List(Box::new(element)), Node::List(nodes))
    }

    fn map(&mut self, entries: &[(Expr, Expr, bool)]) -> (Ty, Node) {
        let (mut key_ty, mut value_ty) = (None, None);
        let mut nodes = Vec::with_capacity(entries.len());
        for (key, value, optional) in entries {
            let (found_key, key_node) = self.check(key);
            let (found, value_node) = self.check(value);
            let found = if *optional { self.unwrapped(found, value.span) } else { found };
            key_ty = Some(self.substitution.join(key_ty, found_key));
            value_ty = Some(self.substitution.join(value_ty, found));
            nodes.push((key_node, value_node, *optional));
        }
        let key = key_ty.unwrap_or_else(|| self.substitution.fresh());
        let value = value_ty.unwrap_or_else(|| self.substitution.fresh());
        (Ty::Map(Box::new(key), Box::new(value)), Node::Map(nodes))
    }

    /// What an optional of this type holds; another type is a finding.
    fn unwrapped(&mut self, ty: Ty, span: Span) -> Ty {
        match ty {
            Ty::Optional(inner) => *inner,
            Ty::Dyn | Ty::Fault => ty,
            other => {
                self.error(
                    "caveat-type",
                    span,
                    format!("an optional is needed after `?`, and this is `{other}`"),
                );
                Ty::Fault
            }
        }
    }

    /// What a macro over a value of this type runs over.
    fn element(&mut self, range: &Expr, ty: Ty) -> Ty {
        match ty {
            Ty::List(element) => *element,
            Ty::Map(key, _) => *key,
            Ty::Dyn | Ty::Fault | Ty::Variable(_) => Ty::Dyn,
            other => {
                let message = format!("only lists and maps have elements, and this is of type `{other}`");
                self.error("caveat-type", range.span, message);
                Ty::Fault
            }
        }
    }

    fn fold(
        &mut self,
        fold: Fold,
        range: &Expr,
        variable: &SmolStr,
        filter: Option<&Expr>,
        body: &Expr,
    ) -> (Ty, Node) {
        let (range_ty, range_node) = self.check(range);
        let element = self.element(range, range_ty);
        self.locals.push((variable.clone(), element.clone()));
        let filter = filter.map(|filter| self.expect_bool(filter));
        let (ty, body) = if fold == Fold::Map {
            let (ty, node) = self.check(body);
            (Ty::List(Box::new(ty)), node)
        } else {
            let node = self.expect_bool(body);
            (if fold == Fold::Filter { Ty::List(Box::new(element)) } else { Ty::Bool }, node)
        };
        self.locals.pop();
        (ty, Node::Fold(Box::new(FoldNode { fold, range: range_node, filter, body })))
    }

    fn optional_map(&mut self, target: &Expr, variable: &SmolStr, body: &Expr) -> (Ty, Node) {
        let (ty, target_node) = self.check(target);
        let inner = match ty {
            Ty::Optional(inner) => *inner,
            Ty::Dyn | Ty::Fault => Ty::Dyn,
            other => {
                let message = format!("`optMap` needs an optional, and this is of type `{other}`");
                self.error("caveat-type", target.span, message);
                Ty::Fault
            }
        };
        self.locals.push((variable.clone(), inner));
        let (ty, body) = self.check(body);
        self.locals.pop();
        let node = Node::OptionalMap { target: Box::new(target_node), body: Box::new(body) };
        (Ty::Optional(Box::new(ty)), node)
    }

    fn binary(&mut self, operator: Binary, left: &Expr, right: &Expr, span: Span) -> (Ty, Node) {
        let ((left_ty, left), (right_ty, right)) = (self.check(left), self.check(right));
        let result = self.operator(operator, left_ty, right_ty, span);
        (result, Node::Binary(operator, Box::new([left, right])))
    }
}

fn literal_type(value: &Value) -> Ty {
    match value {
        Value::Null => Ty::Null,
        Value::Bool(_) => Ty::Bool,
        Value::Int(_) => Ty::Int,
        Value::Uint(_) => Ty::Uint,
        Value::Double(_) => Ty::Double,
        Value::String(_) => Ty::String,
        Value::Bytes(_) => Ty::Bytes,
        _ => Ty::Dyn,
    }
}
