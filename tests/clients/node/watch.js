// Following changes.

import assert from "node:assert/strict";
import { it } from "node:test";

import { v1 } from "@authzed/authzed-node";

import { CREATE, DELETE, DOCUMENT, TOUCH } from "./harness.js";
import { client, refused, shown, status, touch, update, write } from "./harness.js";

const NAMES = { [CREATE]: "touch", [TOUCH]: "touch", [DELETE]: "delete" };

/** Operation and relationship of every change; a creation is delivered as a touch. */
const changes = (messages) =>
  messages.flatMap((message) =>
    message.updates.map((change) => `${NAMES[change.operation]} ${shown(change.relationship)}`),
  );

/** The messages after `optionalStartCursor` up to and with the first one that `until` accepts. */
function follow(optionalStartCursor, until, fields = {}) {
  return new Promise((resolve, reject) => {
    const call = client.watch(v1.WatchRequest.create({ optionalStartCursor, ...fields }));
    const seen = [];
    const deadline = setTimeout(() => reject(new Error(`seen in 20 s: ${changes(seen)}`)), 20_000);
    const settle = (act) => {
      clearTimeout(deadline);
      act();
      call.cancel();
    };
    call.on("data", (message) => {
      seen.push(message);
      if (until(message)) settle(() => resolve(seen));
    });
    call.on("error", (error) => settle(() => reject(error)));
    call.on("end", () => settle(() => reject(new Error("the stream ended"))));
  });
}

export default function () {
  it("delivers changes after a token, in order", async () => {
    const [line, last] = ["ann", "last"].map((user) => `document:watched#viewer@user:${user}`);
    const before = await touch("document:watched#viewer@user:earlier");
    await write([update(CREATE, line)]);
    await write([update(DELETE, line)]);
    await touch(last);
    const atLast = (message) => changes([message]).includes(`touch ${last}`);
    const seen = await follow(before, atLast, { optionalObjectTypes: [DOCUMENT] });
    assert.deepEqual(changes(seen), [`touch ${line}`, `delete ${line}`, `touch ${last}`]);
    const rest = await follow(seen[0].changesThrough, atLast);
    assert.deepEqual(changes(rest), [`delete ${line}`, `touch ${last}`]);
  });

  it("sees what comes while it runs, with its metadata", async () => {
    const before = await touch("document:live#viewer@user:first");
    const seen = follow(before, (message) => message.updates.length > 0);
    const optionalTransactionMetadata = v1.createStructFromObject({ by: "the test" });
    await write([update(TOUCH, "document:live#viewer@user:second")], { optionalTransactionMetadata });
    const message = (await seen).at(-1);
    assert.deepEqual(changes([message]), ["touch document:live#viewer@user:second"]);
    assert.equal(message.optionalTransactionMetadata.fields.by.kind.stringValue, "the test");
  });

  it("refuses types together with filters, and a broken token", async () => {
    const optionalRelationshipFilters = [v1.RelationshipFilter.create({ resourceType: DOCUMENT })];
    await refused(status.INVALID_ARGUMENT, undefined, () =>
      follow(undefined, () => true, { optionalObjectTypes: [DOCUMENT], optionalRelationshipFilters }),
    );
    await refused(status.INVALID_ARGUMENT, undefined, () =>
      follow(v1.ZedToken.create({ token: "broken" }), () => true),
    );
  });
}
