//! An agent that asks without pause, to be stopped while it does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use pemba_proto::pemba::v1::Outcome;

use super::DEMO_KEY;
use crate::agents::authority::outcome;
use crate::agents::services::Services;
use crate::args::Connection;

/// How long it asks before and after the switch is thrown.
const ASKING: Duration = Duration::from_millis(150);

/// The agent's thread.
pub(super) struct Flight {
    stop: Arc<AtomicBool>,
    asking: JoinHandle<Result<Vec<Asked>>>,
}

/// One question: when it was asked and answered, and the answer.
struct Asked {
    at: Instant,
    answered: Instant,
    outcome: Outcome,
}

impl Flight {
    /// Starts asking whether the chain of a delegation may reply to a ticket, and returns while it asks.
    pub(super) fn start(endpoint: &str, delegation: &str) -> Result<Flight> {
        let stop = Arc::new(AtomicBool::new(false));
        let connection = Connection {
            endpoint: endpoint.to_owned(),
            key: Some(DEMO_KEY.to_owned()),
            ca: None,
            client_cert: None,
            client_key: None,
        };
        let (is_over, delegation) = (Arc::clone(&stop), delegation.to_owned());
        let asking = std::thread::Builder::new()
            .name("demo-agent".to_owned())
            .spawn(move || ask(&connection, &delegation, &is_over))
            .context("cannot start the agent's thread")?;
        std::thread::sleep(ASKING);
        Ok(Flight { stop, asking })
    }

    /// Tells what the agent was answered before and after this call: the switch was answered before it.
    pub(super) fn land(self) -> Result<String> {
        let thrown = Instant::now();
        std::thread::sleep(ASKING);
        self.stop.store(true, Ordering::Relaxed);
        let asked = self.asking.join().map_err(|_| anyhow::anyhow!("the agent's thread failed"))??;
        let allowed = asked.iter().filter(|one| one.outcome == Outcome::Allow).count();
        let after: Vec<&Asked> = asked.iter().filter(|one| one.at >= thrown).collect();
        let late = after.iter().filter(|one| one.outcome == Outcome::Allow).count();
        if late > 0 || allowed == 0 || after.is_empty() {
            let count = after.len();
            bail!("{allowed} of {} were allowed; {late} of {count} asked after the switch", asked.len());
        }
        let took: Duration = asked.iter().map(|one| one.answered.saturating_duration_since(one.at)).sum();
        let each = took.as_micros() / u128::try_from(asked.len()).unwrap_or(1).max(1);
        Ok(format!(
            "asked {} times meanwhile, {each} us each: {allowed} allowed; of the {} asked after the switch none",
            asked.len(),
            after.len()
        ))
    }
}

fn ask(connection: &Connection, delegation: &str, is_over: &AtomicBool) -> Result<Vec<Asked>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let services = Services::connect(connection).await?;
        let mut asked = Vec::new();
        while !is_over.load(Ordering::Relaxed) {
            let at = Instant::now();
            let outcome = outcome(&services, "ticket:1002", "reply", delegation).await?;
            asked.push(Asked { at, answered: Instant::now(), outcome });
        }
        Ok(asked)
    })
}
