//! What a reviewer would otherwise have to look for, over the whole checkout.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "tests"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pemba_tests::checkout::{files, root};

const FILE_LINES_MAX: usize = 800;

fn read(path: &Path) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

fn is_generated(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "generated")
}

fn with_extension<'a>(all: &'a [std::path::PathBuf], extension: &'a str) -> impl Iterator<Item = &'a Path> {
    all.iter()
        .map(std::path::PathBuf::as_path)
        .filter(move |path| path.extension().is_some_and(|e| e == extension))
}

#[test]
fn files_are_short() {
    let all = files();
    let long: Vec<_> = with_extension(&all, "rs")
        .filter(|path| !is_generated(path))
        .map(|path| (path.display().to_string(), read(path).lines().count()))
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .collect();
    assert!(long.is_empty(), "split by idea, at most {FILE_LINES_MAX} lines: {long:?}");
}

#[test]
fn banned_words_do_not_occur() {
    // Spelled apart so that this file does not find itself.
    let banned = [
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("db", "g!("),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("struct Man", "ager"),
        concat!("Hel", "per"),
        concat!("mod ut", "il"),
        concat!("mod com", "mon"),
        concat!("#[igno", "re"),
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
    ];
    let mut found = Vec::new();
    for path in files() {
        let text_file = ["rs", "md", "toml", "sh", "proto", "py", "mjs", "js", "yaml", "zed"];
        let extension = path.extension().map(|e| e.to_string_lossy().into_owned()).unwrap_or_default();
        if !text_file.contains(&extension.as_str()) && !path.starts_with(".ci") || is_generated(&path) {
            continue;
        }
        for (number, line) in read(&path).lines().enumerate() {
            for word in banned.iter().filter(|word| line.contains(**word)) {
                found.push(format!("{}:{}: {word}", path.display(), number + 1));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn links_in_documents_lead_somewhere() {
    let mut broken = Vec::new();
    let all = files();
    for path in with_extension(&all, "md") {
        for target in
            read(path).split("](").skip(1).filter_map(|rest| rest.split(')').next().map(str::to_owned))
        {
            let file = target.split('#').next().unwrap_or("");
            if file.is_empty() || target.contains("://") {
                continue;
            }
            if !root().join(path).parent().unwrap().join(file).exists() {
                broken.push(format!("{}: {target}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_crate_states_its_invariant() {
    for folder in std::fs::read_dir(root().join("crates")).unwrap() {
        let folder = folder.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        let lib = folder.join("src/lib.rs");
        let text = std::fs::read_to_string(&lib).unwrap();
        assert!(text.starts_with("//! "), "{} opens with what it is for", lib.display());
        assert!(text.contains("**Invariant"), "{} states its invariant", lib.display());
    }
}

/// The names of a manifest's dependencies, the normal ones of every target.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut inside = false;
    let mut names = BTreeSet::new();
    for line in manifest.lines() {
        if let Some(section) = line.strip_prefix('[') {
            inside = section.trim_end_matches(']').ends_with("dependencies")
                && !section.contains("dev-dependencies");
        } else if inside && line.contains('=') {
            let name = line.split(['=', '.']).next().unwrap_or("").trim();
            names.insert(name.to_owned());
        }
    }
    names
}

#[test]
fn dependencies_go_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("model", &[][..]),
        ("cel", &["model"]),
        ("schema", &["model", "cel"]),
        ("engine", &["model", "cel", "schema"]),
        ("agents", &["model", "cel", "schema", "engine"]),
        ("db", &["model", "cel", "schema", "engine"]),
        ("proto", &[]),
        ("server", &["model", "cel", "schema", "engine", "agents", "db", "proto"]),
        ("client", &["model", "proto"]),
        (
            "cli",
            &[
                "model",
                "cel",
                "schema",
                "engine",
                "agents",
                "db",
                "proto",
                "server",
                "client",
                "load",
                "workloads",
            ],
        ),
        ("testkit", &["model", "cel", "schema", "engine", "workloads"]),
    ]);
    for (name, may) in &allowed {
        let manifest = read(Path::new(&format!("crates/{name}/Cargo.toml")));
        for dependency in dependencies(&manifest).iter().filter_map(|name| name.strip_prefix("pemba-")) {
            assert!(may.contains(&dependency), "crate {name} must not depend on {dependency}");
        }
    }
    let grpc = ["model", "cel", "schema", "engine", "agents", "db", "testkit"];
    for name in grpc {
        let manifest = read(Path::new(&format!("crates/{name}/Cargo.toml")));
        let names = dependencies(&manifest);
        assert!(
            !names.iter().any(|name| name.starts_with("tonic") || name.starts_with("prost")),
            "{name} knows gRPC"
        );
    }
}

#[test]
fn every_direct_dependency_has_its_reason() {
    let reasons = read(Path::new("docs/dependencies.md"));
    let mut missing = BTreeSet::new();
    for manifest in
        files().iter().filter(|path| path.ends_with("Cargo.toml") && path.components().count() > 1)
    {
        for name in dependencies(&read(manifest)).into_iter().filter(|name| !name.starts_with("pemba-")) {
            if !reasons.contains(&format!("`{name}`")) {
                missing.insert(name);
            }
        }
    }
    assert!(missing.is_empty(), "docs/dependencies.md says nothing about {missing:?}");
}

#[test]
fn only_one_file_knows_rocksdb() {
    let all = files();
    let knows: Vec<_> = with_extension(&all, "rs")
        .filter(|path| path.starts_with("crates") && read(path).contains("rocksdb::"))
        .map(|path| path.display().to_string())
        .collect();
    assert!(knows.iter().all(|path| path.starts_with("crates/db/src/store/rocks")), "{knows:?}");
}

#[test]
fn generated_code_says_so() {
    let all = files();
    let mut seen = 0;
    for path in with_extension(&all, "rs").filter(|path| is_generated(path)) {
        assert!(
            read(path).lines().next().is_some_and(|line| line.contains("@generated")),
            "{} does not say it is generated",
            path.display()
        );
        seen += 1;
    }
    assert!(seen > 0, "the generated wire types are committed");
}

#[test]
fn the_changelog_has_its_shape() {
    let text = read(Path::new("CHANGELOG.md"));
    assert!(text.starts_with("# Changelog\n") && text.contains("\n## Unreleased\n"));
}
