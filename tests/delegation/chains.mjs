// Asks as a chain with @authzed/authzed-node and the interceptor of docs/examples/node, and prints the answers as JSON.
//
// `PEMBA_ENDPOINT`, `PEMBA_KEY` and `PEMBA_DELEGATION` say where, as whom and by which delegation.

import { v1 } from "@authzed/authzed-node";
import grpc from "@grpc/grpc-js";

import { chain } from "./pemba-chain.mjs";

const { PEMBA_ENDPOINT: endpoint, PEMBA_KEY: key, PEMBA_DELEGATION: delegation } = process.env;
// The fourth argument: no service is connected to ahead of its first call.
const connect = (options) =>
  v1.NewClient(key, endpoint, v1.ClientSecurity.INSECURE_PLAINTEXT_CREDENTIALS, 0, options);
const chained = connect({ interceptors: [chain({ delegation })] }).promises;
const plain = connect().promises;

const consistency = v1.Consistency.create({ requirement: { oneofKind: "fullyConsistent", fullyConsistent: true } });
const object = (objectType, objectId) => v1.ObjectReference.create({ objectType, objectId });
const subject = (type, id) => v1.SubjectReference.create({ object: object(type, id) });

/** The answer, or the name of the error's code. */
async function answer(asked) {
  try {
    return await asked;
  } catch (error) {
    return grpc.status[error.code] ?? String(error);
  }
}

function check(client, id, who = subject("agent", "bot")) {
  const request = { consistency, resource: object("document", id), permission: "view", subject: who };
  const asked = client.checkPermission(v1.CheckPermissionRequest.create(request));
  return answer(asked.then(({ permissionship }) => permissionship));
}

function lookup(client, id) {
  const request = { consistency, resourceObjectType: "document", permission: "view", subject: subject("agent", id) };
  const asked = client.lookupResources(v1.LookupResourcesRequest.create(request));
  return answer(asked.then((found) => found.map(({ resourceObjectId }) => resourceObjectId).sort()));
}

const answers = {
  plan: await check(chained, "plan"),
  diary: await check(chained, "diary"),
  own: await check(chained, "own"),
  lookup: await lookup(chained, "bot"),
  // Where the chain is not applied this finds nothing, and that is no answer either.
  nobody: await lookup(chained, "nobody"),
  eve: await check(chained, "plan", subject("user", "eve")),
  "plain own": await check(plain, "own"),
};
process.stdout.write(JSON.stringify(answers));
process.exit(0);
