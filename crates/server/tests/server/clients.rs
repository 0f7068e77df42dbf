//! What a client may not do is refused, call by call, and nothing was done.

use std::sync::Arc;
use std::time::Duration;

use pemba_agents::client::{Client, MayAssert, Rights, Rule, Selection, Verb};
use pemba_model::text::parse_object;
use pemba_model::{Limits, SmolStr};
use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::relationship_update::Operation;
use pemba_server::{ClientKey, KeyDigest};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use crate::client_calls::{CALLS, call};
use crate::harness::*;

const AGENTS_SCHEMA: &str = "definition user {}
definition agent {}
definition document {
  relation owner: user
  relation viewer: user | agent
  permission view = viewer + owner
}
definition folder {
  relation viewer: user
}
";

pub fn with<T>(key: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
    request
}

fn only(names: &[&str]) -> Selection {
    Selection::Only(names.iter().map(SmolStr::new).collect())
}

fn rule(verbs: &[Verb], resource_types: Selection, relations: Selection, subject_types: Selection) -> Rule {
    Rule { verbs: verbs.to_vec(), resource_types, relations, subject_types }
}

fn anywhere(verbs: &[Verb]) -> Rule {
    rule(verbs, Selection::All, Selection::All, Selection::All)
}

/// A client whose key is its name; `roots` are whom it may ask for.
fn client(name: &str, rules: &[Rule], roots: &[&str]) -> Client {
    let roots = roots.iter().map(|text| text.parse::<pemba_agents::client::Pattern>().unwrap()).collect();
    let may_assert = MayAssert { roots, ..MayAssert::default() };
    Client {
        name: name.into(),
        principal: None,
        rights: Rights::new(rules).unwrap(),
        may_assert,
        certificate: None,
    }
}

fn keyed(clients: Vec<Client>) -> Vec<ClientKey> {
    let key = |client: Client| ClientKey {
        credential: KeyDigest::of(client.name.as_bytes()).into(),
        client: Arc::new(client),
    };
    clients.into_iter().map(key).collect()
}

/// With the schema of agents and a client `root` that may do everything.
async fn start(mut clients: Vec<Client>) -> Harness {
    clients.push(Client::unrestricted("root"));
    let clients = keyed(clients);
    let harness = Harness::start_with(Limits::default(), |options| options.clients = Some(clients)).await;
    let schema = wire::WriteSchemaRequest { schema: AGENTS_SCHEMA.to_owned() };
    harness.schemas().write_schema(with("root", schema)).await.unwrap();
    harness
}

/// Asserts a refusal and what it says.
#[track_caller]
pub fn assert_refused(status: &Status, client: &str, verb: &str, outside: &str, field: &str) {
    assert_eq!(status.code(), Code::PermissionDenied, "{status:?}");
    let info = status.get_details_error_info().unwrap();
    assert_eq!((info.domain.as_str(), info.reason.as_str()), ("pemba", "ERROR_REASON_CLIENT_NOT_PERMITTED"));
    let told = ["client", "verb", "outside", "field"].map(|key| info.metadata[key].as_str());
    assert_eq!(told, [client, verb, outside, field]);
    assert!(status.message().contains(client) && status.message().contains(outside), "{}", status.message());
}

fn write_request(updates: Vec<wire::RelationshipUpdate>) -> wire::WriteRelationshipsRequest {
    wire::WriteRelationshipsRequest { updates, ..Default::default() }
}

fn narrow(relation: &str, subject_type: &str) -> wire::RelationshipFilter {
    let subject = wire::SubjectFilter { subject_type: subject_type.to_owned(), ..Default::default() };
    wire::RelationshipFilter {
        optional_relation: relation.to_owned(),
        optional_subject_filter: (!subject_type.is_empty()).then_some(subject),
        ..type_filter("document")
    }
}

