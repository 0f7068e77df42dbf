//! Who calls: an API client is a principal of its own, with rights. What a client may do follows from its configuration
//! alone, which no call changes, so that no client can raise its own rights.

mod assertion;
mod rights;
mod verb;

pub use assertion::{MayAssert, PATTERNS_MAX, Pattern, Patterns};
pub use rights::{InvalidRule, NAMES_MAX, RULES_MAX, Rights, Rule, Scope, Selection};
pub use verb::{UnknownVerb, Verb};

use pemba_model::{ObjectRef, Operation, Relationship, RelationshipFilter, SmolStr, SubjectRef, Update};

/// A caller that has shown who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its name, unique on a server: 1 to 64 bytes.
    pub name: SmolStr,
    /// Whom it is in the graph, as an agent's runtime is the agent. It may always speak for it.
    pub principal: Option<ObjectRef>,
    /// What it may do.
    pub rights: Rights,
    /// For whom else it may speak.
    pub may_assert: MayAssert,
    /// The SHA-256 thumbprint of the certificate that its connection showed, in lower-case hexadecimal digits; sessions
    /// are bound to it. No part of what a client is: one client calls with certificates and without.
    pub certificate: Option<SmolStr>,
}

/// A call that lies outside of what its client may do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("client `{client}` has no right to {verb} {what}")]
pub struct Refused {
    /// The client's name.
    pub client: SmolStr,
    /// The verb it lacks, or `assert` for speaking for somebody.
    pub verb: &'static str,
    /// What lay outside, as text.
    pub what: String,
}

/// The verb of a refused assertion.
const ASSERT: &str = "assert";

impl Client {
    /// A client that may do everything and speak for everybody.
    pub fn unrestricted(name: impl Into<SmolStr>) -> Client {
        Client {
            name: name.into(),
            principal: None,
            rights: Rights::everything(),
            may_assert: MayAssert::everybody(),
            certificate: None,
        }
    }

    /// Whether both are the same client with the same rights, whatever certificates they showed.
    pub fn is_same(&self, other: &Client) -> bool {
        self.name == other.name
            && self.principal == other.principal
            && self.rights == other.rights
            && self.may_assert == other.may_assert
    }

    /// Whether it has the verb on anything at all. For a verb about relationships this is only the first question.
    pub fn may(&self, verb: Verb) -> Result<(), Refused> {
        if self.rights.has(verb) { Ok(()) } else { Err(self.refused(verb.word(), "anything".to_owned())) }
    }

    /// Whether it has the verb on all of the scope.
    pub fn may_on(&self, verb: Verb, scope: Scope<'_>) -> Result<(), Refused> {
        if self.rights.cover(verb, scope) {
            Ok(())
        } else {
            Err(self.refused(verb.word(), format!("`{scope}`")))
        }
    }

    /// Whether it may ask if subjects of this type have the permission on resources of this type. For whom it asks is a
    /// question for `may_assert_subject`.
    pub fn may_check(
        &self,
        resource_type: &str,
        permission: &str,
        subject_type: &str,
    ) -> Result<(), Refused> {
        let scope = Scope {
            resource_type: Some(resource_type),
            relation: Some(permission),
            subject_type: Some(subject_type),
        };
        self.may_on(Verb::Check, scope)
    }

    /// Whether it may make the change: `delete` for a deletion, `write` for the others. A batch needs a yes for each
    /// update.
    pub fn may_write(&self, update: &Update) -> Result<(), Refused> {
        let verb = match update.operation {
            Operation::Create | Operation::Touch => Verb::Write,
            Operation::Delete => Verb::Delete,
        };
        self.may_on(verb, Scope::from(&update.relationship))
    }

    /// Whether it may create the relationship in bulk.
    pub fn may_import(&self, relationship: &Relationship) -> Result<(), Refused> {
        self.may_on(Verb::Import, Scope::from(relationship))
    }

    /// Whether it may delete all that the filter may select; a filter that reaches further is refused, not narrowed.
    pub fn may_delete(&self, filter: &RelationshipFilter) -> Result<(), Refused> {
        self.may_on(Verb::Delete, Scope::from(filter))
    }

    /// Whether it may read all that the filter may select.
    pub fn may_read(&self, filter: &RelationshipFilter) -> Result<(), Refused> {
        self.may_on(Verb::Read, Scope::from(filter))
    }

    /// Whether it may read in bulk all that the filter may select; `None` selects everything.
    pub fn may_export(&self, filter: Option<&RelationshipFilter>) -> Result<(), Refused> {
        self.may_on(Verb::Export, filter.map(Scope::from).unwrap_or_default())
    }

    /// Whether it may follow all changes of resources of these types, or that match these filters; with neither it is
    /// every change.
    pub fn may_watch(&self, types: &[SmolStr], filters: &[RelationshipFilter]) -> Result<(), Refused> {
        if types.is_empty() && filters.is_empty() {
            return self.may_on(Verb::Watch, Scope::default());
        }
        for resource_type in types {
            let scope = Scope { resource_type: Some(resource_type), ..Scope::default() };
            self.may_on(Verb::Watch, scope)?;
        }
        filters.iter().try_for_each(|filter| self.may_on(Verb::Watch, Scope::from(filter)))
    }

    /// Whether it may use this principal's own authority, nobody acting for it.
    pub fn may_assert_root(&self, root: &ObjectRef) -> Result<(), Refused> {
        if self.is(root) || self.may_assert.roots.cover(root) {
            Ok(())
        } else {
            Err(self.refused(ASSERT, format!("the root `{root}`")))
        }
    }

    /// As `may_assert_root`, for the subject of a question. A userset of its own principal is not itself.
    pub fn may_assert_subject(&self, subject: &SubjectRef) -> Result<(), Refused> {
        match subject.relation {
            Some(_) if !self.may_assert.roots.cover(&subject.object) => {
                Err(self.refused(ASSERT, format!("the root `{subject}`")))
            }
            Some(_) => Ok(()),
            None => self.may_assert_root(&subject.object),
        }
    }

    /// Whether it may say that this principal acts.
    pub fn may_assert_actor(&self, actor: &ObjectRef) -> Result<(), Refused> {
        if self.is(actor) || self.may_assert.actors.cover(actor) {
            Ok(())
        } else {
            Err(self.refused(ASSERT, format!("the actor `{actor}`")))
        }
    }

    /// Whether it may speak for an actor that uses the root's authority through stored delegations. As itself it may:
    /// the delegations say who the root is. For another actor it needs both.
    pub fn may_assert_chain(&self, root: &ObjectRef, actor: &ObjectRef) -> Result<(), Refused> {
        if self.is(actor) {
            return Ok(());
        }
        self.may_assert_actor(actor)?;
        self.may_assert_root(root)
    }

    fn is(&self, principal: &ObjectRef) -> bool {
        self.principal.as_ref() == Some(principal)
    }

    fn refused(&self, verb: &'static str, what: String) -> Refused {
        Refused { client: self.name.clone(), verb, what }
    }
}

#[cfg(test)]
mod tests;
