// Importing and exporting relationships.

import assert from "node:assert/strict";
import { it } from "node:test";

import { v1 } from "@authzed/authzed-node";

import { DOCUMENT, NOW } from "./harness.js";
import { client, refused, relationship, shown, status, touch } from "./harness.js";

/** Sends each batch as one message and returns how many relationships were stored. */
function load(...batches) {
  return new Promise((resolve, reject) => {
    const call = client.importBulkRelationships((error, answer) =>
      error ? reject(error) : resolve(Number(answer.numLoaded)),
    );
    call.on("error", () => {}); // The callback has it too.
    for (const batch of batches) {
      const relationships = batch.map((line) => relationship(line));
      call.write(v1.ImportBulkRelationshipsRequest.create({ relationships }));
    }
    call.end();
  });
}

const exported = (optionalResourceIdPrefix, fields = {}) =>
  client.promises.exportBulkRelationships(
    v1.ExportBulkRelationshipsRequest.create({
      consistency: NOW,
      optionalRelationshipFilter: v1.RelationshipFilter.create({ resourceType: DOCUMENT, optionalResourceIdPrefix }),
      ...fields,
    }),
  );

const lines = (batches) => batches.flatMap((batch) => batch.relationships.map(shown));

export default function () {
  it("exports what it imported", async () => {
    const wanted = [0, 1, 2, 3, 4].map((number) => `document:copy${number}#viewer@user:ann`);
    assert.equal(await load(wanted.slice(0, 2), wanted.slice(2)), 5);
    assert.deepEqual(lines(await exported("copy")).sort(), wanted);

    const batches = await exported("copy", { optionalLimit: 2 });
    assert.ok(batches.every((batch) => batch.relationships.length > 0 && batch.relationships.length <= 2));
    assert.deepEqual(lines(batches).sort(), wanted);
    const optionalCursor = batches[0].afterResultCursor;
    const rest = await exported("copy", { optionalLimit: 2, optionalCursor });
    assert.deepEqual([...lines(batches.slice(0, 1)), ...lines(rest)], lines(batches));
  });

  it("imports all or nothing", async () => {
    await touch("document:clash_old#viewer@user:ann");
    const error = await load(["document:clash_new#viewer@user:ann"], ["document:clash_old#viewer@user:ann"]).then(
      () => assert.fail("the import was accepted"),
      (error) => error,
    );
    assert.equal(error.code, status.ALREADY_EXISTS);
    assert.deepEqual(lines(await exported("clash_new")), []);
  });

  it("keeps to the schema", () =>
    refused(status.INVALID_ARGUMENT, "INVALID_SUBJECT_TYPE", () => load(["document:odd#banned@group:g#member"])));
}
