//! Writing and reading the schema, and what stored relationships forbid.

use crate::support::{SCHEMA, clock, create, head, memory, open, open_with, write};
use pemba_db::{Consistency, Database, Options, SchemaError, SchemaOperation, Storage};
use pemba_model::Limits;

fn replaced(database: &Database, from: &str, to: &str) -> Result<(), SchemaError> {
    assert!(SCHEMA.contains(from), "{from}");
    database.write_schema(SCHEMA.replace(from, to)).wait().map(|_| ())
}

#[test]
fn the_schema_is_read_back_in_canonical_form() {
    let database = Database::open(Storage::Memory, Options::default()).unwrap();
    assert_eq!(database.read_schema(), None);
    database.write_schema("caveat lone(flag bool) { flag }".to_owned()).wait().unwrap();
    assert_eq!(database.read_schema(), None, "a caveat alone defines nothing");
    let committed = database.write_schema("definition  user{}".to_owned()).wait().unwrap();
    let stored = database.read_schema().unwrap();
    assert_eq!(stored.text.trim(), "definition user {}");
    assert_eq!((stored.revision, stored.token), (committed.revision, committed.token));
    // Nothing forbids to take everything back while there is no data.
    database.write_schema(String::new()).wait().unwrap();
    assert_eq!(database.read_schema(), None);
}

#[test]
fn an_invalid_schema_is_refused_with_its_findings() {
    let database = open();
    let before = database.head();
    let error = database.write_schema("definition user { relation x: }".to_owned()).wait().unwrap_err();
    let SchemaError::Rejected(rejected) = error else { panic!("{error:?}") };
    assert!(!rejected.diagnostics.is_empty());
    assert_eq!(database.head(), before);
}

#[test]
fn what_relationships_need_stays() {
    let database = open();
    for text in [
        "document:a#viewer@user:x",
        "document:a#viewer@group:g#member",
        "document:b#viewer@user:x[limit]",
        "document:a#owner@user:y",
    ] {
        database.write(write([create(text)])).wait().unwrap();
    }
    let viewer = "relation viewer: user | user:* | group#member | user with limit | user with expiration | user with limit and expiration";
    let cases = [
        // The trait must match exactly: dropping the plain subject keeps the caveated one and fails all the same.
        (
            viewer,
            "relation viewer: user:* | group#member | user with limit",
            SchemaOperation::RemoveAllowedType,
            Some("user"),
            "document:a#viewer@user:x",
        ),
        (
            viewer,
            "relation viewer: user | user:* | group#member",
            SchemaOperation::RemoveAllowedType,
            Some("user with limit"),
            "document:b#viewer@user:x[limit]",
        ),
        (
            viewer,
            "relation viewer: user | user:* | user with limit",
            SchemaOperation::RemoveAllowedType,
            Some("group#member"),
            "document:a#viewer@group:g#member",
        ),
    ];
    for (from, to, operation, allowed, example) in cases {
        let error = replaced(&database, from, to).unwrap_err();
        let SchemaError::RelationshipsExist {
            operation: found, allowed_type, relationship, relation, ..
        } = error
        else {
            panic!("{error:?}")
        };
        assert_eq!(found, operation);
        assert_eq!(allowed_type.as_deref(), allowed);
        assert_eq!(relationship.to_string(), example);
        assert_eq!(relation.as_deref(), Some("viewer"));
    }
    // What no relationship uses may go.
    replaced(&database, "user:* | ", "").unwrap();
    database.write_schema(SCHEMA.to_owned()).wait().unwrap();
}

#[test]
fn relations_and_definitions_in_use_stay() {
    let database = open();
    database.write(write([create("document:a#owner@user:y")])).wait().unwrap();
    let text = SCHEMA.replace("\trelation owner: user\n", "").replace("viewer + owner", "viewer");
    let error = database.write_schema(text).wait().unwrap_err();
    let SchemaError::RelationshipsExist { operation, resource_type, relation, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!((*operation, resource_type.as_str()), (SchemaOperation::DeleteRelation, "document"));
    assert_eq!(relation.as_deref(), Some("owner"));
    assert!(error.to_string().contains("document:a#owner@user:y"), "{error}");

    let end = SCHEMA.find("definition document").unwrap();
    let error = database.write_schema(SCHEMA[..end].to_owned()).wait().unwrap_err();
    let SchemaError::RelationshipsExist { operation, resource_type, .. } = error else { panic!("{error:?}") };
    assert_eq!((operation, resource_type.as_str()), (SchemaOperation::DeleteObjectDefinition, "document"));
    assert!(database.read_schema().unwrap().text.contains("document"));

    database.write(write([crate::support::delete("document:a#owner@user:y")])).wait().unwrap();
    database.write_schema(SCHEMA[..end].to_owned()).wait().unwrap();
    assert!(!database.read_schema().unwrap().text.contains("document"));
}

#[test]
fn a_relation_named_by_usersets_stays() {
    let database = open();
    database.write(write([create("document:a#viewer@group:g#member")])).wait().unwrap();
    let text = SCHEMA
        .replace("group#member | user with limit", "user with limit")
        .replace("\trelation member: user | group#member\n", "");
    let error = database.write_schema(text).wait().unwrap_err();
    let SchemaError::RelationshipsExist { operation, relationship, .. } = error else { panic!("{error:?}") };
    assert!(
        matches!(operation, SchemaOperation::DeleteRelationReverseCheck | SchemaOperation::RemoveAllowedType),
        "{operation}"
    );
    assert_eq!(relationship.to_string(), "document:a#viewer@group:g#member");
}

#[test]
fn caveat_parameters_only_grow() {
    let database = open();
    let error =
        replaced(&database, "(max int, tag string) {\n\tmax > 3 && tag == \"x\"", "(max int) {\n\tmax > 3");
    let Err(SchemaError::CaveatParameter { operation, caveat_name, parameter_name }) = error else {
        panic!("{error:?}")
    };
    assert_eq!(operation, SchemaOperation::RemoveParameter);
    assert_eq!((caveat_name.as_str(), parameter_name.as_str()), ("limit", "tag"));
    let error = replaced(&database, "max int", "max uint");
    assert!(matches!(
        error,
        Err(SchemaError::CaveatParameter { operation: SchemaOperation::ChangeParameterType, .. })
    ));
    replaced(&database, "(max int, tag string) {\n\t", "(max int, tag string, more bool) {\n\tmore && ")
        .unwrap();
}

#[test]
fn what_has_expired_forbids_nothing() {
    let clock = clock();
    let database = open_with(&memory(), Limits::default(), &clock);
    database.write_schema(SCHEMA.to_owned()).wait().unwrap();
    let expiring = create("document:a#viewer@user:x[expiration:2026-01-01T00:00:10Z]");
    let written = database.write(write([expiring])).wait().unwrap();
    let without = |database: &Database| {
        replaced(
            database,
            "user with expiration | user with limit and expiration",
            "user with limit and expiration",
        )
    };
    assert!(without(&database).is_err());
    clock.advance_ms(10_000);
    without(&database).unwrap();
    // Older revisions are read with the schema they had.
    let old = database.view(&Consistency::AtExactSnapshot(written.token)).unwrap();
    assert!(old.snapshot().schema().definitions["document"].relations["viewer"].allowed.len() == 6);
    assert!(
        head(&database).snapshot().schema().definitions["document"].relations["viewer"].allowed.len() == 5
    );
}
