//! Following the changes as they commit.

use std::future::Future;

use pemba_model::{Context, RelationshipFilter, SmolStr, Update};
use pemba_proto::authzed::api::v1;
use tonic::{Response, Status, Streaming};

use crate::{
    client::{Api, Client},
    consistency::Token,
    context,
    error::Error,
    stream::{self, ResultStream, Source},
    wire,
};

/// What to follow, and from where.
#[derive(Debug, Clone, Default)]
#[must_use = "nothing is followed before `Client::watch`"]
pub struct Watch {
    after: Option<Token>,
    object_types: Vec<SmolStr>,
    filters: Vec<RelationshipFilter>,
    schema: bool,
    checkpoints: bool,
}

/// What happened at one revision, or word of how far the stream has come.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchEvent {
    /// Everything up to this revision has been delivered: continue from it with [`Watch::after`].
    pub through: Token,
    /// The changes. A creation shows as a touch.
    pub updates: Vec<Update>,
    /// Whether the schema changed.
    pub schema_updated: bool,
    /// Whether this is only a sign of progress.
    pub is_checkpoint: bool,
    /// The data the writer sent along; empty when there was none.
    pub metadata: Context,
}

impl Watch {
    /// All changes to relationships from now on.
    pub fn new() -> Watch {
        Watch::default()
    }

    /// Changes after this revision instead of from now on.
    pub fn after(mut self, token: Token) -> Watch {
        self.after = Some(token);
        self
    }

    /// Only changes to relationships on resources of this type, or of one of the types added before. Not together with
    /// filters.
    pub fn object_type(mut self, object_type: impl Into<SmolStr>) -> Watch {
        self.object_types.push(object_type.into());
        self
    }

    /// Only changes this filter matches, or one of those added before. Not together with object types.
    pub fn filter(mut self, filter: RelationshipFilter) -> Watch {
        self.filters.push(filter);
        self
    }

    /// Changes of the schema too.
    pub fn with_schema(mut self) -> Watch {
        self.schema = true;
        self
    }

    /// Signs of progress too.
    pub fn with_checkpoints(mut self) -> Watch {
        self.checkpoints = true;
        self
    }

    fn to_wire(&self) -> v1::WatchRequest {
        let mut kinds = vec![v1::WatchKind::IncludeRelationshipUpdates];
        kinds.extend(self.schema.then_some(v1::WatchKind::IncludeSchemaUpdates));
        kinds.extend(self.checkpoints.then_some(v1::WatchKind::IncludeCheckpoints));
        v1::WatchRequest {
            optional_object_types: self.object_types.iter().map(ToString::to_string).collect(),
            optional_start_cursor: None,
            optional_relationship_filters: self.filters.iter().map(wire::filter_to_wire).collect(),
            optional_update_kinds: kinds.into_iter().map(i32::from).collect(),
        }
    }
}

impl Client {
    /// Streams changes in revision order until it is dropped. A lost server is waited for as the retry policy allows,
    /// and the stream goes on after the last event. One that was lost before the first event, of a watch without
    /// [`Watch::after`], ends in an error, since what happened meanwhile would be missing.
    pub fn watch(&self, watch: Watch) -> ResultStream<WatchEvent> {
        let start = watch.after.as_ref().map(Token::to_wire);
        stream::run(self, WatchSource(watch.to_wire()), start, None)
    }
}

struct WatchSource(v1::WatchRequest);

impl Source for WatchSource {
    type Cursor = v1::ZedToken;
    type Message = v1::WatchResponse;
    type Item = WatchEvent;

    const RESTARTABLE: bool = false;

    fn open(
        &self,
        mut api: Api,
        after: Option<v1::ZedToken>,
    ) -> impl Future<Output = Result<Response<Streaming<Self::Message>>, Status>> + Send {
        let request = v1::WatchRequest { optional_start_cursor: after, ..self.0.clone() };
        async move { api.watch.watch(request).await }
    }

    fn read(message: Self::Message) -> Result<(Vec<WatchEvent>, Option<v1::ZedToken>), Error> {
        let through = wire::present(message.changes_through, "changes_through")?;
        let event = WatchEvent {
            through: Token::from_wire(Some(through.clone())),
            updates: message.updates.into_iter().map(wire::update_from_wire).collect::<Result<_, _>>()?,
            schema_updated: message.schema_updated,
            is_checkpoint: message.is_checkpoint,
            metadata: context::from_wire(message.optional_transaction_metadata)?,
        };
        Ok((vec![event], Some(through)))
    }
}
