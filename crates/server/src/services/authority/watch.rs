//! `WatchDecision`: the answers to some questions, and every change of them.

use std::sync::Arc;
use std::time::Duration;

use pemba_agents::authority::Decision;
use pemba_agents::client::Client;
use pemba_db::{Database, View};
use pemba_model::Timestamp;
use pemba_proto::pemba::v1 as own;
use pemba_proto::pemba::v1::watched_answer::Answer;
use tonic::{Code, Status};

use super::check::{Fields, is_explained};
use super::wire;
use crate::access;
use crate::chains::Basis;
use crate::consistency::encode;
use crate::errors;
use crate::state::State;
use crate::status::{plain, to_wire};
use crate::stream::{Outgoing, Outlet};
use crate::validate::{Invalid, Path};

/// Most questions of one stream.
const QUESTIONS_MAX: usize = 100;
/// Longest sleep towards an instant at which an answer may change: the clock may be set.
const SLEEP_MAX: Duration = Duration::from_millis(250);
/// Shortest sleep: an instant that is told twice must not keep a thread busy.
const SLEEP_MIN: Duration = Duration::from_millis(1);

pub(super) fn answer(
    state: &Arc<State>,
    client: &Arc<Client>,
    request: own::WatchDecisionRequest,
) -> Result<Outgoing<own::WatchDecisionResponse>, Status> {
    let database = state.database()?.clone();
    let count = request.questions.len();
    if count == 0 || count > QUESTIONS_MAX {
        let message = format!("{count} questions are given; 1 to {QUESTIONS_MAX} are allowed");
        return Err(Invalid::at(Path::Root.field("questions"), message).into());
    }
    let watching =
        Watching { state: Arc::clone(state), client: Arc::clone(client), request: Arc::new(request) };
    // What is wrong with a question, or outside of what the client may ask, is the call's own error.
    let basis = watching.basis(database.head_view());
    for (index, question) in watching.request.questions.iter().enumerate() {
        watching.may_ask(&basis, question, Path::Root.item("questions", index))?;
    }
    let (outlet, outgoing) = state.streams.open()?;
    tokio::spawn(watching.follow(database, outlet));
    Ok(outgoing)
}

/// A stream in progress.
#[derive(Clone)]
struct Watching {
    state: Arc<State>,
    client: Arc<Client>,
    request: Arc<own::WatchDecisionRequest>,
}

/// The answer to one question as far as it matters whether it changed, and as it is told.
struct Told {
    decision: Result<Decision, Status>,
    is_explained: bool,
}

/// All answers at one revision.
struct Round {
    view: View,
    answers: Vec<Told>,
}

impl Watching {
    fn basis(&self, view: View) -> Basis {
        let ledger = Arc::clone(view.ledger());
        Basis::new(&self.state, &self.client, view, ledger)
    }

    fn may_ask(&self, basis: &Basis, question: &own::WatchedQuestion, at: Path<'_>) -> Result<(), Status> {
        let case = fields(question).case(&self.state, basis, at)?;
        let asked = (case.resource.object_type.as_str(), case.permission.as_str());
        access::watch_as(&self.client, at, asked, &case.chain)
    }

    /// Answers all questions on the newest state. A session that only a watch presents is not kept in use by it.
    fn answer_all(&self, view: View) -> Round {
        let basis = self.basis(view);
        let questions = self.request.questions.iter().enumerate();
        let answers = questions.map(|(index, question)| {
            let at = Path::Root.item("questions", index);
            match fields(question).case(&self.state, &basis, at) {
                Ok(case) => {
                    let decision = basis.decide(&case.chain, &[], &case.question());
                    let decision = decision.map_err(|refused| errors::agents(&refused));
                    Told { decision, is_explained: is_explained(&self.client, &case) }
                }
                Err(status) => Told { decision: Err(status), is_explained: false },
            }
        });
        Round { answers: answers.collect(), view: basis.view.clone() }
    }

