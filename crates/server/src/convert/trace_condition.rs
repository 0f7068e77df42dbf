//! What a node of a trace depends on: one expression with the values it ran with.

use std::borrow::Cow;
use std::collections::BTreeMap;

use pemba_engine::{CheckAnswer, Condition, Permissionship, QueryError, TracedCaveat};
use pemba_model::Context;
use pemba_proto::authzed::api::v1::CaveatEvalInfo;
use pemba_proto::authzed::api::v1::caveat_eval_info::Result as Evaluated;
use pemba_schema::Schema;
use prost::Message as _;
use prost_types::{Struct, Value};
use serde_json::Value as Json;

use super::{context, partial_caveat_info};

/// The part of the room for all conditions that one may take: those nearer to the leaves shall have some left.
const SHARES: usize = 16;
/// Deepest nesting of a condition that is shown, in operators.
const DEPTH_MAX: usize = 256;
/// Messages around a value: the evaluation, its struct, the entry of the struct.
const VALUE_LEVELS: usize = 3;
/// What is shown for what is not.
const NOT_SHOWN: &str = "...";

/// Shows the conditions of a trace while there is room.
pub(super) struct Conditions<'a> {
    /// The schema that has the caveats.
    pub(super) schema: &'a Schema,
    /// The values of the request.
    pub(super) request: Option<&'a Context>,
    /// Bytes of expressions and values that may still be shown.
    pub(super) left: &'a mut usize,
}

/// A condition taken apart.
#[derive(Default)]
struct Pieces<'c> {
    pieces: Vec<Piece>,
    /// The caveats in the order of the text.
    caveats: Vec<&'c TracedCaveat>,
}

enum Piece {
    Text(&'static str),
    /// The place of a caveat.
    Caveat(usize),
}

/// There is no room.
struct Full;

impl Conditions<'_> {
    /// How the condition of a node came out, for one that has any; in messages nested at most `levels` deep.
    pub(super) fn evaluation(
        &mut self,
        condition: &Condition,
        answer: &Result<CheckAnswer, QueryError>,
        levels: usize,
    ) -> Option<CaveatEvalInfo> {
        let (result, partial) = match answer {
            Ok(answer) => match answer.permissionship {
                Permissionship::No => (Evaluated::False, None),
                Permissionship::Yes => (Evaluated::True, None),
                Permissionship::Conditional => {
                    (Evaluated::MissingSomeContext, partial_caveat_info(&answer.missing))
                }
            },
            Err(_) => (Evaluated::Unevaluated, None),
        };
        let caveat_name = match condition {
            Condition::Never | Condition::Always => return None,
            Condition::Open if matches!(result, Evaluated::True | Evaluated::False) => return None,
            Condition::Caveat(caveat) => caveat.name.to_string(),
            Condition::Any(_) | Condition::All(_) | Condition::Not(_) | Condition::Open => String::new(),
        };
        let mut room = *self.left / SHARES;
        let before = room;
        let shown = self.show(condition, levels, &mut room);
        *self.left = self.left.saturating_sub(before - room);
        let (expression, context) = shown.unwrap_or_else(|Full| (NOT_SHOWN.to_owned(), Struct::default()));
        Some(CaveatEvalInfo {
            expression,
            result: result.into(),
            context: Some(context),
            partial_caveat_info: partial,
            caveat_name,
        })
    }

