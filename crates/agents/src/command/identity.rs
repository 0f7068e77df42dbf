//! Registration of agents, and changes of what was said then.

use std::collections::BTreeSet;

use pemba_model::{ObjectRef, SmolStr, Timestamp};

use super::changes::{By, Changes, check_ahead, check_list, check_name, check_object, check_text, millis};
use crate::error::{Reason, Refused};
use crate::liveness::is_live_human;
use crate::moment::Moment;
use crate::records::{Agent, AgentChange, AgentKind, Binding, PrincipalKind, Status, Transfer};
use crate::scope::{Scope, check_member};

/// What is said of an agent.
#[derive(Debug, Clone, PartialEq)]
pub struct Registration {
    /// Who it is; its type must not be declared human.
    pub principal: ObjectRef,
    /// What kind of thing it is.
    pub kind: AgentKind,
    /// Whether it may act at once; else it waits to be activated.
    pub active: bool,
    /// Names elsewhere.
    pub bindings: Vec<Binding>,
    /// The humans who answer for it; at least one that counts.
    pub sponsors: Vec<ObjectRef>,
    /// Who runs it.
    pub owners: Vec<ObjectRef>,
    /// What it is for.
    pub purpose: String,
    /// `type#permission` pairs it may ever use; empty allows all.
    pub purpose_permissions: BTreeSet<SmolStr>,
    /// What it was made from.
    pub blueprint: Option<SmolStr>,
    /// Where it runs.
    pub environment: Option<SmolStr>,
    /// Whose it is.
    pub tenant: Option<SmolStr>,
    /// Free labels.
    pub labels: BTreeSet<SmolStr>,
    /// The first instant at which it acts.
    pub not_before: Option<Timestamp>,
    /// The first instant at which it no longer acts.
    pub not_after: Option<Timestamp>,
    /// How far an attestation reaches; the registration is the first.
    pub attest_every_ms: Option<u64>,
    /// Most hops between a root and it.
    pub max_depth: Option<u32>,
    /// What it can ever be delegated.
    pub ceiling: Option<Scope>,
    /// Whether it must have every permission itself as well.
    pub own_grants_required: bool,
    /// How long it goes on without a live sponsor.
    pub orphan_grace_ms: Option<u64>,
}

/// Registers an agent: a new one, or a new incarnation of one that is retired. What the earlier incarnation was given
/// is given to the new one by nobody.
pub fn register(moment: &Moment<'_>, by: &By, new: Registration) -> Result<Changes<Agent>, Refused> {
    check(moment, &new)?;
    let now = moment.now();
    let before = moment.book.agent(&new.principal);
    if let Some(agent) = before.filter(|agent| agent.status != Status::Retired) {
        let message = format!("`{}` is registered, as incarnation {}", new.principal, agent.incarnation);
        return Err(Refused::new(Reason::AgentExists, "principal", message));
    }
    let status = if new.active { Status::Active } else { Status::Proposed };
    let present = Present {
        incarnation: before.map_or(1, |agent| agent.incarnation.saturating_add(1)),
        version: before.map_or(1, |agent| agent.version + 1),
        status,
        status_reason: by.reason.clone(),
        attest_by: new.attest_every_ms.map(|every| now.plus_millis(millis(every))),
        transfer: None,
        created_at: now,
        created_by: by.client.clone(),
    };
    let is_again = before.is_some();
    let mut changes = changed(moment, by, described(new, present, now), "registered")?;
    if is_again {
        changes.reincarnate.push(changes.reply.principal.clone());
    }
    Ok(changes)
}

/// Changes what was said of an agent, all of it. `version` must be its present one. Its status stays, and so do its
/// sponsors or some of them: nobody becomes one without accepting it.
pub fn update(
    moment: &Moment<'_>,
    by: &By,
    new: Registration,
    version: u64,
) -> Result<Changes<Agent>, Refused> {
    check(moment, &new)?;
    let before = present(moment, &new.principal)?;
    check_version(before.version, version)?;
    if let Some(sponsor) = new.sponsors.iter().find(|sponsor| !before.sponsors.contains(sponsor)) {
        let message = format!(
            "`{sponsor}` is no sponsor of `{}`: propose the sponsorship, and let them accept it",
            new.principal
        );
        return Err(Refused::new(Reason::SponsorNotAccepted, "sponsors", message));
    }
    let present = Present {
        incarnation: before.incarnation,
        version: before.version + 1,
        status: before.status,
        status_reason: before.status_reason.clone(),
        attest_by: match (new.attest_every_ms, before.attest_every_ms) {
            (every, same) if every == same => before.attest_by,
            (every, _) => every.map(|every| moment.now().plus_millis(millis(every))),
        },
        transfer: before.transfer.clone(),
        created_at: before.created_at,
        created_by: before.created_by.clone(),
    };
    changed(moment, by, described(new, present, moment.now()), "updated")
}

