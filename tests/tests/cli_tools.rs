//! The developer tools of the binary as a person, a script or an editor runs them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "tests"
)]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use pemba_tests::checkout::root;
use pemba_tests::process::{KEY, ServerProcess, binary};
use serde_json::Value;

fn run(arguments: &[&str]) -> Output {
    Command::new(binary()).args(arguments).output().unwrap()
}

/// Runs, demands an exit code and returns what was printed, to standard error when it could not be done.
#[track_caller]
fn expect(code: i32, arguments: &[&str]) -> String {
    let output = run(arguments);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}{printed}");
    if code == 2 { error } else { printed }
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file and returns its path.
    fn file(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name).to_str().unwrap().to_owned()
    }
}

const WARNED: &str = "definition user {}\ndefinition folder {\n\trelation viewer: user\n}\ndefinition doc {\n\trelation parent: folder\n\tpermission view = \
                      parent->viewer\n}\n";

#[test]
fn lint_shows_errors_and_warnings_and_can_deny_warnings() {
    let folder = Folder::new();
    let warned = folder.file("warned.zed", WARNED);
    let found = expect(0, &["schema", "lint", &warned]);
    assert!(found.contains("arrow-references-relation") && found.contains("warned.zed:7:"), "{found}");
    assert!(expect(1, &["schema", "lint", "--deny-warnings", &warned]).contains("FAIL"));
    let silenced = WARNED.replace(
        "\tpermission view",
        "\t// spicedb-ignore-warning: arrow-references-relation\n\tpermission view",
    );
    let silenced = folder.file("silenced.zed", &silenced);
    assert!(!expect(0, &["schema", "lint", "--deny-warnings", &silenced]).contains("warning"));
    let wrong = folder.file("wrong.zed", "definition user {}\ndefinition doc { relation viewer: usr }\n");
    let found = expect(1, &["schema", "lint", &silenced, &wrong]);
    assert!(found.contains("unknown-type") && found.contains("did you mean"), "{found}");
    let json: Value = serde_json::from_str(&expect(1, &["schema", "lint", "--json", &wrong])).unwrap();
    assert_eq!(json["diagnostics"][0]["code"], "unknown-type");
    assert_eq!(json["diagnostics"][0]["line"], 2);
    expect(2, &["schema", "lint", folder.path("none.zed").to_str().unwrap()]);
}

/// SpiceDB's five warnings: the rule, the member it is about, and the rest of the definition `doc`.
const SPICEDB_WARNINGS: [(&str, &str, &str); 5] = [
    ("relation-name-references-parent", "relation my_doc: user", ""),
    ("permission-references-itself", "permission view = owner + view", "relation owner: user"),
    ("arrow-references-unreachable-relation", "permission view = owner->nothing", "relation owner: user"),
    (
        "arrow-walks-subject-relation",
        "permission view = group->all",
        "relation group: doc#group\npermission all = nil",
    ),
    ("arrow-references-relation", "permission view = parent->viewer", "relation parent: folder"),
];

#[test]
fn each_of_the_five_warnings_is_given_and_silenced_by_its_comment_alone() {
    let folder = Folder::new();
    for (rule, member, rest) in SPICEDB_WARNINGS {
        let lint = |comment: &str| {
            let text = format!(
                "definition user {{}}\ndefinition folder {{\nrelation viewer: user\n}}\ndefinition doc {{\n{rest}\n{comment}\n{member}\n}}\n"
            );
            run(&["schema", "lint", "--deny-warnings", "--json", &folder.file("a.zed", &text)])
        };
        let warned = lint("");
        assert_eq!(warned.status.code(), Some(1), "{rule}");
        let json: Value = serde_json::from_slice(&warned.stdout).unwrap();
        let found = json["diagnostics"].as_array().unwrap();
        assert_eq!(found.len(), 1, "{rule}: {json}");
        assert_eq!((&found[0]["code"], &found[0]["severity"]), (&rule.into(), &"warning".into()));
        assert_eq!(lint(&format!("// spicedb-ignore-warning: {rule}")).status.code(), Some(0), "{rule}");
        for (other, ..) in SPICEDB_WARNINGS.iter().filter(|(other, ..)| *other != rule) {
            let code = lint(&format!("// spicedb-ignore-warning: {other}")).status.code();
            assert_eq!(code, Some(1), "{other} silences {rule}");
        }
    }
}

