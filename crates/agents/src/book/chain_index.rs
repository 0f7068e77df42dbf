//! What a check through a chain looks at, by number and in few places of memory: the hops, who is in them, and their scopes.
//!
//! It follows from the records alone, and knows of each only what shows that nothing about it is out of the ordinary. Of
//! what is not plain here, the records themselves decide.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use foldhash::quality::FixedState;
use pemba_model::{ObjectRef, SmolStr, SubjectRef, Timestamp};

use super::chain_entries::{Link, Party, PartyType, Registered, Standing};
use super::numbered::{NONE, Numbered};
use super::table::hasher;
use crate::id::DelegationId;
use crate::records::{
    Agent, Delegation, Human, Kill, KillSelector, PrincipalKind, Status, TypeMode, TypePolicy,
};
use crate::scope::Scope;

/// The index.
#[derive(Debug, Clone)]
pub(crate) struct ChainIndex {
    links: Numbered<Link>,
    parties: Numbered<Party>,
    types: Numbered<PartyType>,
    scopes: Numbered<Option<Arc<Scope>>>,
    /// Switches that select more than one principal.
    broad_kills: usize,
    hasher: FixedState,
}

impl Default for ChainIndex {
    fn default() -> ChainIndex {
        ChainIndex {
            links: Numbered::default(),
            parties: Numbered::default(),
            types: Numbered::default(),
            scopes: Numbered::default(),
            broad_kills: 0,
            hasher: hasher(),
        }
    }
}

/// Equal records make indexes that say the same, whatever their numbers are.
impl PartialEq for ChainIndex {
    fn eq(&self, other: &Self) -> bool {
        let sizes = |index: &ChainIndex| {
            (index.links.len(), index.parties.len(), index.types.len(), index.scopes.len(), index.broad_kills)
        };
        sizes(self) == sizes(other)
    }
}

impl ChainIndex {
    /// The hop with an id, if what it rests on can be told from numbers at all.
    #[inline]
    pub(crate) fn link_of(&self, id: DelegationId) -> Option<&Link> {
        if self.links.is_full() || self.parties.is_full() || self.types.is_full() || self.scopes.is_full() {
            return None;
        }
        self.link(self.links.find(self.hasher.hash_one(id), |link| link.id == id)?)
    }

    /// A hop.
    #[inline]
    pub(crate) fn link(&self, number: u32) -> Option<&Link> {
        self.links.get(number)
    }

    /// A principal.
    #[inline]
    pub(crate) fn party(&self, number: u32) -> Option<&Party> {
        self.parties.get(number)
    }

    /// What is said about a principal's type.
    #[inline]
    pub(crate) fn type_of(&self, party: &Party) -> Option<&PartyType> {
        self.types.get(party.object_type)
    }

    /// A scope.
    pub(crate) fn scope(&self, number: u32) -> Option<&Scope> {
        self.scopes.get(number)?.as_deref()
    }

    /// Whether any switch selects more than one principal.
    pub(crate) fn has_broad_kills(&self) -> bool {
        self.broad_kills > 0
    }

    pub(super) fn set_type(&mut self, record: &TypePolicy, put: bool) {
        let Some(number) = self.type_number(&record.object_type, put) else { return };
        self.types.update(number, |one| {
            one.is_managed = put && record.mode == TypeMode::Managed;
            one.is_agent = put && record.kind == PrincipalKind::Agent;
        });
        if !put {
            self.release_type(number);
        }
    }

    pub(super) fn set_agent(&mut self, record: &Agent, put: bool) {
        let Some(number) = self.party_number(&record.principal, put) else { return };
        if put {
            let standing = self.standing(record);
            self.parties.update(number, |party| party.standing = standing);
            return;
        }
        let mut before = Standing::default();
        self.parties.update(number, |party| before = std::mem::take(&mut party.standing));
        self.release_scope(before.ceiling);
        self.release_party(before.sponsor);
        self.release_party(number);
    }

    /// What an agent's record says; mentions what it names.
    fn standing(&mut self, record: &Agent) -> Standing {
        let sponsor = record.sponsors.first().and_then(|sponsor| self.party_number(sponsor, true));
        let is_plain = record.status == Status::Active
            && record.purpose_permissions.is_empty()
            && !record.own_grants_required
            && sponsor.is_some();
        Standing {
            registered: if is_plain { Registered::Plainly } else { Registered::Otherwise },
            incarnation: record.incarnation,
            max_depth: record.max_depth.unwrap_or(u32::MAX),
            ceiling: record.ceiling.as_ref().map_or(NONE, |ceiling| self.mention_scope(ceiling)),
            sponsor: sponsor.unwrap_or(NONE),
            not_before: record.not_before,
            until: [record.not_after, record.attest_by].into_iter().flatten().min().unwrap_or(Timestamp::MAX),
        }
    }

    pub(super) fn set_human(&mut self, record: &Human, put: bool) {
        let Some(number) = self.party_number(&record.principal, put) else { return };
        self.parties.update(number, |party| party.human = put.then_some(record.status));
        if !put {
            self.release_party(number);
        }
    }

