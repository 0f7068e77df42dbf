//! The one style, by examples.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use pemba_schema::{compile, format, print};

#[track_caller]
fn check(text: &str, expect: &str) {
    let formatted = format(text).unwrap_or_else(|found| panic!("{text}\n{found:?}"));
    assert_eq!(formatted, expect, "\n--- formatted\n{formatted}");
    assert_eq!(format(&formatted).unwrap(), formatted, "formatting again changes nothing");
}

#[test]
fn blanks_and_lines_are_put_in_order() {
    check("", "");
    check("\n\n  \n", "");
    check("definition   user{}", "definition user {}\n");
    check(
        "use expiration;use self\ndefinition user{}definition doc{relation viewer:user|user : *|doc # viewer with expiration\
         ;permission view=(viewer+self)&viewer-parent . any( view )-parent -> view}",
        "use expiration\nuse self\n\ndefinition user {}\n\ndefinition doc {\n\
         \trelation viewer: user | user:* | doc#viewer with expiration\n\
         \tpermission view = (viewer + self) & viewer - parent.any(view) - parent->view\n}\n",
    );
    check(
        "definition doc {\n\n\nrelation aaa: one / user\n\n\n\nrelation bbb: user#...\n...mix\n\n}",
        "definition doc {\n\trelation aaa: one/user\n\n\trelation bbb: user#...\n\t...mix\n}\n",
    );
}

#[test]
fn line_breaks_after_operators_stay() {
    check(
        "definition doc {\nrelation viewer: user |\ngroup#member |\n\n\nuser:*\npermission view =\nviewer\n}",
        "definition doc {\n\trelation viewer: user |\n\t\tgroup#member |\n\t\tuser:*\n\tpermission view =\n\t\tviewer\n}\n",
    );
}

#[test]
fn comments_stay_where_they_belong() {
    check(
        "// licence\n\n// head\nuse self // flag\n// of user\ndefinition user {} // trailing\n/* a */ /* b */ definition doc { // opening\n\
         // one\n\n/** two\n   three */\nrelation aaa: user /* in */ | doc // end\n// last\n} // after\n// end",
        "// licence\n\n// head\nuse self // flag\n\n// of user\ndefinition user {} // trailing\n\n\
         /* a */\n/* b */ definition doc { // opening\n\t// one\n\n\t/** two\n\tthree */\n\trelation aaa: user /* in */ | doc // end\n\
         \t// last\n} // after\n\n// end\n",
    );
    check(
        "definition doc {\nrelation aaa: user | // first\n// second\ndoc; // of bbb\nrelation bbb: user\n}",
        "definition doc {\n\trelation aaa: user | // first\n\t\t// second\n\t\tdoc\n\t// of bbb\n\trelation bbb: user\n}\n",
    );
    check(
        "definition aaa {} /* of bbb */ definition bbb {}",
        "definition aaa {}\n\n/* of bbb */ definition bbb {}\n",
    );
    check("definition aaa { /* nothing */ }", "definition aaa {\n\t/* nothing */\n}\n");
}

#[test]
fn conditions_keep_their_lines() {
    check(
        "caveat odd(n int) { /* m */ n == 1 /* } */\n// m\n}",
        "caveat odd(n int) {\n\t/* m */ n == 1 /* } */\n\t// m\n}\n",
    );
    check(
        "caveat odd(  n int ,m map< any >){ n==1&&m=={} }",
        "caveat odd(n int, m map<any>) {\n\tn==1&&m=={}\n}\n",
    );
    check(
        "caveat odd(\n    n int,\n    m int\n) {\n      n == 1 &&\n        m == 2 // why\n\n      || n == 3\n  }\ndefinition user {}",
        "caveat odd(\n\tn int,\n\tm int\n) {\n\tn == 1 &&\n\t  m == 2 // why\n\n\t|| n == 3\n}\n\ndefinition user {}\n",
    );
    check(
        "caveat odd(n string) { n == 'a' ||\n      n == 'b' }",
        "caveat odd(n string) {\n\tn == 'a' ||\n\tn == 'b'\n}\n",
    );
    let quoted = "caveat odd(n string) {\n\tn == \"\"\"a\n  b }\n\"\"\"\n}\n";
    check(quoted, quoted);
}

#[test]
fn a_text_with_syntax_errors_is_not_formatted() {
    let found = format("definition user {").unwrap_err();
    assert_eq!(found[0].code, "unclosed-block");
    assert!(
        format("use import\nimport \"other.zed\"\ndefinition doc { relation viewer: nobody }").is_ok(),
        "names need not exist"
    );
}

#[test]
fn a_schema_prints_in_canonical_form() {
    let text = "use self\nuse expiration\nuse partial\n// of doc\ndefinition doc {\n  ...base\n  /* of\n     view */\n  permission view = self + viewer - \
                (viewer & nil) // not kept\n}\npartial base { relation viewer: user with odd and expiration | user:* }\ndefinition user {}\n\
                /** of odd */\ncaveat odd(n list<int>) {\n  n == [1] &&\n    true }";
    let compiled = compile(text).unwrap();
    let expect = "use self\n\nuse expiration\n\n/** of odd */\ncaveat odd(n list<int>) {\n\tn == [1] && true\n}\n\n// of doc\ndefinition doc {\n\
                  \trelation viewer: user with odd and expiration | user:*\n\n\t/*\n\t * of\n\t * view\n\t */\n\
                  \tpermission view = self + viewer - (viewer & nil)\n}\n\ndefinition user {}";
    assert_eq!(print(&compiled.schema), expect);
    assert_eq!(compiled.text, expect);
    assert_eq!(print(&compile("").unwrap().schema), "");
}

#[test]
fn the_canonical_text_keeps_the_order_of_members() {
    let text = "definition user {}\ndefinition doc {\npermission view = viewer\nrelation viewer: user\nrelation aaa: user }";
    let compiled = compile(text).unwrap();
    let names = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| line.starts_with('\t'))
            .map(|line| line.split([' ', ':']).nth(1).unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&compiled.text), ["view", "viewer", "aaa"]);
    assert_eq!(print(&compiled.schema), compiled.text);
}
