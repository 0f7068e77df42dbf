//! Decisions of one client, call by call.

use pemba_model::text::{parse_object, parse_relationship, parse_subject};
use pemba_model::{RelationFilter, SubjectFilter};

use super::*;

fn only(names: &[&str]) -> Selection {
    Selection::Only(names.iter().map(SmolStr::new).collect())
}

/// May check and change viewers of documents that are users, and speak for users and one agent.
fn portal() -> Client {
    let rule = |verbs: &[Verb], relations| Rule {
        verbs: verbs.to_vec(),
        resource_types: only(&["document"]),
        relations,
        subject_types: only(&["user"]),
    };
    let rules = [
        rule(&[Verb::Check], only(&["view"])),
        rule(&[Verb::Write, Verb::Import], only(&["viewer"])),
        rule(&[Verb::Delete, Verb::Read, Verb::Export], Selection::All),
        Rule {
            verbs: vec![Verb::Watch],
            resource_types: only(&["document"]),
            relations: Selection::All,
            subject_types: Selection::All,
        },
    ];
    let patterns = |texts: &[&str]| texts.iter().map(|text| text.parse::<Pattern>().unwrap()).collect();
    Client {
        name: "portal".into(),
        principal: None,
        rights: Rights::new(&rules).unwrap(),
        may_assert: MayAssert {
            roots: patterns(&["user:*", "group:*"]),
            actors: patterns(&["agent:helpdesk"]),
        },
        certificate: None,
    }
}

fn runtime() -> Client {
    let principal = Some(parse_object("agent:triage").unwrap());
    Client {
        name: "triage".into(),
        principal,
        rights: Rights::everything(),
        may_assert: MayAssert::default(),
        certificate: None,
    }
}

fn update(operation: Operation, text: &str) -> Update {
    Update { operation, relationship: parse_relationship(text).unwrap() }
}

fn filter(
    resource_type: Option<&str>,
    relation: Option<&str>,
    subject_type: Option<&str>,
) -> RelationshipFilter {
    RelationshipFilter {
        resource_type: resource_type.map(SmolStr::new),
        resource_id: Some("any".into()),
        relation: relation.map(SmolStr::new),
        subject: subject_type.map(|subject_type| SubjectFilter {
            subject_type: subject_type.into(),
            subject_id: None,
            relation: RelationFilter::Any,
        }),
        ..RelationshipFilter::default()
    }
}

#[test]
fn a_check_needs_all_three_names() {
    let client = portal();
    client.may_check("document", "view", "user").unwrap();
    for (resource_type, permission, subject_type) in
        [("folder", "view", "user"), ("document", "edit", "user"), ("document", "view", "agent")]
    {
        let refused = client.may_check(resource_type, permission, subject_type).unwrap_err();
        assert_eq!((refused.client.as_str(), refused.verb), ("portal", "check"));
        assert_eq!(refused.what, format!("`{resource_type}#{permission}@{subject_type}`"));
    }
    assert_eq!(
        client.may_check("document", "edit", "user").unwrap_err().to_string(),
        "client `portal` has no right to check `document#edit@user`"
    );
}

#[test]
fn an_update_is_judged_by_its_operation() {
    let client = portal();
    for operation in [Operation::Create, Operation::Touch] {
        client.may_write(&update(operation, "document:a#viewer@user:ada")).unwrap();
        let refused = client.may_write(&update(operation, "document:a#owner@user:ada")).unwrap_err();
        assert_eq!(refused.verb, "write");
    }
    client.may_write(&update(Operation::Delete, "document:a#owner@user:ada")).unwrap();
    let refused =
        client.may_write(&update(Operation::Delete, "document:a#owner@group:a#member")).unwrap_err();
    assert_eq!((refused.verb, refused.what.as_str()), ("delete", "`document#owner@group`"));
    let created = parse_relationship("document:a#viewer@user:ada").unwrap();
    client.may_import(&created).unwrap();
    assert!(client.may_import(&parse_relationship("folder:a#viewer@user:ada").unwrap()).is_err());
}