    pub(super) fn set_kill(&mut self, record: &Kill, put: bool) {
        let KillSelector::Agent(principal) = &record.selector else {
            self.broad_kills = if put { self.broad_kills + 1 } else { self.broad_kills.saturating_sub(1) };
            return;
        };
        let Some(number) = self.party_number(principal, put) else { return };
        self.parties.update(number, |party| {
            party.kills = if put { party.kills.saturating_add(1) } else { party.kills.saturating_sub(1) };
        });
        if !put {
            self.release_party(number);
        }
    }

    pub(super) fn set_delegation(&mut self, record: &Delegation, put: bool) {
        let Some(number) = self.link_number(record.id, put) else { return };
        if put {
            let link = if is_plain(record) { self.plain_link(record) } else { None };
            if let Some(link) = link {
                self.links.update(number, |entry| *entry = link);
            }
            return;
        }
        let mut before = Link::default();
        self.links.update(number, |entry| {
            before = std::mem::replace(entry, Link { id: record.id, ..Link::default() });
        });
        for party in [before.root, before.from, before.to] {
            self.release_party(party);
        }
        self.release_scope(before.scope);
        self.release_link(before.parent);
        self.release_link(number);
    }

    /// What a plain delegation's record says; mentions what it names.
    fn plain_link(&mut self, record: &Delegation) -> Option<Link> {
        Some(Link {
            id: record.id,
            is_plain: true,
            depth_left: record.depth_left,
            parent: match record.parent {
                Some(parent) => self.link_number(parent, true)?,
                None => NONE,
            },
            root: self.party_number(&record.root, true)?,
            from: self.party_number(&record.from, true)?,
            to: self.party_number(&record.to.object, true)?,
            scope: self.mention_scope(&record.scope),
            incarnations: record.incarnations,
            not_before: record.not_before,
            not_after: record.not_after,
            created_revision: record.created_revision,
        })
    }

    /// A hop's number; with `mention`, one more mention of it.
    fn link_number(&mut self, id: DelegationId, mention: bool) -> Option<u32> {
        let hash = self.hasher.hash_one(id);
        let is_it = |link: &Link| link.id == id;
        if !mention {
            return self.links.find(hash, is_it);
        }
        self.links.mention(hash, is_it, || Link { id, ..Link::default() })
    }

    fn release_link(&mut self, number: u32) {
        self.links.release(number, |link| self.hasher.hash_one(link.id));
    }

    /// A principal's number; with `mention`, one more mention of it.
    fn party_number(&mut self, principal: &ObjectRef, mention: bool) -> Option<u32> {
        let hash = self.hasher.hash_one(principal);
        let is_it = |party: &Party| party.subject.object == *principal;
        match self.parties.find(hash, is_it) {
            Some(number) if !mention => Some(number),
            None if !mention => None,
            Some(_) => self.parties.mention(hash, is_it, Party::default),
            None => {
                let object_type = self.type_number(&principal.object_type, true)?;
                let subject = SubjectRef { object: principal.clone(), relation: None };
                self.parties.mention(hash, is_it, || Party { subject, object_type, ..Party::default() })
            }
        }
    }

    fn release_party(&mut self, number: u32) {
        let last = self.parties.release(number, |party| self.hasher.hash_one(&party.subject.object));
        if let Some(party) = last {
            self.release_type(party.object_type);
        }
    }

    /// A type's number; with `mention`, one more mention of it.
    fn type_number(&mut self, name: &SmolStr, mention: bool) -> Option<u32> {
        let hash = self.hasher.hash_one(name);
        let is_it = |one: &PartyType| one.name == *name;
        if !mention {
            return self.types.find(hash, is_it);
        }
        self.types.mention(hash, is_it, || PartyType { name: name.clone(), ..PartyType::default() })
    }

    fn release_type(&mut self, number: u32) {
        self.types.release(number, |one| self.hasher.hash_one(&one.name));
    }

    /// One more mention of a scope; equal scopes have one number.
    fn mention_scope(&mut self, scope: &Scope) -> u32 {
        let is_it = |one: &Option<Arc<Scope>>| one.as_deref() == Some(scope);
        let hash = scope_hash(&self.hasher, scope);
        self.scopes.mention(hash, is_it, || Some(Arc::new(scope.clone()))).unwrap_or(NONE)
    }

    fn release_scope(&mut self, number: u32) {
        let hasher = &self.hasher;
        self.scopes.release(number, |one| one.as_deref().map_or(0, |scope| scope_hash(hasher, scope)));
    }
}

/// A hash of what most scopes differ in.
fn scope_hash(hasher: &FixedState, scope: &Scope) -> u64 {
    let mut hasher = hasher.build_hasher();
    for clause in &scope.clauses {
        clause.resource_type.hash(&mut hasher);
        clause.permissions.hash(&mut hasher);
        clause.selector.hash(&mut hasher);
    }
    hasher.finish()
}

/// Whether nothing about a delegation is out of the ordinary.
fn is_plain(record: &Delegation) -> bool {
    record.to.relation.is_none()
        && record.within.is_empty()
        && record.session.is_none()
        && record.uses_left.is_none()
        && record.revoked.is_none()
}
