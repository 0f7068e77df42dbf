//! Steps of a history: commands, writes, time and restarts, drawn from a stream of numbers.

use pemba_agents::chain::Claim;
use pemba_agents::command::{self, GrantInSession, Registration, Renew, SetHuman, Throw, Transition};
use pemba_agents::records::{
    Applies, ApprovalUses, Distinct, GrantPolicy, HumanStatus, KillMode, KillSelector, PrincipalKind,
    TypeMode, TypePolicy,
};
use pemba_agents::scope::Scope;
use pemba_agents::{ApprovalId, DelegationId, Reason, SessionId};
use pemba_model::text::parse_relationship;
use pemba_testkit::support_desk::mix;

use crate::world::{MINUTE, World, approved, by, glass, object, policy, scope, under};

/// The head of both schemas; they differ in what excludes.
const HEAD: &str = "
caveat on_shift(shift bool) { shift }
caveat within(region string, allowed string) { region == allowed }
definition user {}
definition agent {
    relation team: user | agent | agent#team
}
definition team {
    relation member: user | agent | team#member
}
definition folder {
    relation parent: folder
    relation owner: user | agent
    relation viewer: user | user:* | agent | team#member | agent#team | user with on_shift
    relation banned: user | agent | team#member | agent#team
    permission view = (viewer + owner + parent->view) - banned
    permission admin = owner + parent->admin
}
definition doc {
    relation parent: folder
    relation viewer: user | agent | team#member | agent#team | user with on_shift
    relation banned: user | agent | agent#team | agent#team with on_shift
    relation pardoned: user | agent#team
    permission admin = parent->admin
    permission edit = viewer & parent->view
";
pub const SCHEMAS: [&str; 2] = [
    "    permission view = (viewer + parent->view) - (banned - pardoned)\n}",
    "    permission view = viewer + (parent->view - parent->banned) - banned\n}",
];

pub const PRINCIPALS: [&str; 7] = ["user:0", "user:1", "user:2", "agent:0", "agent:1", "agent:2", "agent:3"];
pub const OBJECTS: [&str; 7] = ["doc:0", "doc:1", "doc:2", "doc:3", "folder:0", "folder:1", "folder:2"];

/// A stream of numbers that is the same on every run.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(1);
        (mix(self.0) % bound as u64) as usize
    }

    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    fn user(&mut self) -> &'static str {
        self.of(&PRINCIPALS[..3])
    }

    fn agent(&mut self) -> &'static str {
        self.of(&PRINCIPALS[3..])
    }

    fn relationship(&mut self) -> String {
        let who = if self.one_in(2) { self.user() } else { self.agent() };
        match self.below(13) {
            0 => format!("team:{}#member@{who}", self.below(2)),
            1 => "team:0#member@team:1#member".to_owned(),
            2 => format!("folder:{}#parent@folder:{}", 1 + self.below(2), self.below(2)),
            3 => format!("doc:{}#parent@folder:{}", self.below(4), self.below(3)),
            4 => format!("folder:{}#owner@{who}", self.below(3)),
            5 => format!("folder:{}#viewer@team:{}#member", self.below(3), self.below(2)),
            6 => format!("folder:{}#viewer@{}[on_shift]", self.below(3), self.user()),
            7 => format!("doc:{}#viewer@{}[on_shift]", self.below(4), self.user()),
            8 => format!("folder:{}#banned@{who}", self.below(3)),
            9 => format!("doc:{}#banned@{who}", self.below(4)),
            10 => format!("folder:{}#viewer@user:*", self.below(3)),
            11 => match self.below(6) {
                0 => format!("{}#team@{who}", self.agent()),
                1 => format!("{}#team@{}#team", self.agent(), self.agent()),
                2 => format!("folder:{}#viewer@{}#team", self.below(3), self.agent()),
                3 => format!("folder:{}#banned@{}#team", self.below(3), self.agent()),
                4 => format!("doc:{}#banned@{}#team[on_shift]", self.below(4), self.agent()),
                _ => format!("doc:{}#pardoned@{}#team", self.below(4), self.agent()),
            },
            _ => format!("doc:{}#viewer@{who}", self.below(4)),
        }
    }

    /// A scope; often a wide one, so that chains live.
    pub fn scope(&mut self) -> Scope {
        let text = match self.below(9) {
            0 => "doc:view:0,1 folder:view:*",
            1 => "doc:view,edit:parent>folder:0",
            2 => "doc:view:parent>folder:1 folder:view:parent>folder:0",
            3 => "doc:view,edit,admin:0,1,2,3",
            4 => "doc:view:2",
            _ => "doc:view,edit,admin:* folder:view,admin:*",
        };
        match self.below(5) {
            0 => under(scope(text), "within", r#"{"allowed": "eu"}"#),
            _ => scope(text),
        }
    }
}

