//! Generated histories: after every step the answers for many chains, beside the oracle's.

use std::collections::{BTreeMap, BTreeSet};

use pemba_agents::authority::{Decision, Limit, Outcome};
use pemba_agents::chain::Claim;
use pemba_agents::command::GrantInSession;
use pemba_agents::records::Status;
use pemba_agents::scope::Scope;
use pemba_agents::{ApprovalId, DelegationId, Facts};
use pemba_engine::SchemaCaveats;
use pemba_model::{Context, ObjectRef, Relationship, SubjectRef};
use pemba_testkit::agents::{Ask, Authority, Facts as Told, Grant, Judge, Verdict};
use pemba_testkit::oracle::Oracle;

use crate::steps::{self, Kind, Numbers, OBJECTS, PRINCIPALS};
use crate::told;
use crate::world::{World, alone, context, object};

/// How often each hard case was met.
type Met = BTreeMap<String, u32>;

/// Answers before a step that can only take away.
type Before = BTreeMap<(String, &'static str, &'static str), Outcome>;

const QUESTIONS: [(&str, &str); 11] = [
    ("view", "doc:0"),
    ("view", "doc:1"),
    ("view", "doc:2"),
    ("view", "doc:3"),
    ("edit", "doc:0"),
    ("edit", "doc:1"),
    ("edit", "doc:2"),
    ("admin", "doc:0"),
    ("view", "folder:0"),
    ("view", "folder:1"),
    ("admin", "folder:1"),
];

fn universe() -> BTreeSet<ObjectRef> {
    PRINCIPALS.iter().chain(&OBJECTS).chain(&["team:0", "team:1"]).map(|text| object(text)).collect()
}

fn note(met: &mut Met, what: &str) {
    *met.entry(what.to_owned()).or_default() += 1;
}

/// Claims of the chains and sessions there are, the newest first, and of some who act alone.
fn claims(world: &World, numbers: &mut Numbers) -> Vec<Claim> {
    let mut all = vec![alone(numbers.of(&PRINCIPALS)), alone("user:0")];
    let book = &world.book;
    let sessions: Vec<_> = book.sessions().after(None).map(|(_, one)| one.clone()).collect();
    for session in sessions.iter().rev().take(3) {
        let leaf = session.delegation.map(|id| book.delegation(id));
        if leaf.is_none_or(|leaf| leaf.is_some()) {
            all.push(Claim { session: Some(session.id), ..Claim::default() });
        }
    }
    let mut hops: Vec<_> = book.delegations().after(None).map(|(_, one)| one.clone()).collect();
    hops.reverse();
    for hop in hops.iter().take(6) {
        let end = hop.to.relation.is_some().then(|| object(numbers.of(&PRINCIPALS[3..])));
        let claim = Claim { delegation: Some(hop.id), either_end: end, ..Claim::default() };
        let session = hop.session.and_then(|id| book.session(id)).filter(|session| {
            let is_for_it = session.delegation.is_none_or(|id| id == hop.id);
            is_for_it && (hop.to.relation.is_some() || session.actor == hop.to.object)
        });
        if let Some(session) = session {
            let end = hop.to.relation.is_some().then(|| session.actor.clone());
            all.push(Claim { session: Some(session.id), either_end: end, ..claim.clone() });
        }
        all.push(claim);
    }
    all
}

/// Claims with an approval, and the one action that each is for.
fn approved(world: &World) -> Vec<(Claim, String, String)> {
    let book = &world.book;
    let all = book.approvals().after(None).map(|(_, one)| one);
    let of_this_policy = all.filter(|one| one.grant.is_none()).filter(|one| {
        let policy = book.approval_policy(&one.resource.object_type, &one.permission);
        policy.is_some_and(|policy| policy.version == one.policy_version)
            && one.delegation.is_none_or(|id| book.delegation(id).is_some())
    });
    of_this_policy
        .map(|one| {
            let claim = Claim {
                root: Some(one.root.clone()),
                either_end: one.actors.last().cloned(),
                delegation: one.delegation,
                approval: Some(one.id),
                ..Claim::default()
            };
            (claim, one.permission.to_string(), one.resource.to_string())
        })
        .collect()
}

