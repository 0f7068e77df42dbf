//! All calls of the interface, each with the verbs it needs.
#![expect(deprecated, reason = "old clients call them")]

use pemba_agents::client::Verb::{self, *};
use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::relationship_update::Operation;
use tonic::Status;

use crate::clients::with;
use crate::harness::*;

/// The calls by name, a `+` for the same call again, and the sets of verbs each of which is enough.
pub const CALLS: [(&str, &[&[Verb]]); 29] = [
    ("CheckPermission", &[&[Check]]),
    ("CheckPermission+traced", &[&[Check, Explain]]),
    ("CheckBulkPermissions", &[&[Check]]),
    ("ExpandPermissionTree", &[&[Explain]]),
    ("LookupResources", &[&[Lookup]]),
    ("LookupSubjects", &[&[Lookup]]),
    ("ReadRelationships", &[&[Read]]),
    ("WriteRelationships", &[&[Write]]),
    ("WriteRelationships+deletion", &[&[Delete]]),
    ("DeleteRelationships", &[&[Delete]]),
    ("ImportBulkRelationships", &[&[Import]]),
    ("ExportBulkRelationships", &[&[Export]]),
    ("ReadSchema", &[&[Read], &[Schema]]),
    ("WriteSchema", &[&[Schema]]),
    ("ReflectSchema", &[&[Read], &[Schema]]),
    ("ComputablePermissions", &[&[Read], &[Schema]]),
    ("DependentRelations", &[&[Read], &[Schema]]),
    ("DiffSchema", &[&[Read], &[Schema]]),
    ("Watch", &[&[Watch]]),
    ("BulkCheckPermission", &[&[Check]]),
    ("BulkImportRelationships", &[&[Import]]),
    ("BulkExportRelationships", &[&[Export]]),
    ("ExperimentalReflectSchema", &[&[Read], &[Schema]]),
    ("ExperimentalComputablePermissions", &[&[Read], &[Schema]]),
    ("ExperimentalDependentRelations", &[&[Read], &[Schema]]),
    ("ExperimentalDiffSchema", &[&[Read], &[Schema]]),
    ("ExperimentalRegisterRelationshipCounter", &[&[Schema, Read]]),
    ("ExperimentalCountRelationships", &[&[Read]]),
    ("ExperimentalUnregisterRelationshipCounter", &[&[Schema]]),
];

/// Makes a call with a key; whether it was let in shows in the error, if any.
pub async fn call(harness: &Harness, key: &str, name: &str) -> Result<(), Status> {
    match name {
        _ if name.starts_with("Bulk") || name.starts_with("Experimental") => {
            experimental(harness, key, name).await
        }
        "Watch" => harness.watches().watch(with(key, wire::WatchRequest::default())).await.map(drop),
        _ if name.contains("Schema") || name.starts_with("Comp") || name.starts_with("Dep") => {
            schemas(harness, key, name).await
        }
        _ => permissions(harness, key, name).await,
    }
}

const QUESTION: &str = "document:a#view@user:ada";

fn updates(operation: Operation) -> wire::WriteRelationshipsRequest {
    let updates = vec![update(operation, "document:a#owner@user:ada")];
    wire::WriteRelationshipsRequest { updates, ..Default::default() }
}

async fn permissions(harness: &Harness, key: &str, name: &str) -> Result<(), Status> {
    let mut client = harness.permissions();
    let resource = Some(object("document", "a"));
    let permission = || "view".to_owned();
    match name {
        "CheckPermission" => client.check_permission(with(key, check_request(QUESTION))).await.map(drop),
        "CheckPermission+traced" => {
            let request = wire::CheckPermissionRequest { with_tracing: true, ..check_request(QUESTION) };
            client.check_permission(with(key, request)).await.map(drop)
        }
        "CheckBulkPermissions" => {
            let items = vec![bulk_item(QUESTION)];
            let request = wire::CheckBulkPermissionsRequest { items, ..Default::default() };
            client.check_bulk_permissions(with(key, request)).await.map(drop)
        }
        "ExpandPermissionTree" => {
            let request = wire::ExpandPermissionTreeRequest {
                resource,
                permission: permission(),
                ..Default::default()
            };
            client.expand_permission_tree(with(key, request)).await.map(drop)
        }
        "LookupResources" => {
            let request = wire::LookupResourcesRequest {
                resource_object_type: "document".into(),
                permission: permission(),
                subject: Some(subject("user:ada")),
                ..Default::default()
            };
            client.lookup_resources(with(key, request)).await.map(drop)
        }
        "LookupSubjects" => {
            let request = wire::LookupSubjectsRequest {
                resource,
                permission: permission(),
                subject_object_type: "user".into(),
                ..Default::default()
            };
            client.lookup_subjects(with(key, request)).await.map(drop)
        }
        "ReadRelationships" => {
            let relationship_filter = Some(type_filter("document"));
            let request = wire::ReadRelationshipsRequest { relationship_filter, ..Default::default() };
            client.read_relationships(with(key, request)).await.map(drop)
        }
        "WriteRelationships" => {
            client.write_relationships(with(key, updates(Operation::Touch))).await.map(drop)
        }
        "WriteRelationships+deletion" => {
            client.write_relationships(with(key, updates(Operation::Delete))).await.map(drop)
        }
        "DeleteRelationships" => {
            let relationship_filter = Some(type_filter("document"));
            let request = wire::DeleteRelationshipsRequest { relationship_filter, ..Default::default() };
            client.delete_relationships(with(key, request)).await.map(drop)
        }
        "ImportBulkRelationships" => {
            let relationships = vec![relationship("document:b#owner@user:ada")];
            let parts = tokio_stream::iter([wire::ImportBulkRelationshipsRequest { relationships }]);
            client.import_bulk_relationships(with(key, parts)).await.map(drop)
        }
        "ExportBulkRelationships" => {
            let request = wire::ExportBulkRelationshipsRequest::default();
            client.export_bulk_relationships(with(key, request)).await.map(drop)
        }
        other => panic!("{other}"),
    }
}

