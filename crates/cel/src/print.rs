//! The canonical text of an expression: as tools of the field show it in traces. It parses to the same tree.

use std::fmt::Write as _;

use crate::ast::{Binary, Expr, Fold, Kind};
use crate::eval::print_double;
use crate::value::Value;

/// Column from which a line is broken behind `&&` and `||`.
const LINE_COLUMNS: usize = 80;

/// Prints an expression on one line, or on several of about 80 columns.
pub(crate) fn print(expr: &Expr) -> String {
    let mut printer = Printer { out: String::new(), line_start: 0 };
    printer.expr(expr);
    printer.out
}

struct Printer {
    out: String,
    line_start: usize,
}

/// How weakly a node holds its parts together; 0 for what needs no parentheses.
fn looseness(expr: &Expr) -> u8 {
    match &expr.kind {
        Kind::Conditional(_) => 8,
        Kind::Or(_) => 7,
        Kind::And(_) => 6,
        Kind::Binary(operator, ..) => operator_looseness(*operator),
        Kind::Not(_) | Kind::Negate(_) => 2,
        Kind::Index { .. } => 1,
        _ => 0,
    }
}

fn operator_looseness(operator: Binary) -> u8 {
    match operator {
        Binary::Add | Binary::Subtract => 4,
        Binary::Multiply | Binary::Divide | Binary::Modulo => 3,
        _ => 5,
    }
}

/// Whether parentheses are put around it beside `?`, `:`, `!` and `-`, needed or not.
fn is_complex(expr: &Expr) -> bool {
    match &expr.kind {
        Kind::Conditional(_) | Kind::Or(_) | Kind::And(_) | Kind::Binary(..) | Kind::Index { .. } => true,
        Kind::Select { optional, .. } => *optional,
        Kind::Call { arguments, .. } => arguments.len() >= 2,
        _ => false,
    }
}

fn mark(operator: Binary) -> &'static str {
    match operator {
        Binary::Equal => "==",
        Binary::NotEqual => "!=",
        Binary::Less => "<",
        Binary::LessEqual => "<=",
        Binary::Greater => ">",
        Binary::GreaterEqual => ">=",
        Binary::In => "in",
        Binary::Add => "+",
        Binary::Subtract => "-",
        Binary::Multiply => "*",
        Binary::Divide => "/",
        Binary::Modulo => "%",
    }
}

impl Printer {
    fn nested(&mut self, expr: &Expr, parentheses: bool) {
        if parentheses {
            self.out.push('(');
        }
        self.expr(expr);
        if parentheses {
            self.out.push(')');
        }
    }

    /// What stands before a dot or bracket.
    fn operand(&mut self, expr: &Expr) {
        self.nested(expr, looseness(expr) >= 2);
    }