#[tokio::test]
async fn every_call_needs_its_verb() {
    let mut clients = vec![client("nothing", &[], &["*"])];
    let mut verbs = vec![("nothing".to_owned(), Vec::new())];
    let alone = Verb::ALL.into_iter().map(|verb| vec![verb]);
    let together = [vec![Verb::Schema, Verb::Read], vec![Verb::Check, Verb::Explain]];
    for (at, some) in alone.chain(together).enumerate() {
        let name = format!("client-{at}");
        clients.push(client(&name, &[anywhere(&some)], &["*"]));
        verbs.push((name, some));
    }
    let harness = start(clients).await;
    assert_eq!(CALLS.iter().filter(|(name, _)| !name.contains('+')).count(), 27, "all calls are here");
    for (name, needs) in CALLS {
        let mut permitted = 0;
        for (client, verbs) in &verbs {
            let result = call(&harness, client, name).await;
            let refused = result.as_ref().is_err_and(|status| status.code() == Code::PermissionDenied);
            let expected = verbs.contains(&Verb::Admin)
                || needs.iter().any(|all| all.iter().all(|verb| verbs.contains(verb)));
            assert_eq!(!refused, expected, "{name} with {verbs:?}: {result:?}");
            if let Some(status) = result.err().filter(|_| refused) {
                assert_eq!(status.get_details_error_info().unwrap().metadata["client"], *client);
            }
            permitted += u32::from(expected);
        }
        assert!(permitted > 0 && permitted < verbs.len() as u32, "{name}");
        // Without a key and with an unknown one nothing is asked at all.
        let status = call(&harness, "unknown", name).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{name}");
    }
}

#[tokio::test]
async fn a_batch_with_one_update_outside_changes_nothing() {
    let scope = rule(&[Verb::Write], only(&["document"]), only(&["viewer"]), only(&["user"]));
    let harness = start(vec![client("portal", &[scope], &[])]).await;
    let head = harness.database.head();
    let write = async |updates| {
        harness.permissions().write_relationships(with("portal", write_request(updates))).await
    };
    let inside = || update(Operation::Touch, "document:a#viewer@user:ada");
    for (outside, verb, what) in [
        (update(Operation::Touch, "document:a#owner@user:ada"), "write", "`document#owner@user`"),
        (update(Operation::Create, "document:a#viewer@agent:bot"), "write", "`document#viewer@agent`"),
        (update(Operation::Touch, "folder:a#viewer@user:ada"), "write", "`folder#viewer@user`"),
        (update(Operation::Delete, "document:b#viewer@user:ada"), "delete", "`document#viewer@user`"),
    ] {
        let status = write(vec![inside(), outside]).await.unwrap_err();
        assert_refused(&status, "portal", verb, what, "updates[1]");
    }
    // A precondition would tell what the client may not read.
    let precondition = wire::Precondition {
        operation: wire::precondition::Operation::MustMatch.into(),
        filter: Some(narrow("owner", "")),
    };
    let request = wire::WriteRelationshipsRequest {
        optional_preconditions: vec![precondition],
        ..write_request(vec![inside()])
    };
    let status = harness.permissions().write_relationships(with("portal", request)).await.unwrap_err();
    assert_refused(&status, "portal", "read", "`document#owner@*`", "optional_preconditions[0]");
    assert_eq!((harness.database.head(), harness.database.statistics().relationships), (head, 0));
    write(vec![inside()]).await.unwrap();
    assert_eq!(harness.database.statistics().relationships, 1);
}

