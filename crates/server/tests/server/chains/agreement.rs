//! Generated histories: checks, bulk checks and lookups, with and without chains, all say the same after every step.

use std::collections::{BTreeMap, BTreeSet};

use pemba_agents::command::{self, Transition};
use pemba_agents::records::{
    Applies, ApprovalUses, HumanStatus, KillMode, KillSelector, PrincipalKind, TypeMode,
};
use pemba_engine::Permissionship;
use pemba_model::SubjectRef;
use pemba_model::text::parse_subject;
use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::check_bulk_permissions_pair::Response;
use pemba_proto::pemba::v1 as own;

use super::stage::*;
use crate::harness::{HAS, NO, all, bulk_item, subject as subject_named};

const SCHEMA: &str = "
caveat on_call(level int) {
  level > 3
}

definition user {}

definition agent {
  relation team: user | agent
}

definition document {
  relation owner: user | agent | agent#team
  relation viewer: user | user:* | agent | agent:* | agent#team | user with on_call
  relation banned: user | agent#team
  permission view = (viewer + owner) - banned
  permission edit = owner - banned
  permission approve = owner
}
";

const PRINCIPALS: [&str; 7] =
    ["user:ada", "user:bo", "user:nobody", "agent:a", "agent:b", "agent:c", "agent:nobody"];
const SUBJECTS: [&str; 9] = [
    "user:ada",
    "user:bo",
    "user:nobody",
    "agent:a",
    "agent:b",
    "agent:c",
    "agent:nobody",
    "agent:a#team",
    "agent:b#team",
];
const DOCUMENTS: [&str; 3] = ["plan", "note", "open"];
const PERMISSIONS: [&str; 2] = ["view", "edit"];

/// A stream of numbers that is the same on every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % bound as u64) as usize
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }

    fn relationship(&mut self) -> String {
        let document = self.of(&DOCUMENTS);
        let agent = self.of(&["agent:a", "agent:b", "agent:c"]);
        match self.below(9) {
            0 => format!("document:{document}#viewer@user:*"),
            1 => format!("document:{document}#viewer@agent:*"),
            2 => format!("document:{document}#viewer@{}", self.of(&PRINCIPALS)),
            3 => format!("document:{document}#owner@{}", self.of(&PRINCIPALS)),
            4 => format!("document:{document}#viewer@{agent}#team"),
            5 => format!("document:{document}#owner@{agent}#team"),
            6 => format!("document:{document}#banned@{agent}#team"),
            7 => format!("document:{document}#viewer@user:bo[on_call]"),
            _ => format!("{agent}#team@{}", self.of(&PRINCIPALS)),
        }
    }
}

async fn step(stage: &Stage, numbers: &mut Numbers) -> String {
    let agent = numbers.of(&["agent:a", "agent:b", "agent:c"]);
    match numbers.below(12) {
        0..=3 => {
            // Each once: no write takes one twice.
            let lines: BTreeSet<String> = (0..3).map(|_| numbers.relationship()).collect();
            for line in &lines {
                stage.harness.touch(&[line]).await;
            }
            format!("write {lines:?}")
        }
        4 | 5 => {
            let to = [Transition::Suspend, Transition::Quarantine, Transition::Resume, Transition::Resume]
                [numbers.below(4)];
            let agents = [object(agent)];
            let _ = stage.command(move |moment| command::transition(moment, &by(), &agents, to, None)).await;
            format!("{to:?} {agent}")
        }
        6 => {
            let _ = stage
                .command({
                    let agents = [object("agent:c")];
                    move |moment| command::transition(moment, &by(), &agents, Transition::Retire, None)
                })
                .await;
            let with_ceiling = numbers.below(2) == 0;
            stage
                .register_with("agent:c", |new| {
                    new.ceiling = with_ceiling.then(|| documents(&["plan", "open"]));
                    if !with_ceiling {
                        new.purpose_permissions = BTreeSet::from(["document#view".into()]);
                    }
                })
                .await;
            format!("register agent:c again, {with_ceiling}")
        }
        7 => {
            let human = numbers.of(&["user:bo", "user:nobody"]);
            let status = [HumanStatus::Active, HumanStatus::Disabled][numbers.below(2)];
            stage.set_human(human, status).await;
            format!("{human} is {status:?}")
        }
        8 => {
            let who = KillSelector::Agent(object(numbers.of(&PRINCIPALS[1..])));
            let mode = [KillMode::DenyAll, KillMode::DenyWrite, KillMode::RequireApproval][numbers.below(3)];
            stage.kill(&format!("k{}", numbers.0), who.clone(), mode).await;
            format!("{mode:?} for {who:?}")
        }
        9 => {
            let mode = [TypeMode::Observed, TypeMode::Managed][numbers.below(2)];
            stage.set_type("agent", PrincipalKind::Agent, mode).await;
            format!("agents are {mode:?}")
        }
        10 => {
            let applies = [Applies::All, Applies::AgentChains][numbers.below(2)];
            stage.approve_edits(applies, ApprovalUses::TimeBoxed).await;
            format!("edits are approved for {applies:?}")
        }
        _ => {
            let _ = stage
                .command(|moment| command::unset_approval_policy(moment, "document", "edit", false))
                .await;
            "edits need no approval".to_owned()
        }
    }
}

