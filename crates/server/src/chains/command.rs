//! Commands about agents, given to the database.

use pemba_agents::command::Changes;
use pemba_agents::{AgentLimits, Facts, Moment, Refused};
use pemba_db::{Command, Committed, Database, DecideError, Decided, Pending};
use tonic::Status;

use super::basis::book_of;
use crate::errors;

/// Why a command did not happen.
#[derive(Debug)]
pub(crate) enum CommandError {
    Refused(Refused),
    Database(DecideError),
}

impl From<DecideError> for CommandError {
    fn from(error: DecideError) -> CommandError {
        CommandError::Database(error)
    }
}

impl From<CommandError> for Status {
    fn from(error: CommandError) -> Status {
        match error {
            CommandError::Refused(refused) => errors::agents(&refused),
            CommandError::Database(error) => errors::decide(&error),
        }
    }
}

/// Runs a command in the order of all writes.
pub(crate) fn submit<T: Send + 'static>(
    database: &Database,
    limits: &AgentLimits,
    command: impl FnOnce(&Moment<'_>) -> Result<Changes<T>, Refused> + Send + 'static,
) -> Pending<(Committed, T), CommandError> {
    let limits = *limits;
    database.decide(move |asked: &Command<'_>| {
        let view = asked.view;
        let moment = Moment {
            facts: Facts::of(view.snapshot(), view.now(), view.steps_max()),
            book: book_of(&**view.ledger()),
            limits: &limits,
            revision: asked.revision,
        };
        let Changes { documents, reincarnate, reply } = command(&moment).map_err(CommandError::Refused)?;
        Ok(Decided { documents, reincarnate, updates: Vec::new(), metadata: None, reply })
    })
}