#[test]
fn diff_tells_changes_refusals_and_access_from_files_and_from_a_server() {
    let folder = Folder::new();
    let old = folder.file("old.zed", WARNED);
    let wider = folder.file("wider.zed", &WARNED.replace("viewer: user", "viewer: user | user:*"));
    let narrower = folder.file(
        "narrower.zed",
        &WARNED
            .replace("\trelation parent: folder\n", "\trelation other: user\n")
            .replace("parent->viewer", "other"),
    );
    assert_eq!(expect(0, &["schema", "diff", &old, &old, "--fail-on", "any"]), "no changes\n");
    let found = expect(0, &["schema", "diff", &old, &wider]);
    assert!(found.contains("+ folder#viewer takes `user:*`"), "{found}");
    assert!(found.contains("may give access:\n    doc#view: through folder#viewer"), "{found}");
    expect(1, &["schema", "diff", &old, &wider, "--fail-on", "widening"]);
    expect(0, &["schema", "diff", &old, &wider, "--fail-on", "refusal"]);
    let found = expect(1, &["schema", "diff", &old, &narrower, "--fail-on", "refusal,widening"]);
    assert!(found.contains("- relation doc#parent\n    refused while relationships are on it"), "{found}");
    let json: Value = serde_json::from_str(&expect(0, &["schema", "diff", &wider, &old, "--json"])).unwrap();
    assert_eq!(json["changes"][0]["kind"], "relation_subject_removed");
    assert_eq!(json["changes"][0]["refused"], "while_used");
    let broken = folder.file("broken.zed", "definition {");
    assert!(expect(2, &["schema", "diff", &old, &broken]).contains("broken.zed:1"));

    let server = ServerProcess::start(None, &[]);
    let endpoint = server.endpoint();
    let with_server = |arguments: &[&str]| {
        let at = ["--endpoint", endpoint.as_str(), "--key", KEY];
        expect(0, &[arguments, &at[..]].concat())
    };
    let diff = |file: &str| with_server(&["schema", "diff", file]);
    assert!(diff(&old).contains("+ definition doc"), "a server without a schema has an empty one");
    with_server(&["schema", "write", &old]);
    assert_eq!(diff(&old), "no changes\n");
    assert!(diff(&wider).contains("takes `user:*`"));
}

const COVERED: &str = r#"schema: |
  definition user {}
  definition group {
    relation member: user
  }
  definition doc {
    relation viewer: user | group#member
    relation owner: user
    relation banned: user
    permission view = (viewer + owner) - banned
  }
relationships: |
  doc:a#viewer@user:vera
  doc:a#viewer@group:staff#member
  group:staff#member@user:sam
  doc:a#banned@user:ben
assertions:
  assertTrue:
    - doc:a#view@user:vera
"#;

fn uncovered(file: &str) -> Vec<String> {
    let json: Value = serde_json::from_str(&expect(0, &["validate", "--coverage", "--json", file])).unwrap();
    let definitions = json["coverage"][0]["definitions"].as_array().unwrap().clone();
    let mut found = Vec::new();
    for definition in definitions {
        for part in definition["uncovered"].as_array().unwrap() {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            found.push(format!(
                "{}#{} {}",
                text(&definition["name"]),
                text(&part["member"]),
                text(&part["text"])
            ));
        }
    }
    found
}

#[test]
fn coverage_names_what_no_answer_depends_on() {
    let folder = Folder::new();
    let file = folder.file("a.yaml", COVERED);
    let all = [
        "doc#viewer group#member",
        "doc#owner user",
        "doc#banned user",
        "doc#view owner",
        "doc#view banned",
        "group#member user",
    ];
    assert_eq!(uncovered(&file), all);
    // An operand that is taken away and makes no difference stays uncovered, although it was asked about.
    let more = COVERED.replace("doc:a#banned@user:ben", "doc:a#banned@user:ben\n  doc:a#owner@user:vera");
    let uncovered_now = uncovered(&folder.file("b.yaml", &more));
    assert!(
        uncovered_now.contains(&"doc#view viewer".to_owned())
            && uncovered_now.contains(&"doc#view owner".to_owned()),
        "{uncovered_now:?}"
    );
    // Each question makes its own part covered.
    let group = format!("{COVERED}    - doc:a#view@user:sam\n");
    assert_eq!(
        uncovered(&folder.file("c.yaml", &group)),
        ["doc#owner user", "doc#banned user", "doc#view owner", "doc#view banned"]
    );
    let banned = COVERED.replace(
        "doc:a#banned@user:ben",
        "doc:a#banned@user:ben\n  doc:a#owner@user:ben\n  doc:a#owner@user:olaf",
    );
    let banned = format!(
        "{banned}    - doc:a#view@user:sam\n    - doc:a#view@user:olaf\n  assertFalse:\n    - doc:a#view@user:ben\n"
    );
    let full = folder.file("d.yaml", &banned);
    assert_eq!(uncovered(&full), [""; 0]);
    expect(0, &["validate", "--coverage-min", "100", &full]);

    let text = expect(1, &["validate", "--coverage-min", "60", &file]);
    assert!(text.contains("(schema): 2 of 8 (25 %)"), "{text}");
    assert!(text.contains("9:31 no answer depends on `owner` of the permission `view`"), "{text}");
    assert!(text.contains("is below 60 %") && text.ends_with("1 passed, 0 failed\n"), "{text}");
    expect(0, &["validate", "--coverage-min", "25", &file]);
    expect(2, &["validate", "--coverage-min", "101", &file]);
}