/// What of an agent's record follows from its life, and not from what is said of it.
struct Present {
    incarnation: u32,
    version: u64,
    status: Status,
    status_reason: String,
    attest_by: Option<Timestamp>,
    transfer: Option<Transfer>,
    created_at: Timestamp,
    created_by: SmolStr,
}

/// The record of an agent of which this is said.
fn described(new: Registration, present: Present, changed_at: Timestamp) -> Agent {
    Agent {
        incarnation: present.incarnation,
        version: present.version,
        status: present.status,
        status_reason: present.status_reason,
        attest_by: present.attest_by,
        transfer: present.transfer,
        created_at: present.created_at,
        created_by: present.created_by,
        changed_at,
        principal: new.principal,
        kind: new.kind,
        bindings: new.bindings,
        sponsors: new.sponsors,
        owners: new.owners,
        purpose: new.purpose,
        purpose_permissions: new.purpose_permissions,
        blueprint: new.blueprint,
        environment: new.environment,
        tenant: new.tenant,
        labels: new.labels,
        not_before: new.not_before,
        not_after: new.not_after,
        attest_every_ms: new.attest_every_ms,
        max_depth: new.max_depth,
        ceiling: new.ceiling,
        own_grants_required: new.own_grants_required,
        orphan_grace_ms: new.orphan_grace_ms,
    }
}

/// An agent that is registered and not retired.
pub(super) fn present<'a>(
    moment: &Moment<'a>,
    principal: &ObjectRef,
) -> Result<&'a std::sync::Arc<Agent>, Refused> {
    let agent = moment.book.agent(principal).ok_or_else(|| {
        Refused::new(Reason::AgentNotFound, "principal", format!("`{principal}` is not registered"))
    })?;
    if agent.status == Status::Retired {
        let message = format!("`{principal}` is retired: only a new registration brings the id back");
        return Err(Refused::new(Reason::WrongStatus, "principal", message));
    }
    Ok(agent)
}

/// Checks a version given as a precondition.
pub(super) fn check_version(present: u64, given: u64) -> Result<(), Refused> {
    if present == given {
        return Ok(());
    }
    let message = format!("version {given} was given and the present one is {present}: read it again");
    Err(Refused::new(Reason::VersionMismatch, "version", message))
}

/// The change of an agent, with its line of history; the oldest lines beyond the limit are forgotten.
pub(super) fn changed(
    moment: &Moment<'_>,
    by: &By,
    agent: Agent,
    action: &str,
) -> Result<Changes<Agent>, Refused> {
    check_text("reason", &by.reason)?;
    let line = AgentChange {
        principal: agent.principal.clone(),
        incarnation: agent.incarnation,
        version: agent.version,
        action: action.into(),
        status: agent.status,
        reason: by.reason.clone(),
        by: by.client.clone(),
        at: moment.now(),
    };
    let forgotten = agent.version.checked_sub(moment.limits.changes_per_agent_max);
    let oldest: Vec<_> = moment
        .book
        .changes_of(&agent.principal)
        .take_while(|change| forgotten.is_some_and(|version| change.version <= version))
        .cloned()
        .collect();
    let mut changes = Changes::new(agent);
    let agent = changes.reply.clone();
    changes.put(&agent)?;
    changes.put(&line)?;
    for change in oldest {
        changes.remove(change.as_ref());
    }
    Ok(changes)
}

