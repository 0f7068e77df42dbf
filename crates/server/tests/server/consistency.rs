//! Tokens and the four modes.

use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::consistency::Requirement;
use pemba_proto::authzed::api::v1::relationship_update::Operation;
use tonic::Code;

use crate::harness::*;

const QUESTION: &str = "document:a#view@user:ada";

#[tokio::test]
async fn every_mode_sees_what_it_promises() {
    let harness = Harness::start().await;
    let before = harness.write_schema(SCHEMA).await.unwrap();
    let granted = harness.touch(&["document:a#owner@user:ada"]).await;
    let revoked = harness.write(Operation::Delete, &["document:a#owner@user:ada"]).await.unwrap();
    for (token, expected) in [(&before, NO), (&granted, HAS), (&revoked, NO)] {
        let answer = harness.check(QUESTION, at_exact_snapshot(token)).await.unwrap();
        assert_eq!(answer.permissionship, expected);
        assert_eq!(answer.checked_at.as_ref(), Some(token));
        let answer = harness.check(QUESTION, at_least_as_fresh(token)).await.unwrap();
        assert_eq!(answer.permissionship, NO);
        assert_eq!(answer.checked_at.as_ref(), Some(&revoked));
    }
    for requirement in [Requirement::MinimizeLatency(true), Requirement::FullyConsistent(true)] {
        let consistency = Some(wire::Consistency { requirement: Some(requirement) });
        assert_eq!(harness.check(QUESTION, consistency).await.unwrap().checked_at.as_ref(), Some(&revoked));
    }
}

#[tokio::test]
async fn tokens_that_are_no_good() {
    let harness = Harness::start().await;
    let nonsense = wire::ZedToken { token: "GhUKEzE2".into() };
    for consistency in [at_exact_snapshot(&nonsense), at_least_as_fresh(&nonsense)] {
        let status = harness.check(QUESTION, consistency).await.unwrap_err();
        assert_error(&status, Code::InvalidArgument, "", &[]);
    }
    let head = harness.database.head();
    let future = harness.database.token(pemba_model::Revision(head.0 + 100));
    let future = wire::ZedToken { token: future.to_string() };
    let status = harness.check(QUESTION, at_exact_snapshot(&future)).await.unwrap_err();
    assert_error(&status, Code::OutOfRange, "", &[]);

    let stranger = Harness::start().await;
    let foreign = stranger.touch(&["document:a#owner@user:ada"]).await;
    let answer = harness.check(QUESTION, at_least_as_fresh(&foreign)).await.unwrap();
    assert_eq!(answer.permissionship, NO);
    let status = harness.check(QUESTION, at_exact_snapshot(&foreign)).await.unwrap_err();
    assert_error(&status, Code::FailedPrecondition, "", &[]);
    let request = wire::WatchRequest { optional_start_cursor: Some(foreign), ..Default::default() };
    let status = harness.watches().watch(request).await.err().unwrap();
    assert_error(&status, Code::InvalidArgument, "", &[]);
}

#[tokio::test]
async fn a_revision_that_is_no_longer_in_memory_is_rebuilt() {
    let limits = pemba_model::Limits { snapshots_retained_max: 1, ..pemba_model::Limits::default() };
    let harness = Harness::start_with(limits, |_| ()).await;
    harness.write_schema(SCHEMA).await.unwrap();
    let granted = harness.touch(&["document:a#owner@user:ada"]).await;
    harness.write(Operation::Delete, &["document:a#owner@user:ada"]).await.unwrap();
    for n in 0..10 {
        harness.touch(&[&format!("document:other{n}#owner@user:ada")]).await;
    }
    let answer = harness.check(QUESTION, at_exact_snapshot(&granted)).await.unwrap();
    assert_eq!((answer.permissionship, answer.checked_at), (HAS, Some(granted)));
}

#[tokio::test]
async fn what_was_collected_is_out_of_range() {
    let limits = pemba_model::Limits {
        history_window_ms: 1,
        snapshots_retained_max: 1,
        ..pemba_model::Limits::default()
    };
    let harness = Harness::start_with(limits, |_| ()).await;
    harness.write_schema(SCHEMA).await.unwrap();
    let old = harness.touch(&["document:a#owner@user:ada"]).await;
    for n in 0..10 {
        harness.touch(&[&format!("document:other{n}#owner@user:ada")]).await;
    }
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    harness.database.collect_garbage();
    let mut left = 100;
    let status = loop {
        match harness.check(QUESTION, at_exact_snapshot(&old)).await {
            Err(status) => break status,
            Ok(_) => left -= 1,
        }
        assert!(left > 0, "the history stays");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert_error(&status, Code::OutOfRange, "", &[]);
    assert_eq!(harness.check(QUESTION, at_least_as_fresh(&old)).await.unwrap().permissionship, HAS);
    let request = wire::WatchRequest { optional_start_cursor: Some(old), ..Default::default() };
    let status = match harness.watches().watch(request).await {
        Err(status) => status,
        Ok(stream) => stream.into_inner().message().await.unwrap_err(),
    };
    assert_error(&status, Code::OutOfRange, "", &[]);
}
