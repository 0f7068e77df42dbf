//! The same calls, in the same order, as they were answered by SpiceDB's gateway: statuses and bodies must agree but
//! for what each server makes up (tokens, ids, the wording of messages, the layout of schema text).
//!
//! `golden.json` is written by this test when `PEMBA_REST_PEER` names a fresh SpiceDB gateway, as `host:port`, that
//! was started with the preshared key `k`.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

use super::calls::CALLS;
use super::http::{Reply, request, send, start_with};
use crate::harness::SCHEMA;
use pemba_model::Limits;

const GOLDEN: &str = include_str!("golden.json");

const ADA: &str = r#""subject":{"object":{"objectType":"user","objectId":"ada"}}"#;
const FULL: &str = r#""consistency":{"fullyConsistent":true}"#;

fn relationship(text: &str, more: &str) -> String {
    let (resource, rest) = text.split_once('#').unwrap();
    let (relation, subject) = rest.split_once('@').unwrap();
    let (object, of) = subject.split_once('#').unwrap_or((subject, ""));
    let reference = |text: &str| {
        let (object_type, id) = text.split_once(':').unwrap();
        format!(r#"{{"objectType":"{object_type}","objectId":"{id}"}}"#)
    };
    format!(
        r#"{{"resource":{},"relation":"{relation}","subject":{{"object":{},"optionalRelation":"{of}"}}{more}}}"#,
        reference(resource),
        reference(object)
    )
}

fn write(operation: &str, relationships: &[String]) -> String {
    let updates: Vec<String> = relationships
        .iter()
        .map(|relationship| {
            format!(r#"{{"operation":"OPERATION_{operation}","relationship":{relationship}}}"#)
        })
        .collect();
    format!(r#"{{"updates":[{}]}}"#, updates.join(","))
}

fn question(id: &str, permission: &str, subject: &str) -> String {
    format!(
        r#""resource":{{"objectType":"document","objectId":"{id}"}},"permission":"{permission}","subject":{{"object":{{"objectType":"user","objectId":"{subject}"}}}}"#
    )
}

/// The calls on an empty server.
fn calls() -> Vec<(&'static str, String)> {
    let schema = json!({ "schema": SCHEMA }).to_string();
    let data = write(
        "TOUCH",
        &[
            relationship("document:a#owner@user:ada", ""),
            relationship("document:a#viewer@group:g#member", ""),
            relationship("group:g#member@user:bob", ""),
            relationship("document:b#viewer@user:*", ""),
            relationship("document:b#banned@user:bob", ""),
            relationship("document:c#viewer@user:exp", r#","optionalExpiresAt":"2130-01-01T00:00:00.250Z""#),
            relationship("document:d#viewer@user:cond", r#","optionalCaveat":{"caveatName":"on_call"}"#),
            relationship("document:t1#viewer@user:cond", r#","optionalCaveat":{"caveatName":"on_call"}"#),
            relationship("document:t2#viewer@user:cond", r#","optionalCaveat":{"caveatName":"on_call"}"#),
            relationship(
                "document:d#viewer@user:with",
                r#","optionalCaveat":{"caveatName":"on_call","context":{"level":7}}"#,
            ),
        ],
    );
    let twice = write("CREATE", &[relationship("document:a#owner@user:ada", "")]);
    let unmet = r#","optionalPreconditions":[{"operation":"OPERATION_MUST_NOT_MATCH","filter":{"resourceType":"document","optionalResourceId":"a"}}]}"#;
    let unmet = format!("{}{unmet}", twice.strip_suffix('}').unwrap());
    let part = |id: &str| {
        format!(r#"{{"relationships":[{}]}}"#, relationship(&format!("document:{id}#owner@user:ada"), ""))
    };
    let mut calls = vec![
        ("/v1/schema/read", "{}".to_owned()),
        ("/v1/permissions/check", format!("{{{}}}", question("a", "view", "ada"))),
        ("/v1/relationships/read", r#"{"relationshipFilter":{"resourceType":"document"}}"#.to_owned()),
        ("/v1/schema/write", schema),
        ("/v1/schema/read", String::new()),
        ("/v1/relationships/write", data),
        ("/v1/relationships/write", twice),
        ("/v1/relationships/write", unmet),
        ("/v1/relationships/write", write("TOUCH", &[relationship("document:a#owner@group:g", "")])),
        (
            "/v1/relationships/read",
            format!(r#"{{{FULL},"relationshipFilter":{{"resourceType":"document"}}}}"#),
        ),
        (
            "/v1/relationships/read",
            format!(
                r#"{{{FULL},"relationshipFilter":{{"resourceType":"document","optionalResourceId":"a"}},"optionalLimit":"1"}}"#
            ),
        ),
        (
            "/v1/relationships/read",
            format!(
                r#"{{{FULL},"relationshipFilter":{{"resourceType":"document","optionalResourceId":"none"}}}}"#
            ),
        ),
        (
            "/v1/relationships/read",
            format!(r#"{{{FULL},"relationshipFilter":{{"resourceType":"nothing"}}}}"#),
        ),
    ];
    for (id, permission, subject) in [
        ("a", "view", "ada"),
        ("a", "view", "bob"),
        ("b", "view", "ada"),
        ("b", "view", "bob"),
        ("d", "view", "cond"),
        ("a", "nothing", "ada"),
        ("%", "view", "ada"),
    ] {
        calls.push(("/v1/permissions/check", format!("{{{FULL},{}}}", question(id, permission, subject))));
    }
    let items = [("a", "view"), ("b", "edit"), ("a", "nothing")];
    let items = items.map(|(id, permission)| format!("{{{}}}", question(id, permission, "ada")));
    calls.extend([
        ("/v1/permissions/checkbulk", format!(r#"{{{FULL},"items":[{}]}}"#, items.join(","))),
        ("/v1/permissions/expand", format!(r#"{{{FULL},"resource":{{"objectType":"document","objectId":"a"}},"permission":"view"}}"#)),
        ("/v1/permissions/expand", format!(r#"{{{FULL},"resource":{{"objectType":"nothing","objectId":"a"}},"permission":"view"}}"#)),
        ("/v1/permissions/resources", format!(r#"{{{FULL},"resourceObjectType":"document","permission":"view",{ADA}}}"#)),
        ("/v1/permissions/resources", format!(r#"{{{FULL},"resourceObjectType":"document","permission":"nothing",{ADA}}}"#)),
        ("/v1/permissions/subjects", format!(r#"{{{FULL},"resource":{{"objectType":"document","objectId":"a"}},"permission":"view","subjectObjectType":"user"}}"#)),
        ("/v1/permissions/subjects", format!(r#"{{{FULL},"resource":{{"objectType":"document","objectId":"b"}},"permission":"view","subjectObjectType":"user"}}"#)),
        ("/v1/relationships/exportbulk", format!("{{{FULL}}}")),
        ("/v1/relationships/importbulk", format!("{}\n{}", part("i1"), part("i2"))),
        ("/v1/relationships/importbulk", part("i1")),
        ("/v1/relationships/importbulk", format!("{}x", part("i3"))),
        ("/v1/relationships/delete", r#"{"relationshipFilter":{"resourceType":"document","optionalResourceIdPrefix":"i"}}"#.to_owned()),
        ("/v1/relationships/delete", r#"{"relationship_filter":{"resource_type":"document","optional_resource_id":"a"},"optional_limit":1,"optional_allow_partial_deletions":true}"#.to_owned()),
        ("/v1/nothing", "{}".to_owned()),
    ]);
    calls.extend(contexts_and_traces());
    for body in
        ["[]", "{", r#"{"resource":5}"#, r#"{"permission":5}"#, r#"{"permission":"a","permission":"b"}"#]
    {
        calls.push(("/v1/permissions/check", body.to_owned()));
    }
    // The routes not asked above. A schema that removes what is in use names any one relationship.
    calls.extend(
        CALLS
            .iter()
            .filter(|call| call.path.contains("/schema/") || call.path.contains("experimental"))
            .flat_map(|call| [(call.path, call.good.to_owned()), (call.path, call.bad.to_owned())])
            .filter(|(_, body)| !body.contains("definition document {"))
            .map(|(path, body)| (path, at_head(body))),
    );
    calls
}

/// Questions with values for caveats, and such that ask how the answer came about.
fn contexts_and_traces() -> Vec<(&'static str, String)> {
    let check = |id: &str, subject: &str, more: &str| {
        ("/v1/permissions/check", format!("{{{FULL},{},{more}}}", question(id, "view", subject)))
    };
    let level = |level: &str| format!(r#""context":{{"level":{level},"unused":[null,{{"a":"b"}}]}}"#);
    let traced = r#""withTracing":true"#;
    let items =
        ["7", "1", "\"x\""].map(|value| format!("{{{},{}}}", question("d", "view", "cond"), level(value)));
    let lookup = r#""resourceObjectType":"document","permission":"view","subject":{"object":{"objectType":"user","objectId":"cond"}}"#;
    let subjects = r#""resource":{"objectType":"document","objectId":"d"},"permission":"view","subjectObjectType":"user""#;
    vec![
        check("d", "cond", &level("7")),
        check("d", "cond", &level("1")),
        check("d", "cond", &level("\"7\"")),
        check("d", "cond", &level("\"x\"")),
        check("d", "cond", r#""context":{}"#),
        check("d", "cond", r#""context":5"#),
        check("d", "with", &level("1")),
        ("/v1/permissions/checkbulk", format!(r#"{{{FULL},"items":[{}]}}"#, items.join(","))),
        ("/v1/permissions/resources", format!("{{{FULL},{lookup},{}}}", level("7"))),
        ("/v1/permissions/resources", format!("{{{FULL},{lookup},{}}}", level("1"))),
        ("/v1/permissions/resources", format!("{{{FULL},{lookup}}}")),
        ("/v1/permissions/subjects", format!("{{{FULL},{subjects},{}}}", level("7"))),
        ("/v1/permissions/subjects", format!("{{{FULL},{subjects}}}")),
        check("a", "ada", traced),
        check("a", "bob", traced),
        check("a", "eve", traced),
        check("t1", "cond", traced),
        check("t2", "cond", &format!("{traced},{}", level("7"))),
        check("a", "ada", r#""withTracing":"yes""#),
    ]
}

/// The same body asking for the newest state, which the peer does not show for some seconds otherwise.
fn at_head(body: String) -> String {
    match body.strip_prefix('{') {
        Some("}") => format!("{{{FULL}}}"),
        Some(rest) if !body.contains("consistency") => format!("{{{FULL},{rest}"),
        _ => body,
    }
}

/// What both servers must say alike.
fn compared(reply: &Reply) -> Value {
    let values = serde_json::Deserializer::from_str(&reply.body).into_iter::<Value>();
    let mut values: Vec<Value> = values.map(Result::unwrap).map(normalised).collect();
    // Which relationships of an export share a line, and in which order, is each server's own.
    let exported = |value: &Value| value["result"]["relationships"].as_array().cloned();
    let all: Vec<Vec<Value>> = values.iter().filter_map(exported).collect();
    if !all.is_empty() && all.len() == values.len() {
        values = all.concat();
    }
    values.sort_by_key(Value::to_string);
    json!({ "status": reply.status, "answer": values })
}

fn normalised(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            // Only Pemba's lookups of subjects have cursors, and only its parse errors end after they begin.
            let is_subject = members.contains_key("excludedSubjects");
            let is_error = members.contains_key("code") && members.contains_key("details");
            let is_conditional = members.get("caveatEvaluationInfo").is_some_and(Value::is_object);
            let is_trace = members.contains_key("permissionType") && members.contains_key("traceOperationId");
            let mut out = serde_json::Map::new();
            for (name, value) in members {
                let value = match (name.as_str(), &value) {
                    ("afterResultCursor", _) if is_subject => continue,
                    ("end_column_position", _) => continue,
                    // A node under a caveat is open there, whatever the caveat says; its parts come in no order.
                    ("result", _) if is_trace && is_conditional => continue,
                    ("traces", Value::Array(traces)) => {
                        let mut traces: Vec<Value> = traces.iter().cloned().map(normalised).collect();
                        traces.sort_by_key(Value::to_string);
                        traces.into()
                    }
                    // Of a trace, who made it and how long it took; only Pemba says when a grant ends.
                    ("duration" | "optionalExpiresAt", _) if is_trace => continue,
                    ("traceOperationId" | "source", Value::String(text)) if is_trace => {
                        json!(!text.is_empty())
                    }
                    // In no order there.
                    ("diffs", Value::Array(diffs)) => {
                        let mut diffs: Vec<Value> = diffs.iter().cloned().map(normalised).collect();
                        diffs.sort_by_key(Value::to_string);
                        diffs.into()
                    }
                    ("token" | "schemaText" | "schemaUsed", Value::String(text)) => json!(!text.is_empty()),
                    ("message", Value::String(text)) if is_error => json!(!text.is_empty()),
                    ("details", Value::Array(details)) if is_error => details
                        .iter()
                        // `BadRequest` is only here.
                        .filter(|detail| detail.get("reason").is_some() || detail.get("violations").is_some())
                        .cloned()
                        .map(normalised)
                        .collect(),
                    _ => normalised(value),
                };
                out.insert(name, value);
            }
            Value::Object(out)
        }
        Value::Array(elements) => elements.into_iter().map(normalised).collect(),
        value => value,
    }
}

async fn ask(address: SocketAddr) -> Vec<Value> {
    let mut answers = Vec::new();
    for (path, body) in calls() {
        let reply = send(address, &request("POST", path, &[("authorization", "Bearer k")], &body)).await;
        // An answer without a body has no type there.
        let content_type = reply.header("content-type");
        assert!(reply.body.is_empty() || content_type == Some("application/json"), "{path} {body}");
        let mut answer = compared(&reply);
        answer["path"] = path.into();
        answer["body"] = body.into();
        answers.push(answer);
    }
    answers
}

#[tokio::test]
async fn the_bodies_are_those_of_the_field() {
    if let Ok(peer) = std::env::var("PEMBA_REST_PEER") {
        let answers = ask(peer.parse().unwrap()).await;
        let lines: Vec<String> = answers.iter().map(Value::to_string).collect();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/server/rest/golden.json");
        std::fs::write(file, format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
        return;
    }
    let keys = vec!["k".to_owned()];
    let (_harness, address) = start_with(Limits::default(), |options| options.preshared_keys = keys).await;
    let golden: Vec<Value> = serde_json::from_str(GOLDEN).unwrap();
    let answers = ask(address).await;
    assert_eq!(answers.len(), golden.len());
    let mut differences = String::new();
    for (answer, expected) in answers.iter().zip(&golden) {
        if answer != expected {
            differences.push_str(&format!("\nhere:  {answer}\nthere: {expected}\n"));
        }
    }
    assert!(differences.is_empty(), "{differences}");
}