/// What every check says, and the same asked in bulk and by looking up.
async fn agree(stage: &Stage, log: &str, met: &mut BTreeMap<&'static str, u32>) {
    let mut checked = BTreeMap::new();
    for subject in SUBJECTS {
        for document in DOCUMENTS {
            for permission in PERMISSIONS {
                let question = format!("document:{document}#{permission}@{subject}");
                let answer = stage.answer(&question, &[]).await;
                checked.insert(question, answer);
            }
        }
    }
    let items = checked.keys().map(|question| bulk_item(question)).collect();
    let bulk = wire::CheckBulkPermissionsRequest { items, ..Default::default() };
    let bulk = stage.harness.permissions().check_bulk_permissions(bulk).await.unwrap().into_inner();
    for ((question, answer), pair) in checked.iter().zip(bulk.pairs) {
        let Some(Response::Item(item)) = pair.response else { panic!("{log}: {question}") };
        assert_eq!(item.permissionship, *answer, "{log}: {question} in bulk");
    }
    for subject in SUBJECTS {
        for permission in PERMISSIONS {
            let request = wire::LookupResourcesRequest {
                resource_object_type: "document".into(),
                permission: permission.into(),
                subject: Some(subject_named(subject)),
                ..Default::default()
            };
            let found =
                all(stage.harness.permissions().lookup_resources(request).await.unwrap()).await.unwrap();
            for document in DOCUMENTS {
                let one = found.iter().find(|one| one.resource_object_id == document);
                let said = one.map_or(NO, |one| if one.partial_caveat_info.is_some() { 3 } else { HAS });
                let question = format!("document:{document}#{permission}@{subject}");
                assert_eq!(said, checked[&question], "{log}: {question} among resources");
            }
        }
    }
    for document in DOCUMENTS {
        for permission in PERMISSIONS {
            for subject in SUBJECTS {
                let question = format!("document:{document}#{permission}@{subject}");
                let said = among_subjects(stage, (document, permission), subject).await;
                assert_eq!(said, checked[&question], "{log}: {question} among subjects");
            }
            delegates(stage, (document, permission), log, met).await;
        }
    }
    usersets(stage, &checked, met);
}

async fn among_subjects(stage: &Stage, (document, permission): (&str, &str), subject: &str) -> i32 {
    let SubjectRef { object, relation } = parse_subject(subject).unwrap();
    let request = wire::LookupSubjectsRequest {
        resource: Some(wire_object(&format!("document:{document}"))),
        permission: permission.into(),
        subject_object_type: object.object_type.to_string(),
        optional_subject_relation: relation.map(|relation| relation.to_string()).unwrap_or_default(),
        ..Default::default()
    };
    let found = all(stage.harness.permissions().lookup_subjects(request).await.unwrap()).await.unwrap();
    let value = |one: &wire::ResolvedSubject| if one.partial_caveat_info.is_some() { 3 } else { HAS };
    let mut by_wildcard = NO;
    for one in &found {
        let subject = one.subject.as_ref().unwrap();
        if subject.subject_object_id == object.object_id.as_str() {
            return value(subject);
        }
        if subject.subject_object_id == "*" {
            let excluded =
                one.excluded_subjects.iter().find(|one| one.subject_object_id == object.object_id.as_str());
            by_wildcard = match excluded.map(value) {
                None => value(subject),
                Some(HAS) => NO,
                Some(_) => 3,
            };
        }
    }
    by_wildcard
}

