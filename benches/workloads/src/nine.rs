//! The nine shapes that SpiceDB's own benchmarks ask about, each at its published size.

use pemba_model::{ObjectRef, Relationship, SubjectRef};

use crate::{Workload, edge, nested, object};

/// A small graph with the truth as a function of a resource's and a user's number.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    name: &'static str,
    schema: &'static str,
    edges: Vec<Relationship>,
    resources: u64,
    users: u64,
    holds: fn(u64, u64) -> bool,
}

/// A shape by name; none for an unknown one.
pub(crate) fn shape(name: &str) -> Option<Shape> {
    Some(match name {
        "check-wide-direct" => wide_direct(),
        "check-wide-groups" => check_wide_groups(),
        "deep-arrow" => deep_arrow(),
        "double-wide-arrow" => double_wide_arrow(),
        "lookup-intersection" => lookup_intersection(),
        "lookup-same-types" => lookup_same_types(),
        "share-with" => share_with(),
        "wide-arrow" => wide_arrow(),
        "wide-groups" => wide_groups(),
        _ => return None,
    })
}

fn file(number: u64) -> ObjectRef {
    object("file", number)
}

fn user(number: u64) -> ObjectRef {
    object("user", number)
}

fn group(number: u64) -> ObjectRef {
    object("group", number)
}

const DIRECT: &str = "\
definition user {}

definition file {
\trelation viewer: user
\tpermission view = viewer
}
";

/// One file with 9,001 viewers.
fn wide_direct() -> Shape {
    Shape {
        name: "check-wide-direct",
        schema: DIRECT,
        edges: (0..9001).map(|n| edge(file(0), "viewer", user(n))).collect(),
        resources: 2,
        users: 18_002,
        holds: |file, user| file == 0 && user < 9001,
    }
}

const GROUPS: &str = "\
definition user {}

definition group {
\trelation member: user | group#member
}

definition file {
\trelation viewer: group#member
\tpermission view = viewer
}
";

/// A group with 81 groups in it, each with nine more, each with a user.
fn check_wide_groups() -> Shape {
    let mut edges = vec![nested(file(0), "viewer", group(0), "member")];
    for below in 0..81 {
        edges.push(nested(group(0), "member", group(1 + below), "member"));
        for child in below * 9..below * 9 + 9 {
            edges.push(nested(group(1 + below), "member", group(100 + child), "member"));
            edges.push(edge(group(100 + child), "member", user(child)));
        }
    }
    Shape {
        name: "check-wide-groups",
        schema: GROUPS,
        edges,
        resources: 1,
        users: 2 * 81 * 9,
        holds: |_, user| user < 81 * 9,
    }
}

/// Three levels of 100 groups; each group holds one of the level below, the last level users.
fn wide_groups() -> Shape {
    let mut edges = Vec::new();
    for n in 0..100 {
        edges.push(nested(file(0), "viewer", group(n), "member"));
        edges.push(nested(group(n), "member", group(100 + n), "member"));
        edges.push(nested(group(100 + n), "member", group(200 + n), "member"));
        edges.push(edge(group(200 + n), "member", user(n)));
    }
    Shape {
        name: "wide-groups",
        schema: GROUPS,
        edges,
        resources: 1,
        users: 200,
        holds: |_, user| user < 100,
    }
}

const DEEP: &str = "\
definition user {}

definition file {
\trelation parent: file
\trelation viewer: user
\tpermission view = viewer + parent->view
}
";

/// A chain of 31 files; the last has a viewer.
fn deep_arrow() -> Shape {
    let chain = (0..30).map(|n| edge(file(n), "parent", file(n + 1)));
    Shape {
        name: "deep-arrow",
        schema: DEEP,
        edges: chain.chain([edge(file(30), "viewer", user(0))]).collect(),
        resources: 31,
        users: 4,
        holds: |_, user| user == 0,
    }
}

const ARROWS: &str = "\
definition user {}

definition group {
\trelation member: user
}

definition org {
\trelation group: group
\tpermission member = group->member
}

definition file {
\trelation org: org
\tpermission view = org->member
}
";

fn members(group_number: u64, users: u64) -> impl Iterator<Item = u64> {
    (0..20).map(move |n| (group_number * 7 + n * 11) % users)
}

/// 5 files with 20 of 97 organisations, each with 10 of 299 groups, each with 20 of 499 users.
fn double_wide_arrow() -> Shape {
    fn orgs(file: u64) -> impl Iterator<Item = u64> {
        (0..20).map(move |n| (file * 20 + n * 3) % 97)
    }
    fn groups(org: u64) -> impl Iterator<Item = u64> {
        (0..10).map(move |n| (org * 10 + n * 29) % 299)
    }
    let mut edges = Vec::new();
    for f in 0..5 {
        edges.extend(orgs(f).map(|org| edge(file(f), "org", object("org", org))));
    }
    for org in 0..97 {
        edges.extend(groups(org).map(|g| edge(object("org", org), "group", group(g))));
    }
    for g in 0..299 {
        edges.extend(members(g, 499).map(|u| edge(group(g), "member", user(u))));
    }
    Shape {
        name: "double-wide-arrow",
        schema: ARROWS,
        edges,
        resources: 5,
        users: 600,
        holds: |file, user| orgs(file).flat_map(groups).any(|group| members(group, 499).any(|u| u == user)),
    }
}

const ARROW: &str = "\
definition user {}

definition group {
\trelation member: user
}

definition file {
\trelation group: group
\tpermission view = group->member
}
";

