"""The interceptors of docs/examples in the real clients: a chain is answered for, and no other answer is taken.

`PEMBA_NODE_FOLDER` is a folder that holds the packages of tests/clients/node and copies of chains.mjs and of the
example's pemba-chain.mjs.
"""

import json
import os
import subprocess
import sys
import unittest

import grpc
import unaware
from authzed.api.v1 import (
    CheckBulkPermissionsRequest,
    CheckBulkPermissionsRequestItem,
    CheckPermissionRequest,
    CheckPermissionResponse,
    InsecureClient,
    LookupResourcesRequest,
)
from database import NANOS, NOW, TIMEOUT_S, Database, core, delegation, instant, subject, thing
from stubs import CHECKOUT

sys.path.insert(0, str(CHECKOUT / "docs" / "examples" / "python"))
from pemba_chain import ChainInterceptor  # noqa: E402  found only from here on

HAS = CheckPermissionResponse.PERMISSIONSHIP_HAS_PERMISSION
NO = CheckPermissionResponse.PERMISSIONSHIP_NO_PERMISSION
SCHEMA = """
definition user {}
definition agent {}
definition document {
  relation viewer: user | agent
  permission view = viewer
}
"""


class ChainClient(InsecureClient):
    """The client of the field, with an interceptor."""

    def __init__(self, target, token, interceptor):
        self.interceptor = interceptor
        super().__init__(target, token)

    def init_stubs(self, channel):
        super().init_stubs(grpc.intercept_channel(channel, self.interceptor))


class InterceptorsTest(unittest.TestCase):
    """Ann sees `plan`, `memo` and `diary`; the bot sees `own`, and on her authority `plan` and `memo`."""

    def setUp(self):
        self.database = Database(SCHEMA)
        self.addCleanup(self.database.close)
        ann, bot = thing("user", "ann"), thing("agent", "bot")
        seen = [(thing("document", name), "viewer", ann) for name in ("plan", "memo", "diary")]
        self.database.write([*seen, (thing("document", "own"), "viewer", bot)])
        self.database.register("bot")
        clause = core.ScopeClause(
            resource_type="document", permissions=["view"], objects=core.ObjectIds(ids=["plan", "memo", "lost"])
        )
        request = delegation.DelegateRequest(
            to=subject(bot),
            scope=core.Scope(clauses=[clause]),
            not_after=instant(self.database.now + 3600 * NANOS),
            **{"from": ann},
        )
        self.delegation = self.database.ask(self.database.delegations.Delegate, request).delegation.id
        self.proxy = unaware.Unaware(os.environ["PEMBA_ENDPOINT"])
        self.addCleanup(self.proxy.close)

    def client(self, target=None):
        interceptor = ChainInterceptor(delegation=self.delegation)
        return ChainClient(target or os.environ["PEMBA_ENDPOINT"], self.database.token, interceptor)

    def question(self, name, who=("agent", "bot")):
        fields = {"resource": thing("document", name), "permission": "view", "subject": subject(thing(*who))}
        return CheckPermissionRequest(consistency=NOW, **fields)

    def check(self, client, name, **fields):
        return client.CheckPermission(self.question(name, **fields), timeout=TIMEOUT_S).permissionship

    def lookup(self, client, name="bot"):
        request = LookupResourcesRequest(
            consistency=NOW, resource_object_type="document", permission="view", subject=subject(thing("agent", name))
        )
        return sorted(found.resource_object_id for found in client.LookupResources(request, timeout=TIMEOUT_S))

    def bulk(self, client, *names):
        items = [
            CheckBulkPermissionsRequestItem(
                resource=thing("document", name), permission="view", subject=subject(thing("agent", "bot"))
            )
            for name in names
        ]
        request = CheckBulkPermissionsRequest(consistency=NOW, items=items)
        return [pair.item.permissionship for pair in client.CheckBulkPermissions(request, timeout=TIMEOUT_S).pairs]

    def revoke(self):
        request = delegation.RevokeDelegationRequest(id=self.delegation, reason="enough")
        self.database.ask(self.database.delegations.RevokeDelegation, request)

    def test_python_answers_for_the_chain(self):
        client = self.client()
        names = ["plan", "memo", "diary", "own", "lost"]
        wanted = [HAS, HAS, NO, NO, NO]
        self.assertEqual([self.check(client, name) for name in names], wanted)
        self.assertEqual(self.check(client, "plan", who=("user", "ann")), HAS)
        self.assertEqual(self.check(client, "diary", who=("user", "ann")), NO)
        self.assertEqual(self.bulk(client, *names), wanted)
        self.assertEqual(self.lookup(client), ["memo", "plan"])
        plain = InsecureClient(os.environ["PEMBA_ENDPOINT"], self.database.token)
        self.assertEqual([self.check(plain, name) for name in names], [NO, NO, NO, HAS, NO])
        self.revoke()
        self.assertEqual([self.check(client, name) for name in names], [NO] * 5)
        self.assertEqual(self.lookup(client), [])

    def test_python_hears_what_the_server_refuses(self):
        with self.assertRaises(grpc.RpcError) as caught:
            self.check(self.client(), "plan", who=("user", "eve"))
        self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)

    def test_python_takes_no_other_answer(self):
        plain = InsecureClient(f"127.0.0.1:{self.proxy.port}", self.database.token)
        self.assertEqual(self.check(plain, "own"), HAS, "the proxy passes calls on")
        client = self.client(f"127.0.0.1:{self.proxy.port}")
        for ask in (
            lambda: self.check(client, "own"),
            lambda: self.check(client, "plan", who=("user", "ann")),
            lambda: self.bulk(client, "own"),
            lambda: self.lookup(client),
            lambda: self.lookup(client, "nobody"),
        ):
            with self.assertRaisesRegex(RuntimeError, "did not apply the chain"):
                ask()

    def node(self, target):
        """What authzed-node answers, for each question its value or the error's code."""
        folder = os.environ["PEMBA_NODE_FOLDER"]
        told = {"PEMBA_ENDPOINT": target, "PEMBA_KEY": self.database.token, "PEMBA_DELEGATION": self.delegation}
        done = subprocess.run(
            ["node", "chains.mjs"], cwd=folder, env=os.environ | told, capture_output=True, text=True, timeout=60
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_node_answers_for_the_chain(self):
        answers = self.node(os.environ["PEMBA_ENDPOINT"])
        wanted = {"plan": HAS, "diary": NO, "own": NO, "lookup": ["memo", "plan"], "plain own": HAS}
        wanted |= dict.fromkeys(["eve", "nobody"], "INVALID_ARGUMENT")
        self.assertEqual(answers, wanted)
        self.revoke()
        answers = self.node(os.environ["PEMBA_ENDPOINT"])
        self.assertEqual((answers["plan"], answers["lookup"], answers["plain own"]), (NO, [], HAS))

    def test_node_takes_no_other_answer(self):
        answers = self.node(f"127.0.0.1:{self.proxy.port}")
        self.assertEqual(answers.pop("plain own"), HAS, "the proxy passes calls on")
        self.assertEqual(answers, dict.fromkeys(["plan", "diary", "own", "lookup", "nobody", "eve"], "INTERNAL"))


if __name__ == "__main__":
    unittest.main()
