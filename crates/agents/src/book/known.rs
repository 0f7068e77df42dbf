//! What the book has about a principal, looked up once for all that ask about it.

use std::sync::Arc;

use pemba_model::ObjectRef;

use super::Book;
use crate::records::{Agent, Human, PrincipalKind, TypePolicy};

/// A principal with its records.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Who it is.
    pub principal: &'a ObjectRef,
    /// The present incarnation, if it is a registered agent. Then nothing else decides about it.
    pub agent: Option<&'a Arc<Agent>>,
    /// Otherwise what is known of a human.
    pub human: Option<&'a Arc<Human>>,
    /// Otherwise what is said about its type.
    pub type_policy: Option<&'a TypePolicy>,
}

impl Known<'_> {
    /// Whether it is an agent: it has a record, or its type is declared to be.
    pub fn is_agent(&self) -> bool {
        self.agent.is_some() || self.type_policy.is_some_and(|policy| policy.kind == PrincipalKind::Agent)
    }

    /// The incarnation that something given to it is for.
    pub fn incarnation(&self) -> u32 {
        self.agent.map_or(1, |agent| agent.incarnation)
    }
}

impl Book {
    /// A principal with its records.
    pub fn known<'a>(&'a self, principal: &'a ObjectRef) -> Known<'a> {
        match self.agent(principal) {
            Some(agent) => Known { principal, agent: Some(agent), human: None, type_policy: None },
            None => Known {
                principal,
                agent: None,
                human: self.human(principal),
                type_policy: self.type_policy(&principal.object_type),
            },
        }
    }
}