pub fn schema(number: usize) -> String {
    format!("{HEAD}{}", SCHEMAS[number])
}

/// A world with some of everything in it.
pub fn begin(numbers: &mut Numbers) -> World {
    let mut world = World::new(&schema(0));
    world.declare();
    if numbers.one_in(3) {
        let policy =
            TypePolicy { object_type: "agent".into(), kind: PrincipalKind::Agent, mode: TypeMode::Managed };
        world.run(|moment| command::set_type_policy(moment, policy)).unwrap();
    }
    for relation in ["viewer", "owner"] {
        let offer = GrantPolicy {
            resource_type: if relation == "viewer" { "doc" } else { "folder" }.into(),
            relation: relation.into(),
            grantor_permission: "admin".into(),
        };
        world.run(|moment| command::set_grant_policy(moment, offer)).unwrap();
    }
    world.write(&[
        "folder:0#owner@user:0",
        "doc:0#parent@folder:0",
        "doc:1#parent@folder:1",
        "folder:1#parent@folder:0",
    ]);
    for _ in 0..8 {
        let line = numbers.relationship();
        world.write(&[&line]);
    }
    for agent in &PRINCIPALS[3..] {
        register(&mut world, numbers, agent);
    }
    for _ in 0..5 {
        delegate(&mut world, numbers);
    }
    world
}

/// What a step may do to answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only takes away.
    Narrows,
    /// Anything.
    Any,
}

/// One step; what it was, and what it may do.
pub fn step(world: &mut World, numbers: &mut Numbers) -> (String, Kind) {
    match numbers.below(48) {
        0..=2 => {
            let line = numbers.relationship();
            world.write(&[&line]);
            (format!("write {line}"), Kind::Any)
        }
        3 | 4 => {
            let line = match world.relationships.is_empty() {
                true => return ("nothing".to_owned(), Kind::Any),
                false => {
                    let at = numbers.below(world.relationships.len());
                    world.relationships[at].to_string()
                }
            };
            world.delete(&[&line]);
            (format!("delete {line}"), Kind::Any)
        }
        5 => {
            let agent = numbers.agent();
            register(world, numbers, agent);
            (format!("register {agent}"), Kind::Any)
        }
        6..=8 => transition(world, numbers),
        9 => human(world, numbers),
        10..=15 => (delegate(world, numbers), Kind::Any),
        16 | 17 => renew(world, numbers),
        18 => revoke(world, numbers),
        19..=21 => (open(world, numbers), Kind::Any),
        22 => close(world, numbers),
        23 | 24 => (grant(world, numbers), Kind::Any),
        25 => throw(world, numbers),
        26 => (lift(world, numbers), Kind::Any),
        27 => (policies(world, numbers), Kind::Any),
        28 | 29 => (approvals(world, numbers), Kind::Any),
        30 => (consume(world, numbers), Kind::Any),
        31 | 32 => (pass(world, numbers), Kind::Any),
        33 | 34 => (reborn(world, numbers), Kind::Any),
        35..=37 => (approve(world, numbers), Kind::Any),
        38 => part_of_subtree(world, numbers),
        39 => (team(world, numbers), Kind::Any),
        40 | 41 => (grant_by_approval(world, numbers), Kind::Any),
        42 => (grant_as_approved(world, numbers), Kind::Any),
        43..=45 => (break_glass(world, numbers), Kind::Any),
        46 => (review_glass(world, numbers), Kind::Any),
        _ => {
            world.restart();
            let number = numbers.below(2);
            world.set_schema(&schema(number));
            (format!("restart; schema {number}"), Kind::Any)
        }
    }
}

