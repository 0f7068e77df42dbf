// One entry, so that the cases run one after another: they share the schema of one server.

import { after, before, describe } from "node:test";

import bulk from "./bulk.js";
import check from "./check.js";
import lookup from "./lookup.js";
import refusals from "./refusals.js";
import schema from "./schema.js";
import watch from "./watch.js";
import write from "./write.js";
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
