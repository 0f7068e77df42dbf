// Writing, deleting and reading relationships.

import assert from "node:assert/strict";
import { it } from "node:test";

import { v1 } from "@authzed/authzed-node";

import { CREATE, DELETE, DOCUMENT, NOW, TOUCH, USER } from "./harness.js";
import { client, refused, shown, status, touch, update, write } from "./harness.js";

const { COMPLETE } = v1.DeleteRelationshipsResponse_DeletionProgress;
const { MUST_MATCH, MUST_NOT_MATCH } = v1.Precondition_Operation;

const documents = (optionalResourceId, fields = {}) =>
  v1.RelationshipFilter.create({ resourceType: DOCUMENT, optionalResourceId, ...fields });

const precondition = (operation, filter) => v1.Precondition.create({ operation, filter });

const read = (relationshipFilter, fields = {}) =>
  client.promises.readRelationships(
    v1.ReadRelationshipsRequest.create({ consistency: NOW, relationshipFilter, ...fields }),
  );

const lines = async (filter) => (await read(filter)).map((found) => shown(found.relationship)).sort();

const remove = (relationshipFilter, fields = {}) =>
  client.promises.deleteRelationships(v1.DeleteRelationshipsRequest.create({ relationshipFilter, ...fields }));

function edits() {
  it("creates, touches and deletes", async () => {
    const [ann, bob] = ["ann", "bob"].map((user) => `document:edits#viewer@user:${user}`);
    assert.ok((await write([update(CREATE, ann), update(TOUCH, bob)])).token);
    assert.deepEqual(await lines(documents("edits")), [ann, bob]);
    await write([update(TOUCH, ann), update(DELETE, bob)]);
    assert.deepEqual(await lines(documents("edits")), [ann]);
    await write([update(DELETE, bob)]);
    assert.deepEqual(await lines(documents("edits")), [ann]);
  });

  it("writes nothing when a creation finds its relationship", async () => {
    const [ann, bob] = ["ann", "bob"].map((user) => `document:recreate#viewer@user:${user}`);
    await write([update(CREATE, ann)]);
    await refused(
      status.ALREADY_EXISTS,
      "ATTEMPT_TO_RECREATE_RELATIONSHIP",
      () => write([update(CREATE, bob), update(CREATE, ann)]),
      { resource_type: DOCUMENT, resource_object_id: "recreate", subject_type: USER, subject_object_id: "ann" },
    );
    assert.deepEqual(await lines(documents("recreate")), [ann]);
  });

  it("replaces a caveat by a touch", async () => {
    const line = "document:caveated#viewer@user:ann";
    const context = v1.createStructFromObject({ network: "home" });
    const optionalCaveat = v1.ContextualizedCaveat.create({ caveatName: "nodetest/on_network", context });
    await write([update(CREATE, line, { optionalCaveat })]);
    const stored = (await read(documents("caveated")))[0].relationship.optionalCaveat;
    assert.equal(stored.caveatName, "nodetest/on_network");
    assert.equal(stored.context.fields.network.kind.stringValue, "home");
    await write([update(TOUCH, line)]);
    assert.equal((await read(documents("caveated")))[0].relationship.optionalCaveat, undefined);
  });

  it("refuses one relationship twice", () => {
    const line = "document:twice#viewer@user:ann";
    return refused(status.INVALID_ARGUMENT, "UPDATES_ON_SAME_RELATIONSHIP", () =>
      write([update(TOUCH, line), update(DELETE, line)]),
    );
  });

  it("writes only when its precondition holds", async () => {
    const [first, second] = ["ann", "bob"].map((user) => `document:guarded#viewer@user:${user}`);
    const optionalPreconditions = [precondition(MUST_NOT_MATCH, documents("guarded"))];
    await write([update(TOUCH, first)], { optionalPreconditions });
    await refused(
      status.FAILED_PRECONDITION,
      "WRITE_OR_DELETE_PRECONDITION_FAILURE",
      () => write([update(TOUCH, second)], { optionalPreconditions }),
      { precondition_resource_type: DOCUMENT, precondition_resource_id: "guarded" },
    );
    assert.deepEqual(await lines(documents("guarded")), [first]);
  });
}

function deletes() {
  it("deletes by filter when its precondition holds", async () => {
    const kept = "document:purged#editor@user:ann";
    await touch(kept, "document:purged#viewer@user:ann", "document:purged#viewer@user:bob");
    const wanted = documents("purged", { optionalRelation: "viewer" });
    await refused(status.FAILED_PRECONDITION, "WRITE_OR_DELETE_PRECONDITION_FAILURE", () =>
      remove(wanted, { optionalPreconditions: [precondition(MUST_MATCH, documents("absent"))] }),
    );
    assert.equal((await lines(wanted)).length, 2);

    const answer = await remove(wanted, { optionalPreconditions: [precondition(MUST_MATCH, documents("purged"))] });
    assert.equal(answer.deletionProgress, COMPLETE);
    assert.equal(Number(answer.relationshipsDeletedCount), 2);
    assert.ok(answer.deletedAt.token);
    assert.deepEqual(await lines(documents("purged")), [kept]);
  });

  it("loops a limited delete until it is complete", async () => {
    await touch(...[0, 1, 2, 3, 4].map((number) => `document:looped#viewer@user:u${number}`));
    const filter = documents("looped");
    await refused(
      status.INVALID_ARGUMENT,
      "TOO_MANY_RELATIONSHIPS_FOR_TRANSACTIONAL_DELETE",
      () => remove(filter, { optionalLimit: 2 }),
      { limit: "2", filter_resource_type: DOCUMENT },
    );
    const counts = [];
    for (let answer; answer?.deletionProgress !== COMPLETE; ) {
      answer = await remove(filter, { optionalLimit: 2, optionalAllowPartialDeletions: true });
      counts.push(Number(answer.relationshipsDeletedCount));
      assert.ok(counts.length < 10);
    }
    assert.deepEqual(counts, [2, 2, 1]);
    assert.deepEqual(await lines(filter), []);
  });
}

function reads() {
  it("reads page by page", async () => {
    const wanted = [0, 1, 2, 3, 4].map((number) => `document:paged#viewer@user:u${number}`);
    await touch(...wanted);
    const pages = [];
    for (let optionalCursor; ; ) {
      const page = await read(documents("paged"), { optionalLimit: 2, optionalCursor });
      if (page.length === 0) break;
      pages.push(page.map((found) => shown(found.relationship)));
      optionalCursor = page.at(-1).afterResultCursor;
    }
    assert.deepEqual(
      pages.map((page) => page.length),
      [2, 2, 1],
    );
    assert.deepEqual(pages.flat().sort(), wanted);
  });

  it("refuses a broken cursor and an empty filter", async () => {
    const optionalCursor = v1.Cursor.create({ token: "broken" });
    await refused(status.INVALID_ARGUMENT, "INVALID_CURSOR", () =>
      read(documents("paged"), { optionalLimit: 1, optionalCursor }),
    );
    await refused(status.INVALID_ARGUMENT, "INVALID_FILTER", () => read(v1.RelationshipFilter.create()));
  });
}

export default function () {
  edits();
  deletes();
  reads();
}
