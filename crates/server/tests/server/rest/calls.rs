//! Every route with a body that succeeds and one that fails.

/// A route, a body that succeeds on the data of `prepare`, and one that fails.
pub struct Call {
    pub path: &'static str,
    pub good: &'static str,
    pub bad: &'static str,
    /// The HTTP status and the gRPC code of the failure.
    pub failure: (u16, i64),
    pub is_stream: bool,
}

const fn call(path: &'static str, good: &'static str, bad: &'static str, failure: (u16, i64)) -> Call {
    Call { path, good, bad, failure, is_stream: false }
}

const fn stream(path: &'static str, good: &'static str, bad: &'static str, failure: (u16, i64)) -> Call {
    Call { path, good, bad, failure, is_stream: true }
}

const INVALID: (u16, i64) = (400, 3);
const PRECONDITION: (u16, i64) = (400, 9);

const GOOD_ITEM: &str = r#"{"items":[{"resource":{"objectType":"document","objectId":"a"},"permission":"view","subject":{"object":{"objectType":"user","objectId":"ada"}}}]}"#;
const BAD_ITEM: &str = r#"{"items":[{"permission":"view"}]}"#;
const GOOD_IMPORT: &str = r#"{"relationships":[{"resource":{"objectType":"document","objectId":"new"},"relation":"owner","subject":{"object":{"objectType":"user","objectId":"ada"}}}]}"#;
const BAD_IMPORT: &str = r#"{"relationships":[{"resource":{"objectType":"document","objectId":"a"},"relation":"owner","subject":{"object":{"objectType":"user","objectId":"ada"}}}]}"#;
const DOCUMENTS: &str = r#"{"relationshipFilter":{"resourceType":"document"}}"#;

/// All of them, in an order in which each good one succeeds.
pub const CALLS: [Call; 27] = [
    call("/v1/schema/read", "{}", "[]", INVALID),
    call(
        "/v1/relationships/write",
        r#"{"updates":[{"operation":"OPERATION_TOUCH","relationship":{"resource":{"objectType":"document","objectId":"a"},"relation":"owner","subject":{"object":{"objectType":"user","objectId":"ada"}}}}]}"#,
        r#"{"updates":[{"operation":"OPERATION_CREATE","relationship":{"resource":{"objectType":"document","objectId":"a"},"relation":"owner","subject":{"object":{"objectType":"user","objectId":"ada"}}}}]}"#,
        (409, 6),
    ),
    stream(
        "/v1/relationships/read",
        DOCUMENTS,
        r#"{"relationshipFilter":{"resourceType":"nothing"}}"#,
        PRECONDITION,
    ),
    call(
        "/v1/permissions/check",
        r#"{"resource":{"objectType":"document","objectId":"a"},"permission":"view","subject":{"object":{"objectType":"user","objectId":"ada"}}}"#,
        r#"{"resource":{"objectType":"document","objectId":"a"},"permission":"nothing","subject":{"object":{"objectType":"user","objectId":"ada"}}}"#,
        PRECONDITION,
    ),
    call("/v1/permissions/checkbulk", GOOD_ITEM, BAD_ITEM, INVALID),
    call(
        "/v1/permissions/expand",
        r#"{"resource":{"objectType":"document","objectId":"a"},"permission":"view"}"#,
        r#"{"resource":{"objectType":"nothing","objectId":"a"},"permission":"view"}"#,
        PRECONDITION,
    ),
    stream(
        "/v1/permissions/resources",
        r#"{"resourceObjectType":"document","permission":"view","subject":{"object":{"objectType":"user","objectId":"ada"}}}"#,
        r#"{"resourceObjectType":"document","permission":"view"}"#,
        INVALID,
    ),
    stream(
        "/v1/permissions/subjects",
        r#"{"resource":{"objectType":"document","objectId":"a"},"permission":"view","subjectObjectType":"user"}"#,
        r#"{"resource":{"objectType":"document","objectId":"a"},"permission":"view","subjectObjectType":"nothing"}"#,
        PRECONDITION,
    ),
    call("/v1/relationships/importbulk", GOOD_IMPORT, BAD_IMPORT, (409, 6)),
    stream("/v1/relationships/exportbulk", "{}", r#"{"optionalCursor":{"token":"nonsense"}}"#, INVALID),
    call(
        "/v1/relationships/delete",
        r#"{"relationshipFilter":{"resourceType":"document","optionalResourceId":"new"}}"#,
        "{}",
        INVALID,
    ),
    stream("/v1/watch", "{}", r#"{"optionalStartCursor":{"token":"nonsense"}}"#, INVALID),
    call("/v1/schema/reflectschema", "{}", r#"{"consistency":{"atLeastAsFresh":{}}}"#, INVALID),
    call(
        "/v1/schema/permissions/computable",
        r#"{"definitionName":"document","relationName":"owner"}"#,
        r#"{"definitionName":"nothing","relationName":"owner"}"#,
        PRECONDITION,
    ),
    call(
        "/v1/schema/permissions/dependent",
        r#"{"definitionName":"document","permissionName":"view"}"#,
        r#"{"definitionName":"nothing","permissionName":"view"}"#,
        PRECONDITION,
    ),
    call(
        "/v1/schema/diffschema",
        r#"{"comparisonSchema":"definition user {}"}"#,
        r#"{"comparisonSchema":"definition {"}"#,
        INVALID,
    ),
    call("/v1/experimental/permissions/bulkcheckpermission", GOOD_ITEM, BAD_ITEM, INVALID),
    call("/v1/experimental/relationships/bulkimport", GOOD_IMPORT, BAD_IMPORT, (409, 6)),
    stream(
        "/v1/experimental/relationships/bulkexport",
        "{}",
        r#"{"optionalCursor":{"token":"nonsense"}}"#,
        INVALID,
    ),
    call("/v1/experimental/reflectschema", "{}", r#"{"consistency":{"atLeastAsFresh":{}}}"#, INVALID),
    call(
        "/v1/experimental/permissions/computable",
        r#"{"definitionName":"document","relationName":"owner"}"#,
        r#"{"definitionName":"nothing","relationName":"owner"}"#,
        PRECONDITION,
    ),
    call(
        "/v1/experimental/permissions/dependent",
        r#"{"definitionName":"document","permissionName":"view"}"#,
        r#"{"definitionName":"nothing","permissionName":"view"}"#,
        PRECONDITION,
    ),
    call(
        "/v1/experimental/diffschema",
        r#"{"comparisonSchema":"definition user {}"}"#,
        r#"{"comparisonSchema":"definition {"}"#,
        INVALID,
    ),
    call(
        "/v1/experimental/registerrelationshipcounter",
        r#"{"name":"documents","relationshipFilter":{"resourceType":"document"}}"#,
        r#"{"name":"documents","relationshipFilter":{"resourceType":"document"}}"#,
        PRECONDITION,
    ),
    call(
        "/v1/experimental/countrelationships",
        r#"{"name":"documents"}"#,
        r#"{"name":"nothing"}"#,
        PRECONDITION,
    ),
    call(
        "/v1/experimental/unregisterrelationshipcounter",
        r#"{"name":"documents"}"#,
        r#"{"name":"documents"}"#,
        PRECONDITION,
    ),
    call(
        "/v1/schema/write",
        r#"{"schema":"definition user {}\n\ndefinition document {\n  relation owner: user\n}"}"#,
        r#"{"schema":"definition {"}"#,
        INVALID,
    ),
];
