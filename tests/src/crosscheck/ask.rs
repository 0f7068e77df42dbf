//! The calls of the cross-check: at a revision of its choice, in pages of its choice.

use std::collections::BTreeMap;

use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::check_bulk_permissions_pair::Response;
use pemba_proto::authzed::api::v1::consistency::Requirement;
use tonic::Status;

use crate::differential::answer::{Fault, Found, Verdict};
use crate::differential::peer::Peer;
use crate::differential::step::{Item, Object, wire_context};

/// At which revision it is asked, and in pages of how many; 0 is all at once.
#[derive(Debug, Clone, Copy)]
pub struct How<'a> {
    /// Exactly this write's; `None` for the head.
    pub exact: Option<&'a wire::ZedToken>,
    /// Most results of one call.
    pub page: u32,
}

impl How<'_> {
    fn consistency(&self) -> Option<wire::Consistency> {
        let requirement = match self.exact {
            Some(token) => Requirement::AtExactSnapshot(token.clone()),
            None => Requirement::FullyConsistent(true),
        };
        Some(wire::Consistency { requirement: Some(requirement) })
    }
}

fn told(status: &Status) -> String {
    Fault::of(status).to_string()
}

/// What a lookup found, in the order in which it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Lookup<T> {
    /// The ids as they came.
    pub order: Vec<String>,
    /// What was said of each.
    pub found: BTreeMap<String, T>,
}

impl<T> Lookup<T> {
    fn empty() -> Lookup<T> {
        Lookup { order: Vec::new(), found: BTreeMap::new() }
    }

    /// Takes one more result; none may come twice, pages included.
    fn take(&mut self, id: String, one: T) -> Result<(), String> {
        self.order.push(id.clone());
        match self.found.insert(id, one) {
            None => Ok(()),
            Some(_) => Err(format!("twice in {:?}", self.order)),
        }
    }
}

/// The answers to many checks, in their order.
pub async fn bulk(peer: &mut Peer, items: &[Item], how: How<'_>) -> Result<Vec<Verdict>, String> {
    let wired = items.iter().map(|item| wire::CheckBulkPermissionsRequestItem {
        resource: Some(item.resource.wire()),
        permission: item.permission.clone(),
        subject: Some(item.subject.wire()),
        context: wire_context(&item.context),
    });
    let request = wire::CheckBulkPermissionsRequest {
        consistency: how.consistency(),
        items: wired.collect(),
        ..Default::default()
    };
    let answer = peer.permissions.check_bulk_permissions(request).await.map_err(|status| told(&status))?;
    let pairs = answer.into_inner().pairs;
    assert_eq!(pairs.len(), items.len(), "an answer for each");
    let verdict = |(item, pair): (&Item, wire::CheckBulkPermissionsPair)| match pair.response {
        Some(Response::Item(one)) => Ok(Verdict::new(one.permissionship, one.partial_caveat_info.as_ref())),
        Some(Response::Error(status)) => Err(format!("{item}: {}", Fault::of_item(&status))),
        None => Err(format!("{item}: no answer")),
    };
    items.iter().zip(pairs).map(verdict).collect()
}

/// The resources like that of an item on which its subject has its permission.
pub async fn resources(peer: &mut Peer, like: &Item, how: How<'_>) -> Result<Lookup<Verdict>, String> {
    let mut request = wire::LookupResourcesRequest {
        consistency: how.consistency(),
        resource_object_type: like.resource.kind.clone(),
        permission: like.permission.clone(),
        subject: Some(like.subject.wire()),
        context: wire_context(&like.context),
        optional_limit: how.page,
        ..Default::default()
    };
    let mut lookup = Lookup::empty();
    loop {
        let before = lookup.order.len();
        let stream = peer.permissions.lookup_resources(request.clone()).await;
        let mut stream = stream.map_err(|status| told(&status))?.into_inner();
        while let Some(message) = stream.message().await.map_err(|status| told(&status))? {
            let verdict = Verdict::looked_up(message.permissionship, message.partial_caveat_info.as_ref());
            lookup.take(message.resource_object_id, verdict)?;
            request.optional_cursor = message.after_result_cursor;
        }
        if how.page == 0 || lookup.order.len() - before < usize::try_from(how.page).unwrap() {
            return Ok(lookup);
        }
    }
}

/// The subjects of a form, type and relation, that have a permission on a resource.
pub async fn subjects(
    peer: &mut Peer,
    (resource, permission): (&Object, &str),
    (kind, relation): (&str, &str),
    how: How<'_>,
) -> Result<Lookup<Found>, String> {
    let mut request = wire::LookupSubjectsRequest {
        consistency: how.consistency(),
        resource: Some(resource.wire()),
        permission: permission.to_owned(),
        subject_object_type: kind.to_owned(),
        optional_subject_relation: relation.to_owned(),
        optional_concrete_limit: how.page,
        ..Default::default()
    };
    let one = |resolved: &wire::ResolvedSubject| {
        Verdict::looked_up(resolved.permissionship, resolved.partial_caveat_info.as_ref())
    };
    let mut lookup = Lookup::empty();
    loop {
        let mut concrete = 0;
        let stream = peer.permissions.lookup_subjects(request.clone()).await;
        let mut stream = stream.map_err(|status| told(&status))?.into_inner();
        while let Some(message) = stream.message().await.map_err(|status| told(&status))? {
            let subject = message.subject.unwrap_or_default();
            let excluded = message.excluded_subjects.iter();
            let excluded = excluded.map(|out| (out.subject_object_id.clone(), one(out))).collect();
            // The wildcard does not count towards the limit.
            concrete += u32::from(subject.subject_object_id != "*");
            let verdict = one(&subject);
            lookup.take(subject.subject_object_id, (verdict, excluded))?;
            request.optional_cursor = message.after_result_cursor;
        }
        if how.page == 0 || concrete < how.page {
            return Ok(lookup);
        }
    }
}
