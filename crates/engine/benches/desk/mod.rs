//! Support-desk data: users in a tree of nested teams, customers, tickets, a relation under a caveat and a chain of six
//! teams in one another.

use std::sync::Arc;

use pemba_engine::{
    CaveatEvaluator, CaveatOutcome, CheckItem, QueryContext, QueryError, SchemaCaveats, Snapshot, Transaction,
};
use pemba_model::text::parse_relationship;
use pemba_model::{Context, ObjectRef, Revision, SubjectRef, Timestamp};

const SCHEMA: &str = "
caveat office(level int, needed int, plan string, address ipaddress) {
    level >= needed && plan == 'gold' && address.in_cidr('10.0.0.0/8')
}
definition user {}
definition agent {}
definition team {
    relation member: user | agent | team#member
}
definition customer {
    relation viewer: user | team#member
    relation agent: agent
    relation account_team: team
    relation blocked: user | agent
    relation auditor: user with office
    permission view = (viewer + agent + account_team->member) - blocked
}
definition ticket {
    relation customer: customer
    relation assignee: user | agent
    permission view = assignee + customer->view
}";

/// Teams in which each team is nested form a tree with this many children a node.
const TEAM_FAN_OUT: u64 = 10;
/// Chains of six teams, each with a user at its end and a customer at its beginning.
const CHAINS: u64 = 500;
/// Most steps of a query.
const STEPS_MAX: u64 = 50_000_000;

/// A stream of numbers that is the same on every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

struct NoCaveats;

impl CaveatEvaluator for NoCaveats {
    fn evaluate(&self, caveat: &str, _bound: &Context) -> Result<CaveatOutcome, QueryError> {
        Err(QueryError::UnknownCaveat(caveat.into()))
    }
}

/// A query on edges without caveats.
pub(crate) fn context() -> QueryContext<'static> {
    QueryContext { now: Timestamp::UNIX_EPOCH, steps_max: STEPS_MAX, caveats: &NoCaveats }
}

/// How many there are of each type, for about `size` relationships.
struct Sizes {
    users: u64,
    agents: u64,
    teams: u64,
    customers: u64,
    tickets: u64,
}

impl Sizes {
    fn of(size: u64) -> Sizes {
        Sizes {
            users: size / 20,
            agents: size / 100,
            teams: size / 500 + TEAM_FAN_OUT,
            customers: size / 20,
            tickets: size * 4 / 10,
        }
    }
}

/// Eight tickets a customer, one viewer, one team, one blocked user and one auditor each; every user in one team, a tree
/// of teams. Two teams look after a given number of customers each, and have one user.
pub(crate) fn build(size: u64) -> Snapshot {
    let sizes = Sizes::of(size);
    let mut transaction = Snapshot::empty().transaction();
    transaction.set_schema(Arc::new(pemba_schema::compile(SCHEMA).unwrap().schema));
    let mut numbers = Numbers(7);
    for team in 1..sizes.teams {
        put(&mut transaction, format!("team:t{}#member@team:t{team}#member", (team - 1) / TEAM_FAN_OUT));
    }
    for user in 0..sizes.users {
        put(&mut transaction, format!("team:t{}#member@user:u{user}", numbers.below(sizes.teams)));
    }
    for agent in 0..sizes.agents {
        put(&mut transaction, format!("team:t{}#member@agent:a{agent}", numbers.below(sizes.teams)));
    }
    for customer in 0..sizes.customers {
        let (user, team) = (numbers.below(sizes.users), numbers.below(sizes.teams));
        put(&mut transaction, format!("customer:c{customer}#viewer@user:u{user}"));
        put(&mut transaction, format!("customer:c{customer}#account_team@team:t{team}"));
        let team = numbers.below(sizes.teams);
        put(&mut transaction, format!("customer:c{customer}#viewer@team:t{team}#member"));
        put(&mut transaction, format!("customer:c{customer}#blocked@user:u{}", numbers.below(sizes.users)));
    }
    for ticket in 0..sizes.tickets {
        put(&mut transaction, format!("ticket:i{ticket}#customer@customer:c{}", ticket % sizes.customers));
        put(&mut transaction, format!("ticket:i{ticket}#assignee@agent:a{}", numbers.below(sizes.agents)));
    }
    for (name, customers) in [("few", 75), ("many", 625)] {
        put(&mut transaction, format!("team:{name}#member@user:{name}"));
        for customer in 0..customers {
            let customer = customer * 7919 % sizes.customers;
            put(&mut transaction, format!("customer:c{customer}#account_team@team:{name}"));
        }
    }
    let chains = CHAINS.min(sizes.users);
    for chain in 0..chains {
        put(&mut transaction, format!("customer:plain{chain}#viewer@user:plain{chain}"));
        put(&mut transaction, format!("customer:deep{chain}#viewer@team:deep{chain}-0#member"));
        for at in 0..5 {
            let (outer, inner) = (format!("deep{chain}-{at}"), format!("deep{chain}-{}", at + 1));
            put(&mut transaction, format!("team:{outer}#member@team:{inner}#member"));
        }
        put(&mut transaction, format!("team:deep{chain}-5#member@user:deep{chain}"));
    }
    for customer in 0..sizes.customers {
        let user = customer * 31 % sizes.users;
        put(
            &mut transaction,
            format!("customer:c{customer}#auditor@user:u{user}[office:{{\"needed\":3,\"plan\":\"gold\"}}]"),
        );
    }
    transaction.finish(Revision(1))
}