/// What the oracle is asked against.
struct Expected<'a> {
    world: &'a World,
    told: Told,
    live: Vec<Relationship>,
    values: Option<Context>,
}

impl<'a> Expected<'a> {
    fn of(world: &'a World, numbers: &mut Numbers) -> Expected<'a> {
        let live = world.relationships.iter().filter(|one| one.expires_at.is_none_or(|at| world.now < at));
        let values = match numbers.below(4) {
            0 => None,
            1 => Some(context(r#"{"shift": true, "region": "eu"}"#)),
            2 => Some(context(r#"{"shift": true}"#)),
            _ => Some(context(r#"{"region": "us"}"#)),
        };
        Expected { world, told: told::facts(world), live: live.cloned().collect(), values }
    }

    fn authority(&self, extra: &[Relationship]) -> Authority {
        let all: Vec<Relationship> = self.live.iter().chain(extra).cloned().collect();
        let (schema, now) = (self.world.snapshot.schema(), self.world.now);
        let withheld = self.told.not_live_agents(&universe());
        Authority::new(Oracle::withholding(schema, &all, &universe(), now, &self.caveats(), &withheld))
    }

    fn caveats(&self) -> SchemaCaveats<'_> {
        SchemaCaveats { schema: self.world.snapshot.schema(), request: self.values.as_ref() }
    }

    fn grants(&self, claim: &Claim) -> Vec<Relationship> {
        let session = claim.session.and_then(|id| self.world.book.session(id));
        session.filter(|session| session.closed.is_none()).map(|one| one.grants.clone()).unwrap_or_default()
    }
}

/// Whether the oracle lets somebody grant something.
pub fn may_grant(world: &World, new: &GrantInSession) -> bool {
    let granting = |judge: &Judge<'_>, relationship| {
        judge.may_grant(&Grant {
            session: new.session.0,
            grantor: &new.grantor,
            relationship,
            until: new.not_after,
            approval: new.approval.map(|id| id.0),
        })
    };
    judged(world, |judge| new.relationships.iter().all(|relationship| granting(judge, relationship)))
}

/// Runs a question against the oracle, without values.
fn judged<T>(world: &World, question: impl FnOnce(&Judge<'_>) -> T) -> T {
    let mut expected = Expected::of(world, &mut Numbers(0));
    expected.values = None;
    let (plain, caveats) = (expected.authority(&[]), expected.caveats());
    question(&Judge {
        facts: &expected.told,
        live: &expected.live,
        plain: &plain,
        seen: &plain,
        caveats: &caveats,
    })
}

/// Whether the oracle lets a human break the glass.
pub fn may_break(world: &World, claim: &Claim, (permission, resource): (&str, &str), user: &str) -> bool {
    let (resource, user) = (object(resource), object(user));
    judged(world, |judge| judge.may_break_for(&ask(claim, permission, &resource), &user))
}

/// Whether the oracle lets somebody review what was broken.
pub fn may_review(world: &World, id: ApprovalId, reviewer: &str) -> bool {
    judged(world, |judge| judge.may_review(id.0, &object(reviewer)))
}

/// Notes what usersets of agents that are not live do to answers: what they no longer give, and what hiding them where
/// they exclude would give.
fn usersets(expected: &Expected<'_>, met: &mut Met) {
    let withheld = expected.told.not_live_agents(&universe());
    let is_withheld =
        |one: &&Relationship| one.subject.relation.is_some() && withheld.contains(&one.subject.object);
    if !expected.live.iter().any(|one| is_withheld(&one)) {
        return;
    }
    note(met, "a userset of an agent that is not live");
    let (schema, now) = (expected.world.snapshot.schema(), expected.world.now);
    let (caveats, objects) = (expected.caveats(), universe());
    let without: Vec<Relationship> = expected.live.iter().filter(|one| !is_withheld(one)).cloned().collect();
    let judged = Oracle::withholding(schema, &expected.live, &objects, now, &caveats, &withheld);
    let whole = Oracle::new(schema, &expected.live, &objects, now, &caveats);
    let hidden = Oracle::new(schema, &without, &objects, now, &caveats);
    for who in &PRINCIPALS {
        let subject = SubjectRef { object: object(who), relation: None };
        let solved = [&judged, &whole, &hidden].map(|oracle| (oracle, oracle.solve(&subject)));
        for (permission, resource) in QUESTIONS {
            let [judged, whole, hidden] = solved.each_ref().map(|(oracle, solution)| {
                oracle.answer(solution, &subject, &object(resource), permission).value()
            });
            if judged < whole {
                note(met, "a userset that gives nothing any more");
            }
            if hidden > judged && hidden > whole {
                note(met, "a userset that excludes although its agent is not live");
            }
        }
    }
}

fn ask<'a>(claim: &'a Claim, permission: &'a str, object: &'a ObjectRef) -> Ask<'a> {
    Ask {
        root: claim.root.as_ref(),
        actor: claim.either_end.as_ref(),
        delegation: claim.delegation.map(|id| id.0),
        session: claim.session.map(|id| id.0),
        approval: claim.approval.map(|id| id.0),
        permission,
        object,
    }
}

fn same(verdict: &Verdict, decision: &Decision) -> bool {
    match (verdict, decision.outcome) {
        (Verdict::Conditional(missing), Outcome::Conditional) => *missing == decision.missing,
        (Verdict::Deny, Outcome::Deny)
        | (Verdict::RequiresApproval, Outcome::RequiresApproval)
        | (Verdict::RequiresConsumption, Outcome::RequiresConsumption)
        | (Verdict::Allow, Outcome::Allow) => true,
        _ => false,
    }
}

/// Compares every answer in a world; the differences in words.
fn compare(world: &World, numbers: &mut Numbers, met: &mut Met) -> Vec<String> {
    let expected = Expected::of(world, numbers);
    let plain = expected.authority(&[]);
    let caveats = expected.caveats();
    let mut wrong = Vec::new();
    usersets(&expected, met);
    for claim in claims(world, numbers) {
        let grants = expected.grants(&claim);
        let own = (!grants.is_empty()).then(|| expected.authority(&grants));
        let seen = own.as_ref().unwrap_or(&plain);
        let judge =
            Judge { facts: &expected.told, live: &expected.live, plain: &plain, seen, caveats: &caveats };
        for (permission, resource) in QUESTIONS {
            let verdict = judge.verdict(&ask(&claim, permission, &object(resource)));
            match world.decision(&claim, permission, resource, expected.values.as_ref()) {
                Ok(decision) => {
                    if !same(&verdict, &decision) {
                        let values = &expected.values;
                        wrong.push(format!(
                            "{claim:?} {permission} {resource} {values:?}: {verdict:?}, not {decision:?}"
                        ));
                    }
                    meet(world, &claim, &decision, !grants.is_empty(), met);
                }
                Err(refused) => wrong.push(format!("{claim:?} {permission} {resource}: {refused:?}")),
            }
        }
        for (resource_type, permission) in [("doc", "view"), ("doc", "edit"), ("folder", "view")] {
            let verdicts: BTreeMap<String, Verdict> = OBJECTS
                .iter()
                .filter(|name| name.starts_with(resource_type))
                .map(|name| {
                    (
                        name.split_once(':').unwrap().1.to_owned(),
                        judge.verdict(&ask(&claim, permission, &object(name))),
                    )
                })
                .collect();
            let values = expected.values.as_ref();
            wrong.extend(compare_lookup(world, &claim, (resource_type, permission), values, &verdicts));
        }
    }
    let judge =
        Judge { facts: &expected.told, live: &expected.live, plain: &plain, seen: &plain, caveats: &caveats };
    for (claim, permission, resource) in approved(world) {
        let verdict = judge.verdict(&ask(&claim, &permission, &object(&resource)));
        match world.decision(&claim, &permission, &resource, expected.values.as_ref()) {
            Ok(decision) if same(&verdict, &decision) => {
                let of_glass = claim.approval.and_then(|id| world.book.broken_glass(id)).is_some();
                let what = if of_glass { "with broken glass" } else { "with an approval" };
                note(met, &format!("{what}: {:?}", decision.outcome));
            }
            other => wrong.push(format!("{claim:?} {permission} {resource}: {verdict:?}, not {other:?}")),
        }
    }
    wrong
}

fn compare_lookup(
    world: &World,
    claim: &Claim,
    (resource_type, permission): (&str, &str),
    values: Option<&Context>,
    verdicts: &BTreeMap<String, Verdict>,
) -> Option<String> {
    let found = world.lookup(claim, resource_type, permission, (values, &[]));
    let Ok((reachable, definite, conditional)) = &found else {
        return Some(format!("lookup {claim:?} {resource_type}#{permission}: {found:?}"));
    };
    let with = |is: &dyn Fn(&Verdict) -> bool| -> Vec<String> {
        verdicts.iter().filter(|(_, verdict)| is(verdict)).map(|(name, _)| name.clone()).collect()
    };
    let holds = match reachable.at_most {
        Outcome::Allow => {
            *definite == with(&|verdict| *verdict == Verdict::Allow)
                && *conditional == with(&|verdict| matches!(verdict, Verdict::Conditional(_)))
        }
        at_most => {
            let above = |verdict: &Verdict| match verdict {
                Verdict::Deny => false,
                Verdict::Conditional(_) => at_most < Outcome::Conditional,
                Verdict::RequiresApproval => at_most < Outcome::RequiresApproval,
                Verdict::RequiresConsumption => at_most < Outcome::RequiresConsumption,
                Verdict::Allow => true,
            };
            definite.is_empty() && conditional.is_empty() && with(&above).is_empty()
        }
    };
    (!holds).then(|| {
        format!("lookup {claim:?} {resource_type}#{permission} {values:?}: {verdicts:?}, not {found:?}")
    })
}

/// Notes what an answer rests on.
fn meet(world: &World, claim: &Claim, decision: &Decision, has_grants: bool, met: &mut Met) {
    let book = &world.book;
    let is_allowed = decision.outcome > Outcome::Conditional;
    let mut hops = Vec::new();
    let session = claim.session.and_then(|id| book.session(id));
    let mut next = claim.delegation.or_else(|| session.and_then(|session| session.delegation));
    while let Some(hop) = next.and_then(|id| book.delegation(id)) {
        hops.insert(0, hop.clone());
        next = hop.parent;
    }
    match &decision.limit {
        Some(limit) => note(met, &format!("limit: {}", limit.as_str())),
        None => note(met, "allowed"),
    }
    match &decision.limit {
        Some(Limit::Session(_, over)) => note(met, &format!("session {}", over.as_str())),
        Some(Limit::NotLive(_, why)) => note(met, why.as_str()),
        Some(Limit::Hop(id, over)) if hops.last().is_some_and(|leaf| leaf.id != *id) && hops.len() > 2 => {
            note(met, &format!("dead middle hop {}", over.as_str()));
        }
        _ => {}
    }
    if decision.missing.len() > 1 {
        note(met, "scope's and root's conditions together");
    }
    if is_allowed {
        let mut has = |holds: bool, what: &str| {
            if holds {
                note(met, &format!("allowed {what}"))
            }
        };
        has(hops.len() > 2, "by three hops");
        has(hops.iter().any(|hop| hop.to.relation.is_some()), "to a userset's member");
        has(hops.iter().any(|hop| !hop.within.is_empty()), "by a renewed scope");
        has(hops.iter().any(|hop| hop.incarnations.iter().any(|one| *one > 1)), "to a later incarnation");
        has(has_grants, "with grants of a session");
        has(session.is_some(), "in a session");
        has(!decision.shadows.is_empty(), "without a record");
        let quarantined = hops.iter().filter_map(|hop| book.agent(&hop.to.object));
        has(quarantined.into_iter().any(|agent| agent.status == Status::Quarantined), "in quarantine");
        let is_subtree = |scope: &Scope| format!("{scope:?}").contains("Subtree");
        has(hops.iter().any(|hop| is_subtree(&hop.scope)), "in a subtree");
        has(decision.valid_until.is_some(), "until an instant");
    }
}

/// All answers, for a comparison over a step.
fn answers(world: &World, claims: &[Claim]) -> Before {
    let mut all = Before::new();
    for claim in claims {
        for (permission, resource) in QUESTIONS {
            if let Ok(decision) = world.decision(claim, permission, resource, None) {
                all.insert((format!("{claim:?}"), permission, resource), decision.outcome);
            }
        }
    }
    all
}

/// A further hop allows no more than the one before, and a renewed scope no more than the first one.
fn is_narrow(world: &World, first: &mut BTreeMap<DelegationId, Scope>) -> Vec<String> {
    let mut wrong = Vec::new();
    let facts = Facts::of(&world.snapshot, world.now, 1_000_000);
    for (id, hop) in world.book.delegations().after(None) {
        let original = first.entry(*id).or_insert_with(|| hop.scope.clone());
        let parent = hop.parent.and_then(|id| world.book.delegation(id));
        let is_comparable =
            hop.to.relation.is_none() && parent.is_some_and(|parent| parent.to.relation.is_none());
        for (permission, resource) in QUESTIONS {
            let resource_ref = object(resource);
            if *original != hop.scope {
                let all = hop.scopes().map(|scope| scope.contains(&facts, permission, &resource_ref, None));
                let now = all.map(|answer| answer.unwrap().permissionship).min().unwrap();
                let then = original.contains(&facts, permission, &resource_ref, None).unwrap().permissionship;
                if now > then {
                    wrong.push(format!("{id} has become wider: {permission} on {resource}"));
                }
            }
            if is_comparable {
                let of = |id| world.check(&crate::world::leaf(id), permission, resource);
                if of(*id) > of(parent.unwrap().id) {
                    wrong.push(format!(
                        "{id} may do more than {}: {permission} on {resource}",
                        parent.unwrap().id
                    ));
                }
            }
        }
    }
    wrong
}

/// One history.
fn run(seed: u64, steps: usize, met: &mut Met) {
    let mut numbers = Numbers(pemba_testkit::support_desk::mix(seed));
    let mut world = steps::begin(&mut numbers);
    let mut log = Vec::new();
    let mut first = BTreeMap::new();
    for _ in 0..steps {
        let told = claims(&world, &mut numbers);
        let is_sampled = numbers.one_in(2);
        let before = if is_sampled { answers(&world, &told) } else { Before::new() };
        let (line, kind) = steps::step(&mut world, &mut numbers);
        log.push(line);
        let mut wrong = compare(&world, &mut numbers, met);
        if is_sampled {
            wrong.extend(is_narrow(&world, &mut first));
            if kind == Kind::Narrows {
                note(met, "steps that only take away");
                for (question, outcome) in answers(&world, &told) {
                    let was = before.get(&question).copied().unwrap_or(outcome);
                    if outcome > was {
                        wrong.push(format!("{question:?} was {was:?} and is {outcome:?}"));
                    }
                }
            }
        }
        assert!(
            wrong.is_empty(),
            "seed {seed}, after\n{}\n{:#?}",
            log.join("\n"),
            &wrong[..wrong.len().min(5)]
        );
    }
    for ((is_plain, is_allowed), times) in world.ways.take() {
        let way = if is_plain { "the quick way" } else { "as a whole" };
        let what = if is_allowed { "allowed" } else { "not allowed" };
        *met.entry(format!("through a chain, {what}, {way}")).or_default() += times;
    }
    for (what, times) in world.met.take() {
        *met.entry(what).or_default() += times;
    }
    world.restart();
}

/// The hard cases, and how often a round must meet each at least.
const HARD: &[(&str, u32)] = &[
    ("allowed", 1000),
    ("allowed by three hops", 100),
    ("allowed to a userset's member", 30),
    ("allowed by a renewed scope", 10),
    ("allowed to a later incarnation", 30),
    ("allowed with grants of a session", 50),
    ("allowed in a session", 100),
    ("allowed in quarantine", 10),
    ("allowed in a subtree", 100),
    ("allowed until an instant", 300),
    ("scope's and root's conditions together", 30),
    ("dead middle hop ended", 30),
    ("dead middle hop expired", 30),
    ("session idle", 30),
    ("session ended", 30),
    ("session expired", 30),
    ("suspended", 30),
    ("retired", 30),
    ("other_incarnation", 30),
    ("orphaned", 30),
    ("killed", 30),
    ("human_disabled", 30),
    ("expired", 30),
    ("unattested", 30),
    ("limit: uses", 30),
    ("limit: approval", 100),
    ("limit: member", 30),
    ("limit: connection", 30),
    ("limit: scope", 100),
    ("limit: session_scope", 30),
    ("limit: ceiling", 30),
    ("limit: purpose", 30),
    ("limit: own_grants", 10),
    ("limit: write_denied", 30),
    ("limit: root", 100),
    ("with an approval: RequiresApproval", 30),
    ("with an approval: RequiresConsumption", 10),
    ("with an approval: Allow", 3),
    ("with an approval: Deny", 10),
    ("a grant by right is done", 30),
    ("a grant by right is refused: GRANT_NOT_PERMITTED", 10),
    ("a grant by an approval is done", 30),
    ("a grant by an approval is refused: APPROVAL_MISMATCH", 10),
    ("a grant by an approval is refused: APPROVAL_NOT_USABLE", 30),
    ("the glass is broken", 30),
    ("the glass is not broken", 30),
    ("broken glass is reviewed", 10),
    ("broken glass is not reviewed", 10),
    ("with broken glass: RequiresApproval", 10),
    ("with broken glass: RequiresConsumption", 10),
    ("with broken glass: Allow", 3),
    ("with broken glass: Deny", 10),
    ("steps that only take away", 300),
    ("through a chain, allowed, the quick way", 5000),
    ("through a chain, allowed, as a whole", 1000),
    ("through a chain, not allowed, the quick way", 5000),
    ("a userset of an agent that is not live", 300),
    ("a userset that gives nothing any more", 100),
    ("a userset that excludes although its agent is not live", 30),
];

#[test]
fn every_answer_is_the_oracles_after_every_step() {
    let mut met = Met::new();
    let first = pemba_testkit::cases::seed(7_000);
    let count = u64::from(pemba_testkit::cases::count(300));
    for seed in first..first + count {
        run(seed, 24, &mut met);
    }
    println!("{met:#?}");
    for (what, least) in HARD {
        let times = met.get(*what).copied().unwrap_or(0);
        assert!(u64::from(times) * 300 >= u64::from(*least) * count, "`{what}` was met {times} times");
    }
}

#[test]
fn every_answer_is_the_oracles_for_hours() {
    let Ok(hours) = std::env::var("PEMBA_HOURS") else { return run(9_999, 60, &mut Met::new()) };
    let hours: f64 = hours.parse().expect("PEMBA_HOURS is a number of hours");
    let end = std::time::Instant::now() + std::time::Duration::from_secs_f64(hours * 3600.0);
    for seed in pemba_testkit::cases::seed(2_000_000).. {
        if std::time::Instant::now() > end {
            return;
        }
        run(seed, 60, &mut Met::new());
    }
}
