// One entry, so that the cases run one after another: they share the schema of one server.

import { after, before, describe } from "node:test";

import bulk from "./cases/bulk.js";
import check from "./cases/check.js";
import lookup from "./cases/lookup.js";
import refusals from "./cases/refusals.js";
import schema from "./cases/schema.js";
import watch from "./cases/watch.js";
import write from "./cases/write.js";
import { install, uninstall } from "./harness.js";

describe("authzed-node", { timeout: 120_000 }, () => {
  before(install);
  after(uninstall);
  describe("schema", schema);
  describe("write, delete and read", write);
  describe("check and expand", check);
  describe("lookup", lookup);
  describe("import and export", bulk);
  describe("watch", watch);
  describe("refusals", refusals);
});
