//! What holds for every text and every schema.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    missing_docs,
    reason = "tests"
)]

use pemba_schema::check::check;
use pemba_schema::parser::parse;
use pemba_schema::plan::Plans;
use pemba_schema::{Caveat, Compiled, Expression, Schema, codes, compile, format, print};
use proptest::prelude::*;

/// Decisions drawn from bytes, so that shrinking the bytes shrinks the schema.
struct Choices<'a> {
    bytes: std::slice::Iter<'a, u8>,
    /// Whether comments and odd blanks are put between tokens.
    noisy: bool,
}

const TYPES: [&str; 4] = ["user", "group", "team/folder", "doc"];
const RELATIONS: [&str; 4] = ["member", "parent", "viewer", "self"];
const PERMISSIONS: [&str; 4] = ["view", "edit", "share", "manage"];

impl Choices<'_> {
    /// A number below `bound`; 0 when the bytes have run out.
    fn below(&mut self, bound: usize) -> usize {
        self.bytes.next().map_or(0, |byte| usize::from(*byte) % bound)
    }

    fn one<'s>(&mut self, list: &[&'s str]) -> &'s str {
        list[self.below(list.len())]
    }

    /// Blanks between two tokens of one statement; a line end only where none ends the statement.
    fn gap(&mut self, line_end_allowed: bool) -> &'static str {
        if !self.noisy {
            return " ";
        }
        let within = ["", " ", "  ", "\t", " /* a */ ", "/* b\n  * c\n*/", " /* d\n\te */ "];
        let breaking = ["\n", " // f\n", "\n\n\n// g\n", "\r\n", " /* h */\n"];
        match self.below(8) {
            5 if line_end_allowed => self.one(&breaking),
            6 | 7 => self.one(&within),
            _ => " ",
        }
    }

    /// What ends a statement.
    fn end(&mut self) -> &'static str {
        if !self.noisy {
            return "\n";
        }
        self.one(&[
            "\n",
            "\n",
            "\n\n",
            ";",
            " // i\n",
            "; // j\n",
            "\n// k\n",
            "\n/* l\n\t\tm */\n",
            " /* n */\n",
            ";;\n",
        ])
    }

    fn expression(&mut self, depth: usize, names: &[&str]) -> String {
        let gap = self.gap(false);
        match self.below(if depth == 0 { 5 } else { 9 }) {
            0 | 1 => self.one(names).to_owned(),
            2 => "nil".to_owned(),
            3 => format!("parent{gap}->{}{}", self.gap(true), self.one(&PERMISSIONS)),
            4 => format!("parent{gap}.{}({})", self.one(&["any", "all"]), self.one(&PERMISSIONS)),
            choice @ 5..=7 => {
                let sign = ["+", "&", "-"][choice - 5];
                let left = self.expression(depth - 1, names);
                let right = self.expression(depth - 1, names);
                format!("{left}{gap} {sign}{}{right}", self.gap(true))
            }
            _ => format!("({}{})", self.gap(true), self.expression(depth - 1, names)),
        }
    }

    fn relation(&mut self, name: &str) -> String {
        let mut allowed = Vec::new();
        for subject_type in TYPES {
            let with = self.one(&["", "", "", " with odd", " with expiration", " with odd and expiration"]);
            let gap = self.gap(false);
            match self.below(5) {
                1 if name != "parent" => allowed.push(format!("{subject_type}{gap}:*{with}")),
                2 => allowed.push(format!("{subject_type}#view{gap}{with}")),
                3 => allowed.push(format!("{subject_type}{gap}{with}")),
                4 => {
                    allowed.push(format!("{subject_type}#...{with}"));
                    allowed.push(format!("{subject_type}#edit{with}"));
                }
                _ => {}
            }
        }
        if allowed.is_empty() {
            allowed.push("user".to_owned());
        }
        let separator = format!("{}|{}", self.gap(false), self.gap(true));
        format!("relation{}{name}{}:{}{}", " ", self.gap(false), self.gap(true), allowed.join(&separator))
    }

    fn definition(&mut self, name: &str) -> String {
        let mut text = format!("definition {name}{} {{{}", self.gap(false), self.gap(true));
        for relation in RELATIONS {
            text.push_str(&self.relation(relation));
            text.push_str(self.end());
        }
        // A permission refers to those before it only: no cycles.
        let mut names: Vec<&str> = RELATIONS.to_vec();
        for permission in PERMISSIONS {
            let types = self.one(&["", "", ": user | group", ":\n doc"]);
            let expression = self.expression(4, &names);
            text.push_str(&format!(
                "permission {permission}{types} ={}{expression}{}",
                self.gap(true),
                self.end()
            ));
            names.push(permission);
        }
        text.push('}');
        text
    }

    fn schema(&mut self) -> String {
        let mut text = String::from("use expiration\n");
        let body =
            self.one(&["n == 1", "\n    n == 1 &&\n      m == '}' // p\n", "{'a': n}[\"\\\"\"] > 1 // {\n"]);
        text.push_str(&format!(
            "{}caveat odd(n{} any,\n m string) {{ m == m && {body}}}{}",
            self.gap(true),
            " ",
            self.end()
        ));
        for name in TYPES {
            text.push_str(&self.definition(name));
            text.push_str(self.end());
        }
        text
    }
}

