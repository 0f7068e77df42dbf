//! What must hold before a write, and what comes with it.

use pemba_engine::Transaction;
use pemba_model::{Context, Limits, Precondition, Timestamp};
use pemba_schema::Schema;

use crate::context::{context_depth_fits, context_size_bytes};
use crate::errors::{DeleteError, FilterError, WriteError};
use crate::filters::check_filter;
use crate::records::CONTEXT_DEPTH_MAX;

/// Most relationships that all preconditions of a request may look at, and most steps of a query by a command: every
/// other write waits meanwhile.
pub(crate) const SEQUENCER_STEPS_MAX: u64 = 1_000_000;

/// Why a request does not come to its changes.
#[derive(Debug)]
pub(crate) enum PreconditionError {
    TooMany { count: usize, max: usize },
    Filter(FilterError),
    Failed(Box<Precondition>),
    TooManySteps { precondition: Box<Precondition>, max: u64 },
    MetadataTooLarge { size_bytes: usize, max_bytes: usize },
    MetadataTooDeep { max: usize },
}

/// Checks the sizes, which need no state.
pub(crate) fn check_sizes(
    preconditions: &[Precondition],
    metadata: Option<&Context>,
    limits: &Limits,
) -> Result<(), PreconditionError> {
    let (count, max) = (preconditions.len(), limits.preconditions_max);
    if count > max {
        return Err(PreconditionError::TooMany { count, max });
    }
    let Some(metadata) = metadata else { return Ok(()) };
    let (size_bytes, max_bytes) = (context_size_bytes(metadata), limits.transaction_metadata_max_bytes);
    if size_bytes > max_bytes {
        return Err(PreconditionError::MetadataTooLarge { size_bytes, max_bytes });
    }
    if !context_depth_fits(metadata) {
        return Err(PreconditionError::MetadataTooDeep { max: CONTEXT_DEPTH_MAX });
    }
    Ok(())
}

/// Checks the filter of every precondition against the schema.
pub(crate) fn check_filters(
    preconditions: &[Precondition],
    schema: &Schema,
) -> Result<(), PreconditionError> {
    preconditions
        .iter()
        .try_for_each(|precondition| check_filter(schema, precondition.filter()))
        .map_err(PreconditionError::Filter)
}

/// Checks every precondition, with a filter that was checked, against the state before the request's own changes.
pub(crate) fn check_hold(
    preconditions: &[Precondition],
    state: &Transaction,
    now: Timestamp,
    limits: &Limits,
) -> Result<(), PreconditionError> {
    let max = limits.query_steps_max.min(SEQUENCER_STEPS_MAX);
    let mut steps = 0;
    for precondition in preconditions {
        let left = max.saturating_sub(steps);
        let mut scan = state.scan(precondition.filter(), None, Some(now)).limit_steps(left);
        let matches = scan.next().is_some();
        if scan.stopped() {
            let precondition = Box::new(precondition.clone());
            return Err(PreconditionError::TooManySteps { precondition, max });
        }
        steps = steps.saturating_add(scan.steps());
        let wanted = matches!(precondition, Precondition::MustMatch(_));
        if matches != wanted {
            return Err(PreconditionError::Failed(Box::new(precondition.clone())));
        }
    }
    Ok(())
}

impl From<PreconditionError> for WriteError {
    fn from(error: PreconditionError) -> WriteError {
        match error {
            PreconditionError::TooMany { count, max } => WriteError::TooManyPreconditions { count, max },
            PreconditionError::Filter(error) => WriteError::Filter(error),
            PreconditionError::Failed(precondition) => WriteError::PreconditionFailed { precondition },
            PreconditionError::TooManySteps { precondition, max } => {
                WriteError::PreconditionTooManySteps { precondition, max }
            }
            PreconditionError::MetadataTooLarge { size_bytes, max_bytes } => {
                WriteError::MetadataTooLarge { size_bytes, max_bytes }
            }
            PreconditionError::MetadataTooDeep { max } => WriteError::MetadataTooDeep { max },
        }
    }
}

impl From<PreconditionError> for DeleteError {
    fn from(error: PreconditionError) -> DeleteError {
        match error {
            PreconditionError::TooMany { count, max } => DeleteError::TooManyPreconditions { count, max },
            PreconditionError::Filter(error) => DeleteError::PreconditionFilter(error),
            PreconditionError::Failed(precondition) => DeleteError::PreconditionFailed { precondition },
            PreconditionError::TooManySteps { precondition, max } => {
                DeleteError::PreconditionTooManySteps { precondition, max }
            }
            PreconditionError::MetadataTooLarge { size_bytes, max_bytes } => {
                DeleteError::MetadataTooLarge { size_bytes, max_bytes }
            }
            PreconditionError::MetadataTooDeep { max } => DeleteError::MetadataTooDeep { max },
        }
    }
}
