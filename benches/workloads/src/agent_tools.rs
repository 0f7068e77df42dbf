//! Agents and their tools: 10,000 agents with sessions of five minutes, roles, and a kill switch that is one write.

use pemba_model::{ObjectRef, Operation, Relationship, SubjectRef, Timestamp, Update};

use crate::{Question, Workload, draw, edge, nested, object};

const SCHEMA: &str = "\
use expiration

definition agent {}

definition role {
\trelation member: agent
}

definition platform {
\trelation killed: agent
}

definition tool {
\trelation platform: platform
\trelation session: agent with expiration
\trelation role: role#member
\trelation denied: agent
\tpermission call = ((session + role) - denied) - platform->killed
}
";

/// Agents, unless there are few relationships.
const AGENTS: u64 = 10_000;
/// How long a session of the writes lasts, in seconds.
const SESSION_S: i64 = 300;
/// How long the sessions that the questions rely on last, in seconds: longer than any run.
const LASTING_S: i64 = 86_400;
/// One agent in so many is killed.
const KILLED_ONE_IN: u64 = 50;
/// One write in so many kills.
const KILLS_ONE_IN: u64 = 20;

#[derive(Debug, Clone, Copy)]
pub(crate) struct AgentTools {
    seed: u64,
    now: Timestamp,
    agents: u64,
    tools: u64,
    roles: u64,
    sessions: u64,
}

impl AgentTools {
    pub(crate) fn new(relationships: u64, seed: u64, now: Timestamp) -> AgentTools {
        let agents = (relationships / 10).clamp(50, AGENTS);
        let tools = (relationships / 20).max(10);
        let roles = (agents / 20).max(2);
        // An agent with one role, a tool with platform, role and somebody denied; the rest is sessions.
        let sessions = (relationships.saturating_sub(agents + 3 * tools) / tools).clamp(2, agents);
        AgentTools { seed, now, agents, tools, roles, sessions }
    }

    fn session(&self, tool: u64, place: u64) -> u64 {
        (draw(self.seed, 1, tool) + place * (self.agents / self.sessions)) % self.agents
    }

    fn role_of(&self, agent: u64) -> u64 {
        draw(self.seed, 2, agent) % self.roles
    }

    fn role_of_tool(&self, tool: u64) -> u64 {
        draw(self.seed, 3, tool) % self.roles
    }

    fn denied(&self, tool: u64) -> u64 {
        self.session(tool, 0)
    }

    fn is_killed(&self, agent: u64) -> bool {
        draw(self.seed, 4, agent).is_multiple_of(KILLED_ONE_IN)
    }

    fn until(&self, seconds: i64) -> Option<Timestamp> {
        Timestamp::new(self.now.seconds().saturating_add(seconds), 0).ok()
    }

    fn platform() -> ObjectRef {
        ObjectRef::new("platform", "main")
    }

    fn of_tool(self, tool: u64) -> impl Iterator<Item = Relationship> {
        let it = object("tool", tool);
        let fixed = [
            edge(it.clone(), "platform", Self::platform()),
            nested(it.clone(), "role", object("role", self.role_of_tool(tool)), "member"),
            edge(it.clone(), "denied", object("agent", self.denied(tool))),
        ];
        let sessions = (0..self.sessions).map(move |place| Relationship {
            expires_at: self.until(LASTING_S),
            ..edge(it.clone(), "session", object("agent", self.session(tool, place)))
        });
        fixed.into_iter().chain(sessions)
    }

    fn passing(number: u64) -> SubjectRef {
        SubjectRef::direct("agent", format!("passing-{number}"))
    }
}

impl Workload for AgentTools {
    fn name(&self) -> &'static str {
        "agent-tools"
    }

    fn schema(&self) -> &'static str {
        SCHEMA
    }

    fn relationships(&self) -> Box<dyn Iterator<Item = Relationship> + Send> {
        let this = *self;
        let roles = (0..this.agents)
            .map(move |agent| edge(object("role", this.role_of(agent)), "member", object("agent", agent)));
        let killed = (0..this.agents)
            .filter(move |agent| this.is_killed(*agent))
            .map(|agent| edge(Self::platform(), "killed", object("agent", agent)));
        Box::new(roles.chain(killed).chain((0..this.tools).flat_map(move |tool| this.of_tool(tool))))
    }

    fn permission(&self) -> &'static str {
        "call"
    }

    fn resources(&self) -> u64 {
        self.tools
    }

    fn resource(&self, number: u64) -> ObjectRef {
        object("tool", number)
    }

    fn subjects(&self) -> u64 {
        self.agents
    }

    fn subject(&self, number: u64) -> ObjectRef {
        object("agent", number)
    }

    fn holds(&self, resource: u64, subject: u64) -> bool {
        let by_session = || (0..self.sessions).any(|place| self.session(resource, place) == subject);
        let granted = self.role_of_tool(resource) == self.role_of(subject) || by_session();
        granted && self.denied(resource) != subject && !self.is_killed(subject)
    }

    /// Two in three questions come from an agent with a session.
    fn pair(&self, number: u64) -> (u64, u64) {
        let draw = draw(self.seed, 5, number);
        let resource = (draw >> 8) % self.tools;
        if draw.is_multiple_of(3) {
            return (resource, (draw >> 32) % self.agents);
        }
        (resource, self.session(resource, (draw >> 4) % self.sessions))
    }

    fn churn(&self, number: u64) -> Relationship {
        let tool = object("tool", draw(self.seed, 6, number) % self.tools);
        let expires_at = self.until(SESSION_S);
        Relationship { expires_at, ..Relationship::new(tool, "session", Self::passing(number)) }
    }

    /// Sessions that begin, of agents that are passing by; one write in twenty kills the agent before it.
    fn write(&self, number: u64) -> Update {
        let kills = number % KILLS_ONE_IN == KILLS_ONE_IN - 1;
        let relationship = if kills {
            Relationship::new(Self::platform(), "killed", Self::passing(number - 1))
        } else {
            self.churn(number)
        };
        Update { operation: Operation::Touch, relationship }
    }

    fn after(&self, number: u64) -> Option<Question> {
        // Whoever the write after this one kills is nobody's example.
        if number % KILLS_ONE_IN == KILLS_ONE_IN - 2 {
            return None;
        }
        let kills = number % KILLS_ONE_IN == KILLS_ONE_IN - 1;
        let agent = if kills { number - 1 } else { number };
        Some(Question {
            resource: self.churn(agent).resource,
            permission: self.permission().into(),
            subject: Self::passing(agent),
            expected: !kills,
        })
    }
}
