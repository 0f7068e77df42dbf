//! The document that describes the routes, made from the descriptors: OpenAPI 2, with the names of definitions that
//! clients generated for this interface have.

use std::collections::{BTreeMap, HashMap};

use prost_reflect::{DescriptorPool, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use super::table::Route;

/// How `authzed.api.v1` and `google` types are referred to.
const DEFINITIONS: &str = "#/definitions/";

/// An OpenAPI document of all routes. `status` is the message of errors.
pub(super) fn document(
    pool: &DescriptorPool,
    routes: &BTreeMap<String, Route>,
    status: &MessageDescriptor,
) -> Value {
    let mut definitions = Definitions::new(pool);
    let error = definitions.of_message(status);
    let mut paths = Map::new();
    let mut tags = BTreeMap::new();
    for (path, route) in routes {
        tags.insert(tag(route), ());
        paths.insert(path.clone(), json!({ "post": operation(&mut definitions, route, &error) }));
    }
    let tags: Vec<Value> = tags.into_keys().map(|name| json!({ "name": name })).collect();
    json!({
        "swagger": "2.0",
        "info": {
            "title": "Pemba",
            "description": "authzed.api.v1 as JSON over HTTP. Every call is a POST with one JSON object; streams are \
                answered with one JSON object a line.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": env!("CARGO_PKG_LICENSE") },
        },
        "schemes": ["http", "https"],
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "securityDefinitions": {
            "Bearer": {
                "type": "apiKey",
                "name": "Authorization",
                "in": "header",
                "description": "`Bearer ` and a preshared key",
            },
        },
        "security": [{ "Bearer": [] }],
        "tags": tags,
        "paths": paths,
        "definitions": definitions.finish(),
    })
}

/// The group of a route: its service without the word.
fn tag(route: &Route) -> String {
    let service = route.method.parent_service();
    service.name().strip_suffix("Service").unwrap_or(service.name()).to_owned()
}

fn operation(definitions: &mut Definitions, route: &Route, error: &Value) -> Value {
    let method = &route.method;
    let output = definitions.of_message(&route.output);
    let answer = if method.is_server_streaming() {
        json!({
            "description": "One object a line: a result for every message, an error at the end if there is one.",
            "schema": { "type": "object", "properties": { "result": output, "error": error } },
        })
    } else {
        json!({ "description": "The answer.", "schema": output })
    };
    let input = if method.is_client_streaming() {
        "Any number of objects, one after another."
    } else {
        "The request."
    };
    let mut operation = json!({
        "operationId": format!("{}_{}", method.parent_service().name(), method.name()),
        "tags": [tag(route)],
        "parameters": [{
            "name": "body",
            "in": "body",
            "required": true,
            "description": input,
            "schema": definitions.of_message(&route.input),
        }],
        "responses": {
            "200": answer,
            "default": { "description": "An error.", "schema": error },
        },
    });
    if let Some(members) = operation.as_object_mut() {
        definitions.describe(members, "summary", method.full_name());
        let options = method.method_descriptor_proto().options.as_ref();
        if options.is_some_and(|options| options.deprecated()) {
            members.insert("deprecated".to_owned(), true.into());
        }
    }
    operation
}

/// The types that were referred to, each once.
struct Definitions {
    /// How often each last part of a name is used; one used twice needs more parts.
    uses: HashMap<String, usize>,
    made: BTreeMap<String, Value>,
    /// What the descriptors' files say, by full name.
    comments: HashMap<&'static str, &'static str>,
}

impl Definitions {
    fn new(pool: &DescriptorPool) -> Definitions {
        let mut uses = HashMap::new();
        let messages = pool.all_messages().map(|message| message.name().to_owned());
        for name in messages.chain(pool.all_enums().map(|values| values.name().to_owned())) {
            *uses.entry(name).or_default() += 1;
        }
        let comments = pemba_proto::COMMENTS.lines().filter_map(|line| line.split_once('\t')).collect();
        Definitions { uses, made: BTreeMap::new(), comments }
    }

    /// Adds the comment of what has this name, if it has one.
    fn describe(&self, members: &mut Map<String, Value>, key: &str, full_name: &str) {
        if let Some(comment) = self.comments.get(full_name) {
            members.insert(key.to_owned(), (*comment).into());
        }
    }

    fn finish(self) -> Value {
        Value::Object(self.made.into_iter().collect())
    }

