// What the cases share: the server under test, its schema, and the facts of an error.
//
// `PEMBA_ENDPOINT` (host:port) and `PEMBA_KEY` say where the server is. Everything written here has a type under
// `nodetest/` and is gone afterwards, so the server may hold other data.

import assert from "node:assert/strict";

import { v1 } from "@authzed/authzed-node";
import grpc from "@grpc/grpc-js";
import { BinaryReader } from "@protobuf-ts/runtime";

export const PREFIX = "nodetest/";
export const [USER, GROUP, FOLDER, DOCUMENT] = ["user", "group", "folder", "document"].map((name) => PREFIX + name);
export const { CREATE, TOUCH, DELETE } = v1.RelationshipUpdate_Operation;
export const { status } = grpc;
export const NOW = consistency("fullyConsistent", true);

const SCHEMA = `
caveat nodetest/on_network(network string) {
  network == "office"
}

definition nodetest/user {}

definition nodetest/group {
  relation member: nodetest/user | nodetest/group#member
}

definition nodetest/folder {
  relation viewer: nodetest/user
  permission view = viewer
}

definition nodetest/document {
  relation folder: nodetest/folder
  relation editor: nodetest/user | nodetest/group#member
  relation viewer: nodetest/user | nodetest/user:* | nodetest/group#member | nodetest/user with nodetest/on_network
  relation banned: nodetest/user
  permission edit = editor
  permission view = (viewer + edit + folder->view) - banned
}
`;

function variable(name) {
  const value = process.env[name];
  if (!value) throw new Error(`set ${name}: these tests need a running server`);
  return value;
}

export const endpoint = () => variable("PEMBA_ENDPOINT");

/** A client with this key, or with the right one. */
export function connect(key = variable("PEMBA_KEY")) {
  return v1.NewClient(key, endpoint(), v1.ClientSecurity.INSECURE_PLAINTEXT_CREDENTIALS);
}

export const client = connect();

/** One of the four requirements: its name and its value. */
export function consistency(kind, value) {
  return v1.Consistency.create({ requirement: { oneofKind: kind, [kind]: value } });
}

/** A schema text without the definitions and caveats of these tests. */
function withoutOurs(schema) {
  const kept = [];
  let position = 0;
  for (const match of schema.matchAll(/^(definition|caveat) nodetest\//gm)) {
    if (match.index < position) continue;
    kept.push(schema.slice(position, match.index));
    position = schema.indexOf("{", match.index);
    let depth = 0;
    do {
      if (schema[position] === "{") depth += 1;
      if (schema[position] === "}") depth -= 1;
      position += 1;
    } while (depth > 0);
  }
  return kept.join("") + schema.slice(position);
}

/** What the server's schema holds besides ours. */
async function foreignSchema() {
  try {
    const { schemaText } = await client.promises.readSchema(v1.ReadSchemaRequest.create());
    return withoutOurs(schemaText);
  } catch (error) {
    if (error.code !== status.NOT_FOUND) throw error;
    return "";
  }
}

export async function writeSchema(schema) {
  return client.promises.writeSchema(v1.WriteSchemaRequest.create({ schema }));
}

/** Deletes every relationship of ours; no matter if there are none, or no such types yet. */
async function purge() {
  for (const resourceType of [DOCUMENT, FOLDER, GROUP]) {
    const relationshipFilter = v1.RelationshipFilter.create({ resourceType });
    try {
      await client.promises.deleteRelationships(v1.DeleteRelationshipsRequest.create({ relationshipFilter }));
    } catch (error) {
      if (errorInfo(error)?.reason !== "ERROR_REASON_UNKNOWN_DEFINITION") throw error;
    }
  }
}

/** Brings the server to our schema without any data of ours. */
export async function install() {
  await purge();
  await writeSchema((await foreignSchema()) + SCHEMA);
}

/** Leaves the server as it was found. */
export async function uninstall() {
  await purge();
  await writeSchema(await foreignSchema());
  client.close();
}

/** `user:ann`; the prefix of the types is left out. */
export function objectOf(text) {
  const [objectType, objectId] = text.split(":");
  return v1.ObjectReference.create({ objectType: PREFIX + objectType, objectId });
}

/** `user:ann` or `group:staff#member`. */
export function subjectOf(text) {
  const [object, optionalRelation = ""] = text.split("#");
  return v1.SubjectReference.create({ object: objectOf(object), optionalRelation });
}

/** `document:plan#viewer@user:ann`. */
export function relationship(text, attributes = {}) {
  const [left, subject] = text.split("@");
  const [resource, relation] = left.split("#");
  return v1.Relationship.create({
    resource: objectOf(resource),
    relation,
    subject: subjectOf(subject),
    ...attributes,
  });
}

/** A relationship as text, without the prefix of the types. */
export function shown({ resource, relation, subject }) {
  const userset = subject.optionalRelation ? `#${subject.optionalRelation}` : "";
  const text =
    `${resource.objectType}:${resource.objectId}#${relation}` +
    `@${subject.object.objectType}:${subject.object.objectId}${userset}`;
  return text.replaceAll(PREFIX, "");
}

export function update(operation, text, attributes) {
  return v1.RelationshipUpdate.create({ operation, relationship: relationship(text, attributes) });
}

/** Writes the updates and returns the token. */
export async function write(updates, fields = {}) {
  const request = v1.WriteRelationshipsRequest.create({ updates, ...fields });
  return (await client.promises.writeRelationships(request)).writtenAt;
}

export async function touch(...texts) {
  return write(texts.map((text) => update(TOUCH, text)));
}

/** The fields of a message of strings, messages and string maps, by number. */
function fields(bytes) {
  const reader = new BinaryReader(bytes);
  const found = [];
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (wireType === 2) found.push([number, reader.bytes()]);
    else reader.skip(wireType);
  }
  return found;
}

const text = (bytes) => new TextDecoder().decode(bytes);

/** The google.rpc.ErrorInfo of a failed call: reason, domain and metadata. */
export function errorInfo(error) {
  for (const value of error.metadata?.get("grpc-status-details-bin") ?? []) {
    for (const [number, detail] of fields(value)) {
      if (number !== 3) continue;
      const any = Object.fromEntries(fields(detail));
      if (text(any[1]) !== "type.googleapis.com/google.rpc.ErrorInfo") continue;
      const info = { reason: "", domain: "", metadata: {} };
      for (const [field, bytes] of fields(any[2])) {
        if (field === 1) info.reason = text(bytes);
        if (field === 2) info.domain = text(bytes);
        if (field === 3) {
          const entry = Object.fromEntries(fields(bytes));
          info.metadata[text(entry[1])] = entry[2] ? text(entry[2]) : "";
        }
      }
      return info;
    }
  }
  return undefined;
}

/** The call fails with this code, this reason (undefined: no ErrorInfo) and at least this metadata. */
export async function refused(code, reason, call, metadata = {}) {
  const error = await call().then(
    () => assert.fail("the call was accepted"),
    (error) => error,
  );
  const info = errorInfo(error);
  assert.equal(error.code, code, error.message);
  assert.equal(info?.reason.replace(/^ERROR_REASON_/, ""), reason, error.message);
  if (info) assert.equal(info.domain, "authzed.com");
  for (const [key, value] of Object.entries(metadata)) assert.equal(info.metadata[key], value, key);
}
