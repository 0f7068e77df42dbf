//! Asking whether a subject holds a permission.

use pemba_model::{Context, ObjectRef, SmolStr, SubjectRef, Timestamp};
use pemba_proto::authzed::api::v1;

use crate::{
    client::{Client, Repeat},
    consistency::{Consistency, Token},
    context,
    error::Error,
    wire,
};

/// One question: does the subject hold the permission on the resource?
#[derive(Debug, Clone)]
#[must_use = "nothing is asked before `Client::check`"]
pub struct Check {
    resource: ObjectRef,
    permission: SmolStr,
    subject: SubjectRef,
    context: Context,
    consistency: Consistency,
}

/// The answer to a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permissionship {
    /// It does not hold it.
    No,
    /// It holds it.
    Yes,
    /// It depends on caveat parameters that were not given.
    Conditional {
        /// Their names.
        missing: Vec<String>,
    },
}

impl Permissionship {
    /// Whether the permission is held for certain. A conditional answer is not a yes.
    pub fn is_yes(&self) -> bool {
        *self == Permissionship::Yes
    }

    pub(crate) fn from_wire(
        value: v1::check_permission_response::Permissionship,
        partial: Option<v1::PartialCaveatInfo>,
    ) -> Result<Permissionship, Error> {
        use v1::check_permission_response::Permissionship as Wire;

        match value {
            Wire::NoPermission => Ok(Permissionship::No),
            Wire::HasPermission => Ok(Permissionship::Yes),
            Wire::ConditionalPermission => Ok(Permissionship::conditional(partial)),
            Wire::Unspecified => Err(Error::malformed_answer("the permissionship is unspecified")),
        }
    }

    /// From a lookup, which never lists what is not held.
    pub(crate) fn from_lookup(
        value: v1::LookupPermissionship,
        partial: Option<v1::PartialCaveatInfo>,
    ) -> Result<Permissionship, Error> {
        match value {
            v1::LookupPermissionship::HasPermission => Ok(Permissionship::Yes),
            v1::LookupPermissionship::ConditionalPermission => Ok(Permissionship::conditional(partial)),
            v1::LookupPermissionship::Unspecified => {
                Err(Error::malformed_answer("the permissionship is unspecified"))
            }
        }
    }

    fn conditional(partial: Option<v1::PartialCaveatInfo>) -> Permissionship {
        Permissionship::Conditional { missing: partial.unwrap_or_default().missing_required_context }
    }
}

/// An answer and when it is true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The answer.
    pub permissionship: Permissionship,
    /// The revision it is true at.
    pub checked_at: Token,
    /// The first instant at which it may change by the clock alone, if the server says.
    pub valid_until: Option<Timestamp>,
}

impl Checked {
    /// Whether the permission is held for certain. A conditional answer is not a yes.
    pub fn is_allowed(&self) -> bool {
        self.permissionship.is_yes()
    }
}

impl Check {
    /// Does `subject` hold `permission`, which may be a relation too, on `resource`?
    pub fn new(resource: ObjectRef, permission: impl Into<SmolStr>, subject: SubjectRef) -> Check {
        Check {
            resource,
            permission: permission.into(),
            subject,
            context: Context::new(),
            consistency: Consistency::default(),
        }
    }

    /// How fresh the answer must be. In a bulk check the consistency of the call counts, not this one.
    pub fn at(mut self, consistency: Consistency) -> Check {
        self.consistency = consistency;
        self
    }

    /// Caveat parameters; those stored with a relationship win.
    pub fn context(mut self, context: Context) -> Check {
        self.context = context;
        self
    }

    fn to_item(&self) -> Result<v1::CheckBulkPermissionsRequestItem, Error> {
        Ok(v1::CheckBulkPermissionsRequestItem {
            resource: Some(wire::object_to_wire(&self.resource)),
            permission: self.permission.to_string(),
            subject: Some(wire::subject_to_wire(&self.subject)),
            context: context::to_wire(&self.context)?,
        })
    }
}

/// The answers of a bulk check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkChecked {
    /// The revision all answers are true at.
    pub checked_at: Token,
    /// One for each question, in their order. One that fails does not fail the others.
    pub answers: Vec<Result<Permissionship, Error>>,
}

impl Client {
    /// Asks one question.
    ///
    /// # Errors
    /// `FailedPrecondition` when the schema has no such type or permission. An error is never a "no".
    pub async fn check(&self, check: Check) -> Result<Checked, Error> {
        let item = check.to_item()?;
        let request = v1::CheckPermissionRequest {
            consistency: check.consistency.to_wire(),
            resource: item.resource,
            permission: item.permission,
            subject: item.subject,
            context: item.context,
            with_tracing: false,
        };
        let answer = self
            .unary(request, Repeat::Safe, |mut api, request| async move {
                api.permissions.check_permission(request).await
            })
            .await?;
        Ok(Checked {
            permissionship: Permissionship::from_wire(answer.permissionship(), answer.partial_caveat_info)?,
            checked_at: Token::from_wire(answer.checked_at),
            valid_until: answer.optional_expires_at.map(wire::time_from_wire).transpose()?,
        })
    }

    /// Asks many questions at one revision.
    ///
    /// # Errors
    /// `InvalidArgument` for more questions than the server takes at once.
    pub async fn check_bulk(
        &self,
        checks: &[Check],
        consistency: &Consistency,
    ) -> Result<BulkChecked, Error> {
        let request = v1::CheckBulkPermissionsRequest {
            consistency: consistency.to_wire(),
            items: checks.iter().map(Check::to_item).collect::<Result<_, _>>()?,
            with_tracing: false,
        };
        let answer = self
            .unary(request, Repeat::Safe, |mut api, request| async move {
                api.permissions.check_bulk_permissions(request).await
            })
            .await?;
        if answer.pairs.len() != checks.len() {
            let (got, asked) = (answer.pairs.len(), checks.len());
            return Err(Error::malformed_answer(format!("`{got}` answers to `{asked}` questions")));
        }
        Ok(BulkChecked {
            checked_at: Token::from_wire(answer.checked_at),
            answers: answer.pairs.into_iter().map(pair_from_wire).collect(),
        })
    }
}

fn pair_from_wire(pair: v1::CheckBulkPermissionsPair) -> Result<Permissionship, Error> {
    use v1::check_bulk_permissions_pair::Response;

    match wire::present(pair.response, "response")? {
        Response::Item(item) => Permissionship::from_wire(item.permissionship(), item.partial_caveat_info),
        Response::Error(status) => Err(status.into()),
    }
}
