//! `pemba-noop ADDRESS`: serves constants there until it is killed; prints the address when it is bound.

use std::io::Write as _;

use anyhow::{Context as _, Result};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let address = std::env::args().nth(1).context("name an address such as 127.0.0.1:50060")?;
    let listener = std::net::TcpListener::bind(&address).with_context(|| format!("cannot bind {address}"))?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    pemba_noop::serve(listener, std::future::pending())
}