fn register(world: &mut World, numbers: &mut Numbers, agent: &str) {
    let sponsors = vec![object(numbers.user())];
    let new = Registration {
        sponsors,
        active: !numbers.one_in(8),
        blueprint: numbers.one_in(3).then(|| "b".into()),
        labels: if numbers.one_in(4) { ["critical".into()].into() } else { Default::default() },
        ceiling: numbers.one_in(3).then(|| numbers.scope()),
        max_depth: numbers.one_in(6).then(|| 1 + numbers.below(3) as u32),
        own_grants_required: numbers.one_in(8),
        purpose_permissions: if numbers.one_in(6) { ["doc#view".into()].into() } else { Default::default() },
        attest_every_ms: numbers.one_in(6).then_some(20 * MINUTE as u64),
        not_after: numbers.one_in(6).then(|| world.at(30 * MINUTE)),
        orphan_grace_ms: numbers.one_in(2).then_some(5 * MINUTE as u64),
        ..world.registration(agent)
    };
    let _ = world.run(|moment| command::register(moment, &by(), new));
}

fn transition(world: &mut World, numbers: &mut Numbers) -> (String, Kind) {
    let agent = numbers.agent();
    let to = match numbers.below(8) {
        0 => Transition::Suspend,
        1 => Transition::Quarantine,
        2 => Transition::Retire,
        3 => Transition::Activate,
        _ => Transition::Resume,
    };
    let _ = world.run(|moment| command::transition(moment, &by(), &[object(agent)], to, None));
    let narrows = !matches!(to, Transition::Resume | Transition::Activate);
    (format!("{to:?} {agent}"), if narrows { Kind::Narrows } else { Kind::Any })
}

fn human(world: &mut World, numbers: &mut Numbers) -> (String, Kind) {
    let status = if numbers.one_in(2) { HumanStatus::Disabled } else { HumanStatus::Active };
    let person = numbers.one_in(3).then(|| "p".into());
    let new = SetHuman { principal: object(numbers.user()), status, person };
    let told = format!("{new:?}");
    world.run(|moment| command::set_human(moment, &by(), new)).unwrap();
    (told, if status == HumanStatus::Disabled { Kind::Narrows } else { Kind::Any })
}

pub fn delegations(world: &World) -> Vec<DelegationId> {
    world.book.delegations().after(None).map(|(id, _)| *id).collect()
}

pub fn sessions(world: &World) -> Vec<SessionId> {
    world.book.sessions().after(None).map(|(id, _)| *id).collect()
}

fn delegate(world: &mut World, numbers: &mut Numbers) -> String {
    let to = match numbers.below(8) {
        0 => "team:0#member".to_owned(),
        1 => numbers.user().to_owned(),
        _ => numbers.agent().to_owned(),
    };
    let from = if numbers.one_in(6) { numbers.agent() } else { numbers.user() };
    let what = numbers.scope();
    let mut new = world.delegation(from, &to, what);
    new.not_after = world.at((5 + numbers.below(60) as i64) * MINUTE);
    new.not_before = numbers.one_in(8).then(|| world.at(2 * MINUTE));
    let is_group = to.starts_with("team");
    new.uses = (is_group || numbers.one_in(8)).then(|| 1 + numbers.below(3) as u32);
    let open = sessions(world);
    if !open.is_empty() && numbers.one_in(8) {
        new.session = Some(numbers.of(&open));
        new.not_after = world.at(3 * MINUTE);
    }
    let there = delegations(world);
    if !there.is_empty() && !numbers.one_in(3) {
        // Most of the time the newest one goes on, so that chains grow long.
        let parent = if numbers.one_in(3) { numbers.of(&there) } else { *there.last().unwrap() };
        let before = world.book.delegation(parent).unwrap();
        new.parent = Some(parent);
        new.from = match &before.to.relation {
            None => before.to.object.clone(),
            Some(_) => object(numbers.agent()),
        };
        new.depth_left = before.depth_left.saturating_sub(1);
        new.not_after = new.not_after.min(before.not_after);
        if numbers.one_in(2) {
            new.scope = before.scope.clone();
        }
    }
    let told = format!("{} of {:?} to {}", new.id, new.parent, new.to);
    let done = world.try_delegate(new).map_err(|refused| refused.reason);
    format!("delegate {told}: {done:?}")
}