fn text_of(bytes: &[u8], noisy: bool) -> String {
    Choices { bytes: bytes.iter(), noisy }.schema()
}

fn compiled(text: &str) -> Compiled {
    compile(text).unwrap_or_else(|rejected| panic!("{}\n{text}", rejected.message(text)))
}

/// The schema without what formatting may change: blanks at the start of a condition's lines.
fn without_indentation(mut schema: Schema) -> Schema {
    schema.caveats.values_mut().for_each(canonical);
    schema
}

/// The caveat without its comments, with its parameters by name and its condition in canonical form.
fn canonical(caveat: &mut Caveat) {
    let mut parameters = caveat.parameters.clone();
    parameters.sort_by(|left, right| left.name.cmp(&right.name));
    let expression = caveat.program.canonical().to_owned();
    let doc = caveat.doc.take();
    *caveat = Caveat { doc, ..Caveat::new(caveat.name.clone(), parameters, expression).unwrap() };
}

/// The schema without what printing may change: flags, and how comments are laid out.
fn without_layout(mut schema: Schema) -> Schema {
    schema.flags.clear();
    let words = |doc: &mut Option<String>| {
        if let Some(doc) = doc {
            let kept = |c: char| !c.is_whitespace() && c != '*';
            *doc = doc.chars().filter(|c| kept(*c)).collect();
        }
    };
    for definition in schema.definitions.values_mut() {
        words(&mut definition.doc);
        definition.relations.values_mut().for_each(|relation| words(&mut relation.doc));
        definition.permissions.values_mut().for_each(|permission| words(&mut permission.doc));
    }
    schema.caveats.values_mut().for_each(|caveat| {
        words(&mut caveat.doc);
        canonical(caveat);
    });
    schema
}

