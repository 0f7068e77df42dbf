//! Arbitrary record contents for property tests.

use std::sync::Arc;

use pemba_engine::{EdgeKey, KindId, Ordinal, Qualifier};
use pemba_model::{CaveatRef, Context, SmolStr, Timestamp};
use proptest::prelude::*;
use serde_json::Value;

use super::Attributes;

/// Numbers with every length in bytes, and the borders between them.
pub(super) fn number() -> impl Strategy<Value = u32> {
    prop_oneof![any::<u32>(), 0_u32..4, Just(255), Just(256), Just(65_535), Just(65_536), Just(u32::MAX)]
}

pub(super) fn edge() -> impl Strategy<Value = EdgeKey> {
    (number(), number(), number()).prop_map(|(kind, resource, subject)| EdgeKey {
        kind: KindId(kind),
        resource: Ordinal(resource),
        subject: Ordinal(subject),
    })
}

pub(super) fn instant() -> impl Strategy<Value = Timestamp> {
    (-62_135_596_800_i64..=253_402_300_799, 0_u32..1_000_000_000)
        .prop_map(|(seconds, nanos)| Timestamp::new(seconds, nanos).unwrap())
}

pub(super) fn name() -> impl Strategy<Value = SmolStr> {
    "[a-z_]{1,40}|\\PC{0,40}".prop_map(SmolStr::from)
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("\\PC{0,6}", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

pub(super) fn context() -> impl Strategy<Value = Context> {
    prop::collection::btree_map("\\PC{0,6}", value(), 0..4).prop_map(|fields| fields.into_iter().collect())
}

pub(super) fn qualifier() -> impl Strategy<Value = Arc<Qualifier>> {
    let caveat = (name(), context()).prop_map(|(name, context)| CaveatRef { name, context });
    (prop::option::of(caveat), prop::option::of(instant()))
        .prop_filter("a qualifier qualifies", |(caveat, expiry)| caveat.is_some() || expiry.is_some())
        .prop_map(|(caveat, expires_at)| Arc::new(Qualifier { caveat, expires_at }))
}

pub(super) fn attributes() -> impl Strategy<Value = Attributes> {
    prop::option::of(qualifier())
}

/// A qualifier with everything in it, for golden bytes.
pub(super) fn full_qualifier() -> Arc<Qualifier> {
    let context = serde_json::json!({ "max": 3, "why": ["a", null, 0.5] });
    Arc::new(Qualifier {
        caveat: Some(CaveatRef { name: "limit".into(), context: context.as_object().unwrap().clone() }),
        expires_at: Some(Timestamp::new(1_700_000_000, 7).unwrap()),
    })
}