#[tokio::test]
async fn an_import_with_one_relationship_outside_loads_nothing() {
    let scope = rule(&[Verb::Import], only(&["document"]), only(&["viewer"]), only(&["user"]));
    let harness = start(vec![client("loader", &[scope], &[])]).await;
    let part = |texts: &[&str]| wire::ImportBulkRelationshipsRequest {
        relationships: texts.iter().map(|text| relationship(text)).collect(),
    };
    let parts = vec![
        part(&["document:a#viewer@user:ada"]),
        part(&["document:b#viewer@user:ada", "document:b#owner@user:ada"]),
    ];
    let stream = with("loader", tokio_stream::iter(parts));
    let status = harness.permissions().import_bulk_relationships(stream).await.unwrap_err();
    assert_refused(&status, "loader", "import", "`document#owner@user`", "relationships[1]");
    assert_eq!(harness.database.statistics().relationships, 0);
    let stream = with("loader", tokio_stream::iter(vec![part(&["document:a#viewer@user:ada"])]));
    assert_eq!(
        harness.permissions().import_bulk_relationships(stream).await.unwrap().into_inner().num_loaded,
        1
    );
}

#[tokio::test]
async fn a_filter_that_reaches_further_is_refused_and_not_narrowed() {
    let verbs = [Verb::Delete, Verb::Read, Verb::Export, Verb::Watch];
    let scope = rule(&verbs, only(&["document"]), only(&["viewer"]), only(&["user"]));
    let harness = start(vec![client("portal", &[scope], &[])]).await;
    let texts = ["document:a#viewer@user:ada", "document:a#viewer@agent:bot", "document:a#owner@user:ada"];
    let updates = texts.iter().map(|text| update(Operation::Touch, text)).collect();
    harness.permissions().write_relationships(with("root", write_request(updates))).await.unwrap();
    let wide = [
        (type_filter("document"), "`document#*@*`"),
        (narrow("viewer", ""), "`document#viewer@*`"),
        (narrow("", "user"), "`document#*@user`"),
        (narrow("owner", "user"), "`document#owner@user`"),
        (
            wire::RelationshipFilter { resource_type: String::new(), ..narrow("viewer", "user") },
            "`*#viewer@user`",
        ),
    ];
    for (filter, outside) in wide {
        let request = wire::DeleteRelationshipsRequest {
            relationship_filter: Some(filter.clone()),
            ..Default::default()
        };
        let status = harness.permissions().delete_relationships(with("portal", request)).await.unwrap_err();
        assert_refused(&status, "portal", "delete", outside, "relationship_filter");
        let request = wire::ReadRelationshipsRequest {
            relationship_filter: Some(filter.clone()),
            ..Default::default()
        };
        let status = harness.permissions().read_relationships(with("portal", request)).await.unwrap_err();
        assert_refused(&status, "portal", "read", outside, "relationship_filter");
        let request = wire::ExportBulkRelationshipsRequest {
            optional_relationship_filter: Some(filter.clone()),
            ..Default::default()
        };
        let status =
            harness.permissions().export_bulk_relationships(with("portal", request)).await.unwrap_err();
        assert_refused(&status, "portal", "export", outside, "optional_relationship_filter");
        let request =
            wire::WatchRequest { optional_relationship_filters: vec![filter], ..Default::default() };
        let status = harness.watches().watch(with("portal", request)).await.unwrap_err();
        assert_refused(&status, "portal", "watch", outside, "");
    }
    let status = harness.watches().watch(with("portal", wire::WatchRequest::default())).await.unwrap_err();
    assert_refused(&status, "portal", "watch", "`*#*@*`", "");
    assert_eq!(harness.database.statistics().relationships, 3);
    let filter = Some(narrow("viewer", "user"));
    let request =
        wire::ReadRelationshipsRequest { relationship_filter: filter.clone(), ..Default::default() };
    let read = harness.permissions().read_relationships(with("portal", request)).await.unwrap();
    assert_eq!(all(read).await.unwrap().len(), 1);
    let request = wire::DeleteRelationshipsRequest { relationship_filter: filter, ..Default::default() };
    harness.permissions().delete_relationships(with("portal", request)).await.unwrap();
    assert_eq!(harness.database.statistics().relationships, 2);
}

