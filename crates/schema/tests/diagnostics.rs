//! Every finding, where it is and what it is called.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::collections::BTreeSet;

use pemba_model::LineIndex;
use pemba_schema::{RejectedKind, codes, compile};

/// All findings of a text as `line:column code`, joined by `, `; warnings when the text is accepted.
fn found(text: &str) -> String {
    let index = LineIndex::new(text);
    let list = match compile(text) {
        Ok(compiled) => compiled.warnings,
        Err(rejected) => rejected.diagnostics,
    };
    let line = |diagnostic: &pemba_model::Diagnostic| {
        format!("{} {}", index.place(diagnostic.span.start), diagnostic.code)
    };
    list.iter().map(line).collect::<Vec<_>>().join(", ")
}

/// Checks what is found in a text. `…` stands for `definition user {}` and the start of `definition doc {`, on one
/// line, so that places within the definition begin on line 2; the brace is closed at the end.
#[track_caller]
fn check(text: &str, expect: &str) {
    let whole = whole(text);
    assert_eq!(found(&whole), expect, "\n{whole}");
}

fn whole(text: &str) -> String {
    match text.split_once('…') {
        Some((before, members)) => {
            format!("{before}definition user {{}} definition doc {{\n{members}\n}}")
        }
        None => text.to_owned(),
    }
}

const ACCEPTED: &[&str] = &[
    "",
    "\n\n// nothing\n/* at all */",
    "use expiration",
    "…",
    "…relation viewer: user; relation editor: user; permission view = viewer",
    "…relation viewer: user#...",
    "…relation viewer: user:* | doc#viewer\nrelation editor: doc#viewer",
    "…relation viewer: user | user:*\nrelation editor: user | doc#editor",
    "…relation viewer: user |\n  doc#viewer |\n  doc",
    "…relation viewer: user\npermission view = viewer +\n  viewer",
    "…relation viewer: user\npermission view: user | doc = viewer",
    "…relation parent: doc\npermission view = parent->parent",
    "use expiration\n…relation viewer: user with expiration",
    "caveat odd(number int) { number % 2 == 1 }\n…relation viewer: user with odd | user:* with odd",
    "use expiration\ncaveat odd(number int) { number == 1 }\n…relation viewer: user with odd and expiration",
    "use self\n…permission view = self",
    "…relation self: user\npermission view = self",
    "…relation parent: doc\nrelation viewer: user\npermission pview = viewer\n\
     permission view = parent->pview + parent.any(pview) + parent.all(pview) + nil",
    "use partial\npartial base {\nrelation viewer: user\n...more\n}\npartial more { permission edit = viewer }\n…...base",
    "caveat odd(a any, b list<int>, c map<string>, d uint, e double, f bytes, g duration, h timestamp, i ipaddress,\n\
       j bool, k string) { [a, b, c, d, e, f, g, h, i, j, k] == [\"}\"] || {'x': \"\"\" } \"\"\"} == {} // }\n }",
    "caveat odd(\n\nn int\n, m int,\nk int\n) { n + m + k == 1 }\n…relation viewer: user with odd",
    "definition one/two/user {}",
    "use typechecking\n…relation viewer: user\npermission view: user = viewer",
    "use typechecking\n…relation viewer: user | doc#viewer\npermission view: user = viewer",
    "use typechecking\n…relation viewer: user:*\npermission view: user | doc = viewer",
    "use typechecking\nuse self\n…permission own: doc = self\npermission none: user = nil\npermission any = own",
    "use typechecking\n…relation parent: doc\nrelation viewer: user\npermission view: user = viewer + parent->view",
    // A flag may be set twice.
    "use self\nuse expiration\nuse self\nuse expiration\n…permission own = self",
    // Without their flags these words are names.
    "caveat expiration(n int) { n == 1 }\n…relation viewer: user with expiration",
    "…relation self: user\nrelation partial: user\nrelation import: user\nrelation and: user",
    // Recursion through an operator has a least solution.
    "…relation viewer: user\npermission aaa = viewer + bbb\npermission bbb = viewer & aaa",
    "…relation viewer: user\npermission aaa = viewer - bbb\npermission bbb = aaa",
    "…permission aaa = bbb + nil\npermission bbb = aaa",
    "…relation viewer: doc#aaa\npermission aaa = viewer",
    "caveat odd(n list<map<list<int>>>) { n == [] }",
    // A partial that is not used may name what does not exist.
    "use partial\npartial base { relation viewer: nobody; permission view = nothing }\n…",
    "…relation use: user\nrelation all: user\nrelation any: user\nrelation expiration: user",
    "definition doc {}definition user {}",
];

