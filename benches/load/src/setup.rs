//! Brings schema and relationships to a server.

use std::iter::Peekable;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use pemba_client::{Client, Code, ConnectOptions, Write};
use pemba_model::Relationship;

use crate::run::Target;

/// Relationships of one import stream: below what servers take in one transaction.
const STREAM_RELATIONSHIPS: usize = 2_000_000;
/// Relationships of one write.
const WRITE_RELATIONSHIPS: usize = 500;
/// How long a server may take from its first connection until it serves.
const RECOVERY_MAX: Duration = Duration::from_secs(60);
/// Pause between asking whether it does.
const RECOVERY_PAUSE: Duration = Duration::from_millis(50);

/// What was loaded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loaded {
    /// Relationships.
    pub relationships: u64,
    /// How long their import took, with making them up.
    pub took: Duration,
}

/// Writes a schema and imports relationships, in as many streams as are needed.
pub fn load(
    target: &Target,
    schema: &str,
    relationships: Box<dyn Iterator<Item = Relationship> + Send>,
) -> Result<Loaded> {
    timed(target, schema, async |client| {
        let rest = Arc::new(Mutex::new(relationships.peekable()));
        let mut loaded = 0;
        while lock(&rest).peek().is_some() {
            let part = Part { rest: Arc::clone(&rest), left: STREAM_RELATIONSHIPS };
            loaded += client.import(part).await.context("importing relationships")?;
        }
        Ok(loaded)
    })
}

/// As [`load`], by writes of 500: for servers that take no import.
pub fn write(
    target: &Target,
    schema: &str,
    relationships: Box<dyn Iterator<Item = Relationship> + Send>,
) -> Result<Loaded> {
    timed(target, schema, async |client| {
        let (mut rest, mut loaded) = (relationships.peekable(), 0);
        while rest.peek().is_some() {
            let part = rest.by_ref().take(WRITE_RELATIONSHIPS).inspect(|_| loaded += 1);
            let write = part.fold(Write::new(), Write::touch);
            client.write(write).await.context("writing relationships")?;
        }
        Ok(loaded)
    })
}

/// Writes a schema, has relationships put and takes the time of that.
fn timed(target: &Target, schema: &str, put: impl AsyncFnOnce(&Client) -> Result<u64>) -> Result<Loaded> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = prepared(target, schema).await?;
        let started = Instant::now();
        let relationships = put(&client).await?;
        Ok(Loaded { relationships, took: started.elapsed() })
    })
}

async fn prepared(target: &Target, schema: &str) -> Result<Client> {
    let mut options = ConnectOptions::new(format!("http://{}", target.address));
    if let Some(key) = &target.key {
        options = options.token(key.clone());
    }
    let client = Client::connect(options).await?;
    let started = Instant::now();
    while let Err(error) = client.write_schema(schema).await {
        if error.code() != Code::Unavailable || started.elapsed() > RECOVERY_MAX {
            return Err(error).context("writing the schema");
        }
        tokio::time::sleep(RECOVERY_PAUSE).await;
    }
    Ok(client)
}

type Rest = Peekable<Box<dyn Iterator<Item = Relationship> + Send>>;

/// The next stream's worth of what is left.
struct Part {
    rest: Arc<Mutex<Rest>>,
    left: usize,
}

fn lock(rest: &Mutex<Rest>) -> MutexGuard<'_, Rest> {
    rest.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Iterator for Part {
    type Item = Relationship;

    fn next(&mut self) -> Option<Relationship> {
        self.left = self.left.checked_sub(1)?;
        lock(&self.rest).next()
    }
}