#[tokio::test]
async fn a_counter_counts_only_for_those_who_may_read_it() {
    let scope = rule(&[Verb::Read], only(&["document"]), only(&["viewer"]), Selection::All);
    let clients = vec![client("portal", &[scope.clone(), anywhere(&[Verb::Schema])], &[])];
    let harness = start(clients).await;
    let register = |name: &str, filter| wire::ExperimentalRegisterRelationshipCounterRequest {
        name: name.to_owned(),
        relationship_filter: Some(filter),
    };
    let mut calls = harness.experimental();
    let request = with("portal", register("owners", narrow("owner", "")));
    let status = calls.experimental_register_relationship_counter(request).await.unwrap_err();
    assert_refused(&status, "portal", "read", "`document#owner@*`", "relationship_filter");
    for (key, name, relation) in [("root", "owners", "owner"), ("portal", "viewers", "viewer")] {
        let request = with(key, register(name, narrow(relation, "")));
        calls.experimental_register_relationship_counter(request).await.unwrap();
    }
    let count =
        |name: &str| with("portal", wire::ExperimentalCountRelationshipsRequest { name: name.to_owned() });
    calls.experimental_count_relationships(count("viewers")).await.unwrap();
    let status = calls.experimental_count_relationships(count("owners")).await.unwrap_err();
    assert_refused(&status, "portal", "read", "`document#owner@*`", "");
}

#[tokio::test]
async fn an_agents_runtime_speaks_for_no_other() {
    let mut runtime = client("runtime", &[anywhere(&[Verb::Check, Verb::Lookup])], &[]);
    runtime.principal = Some(parse_object("agent:triage").unwrap());
    let clients = vec![runtime, client("portal", &[anywhere(&[Verb::Check, Verb::Lookup])], &["user:*"])];
    let harness = start(clients).await;
    let updates = vec![update(Operation::Touch, "document:a#viewer@agent:triage")];
    harness.permissions().write_relationships(with("root", write_request(updates))).await.unwrap();
    let check = async |key: &str, subject: &str| {
        let request = with(key, check_request(&format!("document:a#view@{subject}")));
        harness.permissions().check_permission(request).await.map(|answer| answer.into_inner().permissionship)
    };
    let bulk = async |key: &str, subjects: &[&str]| {
        let items = subjects.iter().map(|subject| bulk_item(&format!("document:a#view@{subject}")));
        let request = wire::CheckBulkPermissionsRequest { items: items.collect(), ..Default::default() };
        harness.permissions().check_bulk_permissions(with(key, request)).await
    };
    let lookup = async |key: &str, asking: &str| {
        let request = wire::LookupResourcesRequest {
            resource_object_type: "document".into(),
            permission: "view".into(),
            subject: Some(subject(asking)),
            ..Default::default()
        };
        all(harness.permissions().lookup_resources(with(key, request)).await?).await
    };
    assert_eq!(check("runtime", "agent:triage").await.unwrap(), HAS);
    assert_eq!(lookup("runtime", "agent:triage").await.unwrap().len(), 1);
    bulk("runtime", &["agent:triage", "agent:triage"]).await.unwrap();
    for other in ["agent:other", "user:ada", "agent:triage#owner"] {
        let root = format!("the root `{other}`");
        assert_refused(&check("runtime", other).await.unwrap_err(), "runtime", "assert", &root, "");
        assert_refused(&lookup("runtime", other).await.unwrap_err(), "runtime", "assert", &root, "");
        let status = bulk("runtime", &["agent:triage", other]).await.unwrap_err();
        assert_refused(&status, "runtime", "assert", &root, "items[1]");
    }
    assert_eq!(check("portal", "user:ada").await.unwrap(), NO);
    let status = check("portal", "agent:triage").await.unwrap_err();
    assert_refused(&status, "portal", "assert", "the root `agent:triage`", "");
}

