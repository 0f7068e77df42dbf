//! Any message as the JSON of this command line: fields by their names in the `.proto` files, objects, subjects,
//! relationships, tokens, scopes, instants and spans as the text that is typed, enums as words.

use std::sync::OnceLock;

use anyhow::{Context as _, Result};
use pemba_client::wire;
use pemba_proto::authzed::api::v1 as authzed;
use pemba_proto::pemba::v1::Scope;
use prost::Message;
use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumDescriptor, Kind, ReflectMessage as _, Value as Field,
};
use serde_json::{Map, Value, json};

use super::nouns::{object_text, subject_text};
use super::scope::scope_texts;
use super::time::span_text;

static POOL: OnceLock<Option<DescriptorPool>> = OnceLock::new();

/// The JSON of a message, named in full such as `pemba.v1.Agent`. What is not given is left out, except numbers, texts,
/// lists and truth values, which have no such state.
pub(crate) fn to_json(name: &str, message: &impl Message) -> Result<Value> {
    let pool = POOL.get_or_init(|| DescriptorPool::decode(pemba_proto::FILE_DESCRIPTOR_SET).ok());
    let descriptor = pool.as_ref().and_then(|pool| pool.get_message_by_name(name));
    let descriptor = descriptor.with_context(|| format!("there is no message `{name}`"))?;
    of_message(&DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())?)
}

fn of_message(message: &DynamicMessage) -> Result<Value> {
    let descriptor = message.descriptor();
    Ok(match descriptor.full_name() {
        "authzed.api.v1.ObjectReference" => {
            json!(object_text(Some(&message.transcode_to::<authzed::ObjectReference>()?)))
        }
        "authzed.api.v1.SubjectReference" => {
            json!(subject_text(Some(&message.transcode_to::<authzed::SubjectReference>()?)))
        }
        "authzed.api.v1.Relationship" => {
            json!(wire::relationship_from_wire(message.transcode_to()?)?.to_string())
        }
        "authzed.api.v1.ZedToken" => json!(message.transcode_to::<authzed::ZedToken>()?.token),
        "pemba.v1.Scope" => json!(scope_texts(Some(&message.transcode_to::<Scope>()?))),
        "google.protobuf.Timestamp" => json!(wire::time_from_wire(message.transcode_to()?)?.to_string()),
        "google.protobuf.Duration" => json!(span_text(message.transcode_to()?)),
        "google.protobuf.Struct" => Value::Object(wire::context_from_wire(Some(message.transcode_to()?))?),
        _ => {
            let mut fields = Map::new();
            for field in descriptor.fields() {
                let is_unspecified = matches!(field.kind(), Kind::Enum(_)) && !message.has_field(&field);
                let is_absent = field.supports_presence() && !message.has_field(&field);
                if !is_absent && (!is_unspecified || field.is_list()) {
                    let value = of_field(&message.get_field(&field), &field.kind())?;
                    fields.insert(field.name().to_owned(), value);
                }
            }
            Value::Object(fields)
        }
    })
}

fn of_field(value: &Field, kind: &Kind) -> Result<Value> {
    Ok(match value {
        Field::Bool(value) => json!(value),
        Field::I32(value) => json!(value),
        Field::I64(value) => json!(value),
        Field::U32(value) => json!(value),
        Field::U64(value) => json!(value),
        Field::F32(value) => json!(value),
        Field::F64(value) => json!(value),
        Field::String(value) => json!(value),
        Field::Bytes(value) => json!(value.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
        Field::EnumNumber(number) => match kind {
            Kind::Enum(of) => enum_word(of, *number),
            _ => json!(number),
        },
        Field::Message(message) => of_message(message)?,
        Field::List(values) => {
            Value::Array(values.iter().map(|value| of_field(value, kind)).collect::<Result<_>>()?)
        }
        Field::Map(values) => {
            let mut fields = Map::new();
            for (key, value) in values {
                let name = key.as_str().map_or_else(|| format!("{key:?}"), str::to_owned);
                fields.insert(name, of_field(value, kind)?);
            }
            Value::Object(fields)
        }
    })
}

/// The value's name without what it has from the enum's: `machine-client` of `AGENT_KIND_MACHINE_CLIENT`.
fn enum_word(of: &EnumDescriptor, number: i32) -> Value {
    let Some(value) = of.get_value(number) else { return json!(number) };
    let mut prefix = String::new();
    for (at, letter) in of.name().chars().enumerate() {
        if at > 0 && letter.is_uppercase() {
            prefix.push('_');
        }
        prefix.extend(letter.to_uppercase());
    }
    let name = value.name();
    let name = name.strip_prefix(&prefix).and_then(|rest| rest.strip_prefix('_')).unwrap_or(name);
    json!(name.to_lowercase().replace('_', "-"))
}

#[cfg(test)]
mod tests {
    use pemba_proto::pemba::v1::{Agent, AgentKind, AgentSpec, AgentStatus, ApprovalPolicy, Distinct};

    use super::*;
    use crate::agents::scope::clause;

    #[test]
    fn nouns_are_texts_and_enums_are_words() {
        let object =
            |id: &str| authzed::ObjectReference { object_type: "agent".into(), object_id: id.into() };
        let spec = AgentSpec {
            principal: Some(object("a")),
            kind: AgentKind::MachineClient.into(),
            sponsors: vec![object("s")],
            ceiling: Some(Scope { clauses: vec![clause("ticket:view@*").unwrap()] }),
            attest_every: Some(prost_types::Duration { seconds: 3600, nanos: 0 }),
            ..AgentSpec::default()
        };
        let agent = Agent {
            spec: Some(spec),
            version: u64::MAX,
            status: AgentStatus::Active.into(),
            created_at: Some(prost_types::Timestamp { seconds: 0, nanos: 0 }),
            ..Agent::default()
        };
        let value = to_json("pemba.v1.Agent", &agent).unwrap();
        assert_eq!(value["spec"]["principal"], "agent:a");
        assert_eq!(value["spec"]["kind"], "machine-client");
        assert_eq!(value["spec"]["sponsors"], json!(["agent:s"]));
        assert_eq!(value["spec"]["ceiling"], json!(["ticket:view@*"]));
        assert_eq!(value["spec"]["attest_every"], "1h");
        assert_eq!(value["version"], u64::MAX);
        assert_eq!(value["status"], "active");
        assert_eq!(value["created_at"], "1970-01-01T00:00:00Z");
        assert_eq!(value["not_live"], "", "a text is shown when it is empty");
        assert_eq!(value.get("attest_by"), None);
    }

    #[test]
    fn lists_of_enums_are_lists_of_words() {
        let policy = ApprovalPolicy {
            distinct_from: vec![Distinct::SessionOpener.into(), 77],
            ..ApprovalPolicy::default()
        };
        let value = to_json("pemba.v1.ApprovalPolicy", &policy).unwrap();
        assert_eq!(value["distinct_from"], json!(["session-opener", 77]));
        assert_eq!(value.get("applies"), None);
        assert!(to_json("pemba.v1.Nothing", &policy).is_err());
    }
}
