//! `docs/cli.md` is what the flags say.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

#[test]
fn the_reference_page_is_fresh() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
    let page = pemba_cli::reference::page();
    if std::env::var_os("PEMBA_UPDATE").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == page,
        "docs/cli.md is stale: PEMBA_UPDATE=1 cargo test -p pemba-cli --test reference"
    );
}
