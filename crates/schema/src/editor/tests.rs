//! What an editor is told, place by place. A `|` marks the place in the texts below.

use pemba_model::Span;

use super::{CompletionKind, Document, RenameError, SymbolKind};

const SCHEMA: &str = "\
use expiration

/** people */
definition user {}

caveat in_office(network ipaddress, allowed string) {
	network.in_cidr(allowed) && \"network\" != \"\"
}

definition acme/group {
	relation member: user | acme/group#member
}

definition folder {
	relation owner: user
	// who may look
	permission view = owner
}

definition document {
	relation parent: folder | document
	relation writer: user | acme/group#member with in_office
	relation banned: user with expiration
	permission edit = writer - banned
	// whoever may see it
	permission view = edit + parent->view
}
";

fn document() -> Document {
    let document = Document::new(SCHEMA.to_owned());
    assert!(document.diagnostics().is_empty(), "{:?}", document.diagnostics());
    document
}

/// The offset within `needle`, `at` bytes from its start, of the `nth` time that it occurs.
fn place(needle: &str, nth: usize, at: usize) -> usize {
    SCHEMA.match_indices(needle).nth(nth).unwrap().0 + at
}

fn texts(document: &Document, spans: &[Span]) -> Vec<String> {
    let line = |span: &Span| document.text().split_at(span.start).0.matches('\n').count() + 1;
    spans.iter().map(|span| format!("{}:{}", line(span), span.text(document.text()))).collect()
}

fn completed(marked: &str) -> Vec<String> {
    let offset = marked.find("@@").unwrap();
    let text = marked.replacen("@@", "", 1);
    Document::new(text).completions(offset).items.into_iter().map(|item| item.label.to_string()).collect()
}

#[test]
fn names_lead_to_where_they_are_declared() {
    let document = document();
    let go = |needle, nth, at| texts(&document, &document.definitions(place(needle, nth, at)));
    assert_eq!(go("user |", 0, 1), ["4:user"]);
    assert_eq!(go("acme/group#member", 0, 12), ["11:member"], "a relation after `#`");
    assert_eq!(go("acme/group#member", 1, 3), ["10:acme/group"], "a type with a prefix");
    assert_eq!(go("with in_office", 0, 6), ["6:in_office"]);
    assert_eq!(go("writer - banned", 0, 9), ["23:banned"]);
    assert_eq!(go("parent->view", 0, 3), ["21:parent"]);
    assert_eq!(go("parent->view", 0, 9), ["26:view", "17:view"], "both types that have it");
    assert_eq!(go("network.in_cidr", 0, 2), ["6:network"], "a parameter in a condition");
    assert_eq!(go("in_cidr(", 0, 1), [""; 0], "a function");
    assert_eq!(go("\"network\"", 0, 3), [""; 0], "quoted text");
    assert_eq!(go("edit = writer", 0, 1), ["24:edit"], "a declaration leads to itself");
}

#[test]
fn references_are_all_places_that_may_mean_it() {
    let document = document();
    let find = |needle, nth, with| texts(&document, &document.references(place(needle, nth, 1), with));
    assert_eq!(find("writer", 0, true), ["22:writer", "24:writer"]);
    assert_eq!(find("writer", 0, false), ["24:writer"]);
    assert_eq!(find("in_office", 0, false), ["22:in_office"]);
    assert_eq!(find("view = owner", 0, true), ["17:view", "26:view"]);
    assert_eq!(find("user {", 0, false).len(), 4);
}