fn renew(world: &mut World, numbers: &mut Numbers) -> (String, Kind) {
    let there = delegations(world);
    let Some(id) = (!there.is_empty()).then(|| numbers.of(&there)) else {
        return ("nothing".to_owned(), Kind::Any);
    };
    let new = Renew {
        scope: (!numbers.one_in(4)).then(|| numbers.scope()),
        depth_left: numbers.one_in(4).then(|| numbers.below(3) as u32),
        uses_left: numbers.one_in(6).then_some(1),
        ..Renew::default()
    };
    let done = world.run(|moment| command::renew(moment, &by(), id, new)).map_err(|refused| refused.reason);
    (format!("renew {id}: {:?}", done.map(|after| after.scope)), Kind::Narrows)
}

fn revoke(world: &mut World, numbers: &mut Numbers) -> (String, Kind) {
    let there = delegations(world);
    let Some(id) = (!there.is_empty()).then(|| numbers.of(&there)) else {
        return ("nothing".to_owned(), Kind::Any);
    };
    world.revoke(id);
    (format!("revoke {id}"), Kind::Narrows)
}

fn open(world: &mut World, numbers: &mut Numbers) -> String {
    let there = delegations(world);
    let leaf = (!there.is_empty() && !numbers.one_in(3)).then(|| numbers.of(&there));
    let to = leaf.and_then(|id| world.book.delegation(id)).filter(|one| one.to.relation.is_none());
    let actor = to.map_or_else(|| object(numbers.agent()), |one| one.to.object.clone());
    let mut new = world.session(&actor.to_string(), leaf);
    new.not_after = world.at((3 + numbers.below(10) as i64) * MINUTE);
    new.idle_ms = numbers.one_in(2).then_some(2 * MINUTE as u64);
    new.scope = numbers.one_in(3).then(|| numbers.scope());
    let id = new.id;
    let done =
        world.run(|moment| command::open_session(moment, &by(), new)).map_err(|refused| refused.reason);
    format!("open {id} of {actor}: {:?}", done.map(|_| ()))
}

fn close(world: &mut World, numbers: &mut Numbers) -> (String, Kind) {
    let open = sessions(world);
    let Some(id) = (!open.is_empty()).then(|| numbers.of(&open)) else {
        return ("nothing".to_owned(), Kind::Any);
    };
    if numbers.one_in(2) {
        let now = world.now;
        world.run(|moment| command::touch_session(moment, id, now)).unwrap();
        return (format!("touch {id}"), Kind::Any);
    }
    world.run(|moment| command::close_session(moment, &by(), id)).unwrap();
    (format!("close {id}"), Kind::Narrows)
}

/// Grants something in a session by the right of who grants; sometimes it is somebody without any.
fn grant(world: &mut World, numbers: &mut Numbers) -> String {
    let open = sessions(world);
    let Some(id) = open.last().copied() else { return "nothing".to_owned() };
    let line = grantable(world, numbers, id);
    let grantor = if numbers.one_in(4) { numbers.of(&PRINCIPALS) } else { "user:0" };
    let new = world.granting(id, grantor, &line);
    granted(world, new)
}

/// A relationship for the root of a session's chain or who acts in it.
fn grantable(world: &World, numbers: &mut Numbers, id: SessionId) -> String {
    let session = world.book.session(id).unwrap();
    let root = session.delegation.and_then(|id| world.book.delegation(id)).map(|leaf| leaf.root.clone());
    let to = root.unwrap_or_else(|| session.actor.clone());
    match numbers.below(3) {
        0 => format!("folder:{}#owner@{to}", numbers.below(3)),
        _ => format!("doc:{}#viewer@{to}", numbers.below(4)),
    }
}

