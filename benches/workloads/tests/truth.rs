//! Every workload's truth is the oracle's, on a small size.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use pemba_model::{Operation, Relationship, Timestamp};
use pemba_testkit::caveats::CaveatTable;
use pemba_testkit::oracle::{Oracle, Value};
use pemba_workloads::{NAMES, Question, named};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// Compares questions with the oracle; says how many hold.
fn compare(schema: &str, relationships: &[Relationship], questions: &[Question]) -> usize {
    let schema = pemba_schema::compile(schema).unwrap().schema;
    let others: BTreeSet<_> = questions.iter().map(|question| question.resource.clone()).collect();
    let oracle = Oracle::new(&schema, relationships, &others, NOW, &CaveatTable::default());
    for question in questions {
        let expected = if question.expected { Value::Yes } else { Value::No };
        let answer = oracle.check(&question.resource, &question.permission, &question.subject);
        assert_eq!(answer.value(), Some(expected), "{question:?}");
    }
    questions.iter().filter(|question| question.expected).count()
}

#[test]
fn the_truth_is_the_oracles() {
    for name in NAMES {
        let workload = named(name, 600, 5, NOW).unwrap();
        let relationships: Vec<_> = workload.relationships().collect();
        let questions: Vec<_> = (0..150).map(|number| workload.question(number)).collect();
        let yes = compare(workload.schema(), &relationships, &questions);
        assert!((1..150).contains(&yes), "{name}: {yes} of 150 are yes");
    }
}

#[test]
fn relationships_are_well_formed_and_never_repeated() {
    for name in NAMES {
        let workload = named(name, 20_000, 3, NOW).unwrap();
        let mut seen = BTreeSet::new();
        for relationship in workload.relationships() {
            relationship.check_names().unwrap();
            assert!(seen.insert(relationship.to_string()), "{name}: {relationship} twice");
        }
        let again: BTreeSet<String> = workload.relationships().map(|r| r.to_string()).collect();
        assert_eq!(seen, again, "{name}");
    }
}

#[test]
fn a_million_is_about_a_million() {
    for name in NAMES.iter().take(7) {
        let count = named(name, 1_000_000, 7, NOW).unwrap().relationships().count();
        assert!((900_000..1_250_000).contains(&count), "{name}: {count}");
    }
}

#[test]
fn writes_leave_the_truth_and_make_true_what_they_say() {
    for name in NAMES {
        let workload = named(name, 600, 5, NOW).unwrap();
        let mut all: BTreeMap<String, Relationship> = workload
            .relationships()
            .map(|r| (format!("{}#{}@{}", r.resource, r.relation, r.subject), r))
            .collect();
        for number in 0..101 {
            let update = workload.write(number);
            let it = update.relationship;
            let key = format!("{}#{}@{}", it.resource, it.relation, it.subject);
            match update.operation {
                Operation::Delete => assert!(all.remove(&key).is_some(), "{name}: {key} is not there"),
                Operation::Create | Operation::Touch => drop(all.insert(key, it)),
            }
        }
        let relationships: Vec<_> = all.into_values().collect();
        let mut questions: Vec<_> = (0..60).map(|number| workload.question(number)).collect();
        questions.extend((0..101).filter_map(|number| workload.after(number)));
        compare(workload.schema(), &relationships, &questions);
    }
}

#[test]
fn lookups_agree_with_questions() {
    for name in NAMES {
        let workload = named(name, 600, 5, NOW).unwrap();
        for number in 0..5 {
            let (resource, subject) = workload.pair(number);
            let holds = workload.holds(resource, subject);
            let found = workload.lookup_resources(number).expected;
            assert_eq!(found.contains(&workload.resource(resource).object_id), holds, "{name}");
            if let Some(lookup) = workload.lookup_subjects(number) {
                let subject = workload.subject(subject);
                let listed = lookup.expected.contains(&subject.object_id);
                assert_eq!(listed, holds && subject.object_type == lookup.object_type, "{name}");
            }
        }
    }
}

#[test]
fn an_unknown_name_is_none() {
    assert!(named("nonsense", 100, 1, NOW).is_none());
}