#[test]
fn files_that_share_a_schema_cover_it_together_and_expected_permissions_count() {
    let folder = Folder::new();
    folder.file("s.zed", "definition user {}\ndefinition doc {\n\trelation owner: user\n\trelation reader: user\n\tpermission view = owner + reader\n}\n");
    let one = folder.file("one.yaml", "schemaFile: s.zed\nrelationships: doc:a#owner@user:a\nassertions: {assertTrue: ['doc:a#view@user:a']}\n");
    let two = folder.file("two.yaml", "schemaFile: s.zed\nrelationships: doc:a#reader@user:b\nvalidation: {'doc:a#view': ['[user:b] is <doc:a#reader>']}\n");
    let text = expect(0, &["validate", "--coverage-min", "100", &one, &two]);
    assert_eq!(text.matches("coverage of").count(), 1, "{text}");
    assert!(text.contains("s.zed: 4 of 4 (100 %)"), "{text}");
}

#[test]
fn caveats_are_covered_by_what_they_allow_and_by_what_they_refuse() {
    let folder = Folder::new();
    let file = |lines: &str| {
        folder.file("c.yaml", &format!("schema: |\n  caveat odd(number int) {{ number % 2 == 1 }}\n  definition user {{}}\n  definition doc {{\n    relation viewer: user with \
                     odd\n    permission view = viewer\n  }}\nrelationships: doc:a#viewer@user:a[odd]\nassertions:\n{lines}"))
    };
    assert_eq!(
        uncovered(&file("  assertTrue: []\n")),
        ["doc#viewer user with odd", "doc#view viewer", "odd#odd odd", "odd#odd odd"]
    );
    let caveated = file("  assertCaveated: ['doc:a#view@user:a']\n");
    assert_eq!(uncovered(&caveated), [""; 0], "what depends on it depends on both");
}

fn wait_for(lines: &mut impl Iterator<Item = std::io::Result<String>>, part: &str) -> String {
    let line = lines.map(Result::unwrap).find(|line| line.contains(part));
    line.unwrap_or_else(|| panic!("the output ended before `{part}`"))
}

#[test]
fn watch_runs_again_when_a_file_or_its_schema_changes_and_stops_on_interrupt() {
    let folder = Folder::new();
    let schema =
        "definition user {}\ndefinition doc {\n\trelation owner: user\n\tpermission view = owner\n}\n";
    folder.file("s.zed", schema);
    let yaml = "schemaFile: s.zed\nrelationships: doc:a#owner@user:a\nassertions: {assertTrue: ['doc:a#view@user:a']}\n";
    let file = folder.file("a.yaml", yaml);
    let mut child =
        Command::new(binary()).args(["validate", "--watch", &file]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    wait_for(&mut lines, "1 passed, 0 failed");
    wait_for(&mut lines, "waiting");
    folder.file("a.yaml", &yaml.replace("view@user:a", "view@user:b"));
    wait_for(&mut lines, "a.yaml changed");
    wait_for(&mut lines, "0 passed, 1 failed");
    wait_for(&mut lines, "waiting");
    folder.file("s.zed", "definition user {");
    wait_for(&mut lines, "s.zed changed");
    wait_for(&mut lines, "unclosed-block");
    wait_for(&mut lines, "waiting");
    std::fs::remove_file(folder.path("s.zed")).unwrap();
    wait_for(&mut lines, "cannot read");
    wait_for(&mut lines, "waiting");
    folder.file("s.zed", schema);
    folder.file("a.yaml", yaml);
    wait_for(&mut lines, "1 passed, 0 failed");
    wait_for(&mut lines, "waiting");
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "it did not stop");
        std::thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(status.code(), Some(0), "the last run passed");
}

#[test]
fn completions_and_manual_pages_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = expect(0, &["completions", shell]);
        assert!(script.contains("lookup-resources") && script.contains("pemba"), "{shell}");
    }
    assert!(expect(2, &["completions", "cmd"]).contains("cmd"));
    let folder = Folder::new();
    let pages = folder.path("man");
    expect(0, &["man", pages.to_str().unwrap()]);
    let page = std::fs::read_to_string(pages.join("pemba-validate.1")).unwrap();
    assert!(page.contains("coverage"), "{page}");
}

#[test]
fn example_schemas_pass_the_linter() {
    let mut files = Vec::new();
    for folder in std::fs::read_dir(root().join("schema")).unwrap() {
        let file: PathBuf = folder.unwrap().path().join("schema.zed");
        if Path::exists(&file) {
            files.push(file.to_str().unwrap().to_owned());
        }
    }
    assert!(files.len() >= 6);
    let mut arguments = vec!["schema", "lint"];
    arguments.extend(files.iter().map(String::as_str));
    expect(0, &arguments);
}
