//! Commands and reads of records: from a database to a moment, and from changes to a decided revision.

use pemba_agents::command::Changes;
use pemba_agents::{Book, Facts, Moment, Refused};
use pemba_db::{Token, View};
use tonic::Status;

use super::Fields;
use crate::chains::{CommandError, submit};
use crate::errors;
use crate::state::State;

/// Runs a command at the head, in the one order of all writes. Returns the token of its revision, of the present one if
/// it changed nothing. `fields` says what a refusal's field is called in the request.
pub(crate) async fn run<T: Send + 'static>(
    state: &State,
    fields: Fields,
    command: impl FnOnce(&Moment<'_>) -> Result<Changes<T>, Refused> + Send + 'static,
) -> Result<(Token, T), Status> {
    match submit(state.writer()?, &state.agent_limits, command).await {
        Ok((committed, reply)) => Ok((committed.token, reply)),
        Err(CommandError::Refused(refused)) => Err(errors::agents(&fields.of_request(refused))),
        Err(error) => Err(error.into()),
    }
}

/// The records of a view; `None` where the database keeps none.
fn book_of(view: &View) -> Option<&Book> {
    view.ledger().as_any().downcast_ref()
}

/// The relationships of a view, at its instant.
fn facts_of(view: &View) -> Facts<'_> {
    Facts::of(view.snapshot(), view.now(), view.steps_max())
}

/// The newest records, with the relationships of the same revision and the present instant.
pub(crate) struct Newest {
    view: View,
    limits: pemba_agents::AgentLimits,
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
