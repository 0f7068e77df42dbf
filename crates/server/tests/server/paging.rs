//! Cursors: every result once, pinned to a revision, refused when they are not this call's.

use std::collections::BTreeSet;

use pemba_proto::authzed::api::v1 as wire;
use tonic::Code;

use crate::harness::*;

async fn with_documents(count: usize) -> Harness {
    let harness = Harness::start().await;
    let texts: Vec<String> = (0..count)
        .map(|n| {
            if n % 3 == 0 {
                format!("document:d{n}#viewer@user:ada[on_call]")
            } else {
                format!("document:d{n}#owner@user:ada")
            }
        })
        .collect();
    for chunk in texts.chunks(1000) {
        harness.touch(&chunk.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    harness
}

fn lookup(limit: u32, cursor: Option<wire::Cursor>) -> wire::LookupResourcesRequest {
    wire::LookupResourcesRequest {
        resource_object_type: "document".into(),
        permission: "view".into(),
        subject: Some(subject("user:ada")),
        optional_limit: limit,
        optional_cursor: cursor,
        ..Default::default()
    }
}

fn read(limit: u32, cursor: Option<wire::Cursor>) -> wire::ReadRelationshipsRequest {
    wire::ReadRelationshipsRequest {
        relationship_filter: Some(type_filter("document")),
        optional_limit: limit,
        optional_cursor: cursor,
        ..Default::default()
    }
}

#[tokio::test]
async fn pages_of_a_lookup_hold_everything_once_at_one_revision() {
    let harness = with_documents(700).await;
    let whole = all(harness.permissions().lookup_resources(lookup(0, None)).await.unwrap()).await.unwrap();
    let whole: Vec<String> = whole.into_iter().map(|message| message.resource_object_id).collect();
    assert_eq!(whole.iter().collect::<BTreeSet<_>>().len(), 700);
    let (mut cursor, mut paged): (Option<wire::Cursor>, Vec<String>) = (None, Vec::new());
    loop {
        let page = all(harness.permissions().lookup_resources(lookup(97, cursor.take())).await.unwrap())
            .await
            .unwrap();
        let Some(last) = page.last() else { break };
        cursor = last.after_result_cursor.clone();
        paged.extend(page.into_iter().map(|message| message.resource_object_id));
        // What comes after the first page was asked for does not show.
        harness.touch(&[&format!("document:late{}#owner@user:ada", paged.len())]).await;
    }
    assert_eq!(paged, whole);
}

#[tokio::test]
async fn a_cursor_of_the_middle_of_a_stream_goes_on_after_it() {
    let harness = with_documents(20).await;
    let whole = all(harness.permissions().read_relationships(read(0, None)).await.unwrap()).await.unwrap();
    assert_eq!(whole.len(), 20);
    for at in 0..20 {
        let cursor = whole[at].after_result_cursor.clone();
        let rest =
            all(harness.permissions().read_relationships(read(0, cursor)).await.unwrap()).await.unwrap();
        let rest: Vec<_> = rest.into_iter().map(|message| message.relationship).collect();
        let expected: Vec<_> = whole[at + 1..].iter().map(|message| message.relationship.clone()).collect();
        assert_eq!(rest, expected);
    }
}

#[tokio::test]
async fn a_limit_is_the_total() {
    let harness = with_documents(900).await;
    for limit in [1, 255, 256, 257, 899, 900, 1000] {
        let page =
            all(harness.permissions().read_relationships(read(limit, None)).await.unwrap()).await.unwrap();
        assert_eq!(page.len(), limit.min(900) as usize);
    }
}

#[tokio::test]
async fn an_export_goes_on_after_a_cursor() {
    let harness = with_documents(50).await;
    let request = |cursor| wire::ExportBulkRelationshipsRequest {
        optional_limit: 20,
        optional_cursor: cursor,
        optional_relationship_filter: Some(type_filter("document")),
        ..Default::default()
    };
    let pages =
        all(harness.permissions().export_bulk_relationships(request(None)).await.unwrap()).await.unwrap();
    assert_eq!(pages.iter().map(|page| page.relationships.len()).collect::<Vec<_>>(), [20, 20, 10]);
    let cursor = pages[0].after_result_cursor.clone();
    let rest =
        all(harness.permissions().export_bulk_relationships(request(cursor)).await.unwrap()).await.unwrap();
    assert_eq!(rest.iter().map(|page| page.relationships.len()).collect::<Vec<_>>(), [20, 10]);
    assert_eq!(rest[0].relationships, pages[1].relationships);
}

#[tokio::test]
async fn a_cursor_that_is_damaged_or_of_another_call_is_refused() {
    let harness = with_documents(5).await;
    let page = all(harness.permissions().lookup_resources(lookup(2, None)).await.unwrap()).await.unwrap();
    let cursor = page[1].after_result_cursor.clone().unwrap();
    let mut damaged = cursor.token.clone();
    damaged.replace_range(3..4, if damaged.get(3..4) == Some("A") { "B" } else { "A" });
    for token in [damaged, "nonsense".to_owned()] {
        let request = lookup(2, Some(wire::Cursor { token }));
        let status = harness.permissions().lookup_resources(request).await.err().unwrap();
        assert_error(&status, Code::InvalidArgument, "INVALID_CURSOR", &[]);
    }
    let other = wire::LookupResourcesRequest { permission: "edit".into(), ..lookup(2, Some(cursor.clone())) };
    let status = harness.permissions().lookup_resources(other).await.err().unwrap();
    assert_error(&status, Code::InvalidArgument, "INVALID_CURSOR", &[]);
    let status = harness.permissions().read_relationships(read(2, Some(cursor.clone()))).await.err().unwrap();
    assert_error(&status, Code::InvalidArgument, "INVALID_CURSOR", &[]);
    let stranger = with_documents(5).await;
    let status =
        stranger.permissions().lookup_resources(lookup(2, Some(cursor.clone()))).await.err().unwrap();
    assert_error(&status, Code::InvalidArgument, "INVALID_CURSOR", &[]);
    // Another limit is the same call.
    let page =
        all(harness.permissions().lookup_resources(lookup(3, Some(cursor))).await.unwrap()).await.unwrap();
    assert_eq!(page.len(), 3);
}

#[tokio::test]
async fn a_cursor_of_another_prefix_is_refused() {
    let harness = with_documents(5).await;
    let with_prefix = |prefix: &str, cursor| {
        let mut request = read(1, cursor);
        request.relationship_filter.as_mut().unwrap().optional_resource_id_prefix = prefix.into();
        request
    };
    let page =
        all(harness.permissions().read_relationships(with_prefix("d", None)).await.unwrap()).await.unwrap();
    let request = with_prefix("e", page[0].after_result_cursor.clone());
    let status = harness.permissions().read_relationships(request).await.err().unwrap();
    assert_error(&status, Code::InvalidArgument, "INVALID_CURSOR", &[]);
}
