//! Schemas as data: reflection, dependencies and differences, and their deprecated twins.

use pemba_model::Limits;
use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::experimental_service_client::ExperimentalServiceClient;
use pemba_proto::authzed::api::v1::reflection_schema_diff::Diff;
use pemba_proto::authzed::api::v1::reflection_type_reference::Typeref;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::harness::{Harness, SCHEMA, assert_error, at_exact_snapshot};

fn experimental(harness: &Harness) -> ExperimentalServiceClient<Channel> {
    ExperimentalServiceClient::new(harness.channel.clone())
}

async fn reflect(
    harness: &Harness,
    filters: Vec<wire::ReflectionSchemaFilter>,
) -> Result<wire::ReflectSchemaResponse, Status> {
    let request = wire::ReflectSchemaRequest { optional_filters: filters, ..Default::default() };
    Ok(harness.schemas().reflect_schema(request).await?.into_inner())
}

async fn diff(harness: &Harness, text: &str) -> Result<Vec<Diff>, Status> {
    let request = wire::DiffSchemaRequest { comparison_schema: text.into(), ..Default::default() };
    let answer = harness.schemas().diff_schema(request).await?.into_inner();
    assert!(answer.read_at.is_some());
    Ok(answer.diffs.into_iter().map(|diff| diff.diff.unwrap()).collect())
}

/// `definition#name`, a permission with `!`.
fn listed(references: &[wire::ReflectionRelationReference]) -> Vec<String> {
    let line = |found: &wire::ReflectionRelationReference| {
        let mark = if found.is_permission { "!" } else { "" };
        format!("{}#{}{mark}", found.definition_name, found.relation_name)
    };
    references.iter().map(line).collect()
}

