//! What is read here against what the generated code reads, over messages made, bent and broken by chance.

use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::check_permission_response::Permissionship;
use pemba_proto::authzed::api::v1::consistency::Requirement;
use prost::Message;

use super::{Bulk, Check, Wanted, agreement, check_answer, framed};
/// Numbers that are the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end).unwrap()).unwrap()
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn of<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.below(texts.len())]
    }
}

fn reference(chance: &mut Chance) -> wire::ObjectReference {
    let long = "x".repeat(chance.below(1100));
    let object_type = match chance.below(12) {
        0 => chance.of(&["", "D", "ab", "docs/", "é"]).to_owned(),
        1 => ["abcdefgh"; 15].join("/"),
        _ => chance.of(&["document", "user", "docs/document"]).to_owned(),
    };
    let object_id = match chance.below(12) {
        0 => chance.of(&["", "*", "a b", "é"]).to_owned(),
        1 => long,
        _ => chance.of(&["a", "readme", "0190f5c2-7d3e", "a/b|c=d+e_f"]).to_owned(),
    };
    wire::ObjectReference { object_type, object_id }
}

fn asking(chance: &mut Chance) -> wire::SubjectReference {
    let relation = if chance.one_in(3) { chance.of(&["member", "...", "x"]) } else { "" };
    wire::SubjectReference {
        object: (!chance.one_in(30)).then(|| reference(chance)),
        optional_relation: relation.to_owned(),
    }
}

fn consistency(chance: &mut Chance) -> Option<wire::Consistency> {
    let token = |text: &str| wire::ZedToken { token: text.to_owned() };
    let requirement = match chance.below(12) {
        0 => None,
        1 => Some(Requirement::MinimizeLatency(true)),
        2 => Some(Requirement::FullyConsistent(true)),
        3 => Some(Requirement::FullyConsistent(false)),
        4 => Some(Requirement::AtLeastAsFresh(token(chance.of(&["token", ""])))),
        5 => Some(Requirement::AtExactSnapshot(token(chance.of(&["token", ""])))),
        _ => return None,
    };
    Some(wire::Consistency { requirement })
}

fn context(chance: &mut Chance) -> Option<prost_types::Struct> {
    chance.one_in(20).then(prost_types::Struct::default)
}

fn item(chance: &mut Chance) -> wire::CheckBulkPermissionsRequestItem {
    wire::CheckBulkPermissionsRequestItem {
        resource: (!chance.one_in(30)).then(|| reference(chance)),
        permission: chance.of(&["view", "edit", "view", "edit", "", "V"]).to_owned(),
        subject: (!chance.one_in(30)).then(|| asking(chance)),
        context: context(chance),
    }
}

fn check(chance: &mut Chance) -> wire::CheckPermissionRequest {
    let wire::CheckBulkPermissionsRequestItem { resource, permission, subject, context } = item(chance);
    let consistency = consistency(chance);
    let with_tracing = chance.one_in(20);
    wire::CheckPermissionRequest { consistency, resource, permission, subject, context, with_tracing }
}

fn bulk(chance: &mut Chance) -> wire::CheckBulkPermissionsRequest {
    let items = (0..chance.below(4)).map(|_| item(chance)).collect();
    let with_tracing = chance.one_in(20);
    wire::CheckBulkPermissionsRequest { consistency: consistency(chance), items, with_tracing }
}

/// Changes, takes away, adds or repeats something of a message, mostly so that it is another message or none.
fn bend(chance: &mut Chance, bytes: &mut Vec<u8>, other: &[u8]) {
    // Unknown fields, groups, overlong numbers, fields of wrong types and texts that are none.
    let odd: [&[u8]; 9] = [
        b"\x78\x01",
        b"\x0b\x0c",
        b"\x1a\x82\x00ab",
        b"\x1a\x03\xff\xfe\xfd",
        b"\x18\x05",
        b"\x1d\x01\x02\x03\x04",
        b"\x9a\x00\x04view",
        b"\x1a\x04view",
        b"\x30\x00",
    ];
    for _ in 0..chance.below(3) {
        let at = chance.below(bytes.len() + 1);
        match chance.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
            1 => bytes.truncate(at),
            2 => bytes.extend_from_slice(odd[chance.below(odd.len())]),
            3 => drop(bytes.splice(at..at, odd[chance.below(odd.len())].iter().copied())),
            4 => bytes.extend_from_slice(other),
            5 if at < bytes.len() => drop(bytes.remove(at)),
            _ => {}
        }
    }
}