#[test]
fn what_is_right_is_accepted() {
    for text in ACCEPTED {
        check(text, "");
    }
}

/// Texts and what is found in each, most of it errors.
const REFUSED: &[(&str, &str)] = &[
    // Words and quotes.
    ("/* a", "1:1 unterminated-comment"),
    ("caveat odd(text string) { text == 'a }\n}", "1:35 caveat-unterminated-text, 1:35 unterminated-text"),
    // The top level.
    ("definitoin user {}\ndefinition doc {}", "1:1 expected-declaration"),
    ("relation viewer: user", "1:1 expected-declaration"),
    ("definition user {}\n}\ndefinition doc {}", "2:1 expected-declaration"),
    ("definition {}", "1:12 expected-name"),
    ("definition\ndefinition user {}", "1:11 expected-name"),
    ("definition user\n{\n}", "1:16 expected-token"),
    ("definition user", "1:16 expected-token"),
    ("definition doc {\nrelation viewer: user\ndefinition user {}", "1:12 unclosed-block"),
    ("use foo", "1:5 unknown-flag"),
    ("definition user {}\nuse self", "2:1 late-flag"),
    ("use self self", "1:10 expected-end"),
    ("use import\nimport \"file.zed\"", "2:1 import-unsupported"),
    ("import file", "1:8 expected-token"),
    // Members.
    ("…relatoin viewer: user\nrelation editor: user", "2:1 expected-member"),
    ("…relation viewer user\nrelation editor: user", "2:17 expected-token"),
    ("…relation\nrelation editor: user", "2:9 expected-name"),
    ("…relation viewer:\nrelation editor: user", "3:1 expected-name"),
    ("…relation viewer: user user", "2:23 expected-end"),
    ("…relation viewer: user:foo", "2:23 expected-token"),
    ("…relation relation: user", "2:10 reserved-word"),
    ("…relation viewer: user\n  | doc", "3:3 operator-on-new-line"),
    ("…relation viewer: user\npermission view = viewer\n  + viewer", "4:3 operator-on-new-line"),
    ("…permission view", "2:16 expected-token"),
    (
        "…relation viewer: user\npermission view = viewer +\npermission edit = viewer",
        "4:1 expected-expression",
    ),
    ("…relation viewer: user\npermission view = (viewer\npermission edit = viewer", "3:26 expected-token"),
    ("…relation viewer: user\npermission view = viewer + + viewer", "3:28 expected-expression"),
    ("…relation viewer: user with expiration and odd", "2:39 missing-flag"),
    (
        "use expiration\ncaveat odd(n int) { n == 1 }\n…relation viewer: user with expiration and odd",
        "4:43 trait-order",
    ),
    ("use expiration\n…relation viewer: user with expiration and expiration", "3:43 trait-order"),
    ("caveat odd(n int) { n == 1 }\n…relation viewer: user with odd and expiration", "3:32 missing-flag"),
    ("…relation viewer: user\npermission view: doc#viewer = viewer", "3:21 expected-token"),
    // Words that are keywords under a flag.
    ("use self\n…relation self: user", "3:10 reserved-word"),
    ("use self\n…relation parent: doc\npermission view = parent->self", "4:27 reserved-word"),
    ("use self\ndefinition self {}", "2:12 reserved-word"),
    (
        "use expiration\n…relation expiration: user\nrelation and: user",
        "3:10 reserved-word, 4:10 reserved-word",
    ),
    ("use expiration\ncaveat expiration(n int) { n == 1 }", "2:8 reserved-word"),
    (
        "use partial\nuse import\nuse typechecking\n…relation partial: user\nrelation import: user\nrelation typechecking: user",
        "5:10 reserved-word, 6:10 reserved-word, 7:10 reserved-word",
    ),
    (
        "use expiration\ncaveat odd(n int) { n == 1 }\n…relation viewer: user with odd and odd",
        "4:36 second-caveat",
    ),
    // Expressions.
    ("…relation parent: doc\npermission view = parent->parent->view", "3:33 chained-arrow"),
    ("…relation parent: doc\npermission view = parent.any(parent)->view", "3:37 chained-arrow"),
    ("…relation parent: doc\npermission view = (parent)->parent", "3:27 arrow-over-expression"),
    ("…relation parent: doc\npermission view = parent.some(parent)", "3:26 unknown-function"),
    // Caveats.
    ("caveat odd(n itn) { n == 1 }", "1:14 unknown-parameter-type"),
    ("caveat odd(n list) { n == [] }", "1:14 missing-element-type"),
    ("caveat odd(n int<string>) { n == 1 }", "1:14 element-type"),
    ("caveat odd() { true }", "1:8 parameter-count"),
    ("caveat odd(n int, n int) { n == 1 }", "1:19 duplicate-parameter"),
    ("caveat odd(n int) { }", "1:8 empty-caveat"),
    ("caveat odd(n int) { /* n */ }", "1:8 empty-caveat"),
    ("caveat odd(n int) { n == /* n */ 1 }", "1:26 caveat-syntax, 1:32 caveat-syntax, 1:34 caveat-syntax"),
    ("caveat odd(n int) { n == {1: 2}", "1:8 unclosed-caveat"),
    ("caveat odd(n int) { n == 1\ndefinition user {}", "1:8 unclosed-caveat"),
    ("caveat odd(n int)\ndefinition user {}", "1:18 expected-token"),
    ("caveat odd(n int { n == 1 }\ndefinition user {}", "1:18 expected-token"),
    ("caveat odd { true }", "1:12 expected-token"),
    ("caveat odd(n int,;m int) { n == m }", "1:18 expected-name"),
    ("caveat odd(n int;, m int) { n == m }", "1:17 expected-token"),
    ("caveat odd(;n int) { n == 1 }", "1:12 expected-name"),
    ("caveat odd(n int,) { n == 1 }", "1:18 expected-name"),
    ("caveat odd(n int, m int) { n == 1 && {'m': 2}.m == 2 // m\n }", "1:19 unused-parameter"),
    ("caveat odd(n int) { n == 1 }\ncaveat odd(m int) { m == 1 }", "2:8 duplicate-name"),
    // Names.
    ("definition user {}\ndefinition user {}", "2:12 duplicate-name"),
    ("definition user {}\ncaveat user(n int) { n == 1 }", "2:8 duplicate-name"),
    ("use partial\ndefinition user {}\npartial user {}", "3:9 duplicate-name"),
    (
        "definition us {}\ndefinition User {}\ndefinition ab/user {}",
        "1:12 invalid-name, 2:12 invalid-name, 3:12 invalid-name",
    ),
    ("…relation viewer: user\npermission viewer = nil", "3:12 duplicate-member"),
    (
        "…relation parent: doc\npermission view = parent->x + parent.all(1h30m) + parent.any(Abc)",
        "3:27 invalid-name, 3:42 invalid-name, 3:62 invalid-name",
    ),
    ("…relation parent: doc\npermission view = x + 1h30m->view", "3:19 invalid-name, 3:23 invalid-name"),
    ("…relation v: user\npermission view_ = nil", "2:10 invalid-name, 3:12 invalid-name"),
    ("caveat odd(1n int) { 1n == 1 }", "1:12 invalid-name, 1:22 caveat-result-type, 1:23 caveat-syntax"),
    // Partials.
    ("partial base {}\n…...base", "1:9 missing-flag, 3:4 missing-flag"),
    ("use partial\n…...bsae", "3:4 unknown-partial"),
    (
        "use partial\npartial one { ...two }\npartial two { ...one }\n…...one",
        "2:18 partial-cycle, 3:18 partial-cycle",
    ),
    ("use partial\npartial base { relation viewer: user }\n…...base\n...base", "2:25 duplicate-member"),
    // Subjects.
    ("…relation viewer: usr", "2:18 unknown-type"),
    ("…relation viewer: Usr", "2:18 invalid-name"),
    ("…relation viewer: user#1h | usr#x", "2:23 invalid-name, 2:32 invalid-name"),
    ("…relation viewer: user#member", "2:23 unknown-relation"),
    ("…relation viewer: user with odd", "2:28 unknown-caveat"),
    ("…relation viewer: user with expiration", "2:28 unknown-caveat"),
    ("…relation viewer: user | user | user#...", "2:25 duplicate-subject, 2:32 duplicate-subject"),
    (
        "definition user {}\ndefinition group { relation member: user:*; relation all_members: group#member }\n\
         definition doc { relation viewer: group#member; relation editor: group#all_members }",
        "3:35 wildcard-in-userset, 3:66 wildcard-in-userset",
    ),
    // Permissions.
    ("…relation viewer: user\npermission view = viewr", "3:19 unknown-relation"),
    ("…permission view = parent->view", "2:19 unknown-relation"),
    ("…permission own = self", "2:18 unknown-relation"),
    ("…permission view = edit->view\npermission edit = nil", "2:19 arrow-from-permission"),
    ("…relation parent: doc | user:*\npermission view = parent->view", "3:19 arrow-over-wildcard"),
    ("…permission aaa = bbb\npermission bbb = ccc\npermission ccc = (aaa)", "2:12 permission-cycle"),
    ("…permission view = view", "2:12 permission-cycle"),
    ("…permission aaa = bbb\npermission bbb = ccc\npermission ccc = bbb", "3:12 permission-cycle"),
    (
        "use typechecking\n…relation viewer: user | doc\npermission view: user = viewer",
        "4:12 annotation-incomplete",
    ),
    // What an operator takes away still counts.
    (
        "use typechecking\n…relation one: user | doc\nrelation two: user\npermission view: user = one & two",
        "5:12 annotation-incomplete",
    ),
    (
        "use typechecking\n…relation one: user\nrelation two: doc\npermission view: user = one - two",
        "5:12 annotation-incomplete",
    ),
    // A userset counts for its members, not for its type.
    (
        "use typechecking\n…relation one: user | doc#one\npermission view: doc = one",
        "4:12 annotation-incomplete",
    ),
    (
        "…relation group: doc#members\nrelation members: user:*\npermission view = group->view2",
        "4:19 arrow-over-wildcard",
    ),
    // Warnings.
    ("…relation viewer: user\npermission view = viewer + view", "3:28 permission-references-itself"),
    ("…relation viewer: user\npermission view: usr = viewer", "3:18 annotation-names-unknown-type"),
    ("…relation to_doc: user", "2:10 relation-name-references-parent"),
    ("…relation parent: user\npermission view = parent->none", "3:27 arrow-references-unreachable-relation"),
    (
        "…relation group: doc#group\npermission any_group = nil\npermission view = group->any_group",
        "4:19 arrow-walks-subject-relation",
    ),
    (
        "definition user { relation boss: user }\ndefinition doc { relation owner: user; permission view = owner->boss }",
        "2:65 arrow-references-relation",
    ),
    // Several at once, over all stages.
    (
        "…relation viewer: usr\nrelaton x\npermission view = viewer +\n\npermission edit = nothing->x\ncaveat odd(n it) { }",
        "1:31 unclosed-block, 2:18 unknown-type, 3:1 expected-member, 6:1 expected-expression, 6:28 invalid-name, 7:8 empty-caveat, \
         7:14 unknown-parameter-type, 8:1 expected-declaration",
    ),
    // What could not be read is not blamed on who names it.
    ("…relation !: user\npermission view = viewer", "2:10 expected-name"),
    ("foo user {}\ndefinition doc { relation viewer: user }", "1:1 expected-declaration"),
];