#[tokio::test]
async fn one_item_of_a_bulk_check_outside_refuses_all() {
    let scope = rule(&[Verb::Check], only(&["document"]), only(&["view"]), only(&["user"]));
    let harness = start(vec![client("portal", &[scope], &["*"])]).await;
    let request = |questions: &[&str], with_tracing| {
        let items = questions.iter().map(|question| bulk_item(question)).collect();
        with("portal", wire::CheckBulkPermissionsRequest { items, with_tracing, ..Default::default() })
    };
    let mut calls = harness.permissions();
    let good = "document:a#view@user:ada";
    calls.check_bulk_permissions(request(&[good, good], false)).await.unwrap();
    let status = calls.check_bulk_permissions(request(&[good, "document:a#owner@user:ada"], false)).await;
    assert_refused(&status.unwrap_err(), "portal", "check", "`document#owner@user`", "items[1]");
    let status = calls.check_bulk_permissions(request(&[good], true)).await.unwrap_err();
    assert_refused(&status, "portal", "explain", "`document#view@user`", "items[0]");
    // The older way to ask for a trace is no way around.
    let mut traced = with("portal", check_request(good));
    traced.metadata_mut().insert("io.spicedb.requestdebuginfo", "1".parse().unwrap());
    let status = calls.check_permission(traced).await.unwrap_err();
    assert_refused(&status, "portal", "explain", "`document#view@user`", "");
}

#[tokio::test]
async fn preshared_keys_stay_what_they_were() {
    let clients = keyed(vec![client("nothing", &[], &[])]);
    let harness = Harness::start_with(Limits::default(), |options| {
        options.clients = Some(clients);
        options.preshared_keys = vec!["old".to_owned(), "older".to_owned()];
    })
    .await;
    for key in ["old", "older"] {
        let schema = wire::WriteSchemaRequest { schema: AGENTS_SCHEMA.to_owned() };
        harness.schemas().write_schema(with(key, schema)).await.unwrap();
        let request = with(key, check_request("document:a#view@user:ada"));
        harness.permissions().check_permission(request).await.unwrap();
    }
    let status =
        harness.schemas().read_schema(with("nothing", wire::ReadSchemaRequest {})).await.unwrap_err();
    assert_refused(&status, "nothing", "read", "anything", "");
    let status = harness.schemas().read_schema(wire::ReadSchemaRequest {}).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn replaced_clients_lose_their_calls_and_their_watches() {
    let watcher = |name: &str| client(name, &[anywhere(&[Verb::Watch])], &[]);
    let harness = start(vec![watcher("stays"), watcher("changes"), watcher("goes")]).await;
    let watch = async |key: &str| harness.watches().watch(with(key, wire::WatchRequest::default())).await;
    let mut stays = watch("stays").await.unwrap().into_inner();
    let mut ended = [watch("changes").await.unwrap().into_inner(), watch("goes").await.unwrap().into_inner()];
    let root = Client::unrestricted("root");
    let changed = client("changes", &[anywhere(&[Verb::Watch, Verb::Read])], &[]);
    harness.server.replace_clients(&keyed(vec![root, watcher("stays"), changed])).unwrap();
    for stream in &mut ended {
        let told = tokio::time::timeout(Duration::from_secs(10), stream.message()).await.expect("no end");
        assert_eq!(told.unwrap_err().code(), Code::Unauthenticated);
    }
    assert_eq!(watch("goes").await.unwrap_err().code(), Code::Unauthenticated);
    watch("changes").await.unwrap();
    let updates = vec![update(Operation::Touch, "document:a#owner@user:ada")];
    harness.permissions().write_relationships(with("root", write_request(updates))).await.unwrap();
    let told = tokio::time::timeout(Duration::from_secs(10), stays.message()).await.expect("no news");
    assert_eq!(told.unwrap().unwrap().updates.len(), 1);
    // A list that is not good changes nothing.
    let twice = vec![watcher("stays"), watcher("stays")];
    harness.server.replace_clients(&keyed(twice)).unwrap_err();
    watch("stays").await.unwrap();
}
