//! What the sequencer, readers and watchers of one database have in common.

use std::sync::Arc;

use parking_lot::Mutex;
use pemba_model::{Limits, Revision, Timestamp};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::collecting::LogSizes;
use crate::consistency::Consistency;
use crate::counters::Counters;
use crate::counting::Registered;
use crate::errors::{Refusal, ViewError};
use crate::history::{Head, History, Version};
use crate::requests::State;
use crate::store::Store;
use crate::token::Token;
use crate::view::View;

/// How far the database is, for those who wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) head: Revision,
    pub(crate) stopped: bool,
}

pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: Limits,
    pub(crate) database_id: u64,
    pub(crate) history: History,
    pub(crate) counters: Counters,
    pub(crate) registered: Registered,
    pub(crate) progress: watch::Sender<Progress>,
    /// Of the collector.
    pub(crate) log_sizes: Mutex<LogSizes>,
    state: Mutex<State>,
}

impl Shared {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        limits: Limits,
        database_id: u64,
        history: History,
        registered: Registered,
    ) -> Shared {
        let head = history.head().version.revision();
        Shared {
            store,
            clock,
            limits,
            database_id,
            history,
            counters: Counters::default(),
            registered,
            progress: watch::Sender::new(Progress { head, stopped: false }),
            log_sizes: Mutex::default(),
            state: Mutex::new(State::Serving),
        }
    }

    pub(crate) fn token(&self, revision: Revision) -> Token {
        Token { database_id: self.database_id, revision }
    }

    pub(crate) fn state(&self) -> State {
        self.state.lock().clone()
    }

    /// Why no write is taken now.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        match &*self.state.lock() {
            State::Serving => None,
            State::Poisoned(reason) => Some(Refusal::Poisoned { reason: reason.clone() }),
            State::Stopped => Some(Refusal::Stopped),
        }
    }

    /// Takes no write any more, for good.
    pub(crate) fn poison(&self, reason: &str) {
        let mut state = self.state.lock();
        if *state == State::Serving {
            tracing::error!(reason, "the store failed to write; no further write is taken");
            *state = State::Poisoned(reason.to_owned());
        }
    }

    /// Takes no write any more because the database is being closed.
    pub(crate) fn stop(&self) {
        let mut state = self.state.lock();
        if *state == State::Serving {
            *state = State::Stopped;
        }
        drop(state);
        self.progress.send_modify(|progress| progress.stopped = true);
    }

    /// Publishes what was committed and wakes the watchers.
    pub(crate) fn publish(&self, published: Arc<Head>) {
        let head = published.version.revision();
        self.history.publish(published);
        self.progress.send_if_modified(|progress| std::mem::replace(&mut progress.head, head) != head);
    }

    /// The instant: the clock's, but never before the last commit.
    pub(crate) fn now(&self, head: &Head) -> Timestamp {
        self.clock.now().max(head.time)
    }

    /// Whether what stopped being the head at this instant may no longer be read.
    fn has_expired(&self, superseded_at: Timestamp, now: Timestamp) -> bool {
        superseded_at <= self.window_start(now)
    }

    /// The beginning of the history window.
    pub(crate) fn window_start(&self, now: Timestamp) -> Timestamp {
        now.plus_millis(i64::try_from(self.limits.history_window_ms).unwrap_or(i64::MAX).saturating_neg())
    }

    pub(crate) fn view(&self, consistency: &Consistency) -> Result<View, ViewError> {
        match consistency {
            Consistency::AtExactSnapshot(token) if token.database_id != self.database_id => {
                Err(ViewError::Foreign)
            }
            Consistency::AtExactSnapshot(token) => self.view_at(token.revision),
            Consistency::AtLeastAsFresh(token) if token.database_id == self.database_id => {
                let head = self.history.head();
                self.check_not_ahead(token.revision, &head)?;
                Ok(self.view_of(head.version.clone(), &head))
            }
            Consistency::MinimizeLatency | Consistency::FullyConsistent | Consistency::AtLeastAsFresh(_) => {
                Ok(self.head_view())
            }
        }
    }

    pub(crate) fn head_view(&self) -> View {
        let head = self.history.head();
        self.view_of(head.version.clone(), &head)
    }

    pub(crate) fn view_at(&self, revision: Revision) -> Result<View, ViewError> {
        let head = self.history.head();
        self.check_not_ahead(revision, &head)?;
        if revision == head.version.revision() {
            return Ok(self.view_of(head.version.clone(), &head));
        }
        if revision < self.history.horizon() {
            return Err(self.expired(revision));
        }
        let (version, superseded_at) = match self.history.at_hand(revision) {
            Some(found) => found,
            None => self.rebuild(revision)?,
        };
        if self.has_expired(superseded_at, self.now(&head)) {
            return Err(self.expired(revision));
        }
        Ok(self.view_of(version, &head))
    }

    /// The error for a revision behind the horizon or the history window.
    pub(crate) fn expired(&self, revision: Revision) -> ViewError {
        let Limits { history_window_ms: window_ms, history_max_bytes: max_bytes, .. } = self.limits;
        ViewError::Expired { revision, window_ms, max_bytes }
    }

    /// Whether a view would have to rebuild an old version, which takes long.
    pub(crate) fn needs_rebuild(&self, revision: Revision) -> bool {
        revision < self.history.head().version.revision()
            && revision >= self.history.horizon()
            && self.history.at_hand(revision).is_none()
    }

    fn check_not_ahead(&self, revision: Revision, head: &Head) -> Result<(), ViewError> {
        let head = head.version.revision();
        if revision > head { Err(ViewError::Future { revision, head }) } else { Ok(()) }
    }

    fn view_of(&self, version: Version, head: &Head) -> View {
        let token = self.token(version.revision());
        View::new(version, self.now(head), token, self.limits.query_steps_max)
    }
}
