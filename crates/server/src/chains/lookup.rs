//! The resources that a chain reaches, found once and told page by page.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use pemba_agents::authority::{self, Ground, Outcome, Question, Reachable};
use pemba_agents::chain::{Chain, Claim};
use pemba_agents::{Reason, Refused};
use pemba_db::Database;
use pemba_engine::{Graph, Ordinal, ResourceSet, TypeId};
use pemba_model::{Context, ObjectRef, Relationship, SmolStr};
use roaring::RoaringBitmap;
use tonic::{Code, Status};

use super::basis::{Ask, Basis};
use crate::errors;
use crate::status::plain;
use crate::validate::Path;

/// What is asked.
pub(crate) struct Lookup {
    pub(crate) claim: Claim,
    pub(crate) resource_type: SmolStr,
    pub(crate) permission: String,
    pub(crate) values: Option<Context>,
    pub(crate) brought: Vec<Relationship>,
}

/// What was found.
pub(crate) struct Reached {
    basis: Basis,
    lookup: Lookup,
    chain: Chain,
    set: ResourceSet,
    all: RoaringBitmap,
    at_most: Outcome,
    /// Ids of resources that the view does not know: those that only the request or its session mention.
    ids: BTreeMap<u32, SmolStr>,
}

/// One resource of a page.
pub(crate) struct ReachedResource {
    pub(crate) ordinal: Ordinal,
    pub(crate) id: String,
    /// For a conditional one, what it misses.
    pub(crate) missing: Option<Vec<SmolStr>>,
}

impl Reached {
    /// Finds everything, for a client that may speak for the chain.
    pub(crate) fn find(basis: Basis, chain: Chain, lookup: Lookup) -> Result<Reached, Status> {
        let (found, ids) =
            basis.ask(&chain, &lookup.brought, Find(&lookup)).map_err(|refused| errors::agents(&refused))?;
        let Reachable { resources: set, at_most, limit } = found;
        basis.used(&chain, limit.as_ref());
        let all = &set.definite | &set.conditional;
        Ok(Reached { basis, lookup, chain, set, all, at_most, ids })
    }

    pub(crate) fn basis(&self) -> &Basis {
        &self.basis
    }

    /// What a check of any resource would come to at most.
    pub(crate) fn at_most(&self) -> Outcome {
        self.at_most
    }

    /// An error when the chain has come to less since its resources were found: what a page tells is let through by the
    /// newest records.
    pub(crate) fn still_holds(&mut self, database: &Database) -> Result<(), Status> {
        let newest = database.ledger();
        if Arc::ptr_eq(&newest, &self.basis.ledger) || self.at_most != Outcome::Allow {
            return Ok(());
        }
        self.basis.ledger = newest;
        let chain = self.basis.chain(&self.lookup.claim, Path::Root.field("chain"))?;
        let at_most = self.basis.ask(&chain, &self.lookup.brought, AtMost(&self.lookup));
        if at_most.map_err(|refused| errors::agents(&refused))? == Outcome::Allow {
            return Ok(());
        }
        let message = "the chain may no longer do this; what was told before no longer holds either";
        Err(errors::agents(&Refused::new(Reason::NotAllowed, "chain", message)))
    }

    /// The next resources, ascending, after `after`, at most `wanted`.
    pub(crate) fn page(&self, after: Option<Ordinal>, wanted: usize) -> Result<Vec<ReachedResource>, Status> {
        let from = after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.0));
        let ordinals = self.all.range((from, Bound::Unbounded)).take(wanted);
        ordinals.map(|ordinal| self.resource(Ordinal(ordinal))).collect()
    }

    fn resource(&self, ordinal: Ordinal) -> Result<ReachedResource, Status> {
        let known = || self.basis.view.object_id(self.set.resource_type?, ordinal);
        let id = match self.ids.get(&ordinal.0) {
            Some(id) => id.to_string(),
            None => known().ok_or_else(|| plain(Code::Internal, "a found resource has no name"))?.to_owned(),
        };
        let is_conditional = self.set.conditional.contains(ordinal.0);
        let missing = if is_conditional { Some(self.missing(&id)?) } else { None };
        Ok(ReachedResource { ordinal, id, missing })
    }

    /// What a conditional resource misses: a set has no room for it, so it is checked by itself.
    fn missing(&self, id: &str) -> Result<Vec<SmolStr>, Status> {
        let Lookup { claim, resource_type, permission, values, brought } = &self.lookup;
        let resource = ObjectRef::new(resource_type.clone(), id);
        let question = Question { claim, permission, resource: &resource, values: values.as_ref() };
        let decision = self.basis.decide(&self.chain, brought, &question);
        Ok(decision.map_err(|refused| errors::agents(&refused))?.missing)
    }
}

struct Find<'a>(&'a Lookup);

impl Ask for Find<'_> {
    type Answer = (Reachable, BTreeMap<u32, SmolStr>);

    fn ask<G: Graph>(self, ground: &Ground<'_, G>, chain: &Chain) -> Result<Self::Answer, Refused> {
        let Lookup { claim, resource_type, permission, values, .. } = self.0;
        let found = authority::lookup_resources(ground, claim, resource_type, permission, values.as_ref())?;
        let resource_type = found.resources.resource_type;
        let mut ids = BTreeMap::new();
        for set in [&found.resources.definite, &found.resources.conditional] {
            for ordinal in set.iter().rev().take_while(|ordinal| is_unknown(ground, resource_type, *ordinal))
            {
                let id = if ordinal == Ordinal::UNMENTIONED.0 {
                    Some(chain.root.object_id.as_str())
                } else {
                    resource_type.and_then(|of| ground.seen.graph.object_id(of, Ordinal(ordinal)))
                };
                ids.extend(id.map(|id| (ordinal, SmolStr::new(id))));
            }
        }
        Ok((found, ids))
    }
}

/// Whether an ordinal stands for an object that the view does not know; they come from the top downwards.
fn is_unknown<G: Graph>(ground: &Ground<'_, G>, of: Option<TypeId>, ordinal: u32) -> bool {
    of.is_none_or(|of| ground.facts.graph.object_id(of, Ordinal(ordinal)).is_none())
}

struct AtMost<'a>(&'a Lookup);

impl Ask for AtMost<'_> {
    type Answer = Outcome;

    fn ask<G: Graph>(self, ground: &Ground<'_, G>, chain: &Chain) -> Result<Outcome, Refused> {
        let Lookup { resource_type, permission, values, .. } = self.0;
        Ok(authority::at_most(ground, chain, resource_type, permission, values.as_ref())?.0)
    }
}
