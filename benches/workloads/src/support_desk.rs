//! The support desk at any size: users and AI agents in nested teams, customers, and tickets; and what is true in it.
//!
//! Nothing is stored: each relationship follows from its place and the seed, so a hundred million of them cost no
//! memory, and the truth about a question is computed from the few relationships it touches.

use pemba_model::{ObjectRef, Relationship, SmolStr, SubjectRef};

use crate::Workload;
pub use crate::{Question, mix};

/// The schema of the data.
pub const SCHEMA: &str = "\
definition user {}

definition agent {}

definition team {
\trelation member: user | agent | team#member
}

definition customer {
\trelation viewer: user | team#member
\trelation agent: agent
\trelation account_team: team
\trelation blocked: user | agent
\tpermission view = (viewer + agent + account_team->member) - blocked
}

definition ticket {
\trelation customer: customer
\trelation assignee: user | agent
\tpermission view = assignee + customer->view
}
";

/// Teams in which each team is nested form a tree with this many children a node.
const TEAM_FAN_OUT: u64 = 10;
/// Teams that each user is in.
const TEAMS_PER_USER: u64 = 2;
/// Users who see a customer by name.
const VIEWERS_PER_CUSTOMER: u64 = 3;

/// Who can be a subject here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Principal {
    /// A user by number.
    User(u64),
    /// An agent by number.
    Agent(u64),
}

/// The data of one size and seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SupportDesk {
    /// What makes this desk differ from another of its size.
    pub seed: u64,
    /// Users.
    pub users: u64,
    /// Agents.
    pub agents: u64,
    /// Teams, a tree; team 0 holds everybody in a team.
    pub teams: u64,
    /// Customers.
    pub customers: u64,
    /// Tickets.
    pub tickets: u64,
}

/// About `count` relationships, never fewer than a few hundred; a million is one scale unit.
pub fn relationships(count: u64, seed: u64) -> impl Iterator<Item = Relationship> {
    SupportDesk::new(count, seed).relationships()
}

impl SupportDesk {
    /// A desk with about this many relationships; never fewer than a few hundred.
    pub fn new(relationships: u64, seed: u64) -> SupportDesk {
        let share = |per_million: u64| (relationships.saturating_mul(per_million) / 1_000_000).max(12);
        SupportDesk {
            seed,
            users: share(30_000),
            agents: share(6_000),
            teams: share(2_000),
            customers: share(20_000),
            tickets: share(400_000),
        }
    }

    /// A number that follows from the seed, a purpose and a place.
    fn draw(&self, purpose: u64, place: u64) -> u64 {
        mix(mix(self.seed ^ (purpose << 56)) ^ place)
    }

    /// `count` different numbers below `below`, which is at least `count`.
    fn distinct(&self, purpose: u64, place: u64, count: u64, below: u64) -> impl Iterator<Item = u64> {
        let (first, stride) = (self.draw(purpose, place) % below, below / count);
        (0..count).map(move |n| (first + n * stride) % below)
    }

    fn hex(&self, purpose: u64, number: u64) -> u64 {
        mix(mix(self.seed ^ (purpose << 56)) ^ number)
    }

    /// The object of a user or an agent.
    pub fn principal(&self, principal: Principal) -> ObjectRef {
        match principal {
            Principal::User(n) => ObjectRef::new("user", format!("user-{:016x}", self.hex(1, n))),
            Principal::Agent(n) => ObjectRef::new("agent", format!("agent-{:016x}", self.hex(2, n))),
        }
    }

    /// The object of a team.
    pub fn team(&self, number: u64) -> ObjectRef {
        ObjectRef::new("team", format!("team-{number:06}"))
    }

    /// The object of a customer.
    pub fn customer(&self, number: u64) -> ObjectRef {
        ObjectRef::new("customer", format!("customer-{:016x}", self.hex(3, number)))
    }

    /// The object of a ticket.
    pub fn ticket(&self, number: u64) -> ObjectRef {
        ObjectRef::new("ticket", format!("desk/2026/{number:010}"))
    }