fn put(transaction: &mut Transaction, text: String) {
    transaction.put(&parse_relationship(&text).unwrap()).unwrap();
}

/// A question.
pub(crate) struct Ask {
    /// About this object.
    pub(crate) resource: ObjectRef,
    /// Its relation or permission.
    pub(crate) permission: &'static str,
    /// By this subject.
    pub(crate) subject: SubjectRef,
}

/// The kinds of question that `asks` knows.
pub(crate) const KINDS: [&str; 7] =
    ["direct", "nested group", "exclusion", "arrow", "not nested", "six nested", "caveat"];

/// Questions of a kind at random over everything, the same on every run. Those about nested teams and caveats are all
/// answered yes, nearly all others no.
pub(crate) fn asks(size: u64, count: u64, kind: &str) -> Vec<Ask> {
    let sizes = Sizes::of(size);
    let mut numbers = Numbers(11);
    let chains = CHAINS.min(sizes.users);
    (0..count)
        .map(|_| {
            let user = SubjectRef::direct("user", format!("u{}", numbers.below(sizes.users)));
            let (object, permission, subject) = match kind {
                "direct" => {
                    let agent = SubjectRef::direct("agent", format!("a{}", numbers.below(sizes.agents)));
                    let ticket = format!("i{}", numbers.below(sizes.tickets));
                    (ObjectRef::new("ticket", ticket), "assignee", agent)
                }
                "nested group" => (ObjectRef::new("team", "t0"), "member", user),
                "exclusion" => {
                    (ObjectRef::new("customer", format!("c{}", numbers.below(sizes.customers))), "view", user)
                }
                "not nested" | "six nested" => {
                    let chain = numbers.below(chains);
                    let name = format!("{}{chain}", if kind == "six nested" { "deep" } else { "plain" });
                    let user = SubjectRef::direct("user", name.clone());
                    (ObjectRef::new("customer", name), "viewer", user)
                }
                "caveat" => {
                    let customer = numbers.below(sizes.customers);
                    let user = SubjectRef::direct("user", format!("u{}", customer * 31 % sizes.users));
                    (ObjectRef::new("customer", format!("c{customer}")), "auditor", user)
                }
                _ => (ObjectRef::new("ticket", format!("i{}", numbers.below(sizes.tickets))), "view", user),
            };
            Ask { resource: object, permission, subject }
        })
        .collect()
}

/// Values under which every caveat holds.
pub(crate) fn request() -> Context {
    serde_json::from_str(r#"{"level": 5, "address": "10.20.30.40", "plan": "gold"}"#).unwrap()
}

/// A query that decides caveats by the schema.
pub(crate) fn deciding<'a>(caveats: &'a SchemaCaveats<'a>) -> QueryContext<'a> {
    QueryContext { now: Timestamp::UNIX_EPOCH, steps_max: STEPS_MAX, caveats }
}

/// Questions as the items of a bulk check; of one subject if one is given.
pub(crate) fn items<'a>(asks: &'a [Ask], subject: Option<&'a SubjectRef>) -> Vec<CheckItem<'a>> {
    asks.iter()
        .map(|ask| CheckItem {
            resource: &ask.resource,
            permission: ask.permission,
            subject: subject.unwrap_or(&ask.subject),
            caveats: &NoCaveats,
        })
        .collect()
}

/// A bulk check of items without caveats; how many of them have an answer.
pub(crate) fn bulk(snapshot: &Snapshot, items: &[CheckItem<'_>]) -> usize {
    snapshot.check_bulk(items, Timestamp::UNIX_EPOCH, 1_000_000).into_iter().filter(Result::is_ok).count()
}