#[test]
fn hover_tells_what_a_name_means() {
    let document = document();
    let hover = |needle, nth, at| document.hover(place(needle, nth, at)).unwrap().markdown;
    let user = hover("user |", 0, 0);
    assert!(user.contains("definition user {") && user.contains("people") && !user.contains("/**"), "{user}");
    let writer = hover("writer - banned", 0, 0);
    assert!(
        writer.contains("relation writer: user | acme/group#member with in_office")
            && writer.contains("relation of `document`"),
        "{writer}"
    );
    let view = hover("view = edit", 0, 0);
    assert!(view.contains("permission view = edit + parent->view"), "{view}");
    assert!(view.contains("(writer - banned) + parent->view"), "written out: {view}");
    assert!(view.contains("whoever may see it"), "{view}");
    let both = hover("parent->view", 0, 10);
    assert!(both.contains("of `folder`") && both.contains("of `document`"), "{both}");
    let caveat = hover("with in_office", 0, 6);
    assert!(caveat.contains("caveat in_office(network ipaddress, allowed string)"), "{caveat}");
    assert!(hover("allowed)", 0, 1).contains("allowed string"), "a parameter");
    assert!(document.hover(place("use expiration", 0, 5)).is_none());
}

#[test]
fn what_comes_next_depends_on_the_place() {
    let with =
        |member: &str| format!("{SCHEMA}\ndefinition x {{\n\trelation own: document\n\t{member}\n}}\n");
    for (member, expect) in [
        ("rel@@", vec!["relation"]),
        ("@@", vec!["permission", "relation"]),
        ("relation v: fo@@", vec!["folder"]),
        ("relation v: user | acme/@@", vec!["acme/group"]),
        ("relation v: acme/group#@@", vec!["member"]),
        ("relation v: user @@", vec!["with"]),
        ("relation v: user with @@", vec!["expiration", "in_office"]),
        ("relation v: user with in_office @@", vec!["and"]),
        ("relation v: user with in_office and @@", vec!["expiration"]),
        ("permission v = @@", vec!["nil", "own", "v"]),
        ("permission v = o@@ + nil", vec!["own"]),
        ("permission v = own->v@@", vec!["view"]),
        ("permission v = own->@@", vec!["banned", "parent", "writer", "edit", "view"]),
        ("permission v = nil & own.@@", vec!["all", "any"]),
        ("permission v = own.all(e@@", vec!["edit"]),
        ("permission v = (@@", vec!["nil", "own", "v"]),
        ("permission v: us@@", vec!["user"]),
        ("permission v = own @@", vec![]),
        ("permission @@", vec![]),
        ("// permission v = @@", vec![]),
    ] {
        assert_eq!(completed(&with(member)), expect, "{member}");
    }
    for (text, expect) in [
        ("@@", vec!["caveat", "definition", "partial", "use"]),
        ("use exp@@", vec!["expiration"]),
        (
            "caveat c(a @@",
            vec![
                "any",
                "bool",
                "bytes",
                "double",
                "duration",
                "int",
                "ipaddress",
                "list",
                "map",
                "string",
                "timestamp",
                "uint",
            ],
        ),
        ("caveat c(a list<st@@", vec!["string"]),
        ("caveat c(count int, other int) { count < 3 && oth@@ }", vec!["other"]),
        ("caveat c(count int) { count.@@ }", vec![]),
        ("partial p {}\ndefinition d {\n\t...@@\n}", vec!["p"]),
        ("definition a {}\ndefinition d {\n\trelation x: \n\trelation y: @@", vec!["a", "d"]),
        ("definition a {\n\trelation x:\ndefinition d {\n\trelation y: @@", vec!["a", "d"]),
    ] {
        assert_eq!(completed(text), expect, "{text}");
    }
}

#[test]
fn completions_say_what_they_are() {
    let completions = document().completions(place("parent->view", 0, 8));
    let view = completions.items.iter().find(|item| item.label == "view").unwrap();
    assert_eq!((view.kind, view.doc.as_str()), (CompletionKind::Permission, "whoever may see it"));
    assert_eq!(view.detail, "permission view = edit + parent->view; permission view = owner");
    assert_eq!(completions.replaces, Span::new(place("parent->view", 0, 8), place("parent->view", 0, 8)));
}

#[test]
fn members_of_partials_are_known_where_they_are_mixed_in() {
    let text = "use partial\ndefinition user {}\npartial owned {\n\trelation owner: user\n\tpermission all = owner + extra\n}\n\
                definition a {\n\t...owned\n\trelation extra: user\n\tpermission see = owner\n}\n";
    let document = Document::new(text.to_owned());
    let at = |needle: &str| text.find(needle).unwrap() + 1;
    assert_eq!(texts(&document, &document.definitions(at("owner\n}"))), ["4:owner"]);
    assert_eq!(
        texts(&document, &document.definitions(at("extra\n}"))),
        ["9:extra"],
        "what its host declares"
    );
    assert_eq!(texts(&document, &document.definitions(at("owned\n\trelation extra"))), ["3:owned"]);
}

