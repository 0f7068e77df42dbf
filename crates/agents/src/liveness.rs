//! Whether a principal may act at all, at an instant.

use std::sync::Arc;

use pemba_model::{ObjectRef, SmolStr, Timestamp};

use crate::answer::earlier;
use crate::book::{Book, Known};
use crate::limits::AgentLimits;
use crate::records::{Agent, HumanStatus, Kill, KillMode, KillSelector, Status, TypeMode, TypePolicy};

/// The label of agents that get no grace when their last sponsor goes.
const CRITICAL: &str = "critical";

/// Why a principal may not act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotLive {
    /// Its type is managed, and it has no record.
    Unregistered,
    /// What was given was given to an earlier incarnation.
    OtherIncarnation,
    /// It waits to be activated.
    Proposed,
    /// It is suspended.
    Suspended,
    /// It is retired.
    Retired,
    /// Its time has not come.
    NotYet,
    /// Its time is over.
    Expired,
    /// Nobody attested it in time.
    Unattested,
    /// No sponsor counts any more, and the grace is over.
    Orphaned,
    /// A kill switch, by name.
    Killed(SmolStr),
    /// The human left or was locked out.
    HumanDisabled,
}

impl NotLive {
    /// One word for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            NotLive::Unregistered => "unregistered",
            NotLive::OtherIncarnation => "other_incarnation",
            NotLive::Proposed => "proposed",
            NotLive::Suspended => "suspended",
            NotLive::Retired => "retired",
            NotLive::NotYet => "not_yet",
            NotLive::Expired => "expired",
            NotLive::Unattested => "unattested",
            NotLive::Orphaned => "orphaned",
            NotLive::Killed(_) => "killed",
            NotLive::HumanDisabled => "human_disabled",
        }
    }
}

/// How a principal stands at an instant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Liveness {
    /// Why it may not act; `None` when it may.
    pub not_live: Option<NotLive>,
    /// Whether it is quarantined.
    pub is_quarantined: bool,
    /// The switch that denies what is not reading, by name.
    pub write_denied: Option<SmolStr>,
    /// The switch that makes everything need an approval, by name.
    pub approval_required: Option<SmolStr>,
    /// Whether it acts without a record although it is an agent.
    pub is_shadow: bool,
    /// The first instant at which any of this can change by the clock alone.
    pub valid_until: Option<Timestamp>,
}

/// How a principal stands. `incarnation` is the one that something was given to; `None` takes the present one.
pub fn liveness(
    book: &Book,
    limits: &AgentLimits,
    known: Known<'_>,
    incarnation: Option<u32>,
    now: Timestamp,
) -> Liveness {
    let mut standing = Liveness::default();
    if book.is_empty() {
        return standing;
    }
    match known.agent {
        Some(agent) => {
            standing.not_live = of_agent(book, limits, agent, incarnation, now, &mut standing.valid_until);
            standing.is_quarantined = agent.status == Status::Quarantined;
        }
        None => {
            standing.not_live = of_unregistered(known, incarnation);
            standing.is_shadow = standing.not_live.is_none() && known.is_agent();
        }
    }
    if book.has_kills() {
        apply_kills(book, known, now, &mut standing);
    }
    standing
}

/// What follows from an agent's record.
fn of_agent(
    book: &Book,
    limits: &AgentLimits,
    agent: &Agent,
    incarnation: Option<u32>,
    now: Timestamp,
    until: &mut Option<Timestamp>,
) -> Option<NotLive> {
    if incarnation.is_some_and(|given| given != agent.incarnation) {
        return Some(NotLive::OtherIncarnation);
    }
    match agent.status {
        Status::Proposed => return Some(NotLive::Proposed),
        Status::Suspended => return Some(NotLive::Suspended),
        Status::Retired => return Some(NotLive::Retired),
        Status::Active | Status::Quarantined => {}
    }
    if let Some(not_before) = agent.not_before.filter(|at| now < *at) {
        *until = earlier(*until, Some(not_before));
        return Some(NotLive::NotYet);
    }
    if agent.not_after.is_some_and(|at| now >= at) {
        return Some(NotLive::Expired);
    }
    if agent.attest_by.is_some_and(|at| now >= at) {
        return Some(NotLive::Unattested);
    }
    let orphaned_at = orphaned_at(book, limits, agent);
    if orphaned_at.is_some_and(|at| now >= at) {
        return Some(NotLive::Orphaned);
    }
    for end in [agent.not_after, agent.attest_by, orphaned_at] {
        *until = earlier(*until, end);
    }
    None
}