/// Grants what the oracle says may be granted, and nothing else.
fn granted(world: &mut World, new: GrantInSession) -> String {
    let expected = crate::histories::may_grant(world, &new);
    let told = format!("{new:?}");
    let way = if new.approval.is_some() { "by an approval" } else { "by right" };
    let done = world.grant(new).map_err(|refused| refused.reason);
    assert_eq!(done.is_ok(), expected, "{told}: {done:?}");
    let outcome = match &done {
        Ok(_) => "is done".to_owned(),
        Err(reason) => format!("is refused: {reason}"),
    };
    *world.met.borrow_mut().entry(format!("a grant {way} {outcome}")).or_default() += 1;
    format!("{told}: {:?}", done.map(|_| ()))
}

/// Asks for approvals of a grant, lets everybody vote, changes something, and grants: mostly what was approved.
fn grant_by_approval(world: &mut World, numbers: &mut Numbers) -> String {
    let mut new = policy("doc", "viewer", "admin");
    new.grants = true;
    new.quorum = if numbers.one_in(5) { 2 } else { 1 };
    new.applies = numbers.of(&[Applies::AgentChains, Applies::All]);
    if numbers.one_in(3) || world.book.grant_approval_policy("doc", "viewer").is_none() {
        world.set_policy(new);
    }
    let document = numbers.of(&["doc:2", "doc:3"]);
    let parent = format!("{document}#parent@folder:2");
    world.write(&[&parent, "folder:2#owner@user:0", "folder:2#owner@user:1", "folder:2#owner@user:2"]);
    let last = sessions(world).last().copied().filter(|_| !numbers.one_in(3));
    let is_open = |id: &SessionId| {
        let session = world.book.session(*id).unwrap();
        session.closed.is_none() && world.now < session.not_after
    };
    let id = match last.filter(is_open) {
        Some(id) => id,
        None => {
            let new = world.session(numbers.agent(), None);
            match world.run(|moment| command::open_session(moment, &by(), new)) {
                Ok(session) => session.id,
                Err(refused) => return format!("no session: {}", refused.reason),
            }
        }
    };
    let to = grantable(world, numbers, id);
    let line = format!("{document}#viewer@{}", to.split_once('@').unwrap().1);
    let grantor = numbers.of(&PRINCIPALS);
    let mut told = Vec::new();
    if let Ok(approval) = world.ask_grant(id, grantor, &line) {
        let votes: Vec<bool> = PRINCIPALS[..3]
            .iter()
            .filter(|_| !numbers.one_in(4))
            .map(|voter| world.vote(approval, voter, true).is_ok())
            .collect();
        told.push(format!("{grantor} asks for {line}: {approval}, votes {votes:?}"));
    }
    match numbers.below(10) {
        0 => world.delete(&["folder:2#owner@user:0", "folder:2#owner@user:1"]),
        1 => world.delete(&["folder:2#owner@user:0", "folder:2#owner@user:1", "folder:2#owner@user:2"]),
        2 => told.push(human(world, numbers).0),
        3 => told.push(throw(world, numbers).0),
        4 => told.push(pass(world, numbers)),
        _ => {}
    }
    told.push(grant_as_approved(world, numbers));
    told.join("; ")
}

/// Grants what was approved last, or something that differs in one thing.
fn grant_as_approved(world: &mut World, numbers: &mut Numbers) -> String {
    let of_grants = world.book.approvals().after(None).map(|(_, one)| one.clone());
    let of_grants = of_grants.filter_map(|one| Some((one.id, one.session?, one.grant.clone()?)));
    let Some((id, session, asked)) = of_grants.last() else { return "nothing".to_owned() };
    let mut relationship = asked.relationship.clone();
    relationship.expires_at = None;
    let mut new = world.granting(session, &asked.grantor.to_string(), &relationship.to_string());
    new.approval = Some(id);
    match numbers.below(10) {
        0 => new.session = numbers.of(&sessions(world)),
        1 => new.grantor = object(numbers.of(&PRINCIPALS)),
        2 => new.relationships = vec![parse_relationship(&grantable(world, numbers, session)).unwrap()],
        3 => new.not_after = Some(world.at(MINUTE)),
        _ => {}
    }
    let first = granted(world, new.clone());
    if numbers.one_in(3) { format!("{first}; again {}", granted(world, new)) } else { first }
}

