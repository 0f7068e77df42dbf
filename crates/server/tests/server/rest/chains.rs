//! Chains presented over REST are honoured as over gRPC, and never left out.

use super::http::{request, send};
use crate::chains::stage::Stage;

const CHECK: &str = r#"{"resource":{"objectType":"document","objectId":"plan"},"permission":"edit","subject":{"object":{"objectType":"agent","objectId":"a"}}}"#;
const LOOKUP: &str = r#"{"resourceObjectType":"document","permission":"edit","subject":{"object":{"objectType":"agent","objectId":"a"}}}"#;

#[tokio::test]
async fn a_chain_in_headers_is_applied_or_refused() {
    let stage = Stage::start_with(|options| options.rest_listen = Some("127.0.0.1:0".parse().unwrap())).await;
    let address = stage.harness.server.rest_address().unwrap();
    let id = stage.delegate(1, "user:ada", "agent:a").await;
    let post = async |path: &str, headers: &[(&str, &str)], body: &str| {
        send(address, &request("POST", path, headers, body)).await
    };
    let applied = format!("user:ada;agent:a;{id}");
    for name in ["pemba-delegation", "Pemba-Delegation", "Grpc-Metadata-Pemba-Delegation"] {
        let reply = post("/v1/permissions/check", &[(name, &id), ("te", "trailers")], CHECK).await;
        assert_eq!(reply.json()["permissionship"], "PERMISSIONSHIP_HAS_PERMISSION", "{name} {reply:?}");
        assert_eq!(reply.header("grpc-metadata-pemba-chain-applied"), Some(applied.as_str()));
        assert_eq!(reply.trailer("grpc-trailer-pemba-chain-applied"), Some(applied.as_str()));
    }
    let reply = post("/v1/permissions/check", &[], CHECK).await;
    assert_eq!(reply.json()["permissionship"], "PERMISSIONSHIP_NO_PERMISSION");
    let reply = post("/v1/permissions/resources", &[("pemba-delegation", &id)], LOOKUP).await;
    assert_eq!(reply.header("grpc-metadata-pemba-chain-applied"), Some(applied.as_str()));
    assert_eq!(reply.lines().len(), 2);
    let refused: [(&str, &[(&str, &str)]); 4] = [
        ("/v1/permissions/check", &[("pemba-delegation", "dlg_1")]),
        ("/v1/permissions/check", &[("pemba-delegation", &id), ("grpc-metadata-pemba-delegation", &id)]),
        ("/v1/permissions/check", &[("pemba-delegations", &id)]),
        ("/v1/schema/read", &[("pemba-delegation", &id)]),
    ];
    for (path, headers) in refused {
        post(path, headers, CHECK).await.assert_error(400, 3);
    }
}
