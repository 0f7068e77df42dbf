//! The errors that clients of the interface know: each as a call that provokes it, with code, reason and metadata.

pub mod call;
pub mod fields;
pub mod reads;
pub mod schemas;
pub mod writes;

use tonic::Code;

use call::Call;

/// One error.
#[derive(Debug, Clone)]
pub struct Row {
    /// The call and what is wrong with it; each once.
    pub name: &'static str,
    /// What is called.
    pub call: Call,
    /// The gRPC code.
    pub code: Code,
    /// The reason without its prefix; empty when there is no ErrorInfo.
    pub reason: &'static str,
    /// Names that the metadata has; it may have more.
    pub keys: &'static [&'static str],
}

/// The schema that the rows are about.
pub const SCHEMA: &str = "use expiration

caveat on_call(level int) {
  level > 3
}

caveat share(total int, parts int) {
  total / parts > 1
}

definition user {}

definition group {
  relation member: user | group#member
}

definition team {
  relation lead: user
}

definition document {
  relation owner: user
  relation viewer: user | group#member | team#lead | user with on_call | user with share | user with expiration
  permission view = viewer + owner
  permission edit = owner
}
";

/// Relationships that are there when the rows are called, beside a chain of `CHAIN` groups below `document:deep`.
pub const RELATIONSHIPS: [&str; 6] = [
    "document:a#owner@user:ada",
    "document:b#owner@user:ada",
    "document:c#owner@user:ada",
    "document:a#viewer@user:eve[on_call]",
    "document:a#viewer@user:kim[share:{\"total\":1}]",
    "document:a#viewer@team:core#lead",
];

/// Groups inside one another: more than SpiceDB's depth, and more than `STEPS_MAX` allows.
pub const CHAIN: usize = 900;
/// Steps that a query may take where the rows are called: enough for all of them but the one that walks the chain.
pub const STEPS_MAX: &str = "400";

/// A counter that is registered when the rows are called.
pub const COUNTER: &str = "documents";