#[test]
fn what_is_wrong_is_found() {
    let mut wrong = String::new();
    for (text, expect) in REFUSED {
        let text = whole(text);
        let found = found(&text);
        if found != *expect {
            wrong.push_str(&format!("{text}\n  found    {found}\n  expected {expect}\n\n"));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn every_code_is_provoked() {
    let mut provoked: BTreeSet<String> = BTreeSet::new();
    for (text, _) in REFUSED {
        provoked.extend(
            found(&whole(text)).split(", ").filter_map(|one| one.split(' ').nth(1).map(str::to_owned)),
        );
    }
    // These have tests of their own below.
    for code in [
        "schema-too-large",
        "nesting-too-deep",
        "caveat-too-long",
        "too-many-members",
        "too-many-annotations",
        "arrows-too-wide",
        "parameter-nesting",
    ] {
        provoked.insert(code.to_owned());
    }
    // The evaluator of conditions tests its own.
    provoked.extend(
        codes::PARSE.iter().filter(|code| code.starts_with("caveat-")).map(|code| (*code).to_owned()),
    );
    let known: BTreeSet<String> = codes::PARSE
        .iter()
        .chain(&codes::TYPE)
        .chain(&codes::WARNING)
        .map(|code| (*code).to_owned())
        .collect();
    assert_eq!(provoked, known);
}

#[test]
fn bounds_are_kept_and_named() {
    let large = " ".repeat(pemba_model::limits::SCHEMA_MAX_BYTES + 1);
    assert_eq!(found(&large), "1:1 schema-too-large");

    let parentheses = |count: usize| {
        whole(&format!(
            "…relation viewer: user\npermission view = {}viewer{}",
            "(".repeat(count),
            ")".repeat(count)
        ))
    };
    assert_eq!(found(&parentheses(100)), "");
    assert!(found(&parentheses(100_000)).contains("nesting-too-deep"));
    let exclusions = |count: usize| {
        whole(&format!("…relation viewer: user\npermission view = nil{}", " - viewer".repeat(count)))
    };
    assert_eq!(found(&exclusions(100)), "");
    assert_eq!(found(&exclusions(100_000)), "3:19 nesting-too-deep");
    let unions =
        whole(&format!("…relation viewer: user\npermission view = nil{}", " + viewer".repeat(100_000)));
    assert_eq!(found(&unions), "", "length alone is no nesting");

    let lists = |count: usize| {
        format!("caveat odd(n {}int{}) {{ n == [] }}", "list<".repeat(count), ">".repeat(count))
    };
    assert_eq!(found(&lists(100)), "");
    assert_eq!(found(&lists(100_000)), "1:14 parameter-nesting");

    let long = format!("caveat odd(n int) {{ n == {} }}", "1".repeat(100_000));
    assert_eq!(found(&long), "1:8 caveat-too-long");
    let parameters = |count: usize| {
        let list: Vec<String> = (0..count).map(|number| format!("p{number} int")).collect();
        let used: Vec<String> = (0..count).map(|number| format!("p{number}")).collect();
        format!("caveat odd({}) {{ {} == 1 }}", list.join(", "), used.join(" + "))
    };
    assert_eq!(found(&parameters(20)), "");
    assert_eq!(found(&parameters(21)), "1:8 parameter-count");

    // Each partial doubles the one before: 2 to the 30th.
    let mut doubling = "use partial\npartial mix0 { }\n".to_owned();
    for number in 1..=30 {
        doubling.push_str(&format!("partial mix{number} {{ ...mix{0}; ...mix{0} }}\n", number - 1));
    }
    assert!(found(&doubling).contains("too-many-members"), "{}", found(&doubling));
}

/// 3,000 types, and a relation of `doc` that takes them all.
fn wide(members: &str) -> String {
    let types: Vec<String> = (0..3000).map(|number| format!("type{number}")).collect();
    let definitions: String =
        types.iter().map(|name| format!("definition {name} {{ permission view = nil }}\n")).collect();
    format!(
        "use typechecking\n{definitions}definition doc {{\nrelation parent: {}\n{members}}}",
        types.join(" | ")
    )
}

#[test]
fn work_that_multiplies_is_bounded() {
    let arrows = |count: usize| {
        wide(
            &(0..count).map(|number| format!("permission view{number} = parent->view\n")).collect::<String>(),
        )
    };
    assert_eq!(found(&arrows(300)), "");
    assert!(found(&arrows(400)).contains("arrows-too-wide"));
    let aliases = |count: usize| {
        wide(
            &(0..count).map(|number| format!("permission view{number}: user = parent\n")).collect::<String>(),
        )
    };
    let too_many = "3004:12 too-many-annotations";
    assert!(found(&aliases(1000)).starts_with("3004:12 annotation-incomplete"));
    assert_eq!(found(&aliases(2000)), too_many);
}

#[test]
fn many_errors_are_counted() {
    let text = whole(&format!("…{}", "relation viewer: nobody\n".repeat(1000)));
    let rejected = compile(&text).unwrap_err();
    assert_eq!(rejected.diagnostics.len(), 101);
    assert_eq!(rejected.diagnostics.last().unwrap().code, "too-many-errors");
}

#[test]
fn the_kind_tells_form_from_types() {
    let kind = |text: &str| compile(&whole(text)).unwrap_err().kind;
    assert_eq!(kind("…relation viewer: usr"), RejectedKind::Type);
    assert_eq!(kind("…relation viewer: usr\nrelation editor"), RejectedKind::Parse);
    let both = compile(&whole("…relation viewer: usr\nrelation editor")).unwrap_err();
    assert_eq!(
        both.first().unwrap().code,
        "expected-token",
        "the error that decides the kind is named first"
    );
}

#[test]
fn findings_propose_near_names_and_carry_facts() {
    let help =
        |text: &str| compile(&whole(text)).unwrap_err().diagnostics[0].help.clone().unwrap_or_default();
    assert!(help("…relation viewer: usr").contains("`user`"));
    assert!(help("…relation viewer: user\npermission view = veiwer").contains("`viewer`"));
    assert!(help("…relatoin viewer: user").contains("`relation`"));
    assert!(help("use expirations").contains("`expiration`"));
    assert!(help("caveat odd(n sting) { n == '' }").contains("`string`"));
    assert!(help("…relation viewer: user with expiration").contains("use expiration"));

    let facts = |text: &str| compile(&whole(text)).unwrap_err().diagnostics[0].metadata.clone();
    let fact = |key: &'static str, value: &str| (key, value.to_owned());
    assert_eq!(
        facts("…relation viewer: usr"),
        [fact("relation_name", "viewer"), fact("definition_name", "usr")]
    );
    assert_eq!(
        facts("…permission view = edit"),
        [
            fact("relation_or_permission_name", "edit"),
            fact("definition_name", "doc"),
            fact("permission_name", "view")
        ]
    );
    assert_eq!(facts("caveat odd() { true }"), [fact("caveat_name", "odd")]);
}

#[test]
fn comments_of_both_kinds_may_stand_around_a_condition() {
    for body in [
        "/* m */ n == 1",
        "n == 1 /* m */",
        "n == 1 /* } */ /* m */",
        "// m\n n == 1\n/* m */\n",
        "\n/* { */\nn == 1 // m\n// m\n",
        "n == // m\n 1",
    ] {
        check(&format!("caveat odd(n int) {{{body}}}"), "");
    }
    let schema = compile("caveat odd(n int) { /* m */ n == 1 /* m */ }").unwrap().schema;
    assert_eq!(schema.caveats["odd"].expression, "n == 1");
    check("caveat odd(n int) { /* m */ n == m /* m */ }", "1:34 caveat-unknown-name");
}

#[test]
fn comments_silence_rules() {
    for comment in [
        "// spicedb-ignore-warning: relation-name-references-parent",
        "/* why: spicedb-ignore-warning:relation-name-references-parent */",
    ] {
        check(&format!("…{comment}\nrelation to_doc: user"), "");
    }
    check(
        "…// spicedb-ignore-warning: arrow-references-relation\nrelation to_doc: user",
        "3:10 relation-name-references-parent",
    );
    check(
        "definition user {}\n// spicedb-ignore-warning: relation-name-references-parent\ndefinition doc { relation to_doc: user }",
        "",
    );
}
