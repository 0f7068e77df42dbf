//! Chores of the project, run as `cargo xtask <chore>`.
//!
//! **Invariant: a chore writes only files that are committed, and running it twice changes nothing.**

mod comments;
mod proto;

use std::path::PathBuf;

use anyhow::{Context, bail};

fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("proto") => proto::generate(&workspace_root()?.join(proto::GENERATED_DIR)),
        Some(other) => bail!("unknown chore `{other}`; there is: proto"),
        None => bail!("name a chore: proto"),
    }
}

/// The directory of the workspace's Cargo.toml: the parent of this crate's.
fn workspace_root() -> anyhow::Result<PathBuf> {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    Ok(own.parent().context("the xtask crate must sit inside the workspace")?.to_path_buf())
}