#[test]
fn a_filter_must_lie_inside() {
    let client = portal();
    for inside in
        [filter(Some("document"), None, Some("user")), filter(Some("document"), Some("owner"), Some("user"))]
    {
        client.may_delete(&inside).unwrap();
        client.may_read(&inside).unwrap();
        client.may_export(Some(&inside)).unwrap();
    }
    for outside in [
        filter(None, None, Some("user")),
        filter(Some("document"), None, None),
        filter(Some("document"), Some("owner"), Some("group")),
        filter(Some("folder"), Some("owner"), Some("user")),
        RelationshipFilter::default(),
    ] {
        assert!(client.may_delete(&outside).is_err(), "{outside:?}");
        assert!(client.may_read(&outside).is_err(), "{outside:?}");
        assert!(client.may_export(Some(&outside)).is_err(), "{outside:?}");
    }
    assert_eq!(client.may_export(None).unwrap_err().what, "`*#*@*`");
}

#[test]
fn a_watch_must_lie_inside() {
    let client = portal();
    client.may_watch(&["document".into()], &[]).unwrap();
    client.may_watch(&[], &[filter(Some("document"), None, None)]).unwrap();
    assert!(client.may_watch(&[], &[]).is_err());
    assert!(client.may_watch(&["document".into(), "folder".into()], &[]).is_err());
    let filters = [filter(Some("document"), None, None), filter(None, None, Some("user"))];
    assert!(client.may_watch(&[], &filters).is_err());
    // Types and filters together are all looked at, whichever of them a watch would use.
    assert!(client.may_watch(&["folder".into()], &filters[..1]).is_err());
}

#[test]
fn a_runtime_speaks_only_for_itself() {
    let client = runtime();
    let (own, other, user) = (
        parse_object("agent:triage").unwrap(),
        parse_object("agent:other").unwrap(),
        parse_object("user:ada").unwrap(),
    );
    client.may_assert_root(&own).unwrap();
    client.may_assert_actor(&own).unwrap();
    client.may_assert_chain(&user, &own).unwrap();
    for somebody in [&other, &user] {
        assert_eq!(client.may_assert_root(somebody).unwrap_err().verb, "assert");
        assert!(client.may_assert_actor(somebody).is_err());
        assert!(client.may_assert_chain(&own, somebody).is_err());
    }
    client.may_assert_subject(&parse_subject("agent:triage").unwrap()).unwrap();
    let refused = client.may_assert_subject(&parse_subject("agent:triage#team").unwrap()).unwrap_err();
    assert_eq!(refused.to_string(), "client `triage` has no right to assert the root `agent:triage#team`");
}

#[test]
fn a_trusted_client_speaks_for_those_it_was_given() {
    let client = portal();
    let (helpdesk, other, ada) = (
        parse_object("agent:helpdesk").unwrap(),
        parse_object("agent:other").unwrap(),
        parse_object("user:ada").unwrap(),
    );
    client.may_assert_root(&ada).unwrap();
    client.may_assert_subject(&parse_subject("group:eng#member").unwrap()).unwrap();
    client.may_assert_actor(&helpdesk).unwrap();
    client.may_assert_chain(&ada, &helpdesk).unwrap();
    assert_eq!(client.may_assert_chain(&other, &helpdesk).unwrap_err().what, "the root `agent:other`");
    assert_eq!(client.may_assert_chain(&ada, &other).unwrap_err().what, "the actor `agent:other`");
    assert!(client.may_assert_root(&helpdesk).is_err());
    assert!(client.may_assert_actor(&ada).is_err());
}

#[test]
fn without_rules_nothing_and_unrestricted_everything() {
    let nobody = Client {
        name: "nobody".into(),
        principal: None,
        rights: Rights::default(),
        may_assert: MayAssert::default(),
        certificate: None,
    };
    let everybody = Client::unrestricted("default");
    for verb in Verb::ALL {
        assert_eq!(nobody.may(verb).unwrap_err().verb, verb.word());
        assert!(nobody.may_on(verb, Scope::default()).is_err());
        everybody.may(verb).unwrap();
        everybody.may_on(verb, Scope::default()).unwrap();
    }
    let ada = parse_object("user:ada").unwrap();
    assert!(nobody.may_assert_root(&ada).is_err());
    everybody.may_assert_chain(&ada, &ada).unwrap();
}
