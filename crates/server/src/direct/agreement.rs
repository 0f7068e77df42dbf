//! Whether what is read and written here is what the generated code reads and writes; for tests and fuzzing.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "tests")]

use pemba_model::limits::BULK_CHECK_ITEMS_MAX;
use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::check_bulk_permissions_pair::Response;
use prost::Message;

use super::{Bulk, BulkAnswer, Check, Chunks, bulk_answer, framed};
use crate::consistency::wanted;
use crate::convert::{object, subject};
use crate::stream::{Gathered, GatheredResources as _};
use crate::validate;

/// Whether a check is read, which it may be only if it is what the generated code reads and breaks no rule.
pub fn check(bytes: &[u8]) -> bool {
    let Some(read) = Check::read(bytes) else { return false };
    let generated = wire::CheckPermissionRequest::decode(bytes).unwrap();
    validate::check_permission(&generated).unwrap();
    assert_eq!(read.resource.to_model(), object(generated.resource.as_ref()));
    assert_eq!(read.subject.to_model(), subject(generated.subject.as_ref()));
    assert!(!read.subject.to_model().object.is_wildcard());
    assert_eq!(
        (read.permission, read.wanted),
        (&*generated.permission, wanted(generated.consistency.as_ref()))
    );
    assert_eq!((generated.context, generated.with_tracing), (None, false));
    true
}

/// The same of a bulk check; and an answer is written as the generated code writes it.
pub fn bulk(bytes: &[u8]) -> bool {
    let Some(read) = Bulk::read(bytes, BULK_CHECK_ITEMS_MAX) else { return false };
    let generated = wire::CheckBulkPermissionsRequest::decode(bytes).unwrap();
    validate::bulk_check(&generated).unwrap();
    assert_eq!(read.wanted, wanted(generated.consistency.as_ref()));
    assert_eq!((read.items.len(), generated.with_tracing), (generated.items.len(), false));
    for (item, generated) in read.items.iter().zip(&generated.items) {
        validate::bulk_check_item(0, generated).unwrap();
        assert_eq!(item.resource.to_model(), object(generated.resource.as_ref()));
        assert_eq!(item.subject.to_model(), subject(generated.subject.as_ref()));
        assert_eq!((item.permission, None), (&*generated.permission, generated.context.as_ref()));
        assert_eq!(item.message, generated.encode_to_vec());
    }
    let responses = || {
        (0..read.items.len()).map(|number| match number {
            0 => Response::Item(wire::CheckBulkPermissionsResponseItem {
                permissionship: 3,
                partial_caveat_info: Some(wire::PartialCaveatInfo {
                    missing_required_context: vec!["level".into()],
                }),
                debug_trace: None,
            }),
            1 => Response::Error(pemba_proto::google::rpc::Status {
                code: 9,
                message: "no".into(),
                details: vec![],
            }),
            _ => Response::Item(wire::CheckBulkPermissionsResponseItem {
                permissionship: 2,
                ..Default::default()
            }),
        })
    };
    let pairs = generated.items.iter().cloned().zip(responses());
    let pairs = pairs.map(|(request, response)| wire::CheckBulkPermissionsPair {
        request: Some(request),
        response: Some(response),
    });
    let checked_at = Some(wire::ZedToken { token: "a token".into() });
    let answer = wire::CheckBulkPermissionsResponse { checked_at, pairs: pairs.collect() };
    let messages = read.items.iter().map(|item| item.message);
    let direct = responses().map(|response| match response {
        Response::Item(item) if item.partial_caveat_info.is_none() => {
            BulkAnswer::Plain(item.permissionship())
        }
        response => BulkAnswer::More(Box::new(response)),
    });
    assert_eq!(bulk_answer("a token", messages.zip(direct)), framed(&answer));
    true
}

/// Whether found resources are written as the generated code writes them: ids and cursors of any kind, cut from these bytes. None
/// is empty, as none is that is found.
pub fn resources(bytes: &[u8]) {
    let texts = String::from_utf8_lossy(bytes);
    let (mut direct, mut generated, mut messages) = (Chunks::default(), Chunks::default(), Vec::new());
    for text in texts.split('\n') {
        let (id, cursor) = text.split_once(' ').unwrap_or((text, "c"));
        if id.is_empty() || cursor.is_empty() {
            continue;
        }
        direct.push_granted("a token", id, cursor);
        messages.push_granted("a token", id, cursor);
    }
    for message in messages {
        generated.push(message);
    }
    let parts = |chunks| <Chunks as Gathered<wire::LookupResourcesResponse>>::parts(chunks);
    assert_eq!(parts(direct), parts(generated));
}
