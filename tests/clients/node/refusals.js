// Who is let in, what the schema forbids, and what the server does not offer.

import assert from "node:assert/strict";
import { it } from "node:test";

import { v1 } from "@authzed/authzed-node";
import grpc from "@grpc/grpc-js";

import { DOCUMENT, NOW } from "./harness.js";
import { client, connect, endpoint, objectOf, refused, status, subjectOf, touch } from "./harness.js";

const readSchema = (someone) => someone.promises.readSchema(v1.ReadSchemaRequest.create());

const check = (resource, permission, subject) =>
  client.promises.checkPermission(
    v1.CheckPermissionRequest.create({
      consistency: NOW,
      resource: objectOf(resource),
      permission,
      subject: subjectOf(subject),
    }),
  );

function keys() {
  it("denies a wrong key", async () => {
    const stranger = connect("wrong");
    await refused(status.PERMISSION_DENIED, undefined, () => readSchema(stranger));
    stranger.close();
  });

  it("asks for a missing key", async () => {
    const nobody = v1.NewClientWithChannelCredentials(endpoint(), grpc.credentials.createInsecure());
    await refused(status.UNAUTHENTICATED, undefined, () => readSchema(nobody));
    nobody.close();
  });
}

function rules() {
  it("knows no other definitions and permissions", async () => {
    await refused(
      status.FAILED_PRECONDITION,
      "UNKNOWN_DEFINITION",
      () => check("planet:mars", "view", "user:ann"),
      { definition_name: "nodetest/planet" },
    );
    await refused(
      status.FAILED_PRECONDITION,
      "UNKNOWN_RELATION_OR_PERMISSION",
      () => check("document:d", "fly", "user:ann"),
      { definition_name: DOCUMENT, relation_or_permission_name: "fly" },
    );
  });

  it("takes only subjects and relations the schema allows", async () => {
    await refused(status.INVALID_ARGUMENT, "WILDCARD_NOT_ALLOWED", () => check("document:d", "view", "user:*"));
    await refused(
      status.INVALID_ARGUMENT,
      "INVALID_SUBJECT_TYPE",
      () => touch("document:d#banned@group:g#member"),
      { definition_name: DOCUMENT, relation_name: "banned" },
    );
    await refused(
      status.INVALID_ARGUMENT,
      "CANNOT_UPDATE_PERMISSION",
      () => touch("document:d#view@user:ann"),
      { definition_name: DOCUMENT, permission_name: "view" },
    );
  });
}

const OFFERED = {
  reflectSchema: v1.ReflectSchemaRequest,
  computablePermissions: v1.ComputablePermissionsRequest,
  dependentRelations: v1.DependentRelationsRequest,
  diffSchema: v1.DiffSchemaRequest,
  bulkCheckPermission: v1.BulkCheckPermissionRequest,
  bulkExportRelationships: v1.BulkExportRelationshipsRequest,
  experimentalReflectSchema: v1.ExperimentalReflectSchemaRequest,
  experimentalComputablePermissions: v1.ExperimentalComputablePermissionsRequest,
  experimentalDependentRelations: v1.ExperimentalDependentRelationsRequest,
  experimentalDiffSchema: v1.ExperimentalDiffSchemaRequest,
  experimentalRegisterRelationshipCounter: v1.ExperimentalRegisterRelationshipCounterRequest,
  experimentalCountRelationships: v1.ExperimentalCountRelationshipsRequest,
  experimentalUnregisterRelationshipCounter: v1.ExperimentalUnregisterRelationshipCounterRequest,
};

function offers() {
  for (const [name, request] of Object.entries(OFFERED)) {
    it(`answers ${name}, or refuses what it carries`, async () => {
      const code = await client.promises[name](request.create()).then(() => status.OK, (error) => error.code);
      assert.ok([status.OK, status.INVALID_ARGUMENT, status.FAILED_PRECONDITION].includes(code), `code ${code}`);
    });
  }

  it("answers bulkImportRelationships", async () => {
    const outcome = new Promise((resolve, reject) => {
      const call = client.bulkImportRelationships((error, answer) => (error ? reject(error) : resolve(answer)));
      call.on("error", () => {}); // The callback has it too.
      call.end();
    });
    assert.equal(String((await outcome).numLoaded), "0");
  });
}

export default function () {
  keys();
  rules();
  offers();
}
