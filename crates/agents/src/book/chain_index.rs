//! What a check through a chain looks at, by number and in few places of memory: the hops, who is in them, and their scopes.
//!
//! It follows from the records alone, and knows of each only what shows that nothing about it is out of the ordinary. Of
//! what is not plain here, the records themselves decide.

use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::quality::FixedState;
use pemba_model::{ObjectRef, SmolStr, SubjectRef};

use super::chain_entries::{Link, Named, Party, PartyType, Registered};
use super::dense::{Dense, ask};
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
    /// Delegations; where one is found, the number of its root is too.
    links: Numbered<Link, u32>,
    names: Numbered<Named>,
    /// Principals, under the numbers of their names.
    parties: Dense<Party>,
    types: Numbered<PartyType>,
    scopes: Numbered<Scope>,
    /// Switches that select more than one principal.
    broad_kills: usize,
    hasher: FixedState,
}

/// A hop that is being looked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SoughtLink {
    id: DelegationId,
    number: u32,
    /// The number of its root.
    pub(crate) root: u32,
}

impl Default for ChainIndex {
    fn default() -> ChainIndex {
        ChainIndex {
            links: Numbered::default(),
            names: Numbered::default(),
            parties: Dense::default(),
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
            (index.links.len(), index.names.len(), index.types.len(), index.scopes.len(), index.broad_kills)
        };
        sizes(self) == sizes(other)
    }
}

impl ChainIndex {
    /// Where the plain hop with an id is, if it is anywhere and if what a hop rests on can be told from numbers at all; asks
    /// for the memory of the hop and of its root, so that they come together.
    #[inline]
    pub(crate) fn seek_link(&self, id: DelegationId) -> Option<SoughtLink> {
        if self.links.is_full() || self.names.is_full() || self.types.is_full() || self.scopes.is_full() {
            return None;
        }
        let (number, root) = self.links.candidate(self.hasher.hash_one(id))?;
        self.names.ask(root);
        self.links.ask(number);
        self.parties.ask(root);
        Some(SoughtLink { id, number, root })
    }

    /// The hop that was sought, if it is that one and plain. With another of an equal hash in its place it is none.
    #[inline]
    pub(crate) fn found_link(&self, sought: SoughtLink) -> Option<&Link> {
        self.link(sought.number).filter(|link| link.id == sought.id && link.root == sought.root)
    }

    /// A hop.
    #[inline]
    pub(crate) fn link(&self, number: u32) -> Option<&Link> {
        self.links.get(number)
    }

    /// The principal that a hop is to; asks for its memory.
    #[inline]
    pub(crate) fn ask_party(&self, number: u32) -> Option<&Party> {
        let party = self.party(number)?;
        ask(party);
        Some(party)
    }

    /// A principal.
    #[inline]
    pub(crate) fn party(&self, number: u32) -> Option<&Party> {
        self.parties.get(number)
    }

    /// A principal as a subject.
    #[inline]
    pub(crate) fn subject(&self, number: u32) -> Option<&SubjectRef> {
        self.names.get(number).map(|named| &named.0)
    }

    /// What is said about a principal's type.
    #[inline]
    pub(crate) fn type_of(&self, party: &Party) -> Option<&PartyType> {
        self.types.get(party.object_type)
    }

    /// A scope.
    pub(crate) fn scope(&self, number: u32) -> Option<&Scope> {
        self.scopes.get(number)
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

    /// Takes in what an agent's record says, or forgets it.
    pub(super) fn set_agent(&mut self, record: &Agent, put: bool) {
        let Some(number) = self.party_number(&record.principal, put) else { return };
        let mut before = Party::default();
        let told = if put { self.told(record) } else { before };
        self.parties.update(number, |party| {
            before = *party;
            *party = Party { object_type: party.object_type, kills: party.kills, human: party.human, ..told };
        });
        if !put {
            self.release_scope(before.ceiling);
            self.release_party(before.sponsor);
            self.release_party(number);
        }
    }

    /// What an agent's record says; mentions what it names.
    fn told(&mut self, record: &Agent) -> Party {
        let sponsor = record.sponsors.first().and_then(|sponsor| self.party_number(sponsor, true));
        let is_plain = record.status == Status::Active
            && record.purpose_permissions.is_empty()
            && !record.own_grants_required
            && sponsor.is_some();
        let other = Party::default();
        Party {
            registered: if is_plain { Registered::Plainly } else { Registered::Otherwise },
            incarnation: record.incarnation,
            max_depth: record.max_depth.unwrap_or(u32::MAX),
            ceiling: record.ceiling.as_ref().map_or(NONE, |ceiling| self.mention_scope(ceiling)),
            sponsor: sponsor.unwrap_or(NONE),
            not_before: record.not_before.unwrap_or(other.not_before),
            until: [record.not_after, record.attest_by].into_iter().flatten().min().unwrap_or(other.until),
            ..other
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
                self.links.set_beside(self.hasher.hash_one(record.id), number, link.root);
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
        let [root_incarnation, from_incarnation, to_incarnation] = record.incarnations;
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
            root_incarnation,
            from_incarnation,
            to_incarnation,
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
        let is_it = |named: &Named| named.0.object == *principal;
        let known = self.names.find(hash, is_it);
        if !mention {
            return known;
        }
        let subject = || Named(SubjectRef { object: principal.clone(), relation: None });
        let number = self.names.mention(hash, is_it, subject)?;
        if known.is_none() {
            let object_type = self.type_number(&principal.object_type, true)?;
            self.parties.update(number, |party| *party = Party { object_type, ..Party::default() });
        }
        Some(number)
    }

    fn release_party(&mut self, number: u32) {
        let last = self.names.release(number, |named| self.hasher.hash_one(&named.0.object));
        if last.is_some() {
            let mut before = Party::default();
            self.parties.update(number, |party| before = std::mem::take(party));
            self.release_type(before.object_type);
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
        let hash = scope_hash(&self.hasher, scope);
        self.scopes.mention(hash, |other| other == scope, || scope.clone()).unwrap_or(NONE)
    }

    fn release_scope(&mut self, number: u32) {
        let hasher = &self.hasher;
        self.scopes.release(number, |scope| scope_hash(hasher, scope));
    }

    /// The scope itself, sharing its memory with an equal one that is here.
    pub(super) fn shared(&self, scope: &Scope) -> Scope {
        let number = self.scopes.find(scope_hash(&self.hasher, scope), |other| other == scope);
        number.and_then(|number| self.scopes.get(number)).unwrap_or(scope).clone()
    }
}

/// A hash of what most scopes differ in.
fn scope_hash(hasher: &FixedState, scope: &Scope) -> u64 {
    let mut hasher = hasher.build_hasher();
    for clause in &*scope.clauses {
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