    fn show(&self, condition: &Condition, levels: usize, room: &mut usize) -> Result<(String, Struct), Full> {
        let mut pieces = Pieces::default();
        self.take_apart(condition, 0, &mut pieces, room)?;
        let values = self.values(&pieces.caveats, levels, room)?;
        let names = names(&values);
        let mut fields = BTreeMap::new();
        for (values, names) in values.into_iter().zip(&names) {
            for (name, value) in values {
                let shown = names.get(name).cloned().unwrap_or_else(|| name.to_owned());
                fields.insert(shown, value);
            }
        }
        let mut text = String::new();
        for piece in &pieces.pieces {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Caveat(place) => {
                    let expression = pieces.caveats.get(*place).map_or(NOT_SHOWN, |one| self.expression(one));
                    match names.get(*place) {
                        Some(names) => text.push_str(&renamed(expression, names)),
                        None => text.push_str(expression),
                    }
                }
            }
        }
        Ok((text, Struct { fields: fields.into_iter().collect() }))
    }

    /// Takes what is taken apart out of the room. A condition may share parts, and be far larger written out than it is.
    fn take_apart<'c>(
        &self,
        condition: &'c Condition,
        depth: usize,
        into: &mut Pieces<'c>,
        room: &mut usize,
    ) -> Result<(), Full> {
        if depth > DEPTH_MAX {
            return Err(Full);
        }
        match condition {
            Condition::Never => into.text("false", room),
            Condition::Always => into.text("true", room),
            Condition::Open => into.text(NOT_SHOWN, room),
            Condition::Caveat(caveat) => {
                take(room, self.expression(caveat).len())?;
                into.pieces.push(Piece::Caveat(into.caveats.len()));
                into.caveats.push(caveat);
                Ok(())
            }
            Condition::Any(parts) => self.join(parts.iter().map(AsRef::as_ref), ") || (", depth, into, room),
            Condition::All(parts) => self.join(parts.iter().map(AsRef::as_ref), ") && (", depth, into, room),
            Condition::Not(part) => {
                into.text("!(", room)?;
                self.take_apart(part, depth + 1, into, room)?;
                into.text(")", room)
            }
        }
    }

    /// Two parts at a time, as clients know it: `((a) || (b)) || (c)`.
    fn join<'c>(
        &self,
        parts: impl ExactSizeIterator<Item = &'c Condition>,
        between: &'static str,
        depth: usize,
        into: &mut Pieces<'c>,
        room: &mut usize,
    ) -> Result<(), Full> {
        for _ in 1..parts.len() {
            into.text("(", room)?;
        }
        for (index, part) in parts.enumerate() {
            if index > 0 {
                into.text(between, room)?;
            }
            self.take_apart(part, depth + 1, into, room)?;
            if index > 0 {
                into.text(")", room)?;
            }
        }
        Ok(())
    }

    fn expression(&self, caveat: &TracedCaveat) -> &str {
        self.schema.caveats.get(&caveat.name).map_or(NOT_SHOWN, |declared| declared.program.canonical())
    }

    /// The values that each caveat ran with: those of its parameters that are bound, and else those given.
    fn values<'v>(
        &'v self,
        caveats: &[&'v TracedCaveat],
        levels: usize,
        room: &mut usize,
    ) -> Result<Vec<BTreeMap<&'v str, Value>>, Full> {
        let mut all = Vec::with_capacity(caveats.len());
        for caveat in caveats {
            let mut values = BTreeMap::new();
            let declared = self.schema.caveats.get(&caveat.name);
            for parameter in declared.iter().flat_map(|declared| &declared.parameters) {
                let name = parameter.name.as_str();
                let given = || self.request.and_then(|request| request.get(name));
                if let Some(value) = caveat.bound.get(name).or_else(given) {
                    if VALUE_LEVELS + nested(value) > levels {
                        return Err(Full);
                    }
                    let value = context::value_to_wire(value);
                    take(room, name.len() + value.encoded_len())?;
                    values.insert(name, value);
                }
            }
            all.push(values);
        }
        Ok(all)
    }
}

impl Pieces<'_> {
    fn text(&mut self, text: &'static str, room: &mut usize) -> Result<(), Full> {
        take(room, text.len())?;
        self.pieces.push(Piece::Text(text));
        Ok(())
    }
}

/// How deep the messages of a value nest, itself included.
fn nested(value: &Json) -> usize {
    match value {
        Json::Array(values) => 2 + values.iter().map(nested).max().unwrap_or(0),
        Json::Object(fields) => 3 + fields.values().map(nested).max().unwrap_or(0),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => 1,
    }
}

fn take(room: &mut usize, size: usize) -> Result<(), Full> {
    // One byte more, so that empty texts are not free.
    match room.checked_sub(size + 1) {
        Some(left) => {
            *room = left;
            Ok(())
        }
        None => {
            *room = 0;
            Err(Full)
        }
    }
}

/// The names under which the values of each caveat are shown where they cannot keep their own: a parameter that has
/// different values gets a number for each, `day__0`, `day__1`.
fn names(values: &[BTreeMap<&str, Value>]) -> Vec<BTreeMap<String, String>> {
    let mut seen: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for (name, value) in values.iter().flatten() {
        let known = seen.entry(name).or_default();
        if !known.contains(&value) {
            known.push(value);
        }
    }
    let number = |name: &str, value: &Value| {
        let known = seen.get(name).filter(|known| known.len() > 1)?;
        known.iter().position(|one| *one == value)
    };
    values
        .iter()
        .map(|values| {
            let numbered = values.iter().filter_map(|(name, value)| {
                Some(((*name).to_owned(), format!("{name}__{}", number(name, value)?)))
            });
            numbered.collect()
        })
        .collect()
}

