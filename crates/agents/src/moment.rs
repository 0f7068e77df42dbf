//! What a question or a command looks at.

use pemba_engine::{Graph, Program, QueryContext, QueryError, SchemaCaveats, Snapshot};
use pemba_model::{Context, Revision, Timestamp};
use pemba_schema::Schema;

use crate::book::Book;
use crate::judged::Judged;
use crate::limits::AgentLimits;

/// The relationships at one revision, and the instant of the question.
#[derive(Debug)]
pub struct Facts<'a, G: Graph = Snapshot> {
    /// The edges.
    pub graph: &'a G,
    /// The schema, compiled.
    pub program: &'a Program,
    /// The schema.
    pub schema: &'a Schema,
    /// The revision.
    pub revision: Revision,
    /// The instant.
    pub now: Timestamp,
    /// Most steps of one query.
    pub steps_max: u64,
}

impl<G: Graph> Clone for Facts<'_, G> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<G: Graph> Copy for Facts<'_, G> {}

impl<'a> Facts<'a> {
    /// The facts of a snapshot at an instant.
    pub fn of(snapshot: &'a Snapshot, now: Timestamp, steps_max: u64) -> Facts<'a> {
        Facts {
            graph: snapshot,
            program: snapshot.program(),
            schema: snapshot.schema(),
            revision: snapshot.revision(),
            now,
            steps_max,
        }
    }
}

impl<'a, G: Graph> Facts<'a, G> {
    /// The same facts over other edges.
    pub fn over<'b, H: Graph>(&self, graph: &'b H) -> Facts<'b, H>
    where
        'a: 'b,
    {
        Facts {
            graph,
            program: self.program,
            schema: self.schema,
            revision: self.revision,
            now: self.now,
            steps_max: self.steps_max,
        }
    }

    /// Runs a query with what every query gets.
    pub fn ask<T>(
        &self,
        values: Option<&Context>,
        query: impl FnOnce(&QueryContext<'_>) -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        let caveats = SchemaCaveats { schema: self.schema, request: values };
        query(&QueryContext { now: self.now, steps_max: self.steps_max, caveats: &caveats })
    }
}

/// What a command looks at: everything, as it is when the command takes effect.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// The relationships and the instant.
    pub facts: Facts<'a>,
    /// The records.
    pub book: &'a Book,
    /// The bounds.
    pub limits: &'a AgentLimits,
    /// The revision that the command gets if it changes anything.
    pub revision: Revision,
}

impl<'a> Moment<'a> {
    /// The relationships as they count.
    pub(crate) fn judged(&self) -> Judged<'a, Snapshot> {
        self.facts.judged(self.book, self.limits)
    }

    /// The instant.
    pub fn now(&self) -> Timestamp {
        self.facts.now
    }
}