    fn direct(&self, principal: Principal) -> SubjectRef {
        SubjectRef { object: self.principal(principal), relation: None }
    }

    /// The teams a principal is in by name.
    fn teams_of(&self, principal: Principal) -> impl Iterator<Item = u64> {
        let (purpose, number, count) = match principal {
            Principal::User(number) => (4, number, TEAMS_PER_USER),
            Principal::Agent(number) => (5, number, 1),
        };
        self.distinct(purpose, number, count, self.teams)
    }

    fn viewers(&self, customer: u64) -> impl Iterator<Item = u64> {
        self.distinct(6, customer, VIEWERS_PER_CUSTOMER, self.users)
    }

    fn viewer_team(&self, customer: u64) -> u64 {
        // Small teams, so that most customers are not open to half the company.
        self.teams - 1 - self.draw(7, customer) % (self.teams * 9 / 10).max(1)
    }

    fn account_team(&self, customer: u64) -> u64 {
        self.draw(8, customer) % self.teams
    }

    fn customer_agent(&self, customer: u64) -> u64 {
        self.draw(9, customer) % self.agents
    }

    /// Every second customer has somebody blocked: one of its viewers or its agent, so that it matters.
    fn blocked(&self, customer: u64) -> Option<Principal> {
        match self.draw(10, customer) % 8 {
            0 => Some(Principal::Agent(self.customer_agent(customer))),
            1..=3 => self.viewers(customer).next().map(Principal::User),
            _ => None,
        }
    }

    fn ticket_customer(&self, ticket: u64) -> u64 {
        self.draw(11, ticket) % self.customers
    }

    fn assignee(&self, ticket: u64) -> Principal {
        let draw = self.draw(12, ticket);
        if draw.is_multiple_of(4) {
            Principal::Agent((draw >> 2) % self.agents)
        } else {
            Principal::User((draw >> 2) % self.users)
        }
    }

    fn team_relationships(&self, team: u64) -> Option<Relationship> {
        let parent = team.checked_sub(1)? / TEAM_FAN_OUT;
        let nested = SubjectRef { object: self.team(team), relation: Some("member".into()) };
        Some(Relationship::new(self.team(parent), "member", nested))
    }

    fn memberships(&self, principal: Principal) -> Vec<Relationship> {
        let subject = self.direct(principal);
        let one = |team| Relationship::new(self.team(team), "member", subject.clone());
        self.teams_of(principal).map(one).collect()
    }

    fn customer_relationships(&self, customer: u64) -> Vec<Relationship> {
        let object = self.customer(customer);
        let one = |relation: &str, subject: SubjectRef| Relationship::new(object.clone(), relation, subject);
        let viewers = self.viewers(customer).map(|user| one("viewer", self.direct(Principal::User(user))));
        let mut all: Vec<Relationship> = viewers.collect();
        let team =
            |number: u64, relation: Option<SmolStr>| SubjectRef { object: self.team(number), relation };
        all.push(one("viewer", team(self.viewer_team(customer), Some("member".into()))));
        all.push(one("account_team", team(self.account_team(customer), None)));
        all.push(one("agent", self.direct(Principal::Agent(self.customer_agent(customer)))));
        all.extend(self.blocked(customer).map(|principal| one("blocked", self.direct(principal))));
        all
    }

    fn ticket_relationships(&self, ticket: u64) -> [Relationship; 2] {
        let customer = SubjectRef { object: self.customer(self.ticket_customer(ticket)), relation: None };
        [
            Relationship::new(self.ticket(ticket), "customer", customer),
            Relationship::new(self.ticket(ticket), "assignee", self.direct(self.assignee(ticket))),
        ]
    }

    /// All relationships, each once, in a fixed order.
    pub fn relationships(self) -> impl Iterator<Item = Relationship> {
        let principals = (0..self.users).map(Principal::User).chain((0..self.agents).map(Principal::Agent));
        let teams = (0..self.teams).filter_map(move |team| self.team_relationships(team));
        let memberships = principals.flat_map(move |principal| self.memberships(principal));
        let customers = (0..self.customers).flat_map(move |customer| self.customer_relationships(customer));
        let tickets = (0..self.tickets).flat_map(move |ticket| self.ticket_relationships(ticket));
        teams.chain(memberships).chain(customers).chain(tickets)
    }