fn throw(world: &mut World, numbers: &mut Numbers) -> (String, Kind) {
    let selector = match numbers.below(5) {
        0 => KillSelector::All,
        1 => KillSelector::Blueprint("b".into()),
        2 => KillSelector::Label("critical".into()),
        3 => KillSelector::Sponsor(object(numbers.user())),
        _ => {
            let who = numbers.of(&PRINCIPALS);
            KillSelector::Agent(object(who))
        }
    };
    let mode = numbers.of(&[KillMode::DenyAll, KillMode::DenyWrite, KillMode::RequireApproval]);
    let until = numbers.one_in(2).then(|| world.at(3 * MINUTE));
    let name = format!("s{}", numbers.below(3)).into();
    let new = Throw { name, selector, mode, until };
    let told = format!("{new:?}");
    let done = world.run(|moment| command::throw_kill(moment, &by(), new)).map_err(|refused| refused.reason);
    (format!("{told}: {:?}", done.map(|_| ())), Kind::Narrows)
}

fn lift(world: &mut World, numbers: &mut Numbers) -> String {
    for name in ["s0", "s1", "s2"] {
        let _ = world.run(|moment| command::lift_kill(moment, &by(), name));
    }
    let label = numbers.of(&["read", "safe", "other"]);
    let permission = numbers.of(&["view", "edit"]);
    world
        .run(|moment| {
            command::set_permission_labels(moment, "doc".into(), permission.into(), [label.into()].into())
        })
        .unwrap();
    format!("lift all; doc#{permission} is {label}")
}

fn policies(world: &mut World, numbers: &mut Numbers) -> String {
    let permission = numbers.of(&["view", "edit", "edit"]);
    if numbers.one_in(3) {
        let _ = world.run(|moment| command::unset_approval_policy(moment, "doc", permission, false));
        return format!("unset the policy of {permission}");
    }
    let mut new = policy("doc", permission, "admin");
    new.quorum = if numbers.one_in(5) { 2 } else { 1 };
    new.applies = numbers.of(&[Applies::AgentChains, Applies::All]);
    new.uses = numbers.of(&[ApprovalUses::Counted(1), ApprovalUses::Counted(2), ApprovalUses::TimeBoxed]);
    if numbers.one_in(3) {
        new.distinct_from = [Distinct::Sponsor].into();
    }
    let told = format!("set the policy of {permission}: {} of {:?}", new.quorum, new.uses);
    world.set_policy(new);
    told
}

/// Some claim of a chain that is there, for commands.
fn some_claim(world: &World, numbers: &mut Numbers) -> Option<Claim> {
    let there = delegations(world);
    let id = *there.last()?;
    let id = if numbers.one_in(2) { id } else { numbers.of(&there) };
    let leaf = world.book.delegation(id)?;
    let end = leaf.to.relation.is_some().then(|| object(numbers.agent()));
    Some(Claim { delegation: Some(id), either_end: end, ..Claim::default() })
}

fn approvals(world: &mut World, numbers: &mut Numbers) -> String {
    let there: Vec<ApprovalId> = world.book.approvals().after(None).map(|(id, _)| *id).collect();
    let waiting = there.last().copied().filter(|_| numbers.one_in(2));
    if let Some(id) = waiting {
        let voter = numbers.user();
        let approves = !numbers.one_in(4);
        let done = world.vote(id, voter, approves).map_err(|refused| refused.reason);
        return format!("{voter} votes {approves} on {id}: {:?}", done.map(|after| after.state));
    }
    let Some(claim) = some_claim(world, numbers) else { return "nothing".to_owned() };
    let what = numbers.of(&OBJECTS[..4]);
    for permission in ["edit", "view"] {
        if let Ok(approval) = world.ask(&claim, permission, what, None) {
            let votes = ["user:0", "user:1"].map(|voter| world.vote(approval.id, voter, true).is_ok());
            return format!("ask for {permission} on {what}: {}, votes {votes:?}", approval.id);
        }
    }
    format!("ask for {what} in vain")
}

