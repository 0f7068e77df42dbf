// Check, bulk check and expand.

import assert from "node:assert/strict";
import { it } from "node:test";

import { v1 } from "@authzed/authzed-node";

import { CREATE, DELETE, NOW } from "./harness.js";
import { client, consistency, objectOf, refused, status, subjectOf, touch, update, write } from "./harness.js";

const { HAS_PERMISSION, NO_PERMISSION, CONDITIONAL_PERMISSION } = v1.CheckPermissionResponse_Permissionship;

/** `document:plan#view@user:ann` as the fields of a check. */
function question(text, fields = {}) {
  const [left, subject] = text.split("@");
  const [resource, permission] = left.split("#");
  return { resource: objectOf(resource), permission, subject: subjectOf(subject), ...fields };
}

const check = (text, requirement = NOW, fields = {}) =>
  client.promises.checkPermission(
    v1.CheckPermissionRequest.create({ consistency: requirement, ...question(text, fields) }),
  );

const answer = async (...asked) => (await check(...asked)).permissionship;

function checks() {
  it("follows groups, arrows and exclusions", async () => {
    await touch(
      "document:paths#viewer@user:ann",
      "document:paths#editor@group:paths#member",
      "group:paths#member@user:bob",
      "document:paths#folder@folder:paths",
      "folder:paths#viewer@user:cat",
      "folder:paths#viewer@user:dan",
      "document:paths#banned@user:dan",
    );
    const has = [];
    for (const user of ["ann", "bob", "cat", "dan", "eve"]) {
      if ((await answer(`document:paths#view@user:${user}`)) === HAS_PERMISSION) has.push(user);
    }
    assert.deepEqual(has, ["ann", "bob", "cat"]);
    assert.equal(await answer("document:paths#edit@user:ann"), NO_PERMISSION);
    assert.equal(await answer("document:paths#view@group:paths#member"), HAS_PERMISSION);
  });

  it("honours the four consistencies", async () => {
    const line = "document:fresh#viewer@user:ann";
    const asked = "document:fresh#view@user:ann";
    const granted = await write([update(CREATE, line)]);
    const revoked = await write([update(DELETE, line)]);
    assert.equal(await answer(asked, consistency("atExactSnapshot", granted)), HAS_PERMISSION);
    assert.equal(await answer(asked, consistency("atExactSnapshot", revoked)), NO_PERMISSION);
    assert.equal(await answer(asked, consistency("atLeastAsFresh", revoked)), NO_PERMISSION);
    assert.equal(await answer(asked, consistency("fullyConsistent", true)), NO_PERMISSION);
    const fast = await check(asked, consistency("minimizeLatency", true));
    assert.ok([HAS_PERMISSION, NO_PERMISSION].includes(fast.permissionship));
    assert.ok(fast.checkedAt.token);
  });

  it("refuses a broken token", () => {
    const broken = consistency("atLeastAsFresh", v1.ZedToken.create({ token: "broken" }));
    return refused(status.INVALID_ARGUMENT, undefined, () => check("document:d#view@user:ann", broken));
  });

  it("waits for the parameter of a caveat", async () => {
    const optionalCaveat = v1.ContextualizedCaveat.create({ caveatName: "nodetest/on_network" });
    await write([update(CREATE, "document:conditional#viewer@user:ann", { optionalCaveat })]);
    const asked = "document:conditional#view@user:ann";
    const unknown = await check(asked);
    assert.equal(unknown.permissionship, CONDITIONAL_PERMISSION);
    assert.deepEqual(unknown.partialCaveatInfo.missingRequiredContext, ["network"]);
    const context = (network) => ({ context: v1.createStructFromObject({ network }) });
    assert.equal(await answer(asked, NOW, context("office")), HAS_PERMISSION);
    assert.equal(await answer(asked, NOW, context("home")), NO_PERMISSION);
  });

  it("answers many in order and keeps an error to its item", async () => {
    await touch("document:bulk#viewer@user:ann");
    const items = ["view@user:ann", "view@user:bob", "fly@user:ann", "view@user:ann"].map((asked) =>
      v1.CheckBulkPermissionsRequestItem.create(question(`document:bulk#${asked}`)),
    );
    const request = v1.CheckBulkPermissionsRequest.create({ consistency: NOW, items });
    const { checkedAt, pairs } = await client.promises.checkBulkPermissions(request);
    assert.ok(checkedAt.token);
    assert.deepEqual(
      pairs.map((pair) => pair.response.oneofKind),
      ["item", "item", "error", "item"],
    );
    assert.equal(pairs[0].response.item.permissionship, HAS_PERMISSION);
    assert.equal(pairs[1].response.item.permissionship, NO_PERMISSION);
    assert.equal(pairs[2].response.error.code, status.FAILED_PRECONDITION);
    assert.equal(pairs[1].request.subject.object.objectId, "bob");
  });
}

/** The ids at the leaves of a tree. */
function leaves({ treeType }) {
  if (treeType.oneofKind === "leaf") return treeType.leaf.subjects.map((subject) => subject.object.objectId);
  return treeType.intermediate.children.flatMap(leaves);
}

function expands() {
  const expand = async (document, permission) => {
    const resource = objectOf(`document:${document}`);
    const request = v1.ExpandPermissionTreeRequest.create({ consistency: NOW, resource, permission });
    return (await client.promises.expandPermissionTree(request)).treeRoot;
  };

  it("expands a relation", async () => {
    await touch("document:leaf#viewer@user:ann", "document:leaf#viewer@group:g#member");
    const tree = await expand("leaf", "viewer");
    assert.equal(tree.expandedObject.objectId, "leaf");
    assert.equal(tree.expandedRelation, "viewer");
    assert.equal(tree.treeType.oneofKind, "leaf");
    assert.deepEqual(leaves(tree).sort(), ["ann", "g"]);
  });

  it("expands a permission", async () => {
    await touch("document:tree#viewer@user:ann", "document:tree#banned@user:bob");
    const { treeType } = await expand("tree", "view");
    assert.equal(treeType.intermediate.operation, v1.AlgebraicSubjectSet_Operation.EXCLUSION);
    const [base, without] = treeType.intermediate.children;
    assert.deepEqual(leaves(base), ["ann"]);
    assert.deepEqual(leaves(without), ["bob"]);
  });
}

export default function () {
  checks();
  expands();
}