#[tokio::test]
async fn a_schema_is_reflected_whole() {
    let harness = Harness::start().await;
    let answer = reflect(&harness, Vec::new()).await.unwrap();
    assert!(answer.read_at.is_some());
    let names: Vec<&str> = answer.definitions.iter().map(|found| found.name.as_str()).collect();
    assert_eq!(names, ["document", "group", "user"]);
    let document = &answer.definitions[0];
    let relations: Vec<&str> = document.relations.iter().map(|found| found.name.as_str()).collect();
    assert_eq!(relations, ["owner", "viewer", "banned"], "in the order of the text");
    let viewer = &document.relations[1];
    assert_eq!(viewer.parent_definition_name, "document");
    let subjects: Vec<(&str, &str, &Typeref)> = viewer
        .subject_types
        .iter()
        .map(|found| {
            let caveat = found.optional_caveat_name.as_str();
            (found.subject_definition_name.as_str(), caveat, found.typeref.as_ref().unwrap())
        })
        .collect();
    let direct = &Typeref::IsTerminalSubject(false);
    let expect = [
        ("user", "", direct),
        ("user", "", &Typeref::IsPublicWildcard(true)),
        ("group", "", &Typeref::OptionalRelationName("member".into())),
        ("user", "on_call", direct),
        ("user", "", direct),
    ];
    assert_eq!(subjects, expect);
    let permissions: Vec<&str> = document.permissions.iter().map(|found| found.name.as_str()).collect();
    assert_eq!(permissions, ["view", "edit"]);
    let caveat = &answer.caveats[0];
    assert_eq!((caveat.name.as_str(), caveat.expression.as_str()), ("on_call", "level > 3"));
    let parameter = &caveat.parameters[0];
    let facts = [&parameter.name, &parameter.r#type, &parameter.parent_caveat_name];
    assert_eq!(facts, ["level", "int", "on_call"]);
}

#[tokio::test]
async fn filters_are_kept_and_checked() {
    let harness = Harness::start().await;
    let filter = wire::ReflectionSchemaFilter {
        optional_definition_name_filter: "doc".into(),
        optional_relation_name_filter: "vi".into(),
        ..Default::default()
    };
    let answer = reflect(&harness, vec![filter.clone()]).await.unwrap();
    assert_eq!((answer.definitions.len(), answer.caveats.len()), (1, 0));
    assert_eq!(answer.definitions[0].relations.len(), 1);
    let bad = wire::ReflectionSchemaFilter { optional_caveat_name_filter: "on".into(), ..filter };
    let status = reflect(&harness, vec![bad]).await.unwrap_err();
    let text = "optional_definition_name_filter:\"doc\" optional_caveat_name_filter:\"on\" \
                optional_relation_name_filter:\"vi\"";
    assert_error(&status, Code::InvalidArgument, "INVALID_FILTER", &[("filter", text)]);
}

#[tokio::test]
async fn dependencies_are_told_both_ways() {
    let harness = Harness::start().await;
    let computable = |definition: &str, relation: &str| wire::ComputablePermissionsRequest {
        definition_name: definition.into(),
        relation_name: relation.into(),
        ..Default::default()
    };
    let mut schemas = harness.schemas();
    let answer = schemas.computable_permissions(computable("group", "member")).await.unwrap().into_inner();
    assert!(answer.read_at.is_some());
    assert_eq!(listed(&answer.permissions), ["document#view!", "document#viewer"]);
    let filtered = wire::ComputablePermissionsRequest {
        optional_definition_name_filter: "gro".into(),
        ..computable("user", "")
    };
    let answer = schemas.computable_permissions(filtered).await.unwrap().into_inner();
    assert_eq!(listed(&answer.permissions), ["group#member"]);

    let dependent = |definition: &str, permission: &str| wire::DependentRelationsRequest {
        definition_name: definition.into(),
        permission_name: permission.into(),
        ..Default::default()
    };
    let answer = schemas.dependent_relations(dependent("document", "view")).await.unwrap().into_inner();
    assert!(answer.read_at.is_some());
    let expect = ["document#banned", "document#owner", "document#viewer", "group#member"];
    assert_eq!(listed(&answer.relations), expect);

    let status = schemas.computable_permissions(computable("nope", "")).await.unwrap_err();
    let expect = [("definition_name", "nope")];
    assert_error(&status, Code::FailedPrecondition, "SCHEMA_TYPE_ERROR", &expect);
    let status = schemas.computable_permissions(computable("group", "nope")).await.unwrap_err();
    let expect = [("definition_name", "group"), ("relation_or_permission_name", "nope")];
    assert_error(&status, Code::FailedPrecondition, "UNKNOWN_RELATION_OR_PERMISSION", &expect);
    let status = schemas.dependent_relations(dependent("nope", "view")).await.unwrap_err();
    assert_error(&status, Code::FailedPrecondition, "SCHEMA_TYPE_ERROR", &[("definition_name", "nope")]);
    let status = schemas.dependent_relations(dependent("document", "owner")).await.unwrap_err();
    let expect = [("relationName", "owner")];
    assert_error(&status, Code::InvalidArgument, "UNKNOWN_RELATION_OR_PERMISSION", &expect);
}

#[tokio::test]
async fn schemas_are_compared() {
    let harness = Harness::start().await;
    assert_eq!(diff(&harness, SCHEMA).await.unwrap(), []);
    let changed = SCHEMA
        .replace("level > 3", "level > 4")
        .replace("owner: user\n", "owner: user | group#member\n")
        .replace("definition user", "// who\ndefinition user");
    let diffs = diff(&harness, &changed).await.unwrap();
    assert_eq!(diffs.len(), 3);
    let Diff::RelationSubjectTypeAdded(added) = &diffs[0] else { panic!("{diffs:?}") };
    assert_eq!(added.relation.as_ref().unwrap().subject_types.len(), 2);
    let subject = added.changed_subject_type.as_ref().unwrap();
    assert_eq!(subject.typeref, Some(Typeref::OptionalRelationName("member".into())));
    let Diff::DefinitionDocCommentChanged(user) = &diffs[1] else { panic!("{diffs:?}") };
    assert_eq!((user.name.as_str(), user.comment.as_str()), ("user", "// who"));
    let Diff::CaveatExprChanged(caveat) = &diffs[2] else { panic!("{diffs:?}") };
    assert_eq!(caveat.expression, "level > 4");
}

#[tokio::test]
async fn a_comparison_must_be_well_formed_but_need_not_fit_together() {
    let harness = Harness::start().await;
    let status = diff(&harness, "definition user {").await.unwrap_err();
    assert_error(&status, Code::InvalidArgument, "SCHEMA_PARSE_ERROR", &[]);
    let unknown = SCHEMA.replace("owner: user\n", "owner: nobody\n");
    assert_eq!(diff(&harness, &unknown).await.unwrap().len(), 2);
}

#[tokio::test]
async fn without_a_schema_everything_is_new() {
    let harness = Harness::start_with(Limits::default(), |_| ()).await;
    let answer = reflect(&harness, Vec::new()).await.unwrap();
    assert!(answer.definitions.is_empty() && answer.caveats.is_empty());
    assert!(matches!(diff(&harness, "definition user {}").await.unwrap()[..], [Diff::DefinitionAdded(_)]));
}

#[tokio::test]
async fn an_exact_snapshot_shows_the_schema_of_then() {
    let harness = Harness::start().await;
    let before = harness.touch(&["document:a#owner@user:ada"]).await;
    harness.write_schema(&SCHEMA.replace("definition user", "// who\ndefinition user")).await.unwrap();
    let ask = |consistency| wire::ReflectSchemaRequest { consistency, ..Default::default() };
    let then = harness.schemas().reflect_schema(ask(at_exact_snapshot(&before))).await.unwrap().into_inner();
    let now = harness.schemas().reflect_schema(ask(None)).await.unwrap().into_inner();
    let comment = |answer: &wire::ReflectSchemaResponse| answer.definitions[2].comment.clone();
    assert_eq!((comment(&then).as_str(), comment(&now).as_str()), ("", "// who"));
    assert_eq!(then.read_at, Some(before));
}

#[tokio::test]
#[expect(deprecated, reason = "older clients call them")]
async fn the_deprecated_twins_answer_the_same() {
    let harness = Harness::start().await;
    let mut old = experimental(&harness);
    let filter = wire::ExpSchemaFilter { optional_caveat_name_filter: "on".into(), ..Default::default() };
    let request =
        wire::ExperimentalReflectSchemaRequest { optional_filters: vec![filter], ..Default::default() };
    let answer = old.experimental_reflect_schema(request).await.unwrap().into_inner();
    assert_eq!((answer.definitions.len(), answer.caveats[0].expression.as_str()), (0, "level > 3"));

    let request = wire::ExperimentalComputablePermissionsRequest {
        definition_name: "group".into(),
        relation_name: "member".into(),
        ..Default::default()
    };
    let answer = old.experimental_computable_permissions(request).await.unwrap().into_inner();
    assert_eq!((answer.permissions.len(), answer.permissions[0].is_permission), (2, true));

    let request = wire::ExperimentalDependentRelationsRequest {
        definition_name: "document".into(),
        permission_name: "edit".into(),
        ..Default::default()
    };
    let answer = old.experimental_dependent_relations(request).await.unwrap().into_inner();
    assert_eq!(answer.relations[0].relation_name, "owner");

    let request = wire::ExperimentalDiffSchemaRequest {
        comparison_schema: SCHEMA.replace("level > 3", "level > 4"),
        ..Default::default()
    };
    let answer = old.experimental_diff_schema(request).await.unwrap().into_inner();
    let Some(wire::exp_schema_diff::Diff::CaveatExprChanged(caveat)) = &answer.diffs[0].diff else {
        panic!("{answer:?}")
    };
    assert_eq!(caveat.expression, "level > 4");
    assert!(answer.read_at.is_some());
}

/// A schema, and one that differs from it in each of the 19 ways once.
const KINDS_BEFORE: &str = "caveat kept(one int, gone int) { one + gone > 1 }
caveat dropped(one int) { one > 1 }
// old
definition user {}
definition robot {}
definition leaving {}
definition doc {
  relation owner: user | robot with dropped
  relation lost: user
  // x
  relation told: user with kept
  permission view = owner
  // p
  permission see = owner
  permission away = owner
}";
const KINDS_AFTER: &str = "// c
caveat kept(one bool, more int) { one && more > 1 }
caveat fresh(one int) { one > 1 }
// new
definition user {}
definition robot {}
definition coming {}
definition doc {
  relation owner: user | user:*
  relation found: user
  // y
  relation told: user with kept
  permission view = owner + told
  // q
  permission see = owner
  permission here = owner
}";

/// A change as its kind, the name of what changed, and what the kind says beside it.
fn told(diff: Diff) -> (&'static str, String) {
    let subject = |change: wire::ReflectionRelationSubjectTypeChange| {
        let subject = change.changed_subject_type.unwrap();
        let (name, caveat) = (subject.subject_definition_name, subject.optional_caveat_name);
        format!("{} {name} {:?} {caveat}", change.relation.unwrap().name, subject.typeref.unwrap())
    };
    let parameter =
        |it: wire::ReflectionCaveatParameter| format!("{} {} {}", it.parent_caveat_name, it.name, it.r#type);
    match diff {
        Diff::DefinitionAdded(it) => ("DefinitionAdded", it.name),
        Diff::DefinitionRemoved(it) => ("DefinitionRemoved", it.name),
        Diff::DefinitionDocCommentChanged(it) => ("DefinitionDocCommentChanged", it.name + " " + &it.comment),
        Diff::RelationAdded(it) => ("RelationAdded", it.parent_definition_name + "#" + &it.name),
        Diff::RelationRemoved(it) => ("RelationRemoved", it.parent_definition_name + "#" + &it.name),
        Diff::RelationDocCommentChanged(it) => ("RelationDocCommentChanged", it.name + " " + &it.comment),
        Diff::RelationSubjectTypeAdded(it) => ("RelationSubjectTypeAdded", subject(it)),
        Diff::RelationSubjectTypeRemoved(it) => ("RelationSubjectTypeRemoved", subject(it)),
        Diff::PermissionAdded(it) => ("PermissionAdded", it.parent_definition_name + "#" + &it.name),
        Diff::PermissionRemoved(it) => ("PermissionRemoved", it.parent_definition_name + "#" + &it.name),
        Diff::PermissionDocCommentChanged(it) => ("PermissionDocCommentChanged", it.name + " " + &it.comment),
        Diff::PermissionExprChanged(it) => ("PermissionExprChanged", it.name),
        Diff::CaveatAdded(it) => ("CaveatAdded", it.name),
        Diff::CaveatRemoved(it) => ("CaveatRemoved", it.name),
        Diff::CaveatDocCommentChanged(it) => ("CaveatDocCommentChanged", it.name + " " + &it.comment),
        Diff::CaveatExprChanged(it) => ("CaveatExprChanged", it.name + " " + &it.expression),
        Diff::CaveatParameterAdded(it) => ("CaveatParameterAdded", parameter(it)),
        Diff::CaveatParameterRemoved(it) => ("CaveatParameterRemoved", parameter(it)),
        Diff::CaveatParameterTypeChanged(it) => {
            let previous = it.previous_type;
            ("CaveatParameterTypeChanged", parameter(it.parameter.unwrap()) + " was " + &previous)
        }
    }
}

#[tokio::test]
#[expect(deprecated, reason = "older clients call the twin")]
async fn each_of_the_19_kinds_of_change_is_told_and_by_the_deprecated_twin_too() {
    let harness = Harness::start_with(Limits::default(), |_| ()).await;
    harness.write_schema(KINDS_BEFORE).await.unwrap();
    let diffs = diff(&harness, KINDS_AFTER).await.unwrap();
    let found: Vec<_> = diffs.iter().cloned().map(told).collect();
    let found: Vec<_> = found.iter().map(|(kind, what)| (*kind, what.as_str())).collect();
    assert_eq!(
        found,
        [
            ("DefinitionAdded", "coming"),
            ("DefinitionRemoved", "leaving"),
            ("CaveatAdded", "fresh"),
            ("CaveatRemoved", "dropped"),
            ("RelationRemoved", "doc#lost"),
            ("RelationAdded", "doc#found"),
            ("PermissionRemoved", "doc#away"),
            ("PermissionAdded", "doc#here"),
            ("PermissionExprChanged", "view"),
            ("PermissionDocCommentChanged", "see // q"),
            ("RelationSubjectTypeRemoved", "owner robot IsTerminalSubject(false) dropped"),
            ("RelationSubjectTypeAdded", "owner user IsPublicWildcard(true) "),
            ("RelationDocCommentChanged", "told // y"),
            ("DefinitionDocCommentChanged", "user // new"),
            ("CaveatDocCommentChanged", "kept // c"),
            ("CaveatParameterRemoved", "kept gone int"),
            ("CaveatParameterAdded", "kept more int"),
            ("CaveatParameterTypeChanged", "kept one bool was int"),
            ("CaveatExprChanged", "kept one && more > 1"),
        ]
    );
    // The messages of both have the same fields under the same numbers.
    let request =
        wire::ExperimentalDiffSchemaRequest { comparison_schema: KINDS_AFTER.into(), ..Default::default() };
    let twin = experimental(&harness).experimental_diff_schema(request).await.unwrap().into_inner();
    let encoded: Vec<Vec<u8>> = twin.diffs.iter().map(prost::Message::encode_to_vec).collect();
    let expected = diffs.into_iter().map(|diff| wire::ReflectionSchemaDiff { diff: Some(diff) });
    assert_eq!(encoded, expected.map(|diff| prost::Message::encode_to_vec(&diff)).collect::<Vec<_>>());
}