fn consume(world: &mut World, numbers: &mut Numbers) -> String {
    let Some(mut claim) = some_claim(world, numbers) else { return "nothing".to_owned() };
    let mut what = (numbers.of(&["view", "edit"]).to_owned(), numbers.of(&OBJECTS[..4]).to_owned());
    let last = world.book.approvals().after(None).last().map(|(_, one)| one.clone());
    if let Some(approval) = last.filter(|_| numbers.one_in(2)) {
        claim = approved(&Claim { delegation: approval.delegation, ..Claim::default() }, approval.id);
        claim.either_end = approval.actors.last().cloned();
        what = (approval.permission.to_string(), approval.resource.to_string());
    }
    let key = format!("k{}", numbers.below(1000));
    let done = world.consume(&claim, &what.0, &what.1, (None, &key)).map_err(|refused| refused.reason);
    format!("consume {what:?}: {:?}", done.map(|outcomes| outcomes.decision.outcome))
}

fn pass(world: &mut World, numbers: &mut Numbers) -> String {
    let ends = world.book.delegations().after(None).map(|(_, one)| one.not_after);
    let ends = ends.chain(world.book.sessions().after(None).map(|(_, one)| one.not_after));
    let next = ends.filter(|end| *end > world.now).min();
    match next {
        Some(end) if numbers.one_in(2) => world.now = end,
        _ => world.pass((1 + numbers.below(4) as i64) * MINUTE),
    }
    if numbers.one_in(3) {
        world.presenter.session_used_at = Some(world.now);
    }
    format!("it is {}", world.now)
}

/// Retires an agent, registers it again, and delegates to the later one.
fn reborn(world: &mut World, numbers: &mut Numbers) -> String {
    let agent = numbers.agent();
    let _ =
        world.run(|moment| command::transition(moment, &by(), &[object(agent)], Transition::Retire, None));
    register(world, numbers, agent);
    let what = scope("doc:view,edit:* folder:view:*");
    let new = world.delegation("user:0", agent, what);
    let done = world.try_delegate(new).map_err(|refused| refused.reason);
    format!("{agent} is registered again, delegation {done:?}")
}

/// Makes viewing wait for an owner of the folder, asks for it in a chain that may, and lets everybody vote.
fn approve(world: &mut World, numbers: &mut Numbers) -> String {
    let document = numbers.of(&["doc:2", "doc:3"]);
    let parent = format!("{document}#parent@folder:2");
    world.write(&[&parent, "folder:2#owner@user:0", "folder:2#owner@user:1", "folder:2#owner@user:2"]);
    let mut new = policy("doc", "view", "admin");
    new.uses = numbers.of(&[ApprovalUses::Counted(2), ApprovalUses::TimeBoxed]);
    world.set_policy(new);
    for id in delegations(world).into_iter().rev() {
        let Ok(approval) = world.ask(&crate::world::leaf(id), "view", document, None) else { continue };
        let votes: Vec<bool> =
            PRINCIPALS[..3].iter().map(|voter| world.vote(approval.id, voter, true).is_ok()).collect();
        return format!("ask for {document} by {id}: {}, votes {votes:?}", approval.id);
    }
    format!("ask for {document} in vain")
}

