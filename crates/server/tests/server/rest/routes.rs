//! Which paths there are, and what each answers.

use std::collections::BTreeSet;

use prost_reflect::DescriptorPool;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::calls::CALLS;
use super::http::{get, post, read, request, send, start, start_with};
use pemba_model::Limits;

#[tokio::test]
async fn every_route_succeeds_and_fails() {
    let (harness, address) = start().await;
    harness.touch(&["document:a#owner@user:ada"]).await;
    for call in &CALLS {
        if call.path == "/v1/watch" {
            continue;
        }
        let good = post(address, call.path, call.good).await;
        assert_eq!(good.status, 200, "{}: {good:?}", call.path);
        assert_eq!(good.header("content-type"), Some("application/json"));
        assert_eq!(good.header("grpc-metadata-content-type"), Some("application/grpc"));
        assert!(good.header("x-request-id").is_some());
        if call.is_stream {
            let lines = good.lines();
            assert!(!lines.is_empty(), "{}", call.path);
            assert!(lines.iter().all(|line| line["result"].is_object()), "{lines:?}");
        } else {
            assert!(good.json().is_object());
            assert_eq!(good.header("content-length"), Some(good.body.len().to_string().as_str()));
        }
        let bad = post(address, call.path, call.bad).await;
        bad.assert_error(call.failure.0, call.failure.1);
        assert_eq!(bad.json().get("error").is_some(), call.is_stream, "{}: {bad:?}", call.path);
        assert!(bad.header("x-request-id").is_some());
    }
}

#[tokio::test]
async fn a_watch_fails_before_its_first_message_with_a_status() {
    let (_harness, address) = start().await;
    let call = CALLS.iter().find(|call| call.path == "/v1/watch").unwrap();
    post(address, call.path, call.bad).await.assert_error(call.failure.0, call.failure.1);
}

#[tokio::test]
async fn the_routes_are_those_of_the_annotations() {
    let (_harness, address) = start().await;
    let pool = DescriptorPool::decode(pemba_proto::FILE_DESCRIPTOR_SET).unwrap();
    let http = pool.get_extension_by_name("google.api.http").unwrap();
    let services: Vec<_> = pool.services().collect();
    let annotated: BTreeSet<String> = services
        .iter()
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .filter(|method| {
            // What is Pemba's own is not on the gateway.
            let has_route = method.options().has_extension(&http);
            assert_eq!(has_route, method.parent_file().package_name() == "authzed.api.v1", "{method:?}");
            has_route
        })
        .map(|method| {
            let options = method.options();
            let rule = options.get_extension(&http);
            rule.as_message().unwrap().get_field_by_name("post").unwrap().as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(annotated.len(), 27);
    assert_eq!(CALLS.iter().map(|call| call.path.to_owned()).collect::<BTreeSet<_>>(), annotated);
    let reply = get(address, "/openapi.json").await;
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    let document = reply.json();
    let documented: BTreeSet<String> = document["paths"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(documented, annotated);
}

#[tokio::test]
async fn every_reference_of_the_document_leads_to_a_definition() {
    let (_harness, address) = start().await;
    let document = get(address, "/openapi.json").await.json();
    let definitions = document["definitions"].as_object().unwrap();
    let mut references = BTreeSet::new();
    collect(&document, &mut references);
    let named: BTreeSet<String> = definitions.keys().map(|name| format!("#/definitions/{name}")).collect();
    assert_eq!(references, named);
    assert!(definitions.values().all(Value::is_object));
    let check = &document["paths"]["/v1/permissions/check"]["post"];
    assert_eq!(check["operationId"], "PermissionsService_CheckPermission");
    assert_eq!(check["parameters"][0]["schema"]["$ref"], "#/definitions/v1CheckPermissionRequest");
    assert!(check["summary"].is_string(), "{check}");
    let properties = &definitions["v1CheckPermissionRequest"]["properties"];
    assert_eq!(properties["withTracing"]["type"], "boolean");
    assert_eq!(properties["context"]["type"], "object");
    let operation = &definitions["v1RelationshipUpdateOperation"];
    assert_eq!(operation["enum"][2], "OPERATION_TOUCH");
    let deprecated = &document["paths"]["/v1/experimental/reflectschema"]["post"];
    assert_eq!(deprecated["deprecated"], true);
}

fn collect(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(reference) = members.get("$ref") {
                references.insert(reference.as_str().unwrap().to_owned());
            }
            members.values().for_each(|member| collect(member, references));
        }
        Value::Array(elements) => elements.iter().for_each(|element| collect(element, references)),
        _ => {}
    }
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let (_harness, address) = start().await;
    for path in ["/", "/v1/schema", "/v1/schema/read/", "/v1/nothing", "/v1/schema%2fread", "/metrics"] {
        post(address, path, "{}").await.assert_error(404, 5);
        get(address, path).await.assert_error(404, 5);
    }
    for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let reply = send(address, &request(method, "/v1/schema/read", &[], "{}")).await;
        reply.assert_error(501, 12);
        assert_eq!(reply.header("allow"), Some("POST"));
    }
    let reply = send(address, &request("HEAD", "/v1/schema/read", &[], "")).await;
    assert_eq!((reply.status, reply.body.as_str()), (501, ""));
    for path in ["/healthz", "/openapi.json"] {
        let reply = post(address, path, "{}").await;
        reply.assert_error(501, 12);
        assert_eq!(reply.header("allow"), Some("GET, HEAD"));
        let reply = send(address, &request("HEAD", path, &[], "")).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, ""));
    }
    // What stands after a question mark is not part of the path.
    assert_eq!(post(address, "/v1/schema/read?pretty=true", "{}").await.status, 200);
}

#[tokio::test]
async fn health_follows_the_database() {
    let (harness, address) = start_with(Limits::default(), |options| options.database = None).await;
    get(address, "/healthz").await.assert_error(503, 14);
    post(address, "/v1/schema/read", "{}").await.assert_error(503, 14);
    harness.server.attach(harness.database.clone());
    for _ in 0..100 {
        if get(address, "/healthz").await.status == 200 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let reply = get(address, "/healthz").await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "{\"status\":\"SERVING\"}"));
    assert_eq!(get(address, "/healthz?service=authzed.api.v1.SchemaService").await.status, 200);
    get(address, "/healthz?service=nothing").await.assert_error(404, 5);
    harness.database.clone().close();
    for _ in 0..100 {
        if get(address, "/healthz").await.status == 503 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("health still says that a closed database serves");
}

#[tokio::test]
async fn a_connection_serves_one_request_after_another() {
    let (_harness, address) = start().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let keep = request("POST", "/v1/schema/read", &[], "[]").replace("connection: close\r\n", "");
    let last = request("POST", "/v1/schema/read", &[], "{}");
    stream.write_all(format!("{keep}{keep}{last}").as_bytes()).await.unwrap();
    let reply = read(&mut stream).await;
    assert_eq!(reply.status, 400);
    assert_eq!(reply.body.matches("HTTP/1.1 400").count(), 1);
    assert_eq!(reply.body.matches("HTTP/1.1 200").count(), 1);
}
