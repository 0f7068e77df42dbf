// Writing and reading the schema.

import assert from "node:assert/strict";
import { it } from "node:test";

import { v1 } from "@authzed/authzed-node";

import { client, refused, status, touch, writeSchema } from "./harness.js";

const read = () => client.promises.readSchema(v1.ReadSchemaRequest.create());

export default function () {
  it("reads what was written and takes it again", async () => {
    const { schemaText, readAt } = await read();
    assert.ok(readAt.token);
    for (const part of ["definition nodetest/document", "caveat nodetest/on_network", "relation banned"]) {
      assert.ok(schemaText.includes(part), part);
    }
    assert.ok((await writeSchema(schemaText)).writtenAt.token);
    assert.equal((await read()).schemaText, schemaText);
  });

  it("refuses text that does not parse", () =>
    refused(status.INVALID_ARGUMENT, "SCHEMA_PARSE_ERROR", () => writeSchema("definition nodetest/broken {")));

  it("refuses a type that is not there", () =>
    refused(status.FAILED_PRECONDITION, "SCHEMA_TYPE_ERROR", () =>
      writeSchema("definition nodetest/lonely {\n  relation friend: nodetest/nobody\n}"),
    ));

  it("keeps a relation that is in use", async () => {
    await touch("document:schema_used#banned@user:ann");
    const { schemaText } = await read();
    const smaller = schemaText
      .split("\n")
      .filter((line) => !line.trim().startsWith("relation banned"))
      .map((line) => line.replace(" - banned", ""))
      .join("\n");
    await refused(status.INVALID_ARGUMENT, "SCHEMA_TYPE_ERROR", () => writeSchema(smaller));
    assert.equal((await read()).schemaText, schemaText);
  });
}