    /// The name of a type: its last two parts, or three where the last one alone is not unique.
    fn name(&self, full_name: &str, name: &str) -> String {
        let count = if self.uses.get(name).copied().unwrap_or_default() > 1 { 3 } else { 2 };
        let parts: Vec<&str> = full_name.split('.').collect();
        let parts = parts.get(parts.len().saturating_sub(count)..).unwrap_or(&parts);
        let mut joined = String::new();
        for (index, part) in parts.iter().enumerate() {
            let mut characters = part.chars();
            match characters.next() {
                Some(first) if index > 0 => joined.extend(first.to_uppercase().chain(characters)),
                Some(first) => joined.extend(std::iter::once(first).chain(characters)),
                None => {}
            }
        }
        joined
    }

    /// A reference to a message, or its form where JSON has one of its own.
    fn of_message(&mut self, message: &MessageDescriptor) -> Value {
        match message.full_name() {
            "google.protobuf.Struct" => return json!({ "type": "object" }),
            "google.protobuf.Value" => return json!({}),
            "google.protobuf.ListValue" => return json!({ "type": "array", "items": {} }),
            "google.protobuf.Timestamp" => return json!({ "type": "string", "format": "date-time" }),
            "google.protobuf.Duration" => return json!({ "type": "string" }),
            _ => {}
        }
        let name = self.name(message.full_name(), message.name());
        if !self.made.contains_key(&name) {
            // A message may hold itself.
            self.made.insert(name.clone(), Value::Null);
            let definition = self.message(message);
            self.made.insert(name.clone(), definition);
        }
        json!({ "$ref": format!("{DEFINITIONS}{name}") })
    }

    fn message(&mut self, message: &MessageDescriptor) -> Value {
        if message.full_name() == "google.protobuf.Any" {
            let properties = json!({ "@type": { "type": "string" } });
            return json!({ "type": "object", "properties": properties, "additionalProperties": {} });
        }
        let properties: Map<String, Value> =
            message.fields().map(|field| (field.json_name().to_owned(), self.of_field(&field))).collect();
        let mut definition = Map::new();
        definition.insert("type".to_owned(), "object".into());
        if !properties.is_empty() {
            definition.insert("properties".to_owned(), Value::Object(properties));
        }
        self.describe(&mut definition, "description", message.full_name());
        Value::Object(definition)
    }

    fn of_field(&mut self, field: &FieldDescriptor) -> Value {
        let kind = field.kind();
        let form = match kind.as_message().filter(|_| field.is_map()) {
            Some(entry) => {
                let value = self.of_kind(&entry.map_entry_value_field().kind());
                json!({ "type": "object", "additionalProperties": value })
            }
            None if field.is_list() => json!({ "type": "array", "items": self.of_kind(&kind) }),
            None => self.of_kind(&kind),
        };
        let Value::Object(mut members) = form else { return form };
        self.describe(&mut members, "description", field.full_name());
        if field.field_descriptor_proto().options.as_ref().is_some_and(|options| options.deprecated()) {
            members.insert("x-deprecated".to_owned(), true.into());
        }
        Value::Object(members)
    }

    fn of_kind(&mut self, kind: &Kind) -> Value {
        match kind {
            Kind::Message(message) => self.of_message(message),
            Kind::Enum(values) => self.of_enum(values),
            Kind::Bool => json!({ "type": "boolean" }),
            Kind::String => json!({ "type": "string" }),
            Kind::Bytes => json!({ "type": "string", "format": "byte" }),
            Kind::Double => json!({ "type": "number", "format": "double" }),
            Kind::Float => json!({ "type": "number", "format": "float" }),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => json!({ "type": "integer", "format": "int32" }),
            Kind::Uint32 | Kind::Fixed32 => json!({ "type": "integer", "format": "int64" }),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => json!({ "type": "string", "format": "int64" }),
            Kind::Uint64 | Kind::Fixed64 => json!({ "type": "string", "format": "uint64" }),
        }
    }

    fn of_enum(&mut self, values: &EnumDescriptor) -> Value {
        let name = self.name(values.full_name(), values.name());
        if !self.made.contains_key(&name) {
            let names: Vec<Value> = values.values().map(|value| value.name().into()).collect();
            let mut definition = Map::new();
            definition.insert("type".to_owned(), "string".into());
            definition.insert("enum".to_owned(), names.into());
            definition.insert("default".to_owned(), values.default_value().name().into());
            self.describe(&mut definition, "description", values.full_name());
            self.made.insert(name.clone(), Value::Object(definition));
        }
        json!({ "$ref": format!("{DEFINITIONS}{name}") })
    }
}