fn check(moment: &Moment<'_>, new: &Registration) -> Result<(), Refused> {
    check_object("principal", &new.principal)?;
    let schema = moment.facts.schema;
    if !schema.definitions.contains_key(&new.principal.object_type) {
        let message = format!("the schema has no type `{}`", new.principal.object_type);
        return Err(Refused::new(Reason::UnknownType, "principal", message));
    }
    if moment.book.is_human(&new.principal) {
        let message = format!("`{}` is a human", new.principal);
        return Err(Refused::new(Reason::TypeMismatch, "principal", message));
    }
    check_text("purpose", &new.purpose)?;
    check_lists(new)?;
    check_sponsors(moment, &new.principal, &new.sponsors)?;
    for (field, name) in
        [("blueprint", &new.blueprint), ("environment", &new.environment), ("tenant", &new.tenant)]
    {
        name.iter().try_for_each(|name| check_name(field, name))?;
    }
    if let Some(not_after) = new.not_after {
        check_ahead("not_after", not_after, moment.now())?;
        if new.not_before.is_some_and(|not_before| not_before >= not_after) {
            let message = format!("it must be before not_after, {not_after}");
            return Err(Refused::new(Reason::InvalidPeriod, "not_before", message));
        }
    }
    if new.attest_every_ms == Some(0) {
        return Err(Refused::new(Reason::InvalidPeriod, "attest_every", "it must be longer than nothing"));
    }
    let depth_max = moment.limits.depth_max;
    if let Some(depth) = new.max_depth.filter(|depth| *depth > depth_max) {
        let message = format!("{depth} hops; at most {depth_max} are allowed");
        return Err(Refused::new(Reason::TooMuch, "max_depth", message));
    }
    for name in &new.purpose_permissions {
        check_permission_name(moment, name)?;
    }
    match &new.ceiling {
        Some(ceiling) => ceiling.check(schema).map_err(|refused| refused.under("ceiling")),
        None => Ok(()),
    }
}

fn check_lists(new: &Registration) -> Result<(), Refused> {
    check_list("bindings", new.bindings.len())?;
    for binding in &new.bindings {
        check_name("bindings.issuer", &binding.issuer)?;
        check_name("bindings.subject", &binding.subject)?;
    }
    check_list("owners", new.owners.len())?;
    new.owners.iter().try_for_each(|owner| check_object("owners", owner))?;
    check_list("labels", new.labels.len())?;
    new.labels.iter().try_for_each(|label| check_name("labels", label))?;
    crate::scope::check_count(
        "purpose_permissions",
        new.purpose_permissions.len(),
        crate::limits::SCOPE_OBJECTS_MAX,
    )
}

/// Checks that all sponsors are humans, and that one of them counts.
pub(super) fn check_sponsors(
    moment: &Moment<'_>,
    principal: &ObjectRef,
    sponsors: &[ObjectRef],
) -> Result<(), Refused> {
    if sponsors.is_empty() {
        let message = "an agent has at least one human sponsor";
        return Err(Refused::new(Reason::MissingValue, "sponsors", message));
    }
    check_list("sponsors", sponsors.len())?;
    for sponsor in sponsors {
        check_object("sponsors", sponsor)?;
        let is_agent = sponsor == principal
            || moment.book.agent(sponsor).is_some()
            || moment.book.is_of_kind(&sponsor.object_type, PrincipalKind::Agent);
        if is_agent || !moment.book.is_human(sponsor) {
            let message = format!(
                "`{sponsor}` is not known to be a human: declare the type `{}` human, or the human",
                sponsor.object_type
            );
            return Err(Refused::new(Reason::SponsorNotHuman, "sponsors", message));
        }
    }
    if sponsors.iter().any(|sponsor| is_live_human(moment.book, sponsor)) {
        return Ok(());
    }
    let message = "none of them counts: each is disabled, or not known in a managed type";
    Err(Refused::new(Reason::SponsorNotLive, "sponsors", message))
}

fn check_permission_name(moment: &Moment<'_>, name: &SmolStr) -> Result<(), Refused> {
    let Some((object_type, permission)) = name.split_once('#') else {
        let message = format!("`{name}` is not `type#permission`");
        return Err(Refused::new(Reason::InvalidValue, "purpose_permissions", message));
    };
    let definition = moment.facts.schema.definitions.get(object_type).ok_or_else(|| {
        let message = format!("the schema has no type `{object_type}`");
        Refused::new(Reason::UnknownType, "purpose_permissions", message)
    })?;
    check_member(definition, &permission.into(), "purpose_permissions")
}
