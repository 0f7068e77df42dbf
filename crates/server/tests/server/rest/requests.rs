//! Bodies and headers of requests.

use std::sync::Arc;

use pemba_agents::client::{Client, Rights};
use pemba_model::Limits;
use pemba_server::{ClientKey, KeyDigest};
use serde_json::json;

use super::http::{post, request, send, start, start_with};

const CHECK: &str = "/v1/permissions/check";
const WRITE: &str = "/v1/relationships/write";
const READ_SCHEMA: &str = "/v1/schema/read";

fn check(more: &str) -> String {
    let question = r#""resource":{"objectType":"document","objectId":"a"},"permission":"view","subject":{"object":{"objectType":"user","objectId":"ada"}}"#;
    format!("{{{question}{more}}}")
}

fn touch(operation: &str) -> String {
    format!(
        r#"{{"updates":[{{"operation":{operation},"relationship":{{"resource":{{"object_type":"document","object_id":"a"}},"relation":"owner","subject":{{"object":{{"object_type":"user","object_id":"ada"}}}}}}}}]}}"#
    )
}

#[tokio::test]
async fn a_check_is_asked_and_answered_in_json() {
    let (harness, address) = start().await;
    harness.touch(&["document:a#owner@user:ada"]).await;
    let reply = post(address, CHECK, &check("")).await;
    assert_eq!(reply.status, 200);
    let answer = reply.json();
    assert_eq!(answer["permissionship"], "PERMISSIONSHIP_HAS_PERMISSION");
    assert!(answer["checkedAt"]["token"].is_string());
    for unset in ["partialCaveatInfo", "debugTrace"] {
        assert!(answer[unset].is_null() && answer.get(unset).is_some(), "{answer}");
    }
}