    fn separated(&mut self, parts: &[Expr]) {
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                self.out.push_str(", ");
            }
            self.expr(part);
        }
    }

    fn chain(&mut self, operands: &[Expr], mark: &str, own: u8) {
        for (at, operand) in operands.iter().enumerate() {
            if at > 0 {
                // The field counts the four characters of the operator's internal name.
                if self.out.len() - self.line_start + 4 >= LINE_COLUMNS {
                    self.line_start = self.out.len();
                    let _ = writeln!(self.out, " {mark}");
                } else {
                    let _ = write!(self.out, " {mark} ");
                }
            }
            self.nested(operand, looseness(operand) > own);
        }
    }

    fn call(&mut self, target: Option<&Expr>, name: &str, arguments: &[Expr]) {
        if let Some(target) = target {
            self.operand(target);
            self.out.push('.');
        }
        self.out.push_str(name);
        self.out.push('(');
        self.separated(arguments);
        self.out.push(')');
    }

    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            Kind::Fault => {}
            Kind::Literal(value) => self.literal(value),
            Kind::Name { name, rooted } => {
                if *rooted {
                    self.out.push('.');
                }
                self.out.push_str(name);
            }
            Kind::Select { operand, field, optional } => {
                self.operand(operand);
                let _ = write!(self.out, "{}{field}", if *optional { ".?" } else { "." });
            }
            Kind::Has { operand, field } => {
                self.out.push_str("has(");
                self.operand(operand);
                let _ = write!(self.out, ".{field})");
            }
            Kind::Index { operand, index, optional } => {
                self.operand(operand);
                self.out.push_str(if *optional { "[?" } else { "[" });
                self.expr(index);
                self.out.push(']');
            }
            Kind::Call { function, target, arguments } => self.call(target.as_deref(), function, arguments),
            Kind::List(elements) => self.list(elements),
            Kind::Map(entries) => self.map(entries),
            Kind::Not(operand) => self.unary('!', operand),
            Kind::Negate(operand) => self.unary('-', operand),
            Kind::Binary(operator, left, right) => {
                let own = operator_looseness(*operator);
                self.nested(left, looseness(left) > own);
                let _ = write!(self.out, " {} ", mark(*operator));
                self.nested(right, looseness(right) >= own);
            }
            Kind::And(operands) => self.chain(operands, "&&", 6),
            Kind::Or(operands) => self.chain(operands, "||", 7),
            Kind::Conditional(parts) => {
                let [condition, yes, no] = parts.as_ref();
                self.nested(condition, is_complex(condition));
                self.out.push_str(" ? ");
                self.nested(yes, is_complex(yes));
                self.out.push_str(" : ");
                self.nested(no, is_complex(no));
            }
            Kind::Fold { fold, range, variable, filter, body } => {
                self.operand(range);
                let _ = write!(self.out, ".{}({variable}, ", fold_name(*fold));
                if let Some(filter) = filter {
                    self.expr(filter);
                    self.out.push_str(", ");
                }
                self.expr(body);
                self.out.push(')');
            }
            Kind::OptionalMap { target, variable, body } => {
                self.operand(target);
                let _ = write!(self.out, ".optMap({variable}, ");
                self.expr(body);
                self.out.push(')');
            }
        }
    }

    fn unary(&mut self, mark: char, operand: &Expr) {
        self.out.push(mark);
        // A number with a minus of its own, and a sign behind a sign, would be read as something else.
        let signed = matches!(
            &operand.kind,
            Kind::Literal(Value::Int(_) | Value::Double(_)) | Kind::Not(_) | Kind::Negate(_)
        );
        self.nested(operand, is_complex(operand) || signed);
    }

    fn list(&mut self, elements: &[(Expr, bool)]) {
        self.out.push('[');
        for (at, (element, optional)) in elements.iter().enumerate() {
            self.out.push_str(if at > 0 { ", " } else { "" });
            self.out.push_str(if *optional { "?" } else { "" });
            self.expr(element);
        }
        self.out.push(']');
    }

    fn map(&mut self, entries: &[(Expr, Expr, bool)]) {
        self.out.push('{');
        for (at, (key, value, optional)) in entries.iter().enumerate() {
            self.out.push_str(if at > 0 { ", " } else { "" });
            self.out.push_str(if *optional { "?" } else { "" });
            self.expr(key);
            self.out.push_str(": ");
            self.expr(value);
        }
        self.out.push('}');
    }

    fn literal(&mut self, value: &Value) {
        let out = &mut self.out;
        // Writing to a string cannot fail.
        let _ = match value {
            Value::Bool(flag) => write!(out, "{flag}"),
            Value::Int(number) => write!(out, "{number}"),
            Value::Uint(number) => write!(out, "{number}u"),
            Value::Double(number) => {
                let text = print_double(*number);
                let point = if text.contains(['.', 'e']) { "" } else { ".0" };
                write!(out, "{text}{point}")
            }
            Value::String(text) => {
                quote(out, text);
                Ok(())
            }
            Value::Bytes(bytes) => {
                out.push_str("b\"");
                for byte in bytes.iter() {
                    let _ = write!(out, "\\{byte:03o}");
                }
                write!(out, "\"")
            }
            _ => write!(out, "null"),
        };
    }
}

fn fold_name(fold: Fold) -> &'static str {
    match fold {
        Fold::All => "all",
        Fold::Exists => "exists",
        Fold::ExistsOne => "exists_one",
        Fold::Map => "map",
        Fold::Filter => "filter",
    }
}

fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        let _ = match c {
            '"' => write!(out, "\\\""),
            '\\' => write!(out, "\\\\"),
            '\n' => write!(out, "\\n"),
            '\r' => write!(out, "\\r"),
            '\t' => write!(out, "\\t"),
            '\u{7}' => write!(out, "\\a"),
            '\u{8}' => write!(out, "\\b"),
            '\u{b}' => write!(out, "\\v"),
            '\u{c}' => write!(out, "\\f"),
            c if c.is_ascii_control() => write!(out, "\\x{:02x}", u32::from(c)),
            c if c.is_control() => write!(out, "\\u{:04x}", u32::from(c)),
            c => write!(out, "{c}"),
        };
    }
    out.push('"');
}