#[test]
fn renaming_changes_every_use_and_keeps_the_schema_accepted() {
    let document = document();
    let rename = |needle, nth, name| document.rename(place(needle, nth, 1), name);
    assert_eq!(texts(&document, &rename("writer", 1, "author").unwrap()), ["22:writer", "24:writer"]);
    assert_eq!(rename("network.", 0, "source").unwrap().len(), 2);
    assert_eq!(rename("user {", 0, "person").unwrap().len(), 5);
    assert!(matches!(rename("view = owner", 0, "look"), Err(RenameError::Shared { .. })));
    assert!(matches!(rename("writer", 1, "banned"), Err(RenameError::Refused { .. })), "taken");
    assert!(matches!(rename("writer", 1, "No"), Err(RenameError::Name(_))));
    assert!(matches!(rename("network.", 0, "1st"), Err(RenameError::Parameter { .. })));
    assert!(matches!(document.renameable(0), Err(RenameError::Nothing)));
    assert_eq!(document.renameable(place("writer", 1, 0)).unwrap().text(SCHEMA), "writer");
}

#[test]
fn the_outline_has_every_declaration() {
    let document = document();
    let symbols = document.symbols();
    let names: Vec<_> = symbols.iter().map(|symbol| symbol.name.as_str()).collect();
    assert_eq!(names, ["user", "in_office", "acme/group", "folder", "document"]);
    let last = symbols.last().unwrap();
    let children: Vec<_> = last.children.iter().map(|child| (child.name.as_str(), child.kind)).collect();
    assert_eq!(children[0], ("parent", SymbolKind::Relation));
    assert_eq!(children[4], ("view", SymbolKind::Permission));
    assert_eq!(last.children[4].span.text(SCHEMA), "permission view = edit + parent->view");
    assert_eq!(symbols[1].children.len(), 2);
    assert!(symbols.iter().all(|symbol| symbol.span.start <= symbol.name_span.start));
}

#[test]
fn a_broken_text_is_still_understood_where_it_can_be() {
    let text =
        "definition user {}\ndefinition doc {\n\trelation viewer: usr\n\tpermission view = viewer +\n}\n";
    let document = Document::new(text.to_owned());
    assert!(document.diagnostics().iter().any(|found| found.code == "unknown-type"));
    assert!(document.hover(text.find("viewer").unwrap()).is_some());
    assert_eq!(document.symbols().len(), 2);
}

mod arbitrary {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

        #[test]
        fn no_text_and_place_is_too_strange(
            words in prop::collection::vec(
                prop::sample::select(vec![
                    "definition ", "caveat ", "relation ", "permission ", "use expiration\n", "partial ", "abc", "abc", "xyz/abc",
                    "{", "}", "(", ")", ": ", "=", " + ", " - ", " & ", "->", ".any(", "#", "|", "...", "*", "/", "\n", "\r\n",
                    " ", "// ä\n", "/* 𝒳 */", "\"", "with ", "and ", "nil", "self", "string", "<", ">", ",", ";", "é",
                ]),
                0..40,
            ),
            cut in 0usize..60,
        ) {
            let document = Document::new(words.concat());
            for offset in [cut, 0, document.text().len(), usize::MAX] {
                let _ = document.hover(offset);
                let _ = document.definitions(offset);
                let _ = document.references(offset, true);
                let _ = document.rename(offset, "other_name");
                let completions = document.completions(offset);
                prop_assert!(completions.items.len() <= super::super::COMPLETIONS_MAX);
            }
            for symbol in document.symbols() {
                prop_assert!(symbol.span.start <= symbol.name_span.start && symbol.name_span.end <= symbol.span.end);
            }
        }
    }
}