/// Comments of a text in order, blanks left out.
fn comments(text: &str) -> Vec<String> {
    let lexed = pemba_schema::lexer::lex(text);
    let comments = lexed.tokens.iter().filter(|token| token.kind.is_comment());
    comments.map(|token| token.span().text(text).split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// Tokens of a text in order, but for comments and what ends statements.
fn tokens(text: &str) -> Vec<String> {
    use pemba_schema::lexer::TokenKind;
    let lexed = pemba_schema::lexer::lex(text);
    let ends = [TokenKind::LineEnd, TokenKind::Semicolon, TokenKind::End];
    let kept = lexed.tokens.iter().filter(|token| !token.kind.is_comment() && !ends.contains(&token.kind));
    kept.map(|token| token.span().text(text).to_owned()).collect()
}

fn is_flat(expression: &Expression) -> bool {
    match expression {
        Expression::Union(operands) => {
            operands.len() > 1 && operands.iter().all(|o| !matches!(o, Expression::Union(_)) && is_flat(o))
        }
        Expression::Intersection(operands) => {
            operands.len() > 1
                && operands.iter().all(|o| !matches!(o, Expression::Intersection(_)) && is_flat(o))
        }
        Expression::Exclusion(left, right) => is_flat(left) && is_flat(right),
        _ => true,
    }
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..400)
}

/// All that must hold for a text that may be anything.
fn survives(text: &str) {
    let parsed = parse(text);
    check(&parsed.tree, text);
    match compile(text) {
        Ok(compiled) => {
            Plans::compile(&compiled.schema);
            assert_eq!(compile(&compiled.text).unwrap().text, compiled.text);
        }
        Err(rejected) => {
            assert!(!rejected.diagnostics.is_empty(), "refused for a reason");
            for found in &rejected.diagnostics {
                assert!(found.span.start <= found.span.end && found.span.end <= text.len(), "{found:?}");
                let known = codes::PARSE.contains(&found.code)
                    || codes::TYPE.contains(&found.code)
                    || codes::LEFT_OUT.contains(&found.code);
                assert!(known, "{found:?}");
            }
        }
    }
    if let Ok(formatted) = format(text) {
        assert_eq!(format(&formatted).unwrap(), formatted, "\n{text}");
        assert_eq!(tokens(&formatted), tokens(text));
        assert_eq!(comments(&formatted), comments(text));
    }
}

/// 400 cases each, or as many as `PROPTEST_CASES` says.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(400);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn printing_and_compiling_again_is_the_identity(bytes in bytes()) {
        let text = text_of(&bytes, true);
        let schema = compiled(&text).schema;
        let printed = print(&schema);
        let again = compiled(&printed).schema;
        prop_assert_eq!(print(&again), printed);
        prop_assert_eq!(without_layout(again), without_layout(schema.clone()));
        let canonical = compiled(&text).text;
        prop_assert_eq!(&compiled(&canonical).text, &canonical);
        prop_assert_eq!(without_layout(compiled(&canonical).schema), without_layout(schema.clone()));
        for definition in schema.definitions.values() {
            prop_assert!(definition.permissions.values().all(|permission| is_flat(&permission.expression)));
        }
    }

    #[test]
    fn formatting_keeps_meaning_comments_and_itself(bytes in bytes(), noisy: bool) {
        let text = text_of(&bytes, noisy);
        let formatted = format(&text).unwrap();
        prop_assert_eq!(&format(&formatted).unwrap(), &formatted);
        prop_assert_eq!(comments(&formatted), comments(&text));
        prop_assert_eq!(tokens(&formatted), tokens(&text));
        let (before, after) = (compiled(&text).schema, compiled(&formatted).schema);
        prop_assert_eq!(without_indentation(after), without_indentation(before), "\n{}\n{}", text, formatted);
    }

    #[test]
    fn arbitrary_text_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        survives(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn words_in_any_order_are_survived(words in prop::collection::vec(0_usize..40, 0..80)) {
        const WORDS: [&str; 40] = [
            "definition", "caveat", "relation", "permission", "partial", "use", "import", "with", "and", "expiration",
            "nil", "self", "any", "all", "user", "view", "{", "}", "(", ")", "<", ">", ":", ";", "=", "|", "+", "&", "-", "->",
            ".", "...", ",", "#", "*", "/", "\n", "// c\n", "/* d */", "\"e",
        ];
        let text: Vec<&str> = words.iter().map(|word| WORDS[*word]).collect();
        survives(&text.join(" "));
    }

    #[test]
    fn damaged_schemas_are_survived(
        bytes in bytes(),
        cut in any::<prop::sample::Index>(),
        length in 0_usize..12,
        insert in "[a-z{}()|+&>:;\n/*\"'#. -]{0,4}",
    ) {
        let text = text_of(&bytes, true);
        let start = cut.index(text.len());
        let end = (start + length).min(text.len());
        survives(&format!("{}{insert}{}", &text[..start], &text[end..]));
    }
}