#[tokio::test]
async fn names_come_in_both_spellings_and_enums_as_names_or_numbers() {
    let (harness, address) = start().await;
    for operation in ["\"OPERATION_TOUCH\"", "2", "2.0"] {
        let reply = post(address, WRITE, &touch(operation)).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    assert_eq!(harness.answer("document:a#edit@user:ada").await, crate::harness::HAS);
    for operation in ["\"TOUCH\"", "\"operation_touch\"", "\"2\"", "2.5", "true", "99", "null", "0"] {
        post(address, WRITE, &touch(operation)).await.assert_error(400, 3);
    }
}

#[tokio::test]
async fn unknown_fields_and_null_are_as_if_they_were_not_there() {
    let (_harness, address) = start().await;
    for more in [",\"more\":{\"a\":[1]}", ",\"context\":null", ",\"@type\":\"x\"", ",\"withTracing\":null"] {
        assert_eq!(post(address, CHECK, &check(more)).await.status, 200, "{more}");
    }
    for body in ["", " \n", "{}"] {
        assert_eq!(post(address, READ_SCHEMA, body).await.status, 200, "{body:?}");
    }
}

#[tokio::test]
async fn json_that_is_not_the_request_says_where() {
    let (_harness, address) = start().await;
    for (body, part) in [
        ("[]".to_owned(), "line 1 column"),
        ("{".to_owned(), "EOF"),
        ("{\"resource\":5}".to_owned(), "authzed.api.v1.ObjectReference"),
        ("{\"permission\":5}".to_owned(), "`permission` takes text"),
        (check(",\"withTracing\":\"true\""), "`withTracing` takes true or false"),
        (check(",\"permission\":\"edit\""), "`permission` is given twice"),
        (check(",\"context\":[]"), "expected an object"),
        (check(",\"consistency\":{\"fullyConsistent\":true,\"minimizeLatency\":true}"), "only one of"),
        (check("") + "{}", "trailing characters"),
        (check("") + " x", "trailing characters"),
    ] {
        let error = post(address, CHECK, &body).await.assert_error(400, 3);
        assert!(error["message"].as_str().unwrap().contains(part), "{error}");
    }
}

#[tokio::test]
async fn numbers_may_be_text() {
    let (harness, address) = start().await;
    harness.touch(&["document:a#owner@user:ada", "document:b#owner@user:ada"]).await;
    let read = |limit: &str| {
        let body =
            format!(r#"{{"relationshipFilter":{{"resourceType":"document"}},"optionalLimit":{limit}}}"#);
        async move { post(address, "/v1/relationships/read", &body).await }
    };
    for limit in ["1", "\"1\"", "1.0", "\"1.0\"", "1e0"] {
        assert_eq!(read(limit).await.lines().len(), 1, "{limit}");
    }
    assert_eq!(read("null").await.lines().len(), 2);
    for limit in ["-1", "4294967296", "1.5", "\" 1\"", "\"\"", "true", "{}"] {
        read(limit).await.assert_error(400, 3);
    }
}

#[tokio::test]
async fn instants_and_structs_go_there_and_back() {
    let (_harness, address) = start().await;
    let write = |subject: &str, more: &str| {
        let body = format!(
            r#"{{"updates":[{{"operation":"OPERATION_TOUCH","relationship":{{"resource":{{"objectType":"document","objectId":"a"}},"relation":"viewer","subject":{{"object":{{"objectType":"user","objectId":"{subject}"}}}},{more}}}}}]}}"#
        );
        async move { post(address, WRITE, &body).await }
    };
    let context = r#""optionalCaveat":{"caveatName":"on_call","context":{"level":7}}"#;
    assert_eq!(write("ann", context).await.status, 200);
    assert_eq!(write("exp", r#""optionalExpiresAt":"2130-01-01T02:00:00.5+02:00""#).await.status, 200);
    for wrong in ["\"2130-01-01\"", "5", "\"10000-01-01T00:00:00Z\"", "\"2130-01-01t00:00:00z\""] {
        write("exp", &format!("\"optionalExpiresAt\":{wrong}")).await.assert_error(400, 3);
    }
    let read =
        post(address, "/v1/relationships/read", r#"{"relationshipFilter":{"resourceType":"document"}}"#);
    let lines = read.await.lines();
    let relationships: Vec<_> = lines.iter().map(|line| line["result"]["relationship"].clone()).collect();
    assert_eq!(relationships[0]["optionalCaveat"], json!({"caveatName": "on_call", "context": {"level": 7}}));
    assert_eq!(relationships[0]["optionalExpiresAt"], json!(null));
    assert_eq!(relationships[1]["optionalCaveat"], json!(null));
    assert_eq!(relationships[1]["optionalExpiresAt"], "2130-01-01T00:00:00.500Z");
}

#[tokio::test]
async fn errors_carry_their_details_with_their_types() {
    let (harness, address) = start().await;
    harness.touch(&["document:a#owner@user:ada"]).await;
    let error = post(address, WRITE, &touch("\"OPERATION_CREATE\"")).await.assert_error(409, 6);
    let info = &error["details"][0];
    assert_eq!(info["@type"], "type.googleapis.com/google.rpc.ErrorInfo");
    assert_eq!(info["reason"], "ERROR_REASON_ATTEMPT_TO_RECREATE_RELATIONSHIP");
    assert_eq!(info["domain"], "authzed.com");
    assert_eq!(info["metadata"]["relationship"], "document:a#owner@user:ada");
    // What stands inside a good answer has its details too.
    let items = format!(r#"{{"items":[{},{}]}}"#, check(""), check("").replace("\"view\"", "\"nothing\""));
    let pairs = post(address, "/v1/permissions/checkbulk", &items).await.json();
    assert_eq!(pairs["pairs"][0]["item"]["permissionship"], "PERMISSIONSHIP_HAS_PERMISSION");
    let error = &pairs["pairs"][1]["error"];
    assert_eq!(error["code"], 9);
    assert_eq!(error["details"][0]["reason"], "ERROR_REASON_UNKNOWN_RELATION_OR_PERMISSION");
    assert!(pairs["pairs"][1].get("item").is_none());
    // A violation of a field's rule names the field.
    let wrong = check("").replace("\"a\"", "\"%\"");
    let error = post(address, CHECK, &wrong).await.assert_error(400, 3);
    assert!(error["details"][0]["@type"].as_str().unwrap().starts_with("type.googleapis.com/"), "{error}");
}

#[tokio::test]
async fn a_key_is_asked_for_before_the_body_is_read() {
    let keys = vec!["key".to_owned()];
    let (_harness, address) = start_with(Limits::default(), |options| options.preshared_keys = keys).await;
    let ask = |headers: &'static [(&'static str, &'static str)], body: &'static str| async move {
        send(address, &request("POST", READ_SCHEMA, headers, body)).await
    };
    let none = ask(&[], "{}").await;
    none.assert_error(401, 16);
    assert_eq!(none.header("www-authenticate"), Some("Bearer"));
    ask(&[], "nonsense").await.assert_error(401, 16);
    ask(&[("authorization", "Basic key")], "{}").await.assert_error(401, 16);
    ask(&[("authorization", "Bearer other")], "{}").await.assert_error(403, 7);
    ask(&[("authorization", "Bearer key")], "{}").await.assert_error(404, 5);
    ask(&[("Grpc-Metadata-Authorization", "Bearer key")], "{}").await.assert_error(404, 5);
    let stream = request("POST", "/v1/relationships/read", &[], "{}");
    let refused = send(address, &stream).await;
    refused.assert_error(401, 16);
    assert_eq!(refused.lines()[0]["error"]["code"], 16);
    for path in ["/healthz", "/openapi.json"] {
        assert_eq!(super::http::get(address, path).await.status, 200);
    }
}

#[tokio::test]
async fn what_a_client_may_not_do_is_refused_here_too() {
    let clients = vec![ClientKey {
        client: Arc::new(Client { rights: Rights::default(), ..Client::unrestricted("portal") }),
        credential: KeyDigest::of(b"key").into(),
    }];
    let (_harness, address) = start_with(Limits::default(), |options| options.clients = Some(clients)).await;
    let ask = |header: &'static str, path: &'static str, body: String| async move {
        send(address, &request("POST", path, &[("authorization", header)], &body)).await
    };
    let question = check("");
    ask("Bearer other", CHECK, question.clone()).await.assert_error(401, 16);
    let error = ask("Bearer key", CHECK, question).await.assert_error(403, 7);
    let info = &error["details"][0];
    assert_eq!(
        (&info["domain"], &info["reason"]),
        (&"pemba".into(), &"ERROR_REASON_CLIENT_NOT_PERMITTED".into())
    );
    assert_eq!((&info["metadata"]["client"], &info["metadata"]["verb"]), (&"portal".into(), &"check".into()));
    ask("Bearer key", READ_SCHEMA, "{}".to_owned()).await.assert_error(403, 7);
    let filter = r#"{"relationshipFilter":{"resourceType":"document"}}"#.to_owned();
    ask("Bearer key", "/v1/relationships/read", filter).await.assert_error(403, 7);
}

#[tokio::test]
async fn metadata_goes_in_and_comes_out() {
    let (_harness, address) = start().await;
    let ask = |headers: &'static [(&'static str, &'static str)]| async move {
        send(address, &request("POST", READ_SCHEMA, headers, "{}")).await
    };
    assert_eq!(ask(&[("X-Request-Id", "mine")]).await.header("x-request-id"), Some("mine"));
    assert_eq!(ask(&[("Grpc-Metadata-X-Request-Id", "mine")]).await.header("x-request-id"), Some("mine"));
    const VERSION: (&str, &str) = ("Grpc-Metadata-io.spicedb.requestversion", "true");
    let reply = ask(&[VERSION]).await;
    assert!(reply.header("grpc-metadata-io.spicedb.debug.version").unwrap().starts_with("pemba-v"));
    assert!(reply.trailers.is_empty());
    let reply = ask(&[VERSION, ("TE", "trailers")]).await;
    assert!(
        reply.trailer("grpc-trailer-io.spicedb.debug.version").unwrap().starts_with("pemba-v"),
        "{reply:?}"
    );
    assert!(reply.header("trailer").unwrap().contains("grpc-trailer-io.spicedb.debug.version"));
    assert!(reply.json()["schemaText"].is_string());
    let error = ask(&[("Grpc-Metadata-X-Bin", "!!")]).await.assert_error(400, 3);
    assert!(error["message"].as_str().unwrap().contains("grpc-metadata-x-bin"));
    // What belongs to the framing cannot be set from outside.
    for name in ["Grpc-Metadata-Grpc-Encoding", "Grpc-Metadata-Content-Type", "Grpc-Metadata-Te"] {
        let text = request("POST", READ_SCHEMA, &[(name, "gzip")], "{}");
        assert_eq!(send(address, &text).await.status, 200, "{name}");
    }
}

#[tokio::test]
async fn deadlines_are_kept() {
    let (_harness, address) = start().await;
    let ask = |path: &'static str, timeout: &'static str| async move {
        send(address, &request("POST", path, &[("Grpc-Timeout", timeout)], "{}")).await
    };
    assert_eq!(ask(READ_SCHEMA, "10S").await.status, 200);
    assert_eq!(ask(READ_SCHEMA, "99999999H").await.status, 200);
    ask("/v1/watch", "200m").await.assert_error(504, 4);
    for timeout in ["bogus", "1", "-1S", "S"] {
        let error = ask(READ_SCHEMA, timeout).await.assert_error(400, 3);
        assert!(error["message"].as_str().unwrap().contains(&format!("`{timeout}`")));
    }
}

#[tokio::test]
async fn a_compressed_body_is_refused() {
    let (_harness, address) = start().await;
    let text = request("POST", READ_SCHEMA, &[("content-encoding", "gzip")], "{}");
    let error = send(address, &text).await.assert_error(400, 3);
    assert!(error["message"].as_str().unwrap().contains("`gzip`"));
    let text = request("POST", READ_SCHEMA, &[("content-encoding", "identity")], "{}");
    assert_eq!(send(address, &text).await.status, 200);
}