/// The instant from which an agent is without a sponsor, the grace included; `None` while a sponsor counts.
fn orphaned_at(book: &Book, limits: &AgentLimits, agent: &Agent) -> Option<Timestamp> {
    let mut last_left = agent.created_at;
    for sponsor in &agent.sponsors {
        if is_live_human(book, sponsor) {
            return None;
        }
        last_left = book.human(sponsor).map_or(last_left, |human| human.since.max(last_left));
    }
    let default_ms = if agent.labels.contains(CRITICAL) { 0 } else { limits.orphan_grace_ms };
    let grace_ms = agent.orphan_grace_ms.unwrap_or(default_ms);
    Some(last_left.plus_millis(i64::try_from(grace_ms).unwrap_or(i64::MAX)))
}

/// Whether a human still counts, as a sponsor, an approver or a root.
pub fn is_live_human(book: &Book, human: &ObjectRef) -> bool {
    match book.human(human) {
        Some(record) => record.status == HumanStatus::Active,
        None => !is_managed(book.type_policy(&human.object_type)),
    }
}

fn is_managed(policy: Option<&TypePolicy>) -> bool {
    policy.is_some_and(|policy| policy.mode == TypeMode::Managed)
}

/// What follows for a principal that is no registered agent.
fn of_unregistered(known: Known<'_>, incarnation: Option<u32>) -> Option<NotLive> {
    match known.human {
        Some(human) if human.status == HumanStatus::Disabled => Some(NotLive::HumanDisabled),
        Some(_) => None,
        None if is_managed(known.type_policy) => Some(NotLive::Unregistered),
        None if incarnation.is_some_and(|given| given != 1) => Some(NotLive::OtherIncarnation),
        None => None,
    }
}

/// What the switches that select a principal do to it.
fn apply_kills(book: &Book, known: Known<'_>, now: Timestamp, standing: &mut Liveness) {
    each_kill(book, known, &mut |kill| {
        if kill.until.is_some_and(|until| now >= until) {
            return;
        }
        standing.valid_until = earlier(standing.valid_until, kill.until);
        match kill.mode {
            KillMode::DenyAll => {
                standing.not_live.get_or_insert_with(|| NotLive::Killed(kill.name.clone()));
            }
            KillMode::DenyWrite => {
                standing.write_denied.get_or_insert_with(|| kill.name.clone());
            }
            KillMode::RequireApproval => {
                standing.approval_required.get_or_insert_with(|| kill.name.clone());
            }
        }
    });
}

/// Whether any switch selects a principal, one that is over included.
pub(crate) fn is_selected(book: &Book, known: Known<'_>) -> bool {
    let mut found = false;
    each_kill(book, known, &mut |_| found = true);
    found
}

/// Every switch that selects a principal, those that are over included.
fn each_kill(book: &Book, known: Known<'_>, found: &mut dyn FnMut(&Arc<Kill>)) {
    let mut select = |selector: KillSelector| book.kills_for(&selector).for_each(&mut *found);
    select(KillSelector::Agent(known.principal.clone()));
    if !known.is_agent() {
        return;
    }
    select(KillSelector::All);
    let Some(agent) = known.agent else { return };
    if let Some(blueprint) = &agent.blueprint {
        select(KillSelector::Blueprint(blueprint.clone()));
    }
    if let Some(tenant) = &agent.tenant {
        select(KillSelector::Tenant(tenant.clone()));
    }
    for owner in &agent.owners {
        select(KillSelector::Owner(owner.clone()));
    }
    for sponsor in &agent.sponsors {
        select(KillSelector::Sponsor(sponsor.clone()));
    }
    for label in &agent.labels {
        select(KillSelector::Label(label.clone()));
    }
}