    /// Whether a principal is in a team, directly or through nested teams.
    pub fn is_member(&self, team: u64, principal: Principal) -> bool {
        self.teams_of(principal).any(|mut at| {
            while at > team {
                at = (at - 1) / TEAM_FAN_OUT;
            }
            at == team
        })
    }

    /// Whether a principal may view a customer.
    pub fn views_customer(&self, customer: u64, principal: Principal) -> bool {
        let by_name = match principal {
            Principal::User(user) => self.viewers(customer).any(|viewer| viewer == user),
            Principal::Agent(agent) => self.customer_agent(customer) == agent,
        };
        let by_team = || {
            self.is_member(self.viewer_team(customer), principal)
                || self.is_member(self.account_team(customer), principal)
        };
        self.blocked(customer) != Some(principal) && (by_name || by_team())
    }

    /// Whether a principal may view a ticket.
    pub fn views_ticket(&self, ticket: u64, principal: Principal) -> bool {
        self.assignee(ticket) == principal || self.views_customer(self.ticket_customer(ticket), principal)
    }

    /// Numbers of all tickets a principal may view, ascending. Takes time linear in the tickets.
    pub fn tickets_of(&self, principal: Principal) -> impl Iterator<Item = u64> {
        (0..self.tickets).filter(move |ticket| self.views_ticket(*ticket, principal))
    }

    /// A question by its number: two in three about a ticket, half with a subject that has something to do with it.
    pub fn question(&self, number: u64) -> Question {
        let draw = self.draw(13, number);
        let (ticket, other) = ((draw >> 8) % self.tickets, self.draw(14, number));
        let customer = self.ticket_customer(ticket);
        let principal = match draw % 8 {
            0 => self.assignee(ticket),
            1 => Principal::Agent(self.customer_agent(customer)),
            2 => self.viewers(customer).next().map_or(Principal::User(0), Principal::User),
            3 => self.blocked(customer).unwrap_or(Principal::User(other % self.users)),
            4 => Principal::Agent(other % self.agents),
            _ => Principal::User(other % self.users),
        };
        let (resource, expected) = if (draw >> 4).is_multiple_of(3) {
            (self.customer(customer), self.views_customer(customer, principal))
        } else {
            (self.ticket(ticket), self.views_ticket(ticket, principal))
        };
        Question { resource, permission: "view".into(), subject: self.direct(principal), expected }
    }
}

impl SupportDesk {
    fn principal_at(&self, subject: u64) -> Principal {
        subject.checked_sub(self.users).map_or(Principal::User(subject), Principal::Agent)
    }
}

impl Workload for SupportDesk {
    fn name(&self) -> &'static str {
        "support-desk"
    }

    fn schema(&self) -> &'static str {
        SCHEMA
    }

    fn relationships(&self) -> Box<dyn Iterator<Item = Relationship> + Send> {
        Box::new((*self).relationships())
    }

    fn permission(&self) -> &'static str {
        "view"
    }

    fn resources(&self) -> u64 {
        self.tickets
    }

    fn resource(&self, number: u64) -> ObjectRef {
        self.ticket(number)
    }

    fn subjects(&self) -> u64 {
        self.users + self.agents
    }

    fn subject(&self, number: u64) -> ObjectRef {
        self.principal(self.principal_at(number))
    }

    fn holds(&self, resource: u64, subject: u64) -> bool {
        self.views_ticket(resource, self.principal_at(subject))
    }

    fn question(&self, number: u64) -> Question {
        SupportDesk::question(self, number)
    }

    fn churn(&self, number: u64) -> Relationship {
        let team = self.team(mix(number) % self.teams);
        Relationship::new(team, "member", SubjectRef::direct("user", format!("passer-by-{number}")))
    }
}