/// Lets somebody break the glass in a chain, mostly where a policy lets them.
fn break_glass(world: &mut World, numbers: &mut Numbers) -> String {
    let document = numbers.of(&["doc:2", "doc:3"]);
    let parent = format!("{document}#parent@folder:2");
    world.write(&[&parent, "folder:2#owner@user:0", "folder:2#owner@user:1"]);
    if world.book.approval_policy("doc", "view").is_none() || numbers.one_in(4) {
        let mut new = policy("doc", "view", "admin");
        new.uses = numbers.of(&[ApprovalUses::Counted(2), ApprovalUses::TimeBoxed]);
        world.set_policy(new);
    }
    if world.book.break_glass_policy("doc", "view").is_none() || numbers.one_in(4) {
        let mut new = glass("doc", "view", numbers.of(&["admin", "view"]), "admin");
        new.review_ms = (2 + numbers.below(10) as u64) * MINUTE as u64;
        world.set_glass(new);
    }
    let action = ("view", document);
    let mut told = Vec::new();
    for id in delegations(world).into_iter().rev().take(4) {
        let user = if numbers.one_in(5) { numbers.agent() } else { numbers.user() };
        let claim = crate::world::leaf(id);
        if world.book.delegation(id).unwrap().to.relation.is_some() {
            continue;
        }
        let expected = crate::histories::may_break(world, &claim, action, user);
        let done = world.break_glass(&claim, action, user, None).map_err(|refused| refused.reason);
        let is_bounded = matches!(done, Err(Reason::CoolingDown | Reason::TooManyPending));
        assert!(done.is_ok() == expected || (expected && is_bounded), "{id} {user} {expected}: {done:?}");
        let what = if done.is_ok() { "the glass is broken" } else { "the glass is not broken" };
        *world.met.borrow_mut().entry(what.to_owned()).or_default() += 1;
        told.push(format!("{user} breaks the glass for {document} by {id}: {done:?}"));
    }
    if numbers.one_in(4) {
        told.push(review_glass(world, numbers));
    }
    told.join("; ")
}

/// Lets somebody review what was broken.
fn review_glass(world: &mut World, numbers: &mut Numbers) -> String {
    let open: Vec<ApprovalId> = world.book.unreviewed().map(|broken| broken.id).collect();
    if open.is_empty() {
        return "nothing".to_owned();
    }
    let mut told = Vec::new();
    for _ in 0..3 {
        let (id, reviewer) = (numbers.of(&open), numbers.of(&PRINCIPALS[..4]));
        let expected = crate::histories::may_review(world, id, reviewer);
        let done = world.review(id, reviewer).map(drop).map_err(|refused| refused.reason);
        assert_eq!(done.is_ok(), expected, "{reviewer} of {id}: {done:?}");
        let what = if expected { "broken glass is reviewed" } else { "broken glass is not reviewed" };
        *world.met.borrow_mut().entry(what.to_owned()).or_default() += 1;
        told.push(format!("{reviewer} reviews {id}: {done:?}"));
    }
    told.join("; ")
}

/// Delegates a subtree, and then leaves only a part of it.
fn part_of_subtree(world: &mut World, numbers: &mut Numbers) -> (String, Kind) {
    let agent = numbers.agent();
    world.write(&["doc:1#parent@folder:1", "folder:1#parent@folder:0", "folder:0#owner@user:0"]);
    let new = world.delegation("user:0", agent, scope("doc:view,edit:parent>folder:0"));
    let Ok(id) = world.try_delegate(new) else { return ("nothing".to_owned(), Kind::Any) };
    let part = numbers.of(&["doc:view:1", "doc:view:parent>folder:1"]);
    let new = Renew { scope: Some(scope(part)), ..Renew::default() };
    let done = world.run(|moment| command::renew(moment, &by(), id, new)).map_err(|refused| refused.reason);
    (format!("{id} is left {part}: {:?}", done.map(|_| ())), Kind::Any)
}

/// Gives something to an agent's team, or bans or pardons it, and mostly stops the agent.
fn team(world: &mut World, numbers: &mut Numbers) -> String {
    let (agent, user, document) = (numbers.agent(), numbers.of(&PRINCIPALS[..2]), numbers.below(4));
    let member = format!("{agent}#team@{user}");
    let of_team = |relation: &str| format!("doc:{document}#{relation}@{agent}#team");
    let of_user = |relation: &str| format!("doc:{document}#{relation}@{user}");
    let lines = match numbers.below(4) {
        0 | 1 => vec![member, of_team("viewer")],
        2 => vec![member, of_user("viewer"), of_team("banned")],
        _ => vec![member, of_user("viewer"), of_user("banned"), of_team("pardoned")],
    };
    world.write(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    if !numbers.one_in(3) {
        let agents = [object(agent)];
        let _ = world.run(|moment| command::transition(moment, &by(), &agents, Transition::Suspend, None));
    }
    format!("{lines:?}, then {agent} is stopped")
}
