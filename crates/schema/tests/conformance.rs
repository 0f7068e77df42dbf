//! The schemas of the shared conformance files compile, print and format.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    clippy::print_stderr,
    missing_docs,
    reason = "tests"
)]

use std::path::PathBuf;

/// The folder with the files, when there is one.
fn folder() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance");
    let folder = std::env::var_os("PEMBA_CONFORMANCE_DIR").map_or(beside, PathBuf::from).join("spicedb");
    folder.is_dir().then_some(folder)
}

/// The text under the key `schema`, read as its YAML block scalar: `|` keeps line ends; `>` joins lines that have
/// the indentation of the block, which ends no line inside a definition.
fn schema_of(yaml: &str) -> String {
    let mut lines = yaml.lines().skip_while(|line| !line.starts_with("schema:"));
    let folded = lines.next().expect("a schema").contains('>');
    let block: Vec<&str> = lines.take_while(|line| line.is_empty() || line.starts_with(' ')).collect();
    let indent =
        block.iter().find(|line| !line.trim().is_empty()).map_or(0, |l| l.len() - l.trim_start().len());
    let mut text = String::new();
    let mut plain_before = false;
    for line in block {
        let line = line.get(indent..).unwrap_or("");
        let plain = !line.is_empty() && !line.starts_with([' ', '\t']);
        if folded && plain && plain_before {
            text.pop();
            text.push(' ');
        }
        text.push_str(line);
        text.push('\n');
        plain_before = plain;
    }
    text
}

#[test]
fn every_conformance_schema_compiles() {
    let Some(folder) = folder() else {
        eprintln!("SKIPPED: no conformance folder; set PEMBA_CONFORMANCE_DIR");
        return;
    };
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    assert!(files.len() > 30, "the folder holds the corpus: {}", files.len());
    for path in files {
        let text = schema_of(&std::fs::read_to_string(&path).unwrap());
        let compiled = pemba_schema::compile(&text)
            .unwrap_or_else(|rejected| panic!("{}:\n{}\n{text}", path.display(), rejected.message(&text)));
        assert!(!compiled.schema.definitions.is_empty(), "{}", path.display());
    }
}
