//! Wide fan-in: every object hangs below 200 parents, every parent is open to a group six groups deep.

use pemba_model::{ObjectRef, Relationship, SubjectRef};

use crate::{Workload, draw, edge, nested, object};

const SCHEMA: &str = "\
definition user {}

definition group {
\trelation member: user | group#member
}

definition parent {
\trelation viewer: group#member
\tpermission view = viewer
}

definition object {
\trelation parent: parent
\tpermission view = parent->view
}
";

/// Parents of an object.
const PARENTS: u64 = 200;
/// Groups nested in one another.
const DEPTH: u64 = 6;

#[derive(Debug, Clone, Copy)]
pub(crate) struct FanIn {
    seed: u64,
    objects: u64,
    parents: u64,
    chains: u64,
    users: u64,
}

impl FanIn {
    pub(crate) fn new(relationships: u64, seed: u64) -> FanIn {
        FanIn {
            seed,
            objects: (relationships / 225).max(3),
            parents: (relationships / 50).max(2 * PARENTS),
            chains: (relationships / 100).max(100),
            users: (relationships / 100).max(50),
        }
    }

    fn parents_of(&self, object: u64) -> impl Iterator<Item = u64> + use<> {
        let (first, stride, below) =
            (draw(self.seed, 1, object) % self.parents, self.parents / PARENTS, self.parents);
        (0..PARENTS).map(move |n| (first + n * stride) % below)
    }

    fn chain_of_parent(&self, parent: u64) -> u64 {
        draw(self.seed, 2, parent) % self.chains
    }

    fn chain_of_user(&self, user: u64) -> u64 {
        draw(self.seed, 3, user) % self.chains
    }

    fn groups(chain: u64) -> impl Iterator<Item = Relationship> {
        let group = move |level: u64| object("group", chain * DEPTH + level);
        (1..DEPTH).map(move |level| nested(group(level - 1), "member", group(level), "member"))
    }
}

impl Workload for FanIn {
    fn name(&self) -> &'static str {
        "fan-in"
    }

    fn schema(&self) -> &'static str {
        SCHEMA
    }

    fn relationships(&self) -> Box<dyn Iterator<Item = Relationship> + Send> {
        let this = *self;
        let members = (0..this.users).map(move |user| {
            let innermost = object("group", this.chain_of_user(user) * DEPTH + DEPTH - 1);
            edge(innermost, "member", object("user", user))
        });
        let viewers = (0..this.parents).map(move |parent| {
            let outermost = object("group", this.chain_of_parent(parent) * DEPTH);
            nested(object("parent", parent), "viewer", outermost, "member")
        });
        let parents = (0..this.objects).flat_map(move |number| {
            this.parents_of(number)
                .map(move |parent| edge(object("object", number), "parent", object("parent", parent)))
        });
        Box::new((0..this.chains).flat_map(Self::groups).chain(members).chain(viewers).chain(parents))
    }

    fn permission(&self) -> &'static str {
        "view"
    }

    fn resources(&self) -> u64 {
        self.objects
    }

    fn resource(&self, number: u64) -> ObjectRef {
        object("object", number)
    }

    fn subjects(&self) -> u64 {
        self.users
    }

    fn subject(&self, number: u64) -> ObjectRef {
        object("user", number)
    }

    fn holds(&self, resource: u64, subject: u64) -> bool {
        let chain = self.chain_of_user(subject);
        self.parents_of(resource).any(|parent| self.chain_of_parent(parent) == chain)
    }

    fn churn(&self, number: u64) -> Relationship {
        let innermost = object("group", draw(self.seed, 4, number) % self.chains * DEPTH + DEPTH - 1);
        Relationship::new(innermost, "member", SubjectRef::direct("user", format!("guest-{number}")))
    }
}