/// Who can touch a document, and on whose authority, is what checks of everybody and of every chain say.
async fn delegates(
    stage: &Stage,
    (document, permission): (&str, &str),
    log: &str,
    met: &mut BTreeMap<&'static str, u32>,
) {
    let question = format!("document:{document}#{permission}");
    for of in ["user", "agent"] {
        let request = own::LookupSubjectsAsRequest {
            resource: Some(wire_object(&format!("document:{document}"))),
            permission: permission.into(),
            subject_type: of.into(),
            include_delegates: true,
            ..Default::default()
        };
        let found = all(stage.authority().lookup_subjects_as(request).await.unwrap()).await.unwrap();
        let roots: BTreeMap<String, &own::LookupSubjectsAsResponse> = found
            .iter()
            .filter(|one| one.delegation_id.is_empty())
            .map(|one| (one.root.as_ref().unwrap().object_id.clone(), one))
            .collect();
        for who in PRINCIPALS.iter().filter(|who| who.starts_with(of)) {
            let id = who.split_once(':').unwrap().1;
            let everybody = roots.get("*").filter(|one| !one.excluded_ids.iter().any(|out| out == id));
            let said = roots.get(id).or(everybody).map_or(own::Outcome::Deny, |one| one.outcome());
            let checked = stage.outcome(alone(who), &question).await;
            assert_eq!(said, checked, "{log}: {who} among those with {question}");
            *met.entry(checked.as_str_name()).or_default() += 1;
        }
        for (id, root) in [(1, "user"), (2, "user"), (3, "agent")] {
            if root != of {
                continue;
            }
            let id = pemba_agents::DelegationId(id).to_string();
            let one = found.iter().find(|one| one.delegation_id == id);
            let said = one.map_or(own::Outcome::Deny, |one| one.outcome());
            let checked = stage.outcome(by_delegation(&id), &question).await;
            assert_eq!(said, checked, "{log}: {id} among those with {question}");
            *met.entry(if checked == own::Outcome::Deny { "chain denied" } else { "chain told" })
                .or_default() += 1;
        }
    }
}

/// Notes answers that relationships alone would give otherwise, as usersets of agents that may not act have them.
fn usersets(stage: &Stage, checked: &BTreeMap<String, i32>, met: &mut BTreeMap<&'static str, u32>) {
    let view = stage.harness.database.head_view();
    for (question, answer) in checked.iter().filter(|(question, _)| !question.contains("@agent")) {
        let (resource, rest) = question.split_once('#').unwrap();
        let (permission, subject) = rest.split_once('@').unwrap();
        let plain = view.check(&object(resource), permission, &parse_subject(subject).unwrap(), None);
        if plain.unwrap().permissionship == Permissionship::Yes && *answer == NO {
            *met.entry("less than relationships give").or_default() += 1;
        }
    }
}

#[tokio::test]
async fn checks_bulk_checks_and_lookups_agree_after_every_step() {
    let mut met = BTreeMap::new();
    for seed in 0..4 {
        let stage = Stage::bare(|_| ()).await;
        stage.harness.database.write_schema(SCHEMA.to_owned()).await.unwrap();
        stage.harness.touch(&["document:plan#owner@user:ada", "document:note#owner@user:ada"]).await;
        stage.set_human("user:ada", HumanStatus::Active).await;
        for agent in ["agent:a", "agent:b", "agent:c"] {
            stage.register(agent).await;
        }
        stage.delegate(1, "user:ada", "agent:a").await;
        stage.delegate(2, "user:bo", "agent:b").await;
        stage.delegate(3, "agent:b", "agent:a").await;
        let mut numbers = Numbers(seed);
        let mut log = format!("seed {seed}");
        for _ in 0..10 {
            log = format!("{log}; {}", step(&stage, &mut numbers).await);
            agree(&stage, &log, &mut met).await;
        }
    }
    println!("{met:?}");
    for what in [
        "OUTCOME_ALLOW",
        "OUTCOME_DENY",
        "OUTCOME_REQUIRES_APPROVAL",
        "chain told",
        "chain denied",
        "less than relationships give",
    ] {
        assert!(met.get(what).is_some_and(|times| *times >= 5), "{what}: {met:?}");
    }
}

#[tokio::test]
async fn an_export_leaves_out_what_belongs_to_an_earlier_incarnation() {
    let stage = Stage::start().await;
    stage.harness.touch(&["document:plan#viewer@agent:a", "document:plan#viewer@agent:b"]).await;
    stage.transition("agent:a", Transition::Retire).await;
    let told = async || {
        let request = wire::ExportBulkRelationshipsRequest { optional_limit: 1, ..Default::default() };
        let pages = stage.harness.permissions().export_bulk_relationships(request).await.unwrap();
        let pages = all(pages).await.unwrap();
        let subjects = pages
            .into_iter()
            .flat_map(|page| page.relationships)
            .map(|one| one.subject.unwrap().object.unwrap());
        subjects.filter(|one| one.object_type == "agent").map(|one| one.object_id).collect::<Vec<_>>()
    };
    assert_eq!(told().await, ["a", "b"], "nobody else has the name");
    stage.register("agent:a").await;
    assert_eq!(told().await, ["b"], "imported elsewhere by name, it would be the later one's");
    let filter = wire::RelationshipFilter { resource_type: "document".into(), ..Default::default() };
    let request = wire::ReadRelationshipsRequest { relationship_filter: Some(filter), ..Default::default() };
    let read = all(stage.harness.permissions().read_relationships(request).await.unwrap()).await.unwrap();
    let is_agents = |one: &wire::ReadRelationshipsResponse| {
        let subject = one.relationship.clone().unwrap().subject.unwrap().object.unwrap();
        subject.object_type == "agent" && subject.object_id == "a"
    };
    assert!(read.iter().any(is_agents), "a read shows it, for the record");
}
