//! Compiles `proto/` into the Rust code and the descriptor set of `crates/proto`, without protoc.

use std::{fs, path::Path};

use anyhow::Context;

use crate::workspace_root;

/// Where the output is committed, from the workspace root.
pub(crate) const GENERATED_DIR: &str = "crates/proto/src/generated";

/// The encoded `FileDescriptorSet`, imports included, source positions left out.
const DESCRIPTOR_FILE: &str = "descriptor.binpb";

/// What the comments of the files say, by name.
const COMMENTS_FILE: &str = "comments.tsv";

/// The files whose services and messages are generated; what they import comes along.
const ROOT_FILES: &[&str] = &[
    "authzed/api/v1/core.proto",
    "authzed/api/v1/debug.proto",
    "authzed/api/v1/error_reason.proto",
    "authzed/api/v1/experimental_service.proto",
    "authzed/api/v1/permission_service.proto",
    "authzed/api/v1/schema_service.proto",
    "authzed/api/v1/watch_service.proto",
    "pemba/v1/agent_service.proto",
    "pemba/v1/approval_service.proto",
    "pemba/v1/authority_service.proto",
    "pemba/v1/break_glass_service.proto",
    "pemba/v1/core.proto",
    "pemba/v1/delegation_service.proto",
    "pemba/v1/session_service.proto",
    "pemba/v1/testing_service.proto",
];

/// Messages that errors carry, which no file of a service imports.
const DETAIL_FILES: &[&str] = &["buf/validate/validate.proto"];

/// Imported for its options only, which no generated code refers to.
const OPTIONS_ONLY_PREFIX: &str = "google/api/";

/// Writes the generated code and the descriptor set into `out`.
pub(crate) fn generate(out: &Path) -> anyhow::Result<()> {
    let include = workspace_root()?.join("proto");
    fs::create_dir_all(out).with_context(|| format!("cannot create `{}`", out.display()))?;

    let mut compiler = protox::Compiler::new([&include]).context("cannot read `proto/`")?;
    compiler.include_imports(true).include_source_info(false);
    compiler.open_files(ROOT_FILES)?.open_files(DETAIL_FILES)?;
    // Encoded by the compiler itself: decoding it into prost types would drop the HTTP options.
    let descriptor = out.join(DESCRIPTOR_FILE);
    fs::write(&descriptor, compiler.encode_file_descriptor_set())
        .with_context(|| format!("cannot write `{}`", descriptor.display()))?;

    compiler.include_source_info(true);
    let mut files = compiler.file_descriptor_set();
    files.file.retain(|file| !file.name().starts_with(OPTIONS_ONLY_PREFIX));
    let ours = files.file.iter().filter(|file| ROOT_FILES.contains(&file.name()));
    let comments = out.join(COMMENTS_FILE);
    fs::write(&comments, crate::comments::comments(ours))
        .with_context(|| format!("cannot write `{}`", comments.display()))?;
    tonic_prost_build::configure()
        .out_dir(out)
        .emit_rerun_if_changed(false)
        .compile_fds(files)
        .context("cannot generate the Rust code")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
        fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
            .collect()
    }

    #[test]
    fn committed_output_is_current() {
        let fresh = tempfile::tempdir().unwrap();
        generate(fresh.path()).unwrap();
        let (fresh, committed) =
            (contents(fresh.path()), contents(&workspace_root().unwrap().join(GENERATED_DIR)));

        assert_eq!(
            fresh.keys().collect::<Vec<_>>(),
            committed.keys().collect::<Vec<_>>(),
            "`{GENERATED_DIR}` has other files than `proto/` gives: run `cargo xtask proto`"
        );
        for (name, bytes) in fresh {
            assert!(
                committed[&name] == bytes,
                "`{GENERATED_DIR}/{name}` is not what `proto/` gives: run `cargo xtask proto`"
            );
        }
    }

    #[test]
    fn every_file_of_a_served_package_is_a_root() {
        let mut found: Vec<String> = Vec::new();
        for package in ["authzed/api/v1", "pemba/v1"] {
            let dir = workspace_root().unwrap().join("proto").join(package);
            found.extend(contents(&dir).into_keys().map(|name| format!("{package}/{name}")));
        }
        found.sort();
        assert_eq!(found, ROOT_FILES);
    }
}