#[test]
fn what_is_read_is_what_the_generated_code_reads() {
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let (mut read, mut refused, mut bulks) = (0, 0, 0);
    for _ in 0..60_000 {
        let other = check(&mut chance).encode_to_vec();
        let mut bytes = check(&mut chance).encode_to_vec();
        bend(&mut chance, &mut bytes, &other);
        read += usize::from(agreement::check(&bytes));
        refused += usize::from(wire::CheckPermissionRequest::decode(&*bytes).is_err());
        let other = bulk(&mut chance).encode_to_vec();
        let mut bytes = bulk(&mut chance).encode_to_vec();
        bend(&mut chance, &mut bytes, &other);
        bulks += usize::from(agreement::bulk(&bytes));
    }
    // Neither side of it is empty.
    assert!(read > 3_000 && bulks > 3_000 && refused > 3_000, "{read} {bulks} {refused}");
}

#[test]
fn an_answer_is_written_as_the_generated_code_writes_it() {
    for permissionship in [Permissionship::NoPermission, Permissionship::HasPermission] {
        let answer = wire::CheckPermissionResponse {
            checked_at: Some(wire::ZedToken { token: "a token".into() }),
            permissionship: permissionship.into(),
            ..Default::default()
        };
        assert_eq!(check_answer("a token", permissionship), framed(&answer));
        assert_eq!(framed(&answer)[..5], [0, 0, 0, 0, u8::try_from(answer.encoded_len()).unwrap()]);
    }
}

#[test]
fn common_requests_are_read_and_uncommon_ones_are_not() {
    let common = wire::CheckPermissionRequest {
        consistency: Some(wire::Consistency { requirement: Some(Requirement::FullyConsistent(true)) }),
        resource: Some(wire::ObjectReference { object_type: "document".into(), object_id: "a".into() }),
        permission: "view".into(),
        subject: Some(wire::SubjectReference {
            object: Some(wire::ObjectReference { object_type: "group".into(), object_id: "b".into() }),
            optional_relation: "member".into(),
        }),
        ..Default::default()
    };
    let bytes = common.encode_to_vec();
    let read = Check::read(&bytes).unwrap();
    assert_eq!(read.wanted, Wanted::FullyConsistent);
    assert_eq!((read.resource.object_id, read.subject.relation), ("a", Some("member")));
    assert!(bytes.as_ptr_range().contains(&read.permission.as_ptr()), "nothing is copied");
    let uncommon: [fn(&mut wire::CheckPermissionRequest); 7] = [
        |request| request.context = Some(prost_types::Struct::default()),
        |request| request.with_tracing = true,
        |request| request.permission.clear(),
        |request| request.resource = None,
        |request| request.resource.as_mut().unwrap().object_id = "*".into(),
        |request| request.subject.as_mut().unwrap().object.as_mut().unwrap().object_id = "*".into(),
        |request| request.consistency = Some(wire::Consistency::default()),
    ];
    for (number, change) in uncommon.into_iter().enumerate() {
        let mut request = common.clone();
        change(&mut request);
        assert_eq!(Check::read(&request.encode_to_vec()), None, "{number}");
    }
    let twice = [&bytes[..], &bytes[..]].concat();
    assert_eq!(Check::read(&twice), None);
    assert_eq!(Check::read(&bytes[..bytes.len() - 1]), None);
    let items = wire::CheckBulkPermissionsRequest {
        items: vec![
            wire::CheckBulkPermissionsRequestItem {
                resource: common.resource,
                permission: common.permission,
                subject: common.subject,
                context: None,
            };
            3
        ],
        ..Default::default()
    };
    let bytes = items.encode_to_vec();
    assert_eq!(Bulk::read(&bytes, 3).unwrap().items.len(), 3);
    assert_eq!(Bulk::read(&bytes, 2), None, "one too many is told by the generated code");
}