/// An expression with other names for some variables. Texts, fields after a dot and calls stay.
fn renamed<'e>(expression: &'e str, names: &BTreeMap<String, String>) -> Cow<'e, str> {
    if names.is_empty() {
        return Cow::Borrowed(expression);
    }
    let is_word = |character: char| character == '_' || character.is_ascii_alphanumeric();
    let mut out = String::with_capacity(expression.len());
    let mut rest = expression;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        let length = if first == '"' || first == '\'' {
            text_length(rest, first)
        } else if is_word(first) {
            rest.find(|character| !is_word(character)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (token, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        match names.get(token) {
            Some(name) if before != '.' && !after.starts_with('(') => out.push_str(name),
            _ => out.push_str(token),
        }
        before = token.chars().next_back().filter(|last| !last.is_whitespace()).unwrap_or(before);
        rest = after;
    }
    Cow::Owned(out)
}

/// The length in bytes of the quoted text at the start.
fn text_length(rest: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            _ if character == quote => return at + quote.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pemba_engine::CaveatOutcome;

    use super::*;

    fn schema() -> Schema {
        let text = "caveat above(level int, least int) { level > least }\n\
            caveat weekday(day string) { day == \"day\" }\ndefinition user {}";
        pemba_schema::compile(text).unwrap().schema
    }

    fn caveat(name: &str, bound: &str) -> Arc<Condition> {
        let bound = serde_json::from_str(bound).unwrap();
        Arc::new(Condition::Caveat(Arc::new(TracedCaveat {
            name: name.into(),
            bound,
            outcome: Ok(CaveatOutcome::True),
        })))
    }

    fn show(condition: &Condition, request: &str, left: usize) -> CaveatEvalInfo {
        let (schema, request) = (schema(), serde_json::from_str(request).unwrap());
        let mut left = left;
        let mut conditions = Conditions { schema: &schema, request: Some(&request), left: &mut left };
        let answer = CheckAnswer { permissionship: Permissionship::Yes, ..CheckAnswer::default() };
        conditions.evaluation(condition, &Ok(answer), 20).unwrap()
    }

    fn json(info: &CaveatEvalInfo) -> serde_json::Value {
        context::from_wire(info.context.as_ref().unwrap()).unwrap().into()
    }

    #[test]
    fn conditions_are_joined_two_at_a_time_with_the_values_that_count() {
        let above = caveat("above", r#"{"least":3}"#);
        let not = Arc::new(Condition::Not(caveat("weekday", "{}")));
        let all = Condition::All(vec![above.clone(), not, above.clone()]);
        let info = show(&all, r#"{"least":9,"level":5,"day":"tue","other":1}"#, 100_000);
        assert_eq!(info.expression, "((level > least) && (!(day == \"day\"))) && (level > least)");
        assert_eq!(json(&info), serde_json::json!({"least": 3, "level": 5, "day": "tue"}));
        assert_eq!((info.caveat_name.as_str(), info.result), ("", Evaluated::True.into()));
        assert_eq!(show(&above, "{}", 100_000).caveat_name, "above");
    }

    #[test]
    fn a_parameter_with_several_values_is_numbered() {
        let days = vec![caveat("weekday", r#"{"day":"a"}"#), caveat("weekday", r#"{"day":"b"}"#)];
        let info = show(&Condition::Any(days), "{}", 100_000);
        assert_eq!(info.expression, "(day__0 == \"day\") || (day__1 == \"day\")");
        assert_eq!(json(&info), serde_json::json!({"day__0": "a", "day__1": "b"}));
        let names = BTreeMap::from([("day".to_owned(), "new".to_owned())]);
        let text = r#"day.day == day("day\"day") || dayday < [day] || '"' + day != x. day"#;
        let expected = r#"new.day == day("day\"day") || dayday < [new] || '"' + new != x. day"#;
        assert_eq!(renamed(text, &names), expected);
    }

    #[test]
    fn a_condition_that_is_too_large_written_out_says_that_it_is_not_shown() {
        let mut condition = caveat("weekday", "{}");
        for _ in 0..100 {
            condition = Arc::new(Condition::Any(vec![condition.clone(), condition]));
        }
        let info = show(&condition, "{}", 1 << 20);
        assert_eq!((info.expression.as_str(), info.context.unwrap().fields.len()), (NOT_SHOWN, 0));
        assert_eq!(show(&caveat("weekday", r#"{"day":"a long value"}"#), "{}", 100).expression, NOT_SHOWN);
        let expression = |depth| {
            let value = format!("{{\"day\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
            show(&caveat("weekday", &value), "{}", 100_000).expression
        };
        assert_eq!((expression(8).as_str(), expression(9).as_str()), ("day == \"day\"", NOT_SHOWN));
    }
}
