//! What every call passes before and after its service: authentication, the request id, counting, the log.

mod authentication;
mod body;
mod call;
mod credential;
mod key;
mod request_id;
mod whole;

pub(crate) use authentication::{Authentication, bearer};
pub(crate) use body::{Asked, Counted, LastWords, WholeAnswer};
pub(crate) use call::{Entry, Front, FrontLayer, Passing};
pub(crate) use credential::Shown;
pub use credential::{Credential, InvalidSpiffeId, SpiffeId};
pub use key::{InvalidKeyDigest, KeyDigest};
pub(crate) use request_id::X_REQUEST_ID;
