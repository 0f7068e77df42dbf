//! Commands and reads of records: from a database to a moment, and from changes to a decided revision.

use pemba_agents::command::Changes;
use pemba_agents::{AgentLimits, Book, Facts, Moment, Refused};
use pemba_db::{Committed, Database, DecideError, Decided, Pending, Token, View};
use tonic::Status;

use super::Fields;
use crate::errors;
use crate::state::State;

/// Why a command did nothing.
pub(crate) enum CommandError {
    /// It refused.
    Refused(Box<Refused>),
    /// What it decided was not taken.
    Decide(Box<DecideError>),
    /// The database keeps no records.
    NoBook,
}

impl From<DecideError> for CommandError {
    fn from(error: DecideError) -> CommandError {
        CommandError::Decide(Box::new(error))
    }
}

/// Runs a command at the head, in the one order of all writes. Returns the token of its revision, of the present one if
/// it changed nothing. `fields` says what a refusal's field is called in the request.
pub(crate) async fn run<T: Send + 'static>(
    state: &State,
    fields: Fields,
    command: impl FnOnce(&Moment<'_>) -> Result<Changes<T>, Refused> + Send + 'static,
) -> Result<(Token, T), Status> {
    match submit(state.writer()?, state.agent_limits, command).await {
        Ok((committed, reply)) => Ok((committed.token, reply)),
        Err(CommandError::Refused(refused)) => Err(errors::agents(&fields.of_request(*refused))),
        Err(CommandError::Decide(error)) => Err(errors::decide(&error)),
        Err(CommandError::NoBook) => Err(errors::no_book()),
    }
}

/// Puts a command into the one order of all writes; it runs whether or not anybody waits for it.
pub(crate) fn submit<T: Send + 'static>(
    database: &Database,
    limits: AgentLimits,
    command: impl FnOnce(&Moment<'_>) -> Result<Changes<T>, Refused> + Send + 'static,
) -> Pending<(Committed, T), CommandError> {
    database.decide(move |now: &pemba_db::Command<'_>| {
        let view = now.view;
        let book = book_of(view).ok_or(CommandError::NoBook)?;
        let moment = Moment { facts: facts_of(view), book, limits: &limits, revision: now.revision };
        let Changes { documents, reincarnate, reply } =
            command(&moment).map_err(|refused| CommandError::Refused(Box::new(refused)))?;
        Ok(Decided { documents, updates: Vec::new(), reincarnate, metadata: None, reply })
    })
}

/// The records of a view; `None` where the database keeps none.
pub(crate) fn book_of(view: &View) -> Option<&Book> {
    view.ledger().as_any().downcast_ref()
}

/// The relationships of a view, at its instant.
pub(crate) fn facts_of(view: &View) -> Facts<'_> {
    Facts::of(view.snapshot(), view.now(), view.steps_max())
}

/// The newest records, with the relationships of the same revision and the present instant.
pub(crate) struct Newest {
    view: View,
    limits: AgentLimits,
}

impl Newest {
    /// What there is now.
    pub(crate) fn of(state: &State) -> Result<Newest, Status> {
        let view = state.database()?.head_view();
        if book_of(&view).is_none() {
            return Err(errors::no_book());
        }
        Ok(Newest { view, limits: state.agent_limits })
    }

    /// The view.
    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    /// Everything as a command at this instant would see it.
    pub(crate) fn moment(&self) -> Result<Moment<'_>, Status> {
        let book = book_of(&self.view).ok_or_else(errors::no_book)?;
        let revision = self.view.revision();
        Ok(Moment { facts: facts_of(&self.view), book, limits: &self.limits, revision })
    }
}