async fn schemas(harness: &Harness, key: &str, name: &str) -> Result<(), Status> {
    let mut client = harness.schemas();
    let read = || with(key, wire::ReadSchemaRequest {});
    match name {
        "ReadSchema" => client.read_schema(read()).await.map(drop),
        "WriteSchema" => {
            let schema = harness.database.read_schema().unwrap().text;
            client.write_schema(with(key, wire::WriteSchemaRequest { schema })).await.map(drop)
        }
        "ReflectSchema" => {
            client.reflect_schema(with(key, wire::ReflectSchemaRequest::default())).await.map(drop)
        }
        "ComputablePermissions" => {
            let request = wire::ComputablePermissionsRequest {
                definition_name: "document".into(),
                relation_name: "owner".into(),
                ..Default::default()
            };
            client.computable_permissions(with(key, request)).await.map(drop)
        }
        "DependentRelations" => {
            let request = wire::DependentRelationsRequest {
                definition_name: "document".into(),
                permission_name: "view".into(),
                ..Default::default()
            };
            client.dependent_relations(with(key, request)).await.map(drop)
        }
        "DiffSchema" => client.diff_schema(with(key, wire::DiffSchemaRequest::default())).await.map(drop),
        other => panic!("{other}"),
    }
}

async fn experimental(harness: &Harness, key: &str, name: &str) -> Result<(), Status> {
    let mut client = harness.experimental();
    match name {
        "BulkCheckPermission" => {
            let item = bulk_item(QUESTION);
            let item = wire::BulkCheckPermissionRequestItem {
                resource: item.resource,
                permission: item.permission,
                subject: item.subject,
                context: None,
            };
            let request = wire::BulkCheckPermissionRequest { items: vec![item], ..Default::default() };
            client.bulk_check_permission(with(key, request)).await.map(drop)
        }
        "BulkImportRelationships" => {
            let relationships = vec![relationship("document:c#owner@user:ada")];
            let parts = tokio_stream::iter([wire::BulkImportRelationshipsRequest { relationships }]);
            client.bulk_import_relationships(with(key, parts)).await.map(drop)
        }
        "BulkExportRelationships" => {
            let request = wire::BulkExportRelationshipsRequest::default();
            client.bulk_export_relationships(with(key, request)).await.map(drop)
        }
        "ExperimentalReflectSchema" => {
            let request = wire::ExperimentalReflectSchemaRequest::default();
            client.experimental_reflect_schema(with(key, request)).await.map(drop)
        }
        "ExperimentalComputablePermissions" => {
            let request = wire::ExperimentalComputablePermissionsRequest {
                definition_name: "document".into(),
                relation_name: "owner".into(),
                ..Default::default()
            };
            client.experimental_computable_permissions(with(key, request)).await.map(drop)
        }
        "ExperimentalDependentRelations" => {
            let request = wire::ExperimentalDependentRelationsRequest {
                definition_name: "document".into(),
                permission_name: "view".into(),
                ..Default::default()
            };
            client.experimental_dependent_relations(with(key, request)).await.map(drop)
        }
        "ExperimentalDiffSchema" => {
            let request = wire::ExperimentalDiffSchemaRequest::default();
            client.experimental_diff_schema(with(key, request)).await.map(drop)
        }
        "ExperimentalRegisterRelationshipCounter" => {
            let request = wire::ExperimentalRegisterRelationshipCounterRequest {
                name: "documents".into(),
                relationship_filter: Some(type_filter("document")),
            };
            client.experimental_register_relationship_counter(with(key, request)).await.map(drop)
        }
        "ExperimentalCountRelationships" => {
            let request = wire::ExperimentalCountRelationshipsRequest { name: "documents".into() };
            client.experimental_count_relationships(with(key, request)).await.map(drop)
        }
        "ExperimentalUnregisterRelationshipCounter" => {
            let request = wire::ExperimentalUnregisterRelationshipCounterRequest { name: "documents".into() };
            client.experimental_unregister_relationship_counter(with(key, request)).await.map(drop)
        }
        other => panic!("{other}"),
    }
}
