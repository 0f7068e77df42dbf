//! The one thread that orders everything: it takes waiting requests as a group, applies them one after the other,
//! stores the group in one batch, publishes it and answers.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Instant;

use crossbeam::channel::{Receiver, Sender};
use pemba_engine::EdgeKey;
use pemba_model::{Revision, Timestamp};
use pemba_schema::Schema;
use tokio::sync::oneshot;

use crate::errors::{CounterError, DeleteError, ImportError, Refusal, SchemaError, WriteError};
use crate::group::Group;
use crate::import::Load;
use crate::records::counters::CounterChange;
use crate::requests::{Committed, Delete, Deleted, Imported, Write};
use crate::shared::Shared;

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
pub(crate) fn run(shared: &Arc<Shared>, requests: Receiver<Request>) {
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| serve(shared, &requests)));
    if outcome.is_err() {
        shared.poison("the sequencer panicked");
    }
    drop(requests);
}

fn serve(shared: &Arc<Shared>, requests: &Receiver<Request>) {
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
        let taken = take_group(first, requests, shared.limits.commit_group_max);
        held_back = taken.held_back;
        commit(shared, taken.requests, started);
    }
}

struct Taken {
    requests: Vec<Request>,
    held_back: Option<Request>,
}

/// The first request and those that wait behind it. One that takes long goes alone, so that the others are answered
/// before it.
fn take_group(first: Request, requests: &Receiver<Request>, group_max: usize) -> Taken {
    let alone = |request: &Request| matches!(request, Request::Import(..) | Request::Stop);
    let mut taken = Taken { requests: Vec::new(), held_back: None };
    let first_is_alone = alone(&first);
    taken.requests.push(first);
    while !first_is_alone && taken.requests.len() < group_max {
        match requests.try_recv() {
            Ok(request) if alone(&request) => {
                taken.held_back = Some(request);
                break;
            }
            Ok(request) => taken.requests.push(request),
            Err(_) => break,
        }
    }
    taken
}

fn commit(shared: &Arc<Shared>, requests: Vec<Request>, started: Instant) {
    let size = requests.len();
    let mut group = Group::begin(shared);
    for request in requests {
        match shared.refusal() {
            Some(refusal @ Refusal::Poisoned { .. }) => refuse(request, refusal),
            // What was queued before the database was closed is still served.
            _ => apply(&mut group, request),
        }
    }
    let writes = group.finish().commit(shared);
    shared.counters.count_group(size, writes, started.elapsed());
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
