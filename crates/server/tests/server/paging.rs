//! Cursors: every result once, pinned to a revision, refused when they are not this call's.

use std::collections::BTreeSet;

use pemba_model::Limits;
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

/// Only a first page finds anything; the others go on in what it found, whatever is written meanwhile.
#[tokio::test]
async fn a_page_of_a_lookup_goes_on_where_the_last_one_ended() {
    let harness = Harness::start_with(Limits::default(), |options| {
        options.metrics_listen = Some("127.0.0.1:0".parse().unwrap());
    })
    .await;
    harness.write_schema(SCHEMA).await.unwrap();
    let texts: Vec<String> = (0..40)
        .map(|n| format!("document:d{n}#viewer@user:ada{}", if n % 3 == 0 { "[on_call]" } else { "" }))
        .collect();
    let results = |page: Vec<wire::LookupResourcesResponse>| -> Vec<_> {
        let result = |one: wire::LookupResourcesResponse| {
            (one.resource_object_id, one.permissionship, one.partial_caveat_info)
        };
        page.into_iter().map(result).collect()
    };
    let mut asked = 0;
    for limit in [1, 2, 7] {
        harness.touch(&texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let whole = harness.permissions().lookup_resources(lookup(0, None)).await.unwrap();
        let whole = results(all(whole).await.unwrap());
        let (mut cursor, mut paged) = (None, Vec::new());
        loop {
            let page = harness.permissions().lookup_resources(lookup(limit, cursor.take())).await.unwrap();
            let page = all(page).await.unwrap();
            let Some(last) = page.last() else { break };
            asked += 1;
            cursor = last.after_result_cursor.clone();
            paged.extend(results(page));
            let delete = wire::relationship_update::Operation::Delete;
            let gone = format!("document:d{}#viewer@user:ada", (paged.len() * 7) % 40);
            harness.write(delete, &[&gone]).await.unwrap();
            harness.touch(&[&format!("document:late{limit}#owner@user:ada")]).await;
        }
        assert!(paged.len() >= 40);
        assert_eq!(paged, whole, "{limit}");
    }
    let text = crate::serving::get(harness.server.metrics_address().unwrap(), "/metrics").await;
    // Each of the three ended with an empty page, and began with one that found.
    let expected = format!("pemba_lookups_resumed_total {asked}");
    assert!(text.lines().any(|line| line == expected), "{expected}\n{text}");
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

fn subjects(limit: u32, cursor: Option<wire::Cursor>, wildcards: i32) -> wire::LookupSubjectsRequest {
    wire::LookupSubjectsRequest {
        resource: Some(object("document", "plan")),
        permission: "view".into(),
        subject_object_type: "user".into(),
        optional_concrete_limit: limit,
        optional_cursor: cursor,
        wildcard_option: wildcards,
        ..Default::default()
    }
}

async fn found(harness: &Harness, request: wire::LookupSubjectsRequest) -> Vec<wire::LookupSubjectsResponse> {
    all(harness.permissions().lookup_subjects(request).await.unwrap()).await.unwrap()
}

fn subject_ids(messages: &[wire::LookupSubjectsResponse]) -> Vec<String> {
    messages.iter().map(|message| message.subject.clone().unwrap().subject_object_id).collect()
}

async fn with_subjects(count: usize) -> Harness {
    let harness = Harness::start().await;
    let mut texts: Vec<String> =
        vec!["document:plan#viewer@user:*".into(), "document:plan#banned@user:eve".into()];
    texts.extend((0..count).map(|n| match n % 3 {
        0 => format!("document:plan#viewer@user:u{n}[on_call]"),
        _ => format!("document:plan#owner@user:u{n}"),
    }));
    for chunk in texts.chunks(1000) {
        harness.touch(&chunk.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    harness
}

#[tokio::test]
async fn pages_of_subjects_hold_everything_once_and_the_wildcard_first() {
    let harness = with_subjects(600).await;
    let whole = subject_ids(&found(&harness, subjects(0, None, 0)).await);
    assert_eq!(whole.first().map(String::as_str), Some("*"));
    assert_eq!(whole.len(), 601);
    assert_eq!(whole.iter().collect::<BTreeSet<_>>().len(), 601);
    for limit in [1, 2, 7, 97, 256, 599, 600, 1000] {
        let (mut cursor, mut paged): (Option<wire::Cursor>, Vec<String>) = (None, Vec::new());
        loop {
            let page = found(&harness, subjects(limit, cursor.take(), 0)).await;
            let Some(last) = page.last() else { break };
            cursor = last.after_result_cursor.clone();
            // The wildcard comes beside the limit.
            let wildcards = page.iter().filter(|message| !message.excluded_subjects.is_empty()).count();
            assert_eq!(wildcards, usize::from(paged.is_empty()));
            assert!(page.len() <= limit as usize + wildcards);
            paged.extend(subject_ids(&page));
            if limit > 50 {
                harness.touch(&[&format!("document:plan#owner@user:late{}", paged.len())]).await;
            }
        }
        let early: Vec<String> = paged.into_iter().filter(|id| !id.starts_with("late")).collect();
        assert_eq!(early, whole, "{limit}");
    }
}

#[tokio::test]
async fn every_subject_has_a_cursor_that_goes_on_after_it() {
    let harness = with_subjects(10).await;
    let whole = found(&harness, subjects(0, None, 1)).await;
    for (at, message) in whole.iter().enumerate() {
        let rest = found(&harness, subjects(0, message.after_result_cursor.clone(), 1)).await;
        assert_eq!(subject_ids(&rest), subject_ids(&whole[at + 1..]));
    }
    let without = found(&harness, subjects(0, None, 2)).await;
    assert_eq!(subject_ids(&without), subject_ids(&whole[1..]));
    // The wildcard option is part of the call.
    let other = subjects(0, without[0].after_result_cursor.clone(), 1);
    let status = harness.permissions().lookup_subjects(other).await.err().unwrap();
    assert_error(&status, Code::InvalidArgument, "INVALID_CURSOR", &[]);
    let status = harness.permissions().lookup_subjects(subjects(1001, None, 0)).await.err().unwrap();
    let expected = [("limit_provided", "1001"), ("maximum_limit_allowed", "1000")];
    assert_error(&status, Code::InvalidArgument, "EXCEEDS_MAXIMUM_ALLOWABLE_LIMIT", &expected);
}

#[tokio::test]
#[expect(deprecated, reason = "older clients read only the deprecated fields")]
async fn subjects_come_in_the_old_fields_too() {
    let harness = with_subjects(4).await;
    for message in found(&harness, subjects(0, None, 0)).await {
        let subject = message.subject.unwrap();
        assert_eq!(message.subject_object_id, subject.subject_object_id);
        assert_eq!(message.permissionship, subject.permissionship);
        assert_eq!(message.partial_caveat_info, subject.partial_caveat_info);
        let excluded: Vec<_> =
            message.excluded_subjects.into_iter().map(|one| one.subject_object_id).collect();
        assert_eq!(message.excluded_subject_ids, excluded);
        let is_conditional = subject.permissionship == CONDITIONAL - 1;
        assert_eq!(subject.partial_caveat_info.is_some(), is_conditional);
    }
}

#[tokio::test]
async fn conditional_results_name_what_they_miss_on_every_page() {
    let harness = Harness::start().await;
    let texts: Vec<String> = (0..900)
        .map(|n| match n % 3 {
            0 => format!("document:d{n}#owner@user:eve"),
            _ => format!("document:d{n}#viewer@user:eve[on_call]"),
        })
        .collect();
    harness.touch(&texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let request = wire::LookupResourcesRequest {
        resource_object_type: "document".into(),
        permission: "view".into(),
        subject: Some(subject("user:eve")),
        ..Default::default()
    };
    let stream = harness.permissions().lookup_resources(request).await.unwrap();
    let found = all(stream).await.unwrap();
    assert_eq!(found.len(), 900);
    for message in found {
        let n: usize = message.resource_object_id.strip_prefix('d').unwrap().parse().unwrap();
        let missing = message.partial_caveat_info.map(|partial| partial.missing_required_context);
        if n.is_multiple_of(3) {
            assert_eq!((message.permissionship, missing), (1, None), "{n}");
        } else {
            assert_eq!((message.permissionship, missing), (2, Some(vec!["level".to_owned()])), "{n}");
        }
    }
}
