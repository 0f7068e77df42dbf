//! What a question about a chain is asked on: relationships of one view, and the newest records.

use std::sync::{Arc, LazyLock};

use pemba_agents::authority::{self, Decision, Ground, Limit, Question};
use pemba_agents::chain::{Chain, Claim, Presenter, resolve};
use pemba_agents::client::Client;
use pemba_agents::command::touch_session;
use pemba_agents::judged::Judged;
use pemba_agents::{AgentLimits, Book, Facts, Refused, SessionId, contextual};
use pemba_db::{Consistency, View};
use pemba_engine::{Graph, Snapshot};
use pemba_model::{Ledger, Relationship};
use tonic::Status;

use crate::access;
use crate::errors;
use crate::pemba::moment::submit;
use crate::state::State;
use crate::validate::Path;

/// The records of a database that keeps none.
static NO_RECORDS: LazyLock<Book> = LazyLock::new(Book::default);

/// The records in a ledger.
pub(crate) fn book_of(ledger: &dyn Ledger) -> &Book {
    ledger.as_any().downcast_ref().unwrap_or(&NO_RECORDS)
}

/// The newest ledger where it may be another than the view's: every consistency but the exact one gives the head.
pub(crate) fn newer_ledger(
    state: &State,
    consistency: &Consistency,
) -> Result<Option<Arc<dyn Ledger>>, Status> {
    match consistency {
        Consistency::AtExactSnapshot(_) => Ok(Some(state.database()?.ledger())),
        Consistency::MinimizeLatency | Consistency::FullyConsistent | Consistency::AtLeastAsFresh(_) => {
            Ok(None)
        }
    }
}

/// What a question is asked on, and by whom. A clone is cheap.
#[derive(Clone)]
pub(crate) struct Basis {
    pub(crate) view: View,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) client: Arc<Client>,
    limits: AgentLimits,
    state: Arc<State>,
}

/// Something to ask, whatever the graph is.
pub(crate) trait Ask {
    /// What comes of it.
    type Answer;

    /// Asks.
    fn ask<G: Graph>(self, ground: &Ground<'_, G>, chain: &Chain) -> Result<Self::Answer, Refused>;
}

impl Basis {
    /// On a view, with the records of a ledger.
    pub(crate) fn new(
        state: &Arc<State>,
        client: &Arc<Client>,
        view: View,
        ledger: Arc<dyn Ledger>,
    ) -> Basis {
        Basis {
            view,
            ledger,
            client: Arc::clone(client),
            limits: state.agent_limits,
            state: Arc::clone(state),
        }
    }

    /// As `new`, on what a consistency asks for.
    pub(crate) async fn at(
        state: &Arc<State>,
        client: &Arc<Client>,
        consistency: Consistency,
    ) -> Result<Basis, Status> {
        let view = state.view(consistency).await?;
        let newer = newer_ledger(state, &consistency)?;
        let ledger = newer.unwrap_or_else(|| Arc::clone(view.ledger()));
        Ok(Basis::new(state, client, view, ledger))
    }

    /// The records.
    pub(crate) fn book(&self) -> &Book {
        book_of(&*self.ledger)
    }

    /// The bounds of agents.
    pub(crate) fn limits(&self) -> &AgentLimits {
        &self.limits
    }

    /// Who asks, presenting this session.
    pub(crate) fn presenter(&self, session: Option<SessionId>) -> Presenter {
        Presenter {
            client: self.client.name.clone(),
            thumbprint: self.client.certificate.clone(),
            session_used_at: session.and_then(|id| self.state.session_uses.last(id)),
        }
    }

    /// The chain that a claim names, for a client that may speak for it; `at` is where the request names it.
    pub(crate) fn chain(&self, claim: &Claim, at: Path<'_>) -> Result<Chain, Status> {
        let presenter = self.presenter(claim.session);
        let chain = resolve(self.book(), claim, &presenter, self.view.revision())
            .map_err(|refused| errors::agents(&refused))?;
        access::chain(&self.client, at, &chain)?;
        Ok(chain)
    }

    /// Asks about a chain; the root's authority includes what its session grants and what the request brings along.
    /// Each query takes at most as many steps as the view lets it.
    pub(crate) fn ask<A: Ask>(
        &self,
        chain: &Chain,
        brought: &[Relationship],
        ask: A,
    ) -> Result<A::Answer, Refused> {
        let view = &self.view;
        let facts = Facts::of(view.snapshot(), view.now(), view.steps_max());
        let presenter = self.presenter(chain.session.as_ref().map(|session| session.id));
        let book = self.book();
        let (limits, presenter) = (&self.limits, &presenter);
        let session = chain.session.as_deref();
        let overlay = contextual::overlay(facts.graph, facts.schema, session, brought, facts.now)?;
        let newest = self.newest();
        let head = newest
            .as_ref()
            .map_or(facts, |newest| Facts::of(newest.snapshot(), view.now(), view.steps_max()));
        match overlay {
            None => ask.ask(&Ground { facts, head, seen: facts, book, limits, presenter }, chain),
            Some(overlay) => {
                let seen = facts.over(&overlay);
                ask.ask(&Ground { facts, head, seen, book, limits, presenter }, chain)
            }
        }
    }

    /// The head, where it is another than the view and may matter: only approvers are looked at there.
    fn newest(&self) -> Option<View> {
        if self.book().approvals().is_empty() {
            return None;
        }
        let head = self.state.database().ok()?.head_view();
        (head.revision() != self.view.revision()).then_some(head)
    }

    /// The relationships of the view as they count: usersets of agents that are not live grant nothing.
    pub(crate) fn judged(&self) -> Judged<'_, Snapshot> {
        let view = &self.view;
        Facts::of(view.snapshot(), view.now(), view.steps_max()).judged(self.book(), &self.limits)
    }

    /// The same with a lower bound on the steps of a query.
    #[must_use]
    pub(crate) fn bounded(&self, steps_max: u64) -> Basis {
        Basis { view: self.view.bounded(steps_max), ..self.clone() }
    }

    /// Decides about one object.
    pub(crate) fn decide(
        &self,
        chain: &Chain,
        brought: &[Relationship],
        question: &Question<'_>,
    ) -> Result<Decision, Refused> {
        self.ask(chain, brought, Decide(question))
    }

    /// Remembers that the chain's session was used, unless it is what limits the answer: a session that is over stays so.
    pub(crate) fn used(&self, chain: &Chain, limit: Option<&Limit>) {
        let Some(session) = &chain.session else { return };
        if matches!(limit, Some(Limit::Session(..))) {
            return;
        }
        let (id, now) = (session.id, self.view.now());
        if !self.state.session_uses.note(session, now) || self.state.read_only {
            return;
        }
        if let Ok(database) = self.state.database() {
            // Nobody waits for it: what is lost with a crash ends the session earlier, never later.
            drop(submit(database, self.limits, move |moment| touch_session(moment, id, now)));
        }
    }
}

struct Decide<'a, 'b>(&'a Question<'b>);

impl Ask for Decide<'_, '_> {
    type Answer = Decision;

    fn ask<G: Graph>(self, ground: &Ground<'_, G>, chain: &Chain) -> Result<Decision, Refused> {
        Ok(authority::decide(ground, chain, self.0, false)?.0)
    }
}