    /// Sends the state and its changes until the client is gone, takes nothing or has other rights, or the server stops.
    async fn follow(self, database: Database, outlet: Outlet<own::WatchDecisionResponse>) {
        self.state.metrics.watches.inc();
        if let Err(status) = self.tell(&database, &outlet).await {
            outlet.fail(status);
        }
        self.state.metrics.watches.dec();
    }

    async fn tell(
        &self,
        database: &Database,
        outlet: &Outlet<own::WatchDecisionResponse>,
    ) -> Result<(), Status> {
        let mut stopping = self.state.stopping.clone();
        let mut replaced = self.state.authentication.replacements();
        replaced.mark_changed();
        let mut last: Option<Round> = None;
        loop {
            let (this, view) = (self.clone(), database.head_view());
            let round = self.state.queries.run_in_turn(move || Ok(this.answer_all(view))).await?;
            if let Some(message) = message(last.as_ref(), &round)
                && outlet.send_or(vec![message], Code::ResourceExhausted).await.is_err()
            {
                return Ok(());
            }
            let revision = round.view.revision();
            let until = round.until();
            last = Some(round);
            tokio::select! {
                changed = database.changed_since(revision) => if changed.is_none() {
                    return Err(stopped());
                },
                () = reached(database, until) => {}
                () = outlet.closed() => return Ok(()),
                Ok(()) = replaced.changed() => if !self.state.authentication.still_knows(&self.client) {
                    return Err(errors::rights_changed(&self.client.name));
                },
                _ = stopping.wait_for(|stopping| *stopping) => return Err(stopped()),
            }
        }
    }
}

fn stopped() -> Status {
    let message = "the server is shutting down; watch again, and take no answer for valid until then";
    plain(Code::Unavailable, message)
}

fn fields(question: &own::WatchedQuestion) -> Fields<'_> {
    Fields {
        chain: question.chain.as_ref(),
        resource: question.resource.as_ref(),
        permission: &question.permission,
        context: question.context.as_ref(),
    }
}

impl Round {
    /// The first instant at which an answer could change by the clock alone.
    fn until(&self) -> Option<Timestamp> {
        self.answers.iter().filter_map(|told| told.decision.as_ref().ok()?.valid_until).min()
    }
}

impl Told {
    /// Whether whoever acts on the answers has to know.
    fn differs(&self, other: &Told) -> bool {
        match (&self.decision, &other.decision) {
            (Ok(one), Ok(other)) => (one.outcome, &one.missing) != (other.outcome, &other.missing),
            (Err(one), Err(other)) => (one.code(), one.message()) != (other.code(), other.message()),
            (Ok(_), Err(_)) | (Err(_), Ok(_)) => true,
        }
    }

    fn to_wire(&self) -> Answer {
        match &self.decision {
            Ok(decision) => Answer::Decision(wire::decision(decision, self.is_explained)),
            Err(status) => Answer::Error(to_wire(status)),
        }
    }
}

/// What is told of a round: everything first, then what changed; nothing when nothing has.
fn message(last: Option<&Round>, round: &Round) -> Option<own::WatchDecisionResponse> {
    let is_new = |index: usize, told: &Told| {
        last.and_then(|last| last.answers.get(index)).is_none_or(|before| told.differs(before))
    };
    let answers: Vec<_> = round
        .answers
        .iter()
        .enumerate()
        .filter(|(index, told)| is_new(*index, told))
        .map(|(index, told)| own::WatchedAnswer {
            question: u32::try_from(index).unwrap_or(u32::MAX),
            answer: Some(told.to_wire()),
        })
        .collect();
    (!answers.is_empty()).then(|| own::WatchDecisionResponse {
        at: Some(encode(round.view.token())),
        whole: last.is_none(),
        answers,
    })
}

/// Ready once the database's clock has reached the instant; never without one.
async fn reached(database: &Database, until: Option<Timestamp>) {
    let Some(until) = until else { return std::future::pending().await };
    loop {
        let now = database.head_view().now();
        let left_ms = u64::try_from(until.as_millis().saturating_sub(now.as_millis())).unwrap_or_default();
        tokio::time::sleep(Duration::from_millis(left_ms).clamp(SLEEP_MIN, SLEEP_MAX)).await;
        if now >= until {
            return;
        }
    }
}
