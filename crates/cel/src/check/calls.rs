//! Calls and operators: which of the ways to call something fits the arguments.

use pemba_model::{Diagnostic, Span, suggest};
use smol_str::SmolStr;

use super::ty::Ty;
use super::{Checker, nothing};
use crate::ast::{Binary, Expr, Kind};
use crate::function::{self, Function, NAMES, Signature};
use crate::node::Node;
use crate::pattern;
use crate::value::Value;

impl Checker<'_> {
    /// The type that a call gives: that of the fitting ways to call it, or any if they differ.
    pub(super) fn overload(
        &mut self,
        name: &str,
        signatures: &[Signature],
        arguments: &[Ty],
        method: bool,
        span: Span,
    ) -> Ty {
        let mut result: Option<Ty> = None;
        for (parameters, gives) in signatures {
            let fits = parameters.len() == arguments.len()
                && self.substitution.attempt(|substitution| {
                    arguments
                        .iter()
                        .zip(parameters)
                        .all(|(argument, parameter)| substitution.assignable(argument, parameter))
                });
            if fits {
                let gives = self.resolved(gives, span);
                result = Some(match result {
                    None => gives,
                    Some(before) if before == gives => before,
                    Some(_) => Ty::Dyn,
                });
            }
        }
        result.unwrap_or_else(|| {
            self.no_overload(name, signatures, arguments, method, span);
            Ty::Fault
        })
    }

    fn no_overload(
        &mut self,
        name: &str,
        signatures: &[Signature],
        arguments: &[Ty],
        method: bool,
        span: Span,
    ) {
        if arguments.contains(&Ty::Fault) {
            return;
        }
        let shown: Vec<String> = arguments.iter().map(|argument| format!("`{argument}`")).collect();
        let message = match shown.as_slice() {
            [only] => format!("`{name}` cannot be applied to {only}"),
            [receiver, rest @ ..] if method && name != "[]" => {
                format!("`{name}` of {receiver} cannot be applied to {}", rest.join(", "))
            }
            all => format!("`{name}` cannot be applied to {}", all.join(" and ")),
        };
        let takes: Vec<String> = signatures
            .iter()
            .take(8)
            .map(|(parameters, _)| {
                let types: Vec<String> = parameters.iter().map(ToString::to_string).collect();
                format!("`{}`", types.join(", "))
            })
            .collect();
        let help = format!("it takes {}", takes.join(" or "));
        self.report(Diagnostic::error("caveat-no-overload", span, message).with_help(help));
    }

    pub(super) fn operator(&mut self, operator: Binary, left: Ty, right: Ty, span: Span) -> Ty {
        use Binary as B;
        use Ty::{Bool, Bytes, Double, Duration, Int, String, Timestamp, Uint};
        let same = |types: &[Ty], result: Option<&Ty>| -> Vec<Signature> {
            let gives = |ty: &Ty| result.cloned().unwrap_or_else(|| ty.clone());
            types.iter().map(|ty| (vec![ty.clone(), ty.clone()], gives(ty))).collect()
        };
        let (name, signatures) = match operator {
            B::Equal | B::NotEqual => {
                let any = self.substitution.fresh();
                (if operator == B::Equal { "==" } else { "!=" }, vec![(vec![any.clone(), any], Bool)])
            }
            B::Less | B::LessEqual | B::Greater | B::GreaterEqual => {
                let ordered = [Bool, Int, Uint, Double, String, Bytes, Timestamp, Duration];
                (order_mark(operator), same(&ordered, Some(&Bool)))
            }
            B::In => {
                let (element, value) = (self.substitution.fresh(), self.substitution.fresh());
                let list = Ty::List(Box::new(element.clone()));
                let map = Ty::Map(Box::new(element.clone()), Box::new(value));
                ("in", vec![(vec![element.clone(), list], Bool), (vec![element, map], Bool)])
            }
            B::Add => {
                let list = Ty::List(Box::new(self.substitution.fresh()));
                let mut all = same(&[Bytes, Double, Duration, Int, list, String, Uint], None);
                all.push((vec![Timestamp, Duration], Timestamp));
                all.push((vec![Duration, Timestamp], Timestamp));
                ("+", all)
            }
            B::Subtract => {
                let mut all = same(&[Double, Duration, Int, Uint], None);
                all.push((vec![Timestamp, Duration], Timestamp));
                all.push((vec![Timestamp, Timestamp], Duration));
                ("-", all)
            }
            B::Multiply => ("*", same(&[Double, Int, Uint], None)),
            B::Divide => ("/", same(&[Double, Int, Uint], None)),
            B::Modulo => ("%", same(&[Int, Uint], None)),
        };
        self.overload(name, &signatures, &[left, right], false, span)
    }

    pub(super) fn call(
        &mut self,
        name: &SmolStr,
        target: Option<&Expr>,
        arguments: &[Expr],
        span: Span,
    ) -> (Ty, Node) {
        let namespaced = target
            .is_some_and(|target| matches!(&target.kind, Kind::Name { name, .. } if name == "optional"));
        let (function, target) = match (target, namespaced.then(|| function::optional(name)).flatten()) {
            (Some(_), Some(function)) => (Some(function), None),
            (Some(target), None) => (function::method(name), Some(target)),
            (None, _) => (function::global(name), None),
        };
        let mut types = Vec::with_capacity(arguments.len() + 1);
        let mut nodes = Vec::with_capacity(arguments.len() + 1);
        for argument in target.into_iter().chain(arguments) {
            let (ty, node) = self.check(argument);
            types.push(ty);
            nodes.push(node);
        }
        let Some(function) = function else {
            self.unknown_function(name, target.is_some(), span);
            return (Ty::Fault, nothing());
        };
        let signatures = function::signatures(function, &mut self.substitution);
        let result = self.overload(name, &signatures, &types, target.is_some(), span);
        (result, Self::call_node(function, nodes))
    }

    /// The node of a call; a pattern that is known is compiled once.
    fn call_node(function: Function, mut nodes: Vec<Node>) -> Node {
        if function == Function::Matches
            && let Some(Node::Constant(Value::String(source))) = nodes.get(1)
        {
            // A bad one is a fault when it is evaluated, which another operand may make up for.
            if let Ok(regex) = pattern::compile(source, pattern::CONSTANT_SIZE_MAX_BYTES) {
                return Node::Matches(Box::new(nodes.swap_remove(0)), regex);
            }
        }
        Node::Call(function, nodes)
    }

    fn unknown_function(&mut self, name: &str, method: bool, span: Span) {
        let what = if method { "method" } else { "function" };
        let other = if method { function::global(name).is_some() } else { function::method(name).is_some() };
        let mut finding =
            Diagnostic::error("caveat-unknown-function", span, format!("there is no {what} `{name}`"));
        finding.help = if other {
            Some(if method { format!("write `{name}(...)`") } else { format!("write `value.{name}(...)`") })
        } else {
            suggest::nearest(name, NAMES).map(|near| format!("did you mean `{near}`?"))
        };
        self.report(finding);
    }
}

fn order_mark(operator: Binary) -> &'static str {
    match operator {
        Binary::Less => "<",
        Binary::LessEqual => "<=",
        Binary::Greater => ">",
        _ => ">=",
    }
}