/// 10 files with 30 of 97 groups, each with 20 of 997 users.
fn wide_arrow() -> Shape {
    fn groups(file: u64) -> impl Iterator<Item = u64> {
        (0..30).map(move |n| (file * 30 + n * 3) % 97)
    }
    let mut edges = Vec::new();
    for f in 0..10 {
        edges.extend(groups(f).map(|g| edge(file(f), "group", group(g))));
    }
    for g in 0..97 {
        edges.extend(members(g, 997).map(|u| edge(group(g), "member", user(u))));
    }
    Shape {
        name: "wide-arrow",
        schema: ARROW,
        edges,
        resources: 10,
        users: 997,
        holds: |file, user| groups(file).any(|group| members(group, 997).any(|u| u == user)),
    }
}

const INTERSECTION: &str = "\
definition user {}

definition org {
\trelation member: user
\trelation banned: user
\tpermission read = member - banned
}

definition file {
\trelation org: org
\trelation viewer: user
\tpermission view = viewer & org->read
}
";

/// 499 files with four viewers each, of one organisation that banned the last of them.
fn lookup_intersection() -> Shape {
    let mut edges: Vec<_> = (0..3).map(|n| edge(object("org", 0), "member", user(n))).collect();
    edges.push(edge(object("org", 0), "banned", user(2)));
    for f in 0..499 {
        edges.push(edge(file(f), "org", object("org", 0)));
        edges.extend((0..4).filter(|n| f % (n + 1) == 0).map(|n| edge(file(f), "viewer", user(n))));
    }
    Shape {
        name: "lookup-intersection",
        schema: INTERSECTION,
        edges,
        resources: 499,
        users: 5,
        holds: |file, user| user < 2 && file % (user + 1) == 0,
    }
}

const SAME_TYPES: &str = "\
definition user {}

definition group {
\trelation member: user | group#member
}

definition file {
\trelation owner: user | group#member
\trelation editor: user | group#member
\trelation commenter: user | group#member
\trelation viewer: user | group#member
\tpermission view = owner + editor + commenter + viewer
}
";

/// 14 relationships: a union of four relations, with groups in groups.
fn lookup_same_types() -> Shape {
    let mut edges = vec![
        edge(group(0), "member", user(0)),
        nested(group(1), "member", group(0), "member"),
        nested(group(2), "member", group(1), "member"),
        edge(group(2), "member", user(1)),
        edge(group(1), "member", user(2)),
        edge(file(4), "viewer", user(3)),
    ];
    for (n, relation) in (0..).zip(["owner", "editor", "commenter", "viewer"]) {
        edges.push(nested(file(n), relation, group(n % 3), "member"));
        edges.push(edge(file(n), relation, user(4)));
    }
    Shape {
        name: "lookup-same-types",
        schema: SAME_TYPES,
        edges,
        resources: 5,
        users: 6,
        holds: |file, user| match user {
            0 => file < 4,
            1 => file == 2,
            2 => file == 1 || file == 2,
            3 => file == 4,
            4 => file < 4,
            _ => false,
        },
    }
}

const SHARE: &str = "\
definition user {}

definition org {
\trelation admin: user
\trelation member: user
\tpermission share = admin
\tpermission read = admin + member
}

definition file {
\trelation org: org
\trelation owner: user
\trelation viewer: user
\tpermission view = owner + viewer + org->read
\tpermission share_with = owner + org->share
}
";

/// 23 relationships of two organisations and four files.
fn share_with() -> Shape {
    let mut edges = Vec::new();
    for org in 0..2 {
        let it = object("org", org);
        edges.push(edge(it.clone(), "admin", user(10 + org)));
        edges.extend((0..2).map(|n| edge(it.clone(), "member", user(20 + 2 * org + n))));
    }
    for f in 0..4 {
        edges.push(edge(file(f), "org", object("org", f % 2)));
        edges.push(edge(file(f), "owner", user(f)));
        edges.extend((0..2).map(|n| edge(file(f), "viewer", user(30 + 2 * f + n))));
    }
    edges.push(edge(file(0), "viewer", user(40)));
    Shape {
        name: "share-with",
        schema: SHARE,
        edges,
        resources: 4,
        users: 42,
        holds: |file, user| {
            let org = file % 2;
            user == file
                || user == 10 + org
                || (20 + 2 * org..22 + 2 * org).contains(&user)
                || (30 + 2 * file..32 + 2 * file).contains(&user)
                || (file == 0 && user == 40)
        },
    }
}

impl Workload for Shape {
    fn name(&self) -> &'static str {
        self.name
    }

    fn schema(&self) -> &'static str {
        self.schema
    }

    fn relationships(&self) -> Box<dyn Iterator<Item = Relationship> + Send> {
        Box::new(self.edges.clone().into_iter())
    }

    fn permission(&self) -> &'static str {
        "view"
    }

    fn resources(&self) -> u64 {
        self.resources
    }

    fn resource(&self, number: u64) -> ObjectRef {
        file(number)
    }

    fn subjects(&self) -> u64 {
        self.users
    }

    fn subject(&self, number: u64) -> ObjectRef {
        user(number)
    }

    fn holds(&self, resource: u64, subject: u64) -> bool {
        (self.holds)(resource, subject)
    }

    /// The relation and subject of the last edge fit every schema here: the edge again, for a guest.
    fn churn(&self, number: u64) -> Relationship {
        let direct = |edge: &&Relationship| {
            edge.subject.relation.is_none() && edge.subject.object.object_type == "user"
        };
        let guest = SubjectRef::direct("user", format!("guest-{number}"));
        match self.edges.iter().rev().find(direct) {
            Some(last) => Relationship::new(last.resource.clone(), last.relation.clone(), guest),
            None => Relationship::new(file(0), "viewer", guest),
        }
    }
}
