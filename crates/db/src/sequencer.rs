//! The one thread that orders everything: it takes waiting requests as a group and applies them one after the other. The
//! group goes on to the committer, which stores it in one batch, publishes it and answers.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Instant;

use crossbeam::channel::{Receiver, Sender};
use crossbeam::select;
use pemba_engine::EdgeKey;
use pemba_model::{Revision, Timestamp};
use pemba_schema::Schema;
use tokio::sync::oneshot;

use crate::committer::{Committer, Work};
use crate::errors::{CounterError, DeleteError, ImportError, Refusal, SchemaError, WriteError};
use crate::group::Group;
use crate::import::Load;
use crate::records::counters::CounterChange;
use crate::requests::{Committed, Delete, Deleted, Imported, Write};
use crate::shared::Shared;
use crate::storing::Tip;

/// Where an answer goes.
pub(crate) type Answer<T, E> = oneshot::Sender<Result<T, E>>;

/// Decides and answers in a group, or answers that it was refused.
pub(crate) type Decision = Box<dyn FnOnce(Result<&mut Group<'_>, Refusal>) + Send>;

/// What the sequencer is asked.
pub(crate) enum Request {
    Write(Write, Answer<Committed, WriteError>),
    Delete(Delete, Answer<Deleted, DeleteError>),
    Schema(Box<NewSchema>, Answer<Committed, SchemaError>),
    Import(Box<Load>, Answer<Imported, ImportError>),
    Counter(CounterChange, Answer<Committed, CounterError>),
    Decide(Decision),
    Collect(Garbage, Sender<()>),
    Stop,
}

/// A schema that is valid in itself.
pub(crate) struct NewSchema {
    pub(crate) text: String,
    pub(crate) schema: Arc<Schema>,
}

/// What may be forgotten.
pub(crate) struct Garbage {
    /// The log up to and including this revision.
    pub(crate) horizon: Revision,
    /// Relationships that were seen to have expired before `expired_before`.
    pub(crate) expired: Vec<EdgeKey>,
    /// What expired before this instant is out of every reader's sight.
    pub(crate) expired_before: Timestamp,
}

/// Runs until it is told to stop or nobody can ask any more. A panic, which would be a defect, closes the database for
/// writes like a failed store does; who waits then is told that it is closed.
pub(crate) fn run(shared: &Arc<Shared>, requests: Receiver<Request>, committer: Committer) {
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| serve(shared, &requests, committer)));
    if outcome.is_err() {
        shared.poison("the sequencer panicked");
    }
    drop(requests);
}

fn serve(shared: &Arc<Shared>, requests: &Receiver<Request>, mut committer: Committer) {
    let mut tip = Tip::published(shared);
    let mut held_back = None;
    loop {
        let first = match held_back.take() {
            Some(request) => request,
            None => match requests.recv() {
                Ok(request) => request,
                Err(_) => return,
            },
        };
        if matches!(first, Request::Stop) {
            return;
        }
        let started = Instant::now();
        let mut taking = Taking { group: Group::begin(shared, &tip), size: 0 };
        let first_is_alone = is_alone(&first);
        taking.take(first);
        if !first_is_alone {
            held_back = taking.fill(requests, &mut committer);
        }
        let Taking { group, size } = taking;
        let applied = group.finish();
        tip = applied.tip.clone();
        let work = Work { applied, size, started };
        // Nobody waits behind a single request, so there is nothing to do meanwhile: it is answered sooner from here.
        if size == 1 && held_back.is_none() && requests.is_empty() && !committer.is_busy() {
            work.commit(shared);
        } else {
            committer.hand_over(work);
        }
    }
}

/// One that takes long goes alone, so that the others are answered before it.
fn is_alone(request: &Request) -> bool {
    matches!(request, Request::Import(..) | Request::Stop)
}

/// A group that is being taken.
struct Taking<'a> {
    group: Group<'a>,
    size: usize,
}

impl Taking<'_> {
    /// Applies a request to the group.
    fn take(&mut self, request: Request) {
        self.size += 1;
        match self.group.shared.refusal() {
            Some(refusal @ Refusal::Poisoned { .. }) => refuse(request, refusal),
            // What was queued before the database was closed is still served.
            _ => apply(&mut self.group, request),
        }
    }

    /// Takes what waits, and what comes until the group before is committed. A request that goes alone ends it and is
    /// returned.
    fn fill(&mut self, requests: &Receiver<Request>, committer: &mut Committer) -> Option<Request> {
        let size_max = self.group.shared.limits.commit_group_max;
        loop {
            if self.size >= size_max {
                return None;
            }
            let next = match requests.try_recv() {
                Ok(request) => Some(request),
                Err(_) if !committer.is_busy() => return None,
                Err(_) => select! {
                    recv(requests) -> request => match request {
                        Ok(request) => Some(request),
                        Err(_) => return None,
                    },
                    recv(committer.done()) -> _ => None,
                },
            };
            match next {
                Some(request) if is_alone(&request) => return Some(request),
                Some(request) => self.take(request),
                None => committer.is_committed(),
            }
        }
    }
}

fn apply(group: &mut Group<'_>, request: Request) {
    match request {
        Request::Write(write, answer) => {
            let result = group.write(write);
            group.answer(answer, result);
        }
        Request::Delete(delete, answer) => {
            let result = group.delete(delete);
            group.answer(answer, result);
        }
        Request::Schema(schema, answer) => {
            let result = group.write_schema(*schema);
            group.answer(answer, result);
        }
        Request::Import(load, answer) => {
            let result = group.import(*load);
            group.answer(answer, result);
        }
        Request::Counter(change, answer) => {
            let result = group.change_counter(change);
            group.answer(answer, result);
        }
        Request::Decide(decision) => decision(Ok(group)),
        Request::Collect(garbage, done) => group.collect(garbage, done),
        Request::Stop => {}
    }
}

/// Answers without doing anything. An asker that went away does not matter.
fn refuse(request: Request, refusal: Refusal) {
    match request {
        Request::Write(_, answer) => drop(answer.send(Err(refusal.into()))),
        Request::Delete(_, answer) => drop(answer.send(Err(refusal.into()))),
        Request::Schema(_, answer) => drop(answer.send(Err(refusal.into()))),
        Request::Import(_, answer) => drop(answer.send(Err(refusal.into()))),
        Request::Counter(_, answer) => drop(answer.send(Err(refusal.into()))),
        Request::Decide(decision) => decision(Err(refusal)),
        Request::Collect(..) | Request::Stop => {}
    }
}
