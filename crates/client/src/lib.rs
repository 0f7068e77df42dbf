//! The Rust SDK for Pemba, and for any other server that speaks `authzed.api.v1`.
//!
//! ```no_run
//! use pemba_client::{Check, Client, ConnectOptions, Consistency, Write};
//! use pemba_client::model::{ObjectRef, Relationship, SubjectRef};
//!
//! # async fn run() -> Result<(), pemba_client::Error> {
//! let client = Client::connect(ConnectOptions::new("localhost:50051").token("secret")).await?;
//! client
//!     .write_schema(
//!         "definition user {}
//!          definition document {
//!              relation viewer: user
//!              permission view = viewer
//!          }",
//!     )
//!     .await?;
//!
//! let plan = ObjectRef::new("document", "plan");
//! let amal = SubjectRef::direct("user", "amal");
//! let written = client
//!     .write(Write::new().touch(Relationship::new(plan.clone(), "viewer", amal.clone())))
//!     .await?;
//!
//! // The token makes sure that the answer has seen the write.
//! let question = Check::new(plan, "view", amal).at(Consistency::AtLeastAsFresh(written));
//! assert!(client.check(question).await?.is_allowed());
//! # Ok(())
//! # }
//! ```
//!
//! Everything that can be long comes as a [`ResultStream`], which fetches page after page by itself. Every failure is an
//! [`Error`] with a code, a message and, from the server, a reason for programs.
//!
//! **Invariant: an error never looks like an answer. What the server did not say for certain is an [`Error`] or
//! [`Permissionship::Conditional`], never a yes, a no or the end of a list.**

mod acting;
mod bulk;
mod check;
mod client;
mod connect;
mod consistency;
mod context;
mod error;
mod expand;
mod lookup;
mod relationships;
mod retry;
mod schema;
mod stream;
mod watch;
pub mod wire;

/// The nouns: relationships, objects, subjects, filters, updates, preconditions.
pub use pemba_model as model;
/// The gRPC status code in [`Error::code`].
pub use tonic::Code;

pub use acting::Acting;
pub use bulk::Export;
pub use check::{BulkChecked, Check, Checked, Permissionship};
pub use client::{AuthenticatedChannel, Client};
pub use connect::{Bearer, ConnectOptions, Tls};
pub use consistency::{Consistency, Token};
pub use error::Error;
pub use expand::{PermissionTree, TreeNode};
pub use lookup::{ExcludedSubject, FoundResource, FoundSubject, LookupResources, LookupSubjects};
pub use relationships::{Delete, Deleted, Read, Write};
pub use retry::RetryPolicy;
pub use stream::ResultStream;
pub use watch::{Watch, WatchEvent};
