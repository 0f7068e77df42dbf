// Looking up resources and subjects.

import assert from "node:assert/strict";
import { it } from "node:test";

import { v1 } from "@authzed/authzed-node";

import { CREATE, DELETE, DOCUMENT, NOW, USER } from "./harness.js";
import { client, objectOf, refused, status, subjectOf, touch, update, write } from "./harness.js";

const { HAS_PERMISSION, CONDITIONAL_PERMISSION } = v1.LookupPermissionship;

const resources = (subject, fields = {}) =>
  client.promises.lookupResources(
    v1.LookupResourcesRequest.create({
      consistency: NOW,
      resourceObjectType: DOCUMENT,
      permission: "view",
      subject: subjectOf(subject),
      ...fields,
    }),
  );

const subjects = (document) =>
  client.promises.lookupSubjects(
    v1.LookupSubjectsRequest.create({
      consistency: NOW,
      resource: objectOf(`document:${document}`),
      permission: "view",
      subjectObjectType: USER,
    }),
  );

const ids = (found) => found.map((result) => result.resourceObjectId).sort();

export default function () {
  it("finds resources by every path", async () => {
    await touch(
      "document:lr_direct#viewer@user:lr_ann",
      "group:lr#member@user:lr_ann",
      "document:lr_grouped#editor@group:lr#member",
      "folder:lr#viewer@user:lr_ann",
      "document:lr_filed#folder@folder:lr",
      "document:lr_banned#viewer@user:lr_ann",
      "document:lr_banned#banned@user:lr_ann",
    );
    const found = await resources("user:lr_ann");
    assert.deepEqual(ids(found), ["lr_direct", "lr_filed", "lr_grouped"]);
    assert.ok(found.every((result) => result.permissionship === HAS_PERMISSION && result.lookedUpAt.token));
    assert.deepEqual(ids(await resources("user:lr_ann", { permission: "edit" })), ["lr_grouped"]);
  });

  it("finds resources page by page", async () => {
    const wanted = [0, 1, 2, 3, 4, 5, 6].map((number) => `lr_page${number}`);
    await touch(...wanted.map((document) => `document:${document}#viewer@user:lr_pager`));
    const pages = [];
    for (let optionalCursor; ; ) {
      const page = await resources("user:lr_pager", { optionalLimit: 3, optionalCursor });
      if (page.length === 0) break;
      pages.push(page.map((result) => result.resourceObjectId));
      optionalCursor = page.at(-1).afterResultCursor;
    }
    assert.deepEqual(
      pages.map((page) => page.length),
      [3, 3, 1],
    );
    assert.deepEqual(pages.flat().sort(), wanted);
  });

  it("names what a conditional resource lacks", async () => {
    const optionalCaveat = v1.ContextualizedCaveat.create({ caveatName: "nodetest/on_network" });
    await write([update(CREATE, "document:lr_maybe#viewer@user:lr_maybe", { optionalCaveat })]);
    const [found] = await resources("user:lr_maybe");
    assert.equal(found.permissionship, CONDITIONAL_PERMISSION);
    assert.deepEqual(found.partialCaveatInfo.missingRequiredContext, ["network"]);
  });

  it("refuses a broken cursor", () => {
    const optionalCursor = v1.Cursor.create({ token: "broken" });
    return refused(status.INVALID_ARGUMENT, "INVALID_CURSOR", () =>
      resources("user:ann", { optionalLimit: 1, optionalCursor }),
    );
  });

  it("finds subjects", async () => {
    await touch(
      "document:ls#viewer@user:ann",
      "document:ls#editor@group:ls#member",
      "group:ls#member@user:bob",
      "document:ls#viewer@user:dan",
      "document:ls#banned@user:dan",
    );
    const found = await subjects("ls");
    assert.deepEqual(found.map((result) => result.subject.subjectObjectId).sort(), ["ann", "bob"]);
    for (const result of found) {
      assert.equal(result.subject.permissionship, HAS_PERMISSION);
      assert.equal(result.subjectObjectId, result.subject.subjectObjectId);
    }
  });

  it("lists those a wildcard does not cover", async () => {
    // Everyone can see this document, the users of the other cases too.
    const everyone = "document:ls_open#viewer@user:*";
    await touch(everyone, "document:ls_open#banned@user:dan");
    try {
      const found = new Map((await subjects("ls_open")).map((result) => [result.subject.subjectObjectId, result]));
      assert.ok(!found.has("dan"));
      const excluded = found.get("*").excludedSubjects.map((subject) => subject.subjectObjectId);
      assert.deepEqual(excluded, ["dan"]);
      assert.deepEqual(found.get("*").excludedSubjectIds, ["dan"]);
    } finally {
      await write([update(DELETE, everyone)]);
    }
  });
}
