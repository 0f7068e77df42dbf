"""Check, bulk check and expand."""

import datetime
import time
import unittest

import grpc
from authzed.api.v1 import (
    AlgebraicSubjectSet,
    CheckBulkPermissionsRequest,
    CheckBulkPermissionsRequestItem,
    CheckPermissionRequest,
    CheckPermissionResponse,
    Consistency,
    ContextualizedCaveat,
    ExpandPermissionTreeRequest,
    ZedToken,
)
from google.protobuf import struct_pb2, timestamp_pb2

import harness
from harness import CREATE, DELETE, NOW, TIMEOUT_S, object_of, subject_of, update

HAS = CheckPermissionResponse.PERMISSIONSHIP_HAS_PERMISSION
NO = CheckPermissionResponse.PERMISSIONSHIP_NO_PERMISSION
CONDITIONAL = CheckPermissionResponse.PERMISSIONSHIP_CONDITIONAL_PERMISSION


def context(**fields):
    found = struct_pb2.Struct()
    found.update(fields)
    return found


def question(text, **fields):
    """`document:plan#view@user:ann` as the fields of a check."""
    resource, _, subject = text.partition("@")
    resource, _, permission = resource.partition("#")
    return {
        "resource": object_of(resource),
        "permission": permission,
        "subject": subject_of(subject),
        **fields,
    }


class CheckTest(harness.Suite):
    def check(self, text, consistency=NOW, **fields):
        request = CheckPermissionRequest(consistency=consistency, **question(text, **fields))
        return self.client.CheckPermission(request, timeout=TIMEOUT_S)

    def answer(self, text, consistency=NOW, **fields):
        return self.check(text, consistency, **fields).permissionship

    def bulk(self, *items):
        request = CheckBulkPermissionsRequest(
            consistency=NOW, items=[CheckBulkPermissionsRequestItem(**item) for item in items]
        )
        return self.client.CheckBulkPermissions(request, timeout=TIMEOUT_S)

    def test_direct_group_arrow_and_exclusion(self):
        doc, group, folder = self.name("doc"), self.name("group"), self.name("folder")
        self.touch(
            f"document:{doc}#viewer@user:ann",
            f"document:{doc}#editor@group:{group}#member",
            f"group:{group}#member@user:bob",
            f"document:{doc}#folder@folder:{folder}",
            f"folder:{folder}#viewer@user:cat",
            f"folder:{folder}#viewer@user:dan",
            f"document:{doc}#banned@user:dan",
        )
        expected = {"ann": HAS, "bob": HAS, "cat": HAS, "dan": NO, "eve": NO}
        got = {user: self.answer(f"document:{doc}#view@user:{user}") for user in expected}
        self.assertEqual(got, expected)
        self.assertEqual(self.answer(f"document:{doc}#edit@user:bob"), HAS)
        self.assertEqual(self.answer(f"document:{doc}#edit@user:ann"), NO)
        self.assertEqual(self.answer(f"document:{doc}#view@group:{group}#member"), HAS)

    def test_the_four_consistencies(self):
        doc = self.name("doc")
        line, asked = f"document:{doc}#viewer@user:ann", f"document:{doc}#view@user:ann"
        granted = self.write(update(CREATE, line))
        revoked = self.write(update(DELETE, line))
        self.assertEqual(self.answer(asked, Consistency(at_exact_snapshot=granted)), HAS)
        self.assertEqual(self.answer(asked, Consistency(at_exact_snapshot=revoked)), NO)
        self.assertEqual(self.answer(asked, Consistency(at_least_as_fresh=revoked)), NO)
        self.assertEqual(self.answer(asked, Consistency(fully_consistent=True)), NO)
        self.assertIn(self.answer(asked, Consistency(minimize_latency=True)), (HAS, NO))
        self.assertTrue(self.check(asked).checked_at.token)
        again = self.check(asked, Consistency(at_exact_snapshot=granted)).checked_at
        self.assertEqual(self.answer(asked, Consistency(at_exact_snapshot=again)), HAS)

    def test_a_broken_token(self):
        broken = Consistency(at_least_as_fresh=ZedToken(token="broken"))
        self.assert_refused(
            grpc.StatusCode.INVALID_ARGUMENT,
            None,
            lambda: self.check("document:d#view@user:ann", broken),
        )

    def test_a_caveat_waits_for_its_parameter(self):
        doc = self.name("doc")
        caveat = ContextualizedCaveat(caveat_name="pytest/on_network")
        self.write(update(CREATE, f"document:{doc}#viewer@user:ann", optional_caveat=caveat))
        asked = f"document:{doc}#view@user:ann"
        unknown = self.check(asked)
        self.assertEqual(unknown.permissionship, CONDITIONAL)
        self.assertEqual(list(unknown.partial_caveat_info.missing_required_context), ["network"])
        self.assertEqual(self.answer(asked, context=context(network="office")), HAS)
        self.assertEqual(self.answer(asked, context=context(network="home")), NO)

    def test_a_stored_parameter_wins(self):
        doc = self.name("doc")
        caveat = ContextualizedCaveat(caveat_name="pytest/on_network", context=context(network="home"))
        self.write(update(CREATE, f"document:{doc}#viewer@user:ann", optional_caveat=caveat))
        asked = f"document:{doc}#view@user:ann"
        self.assertEqual(self.answer(asked, context=context(network="office")), NO)

    def test_a_parameter_of_the_wrong_type(self):
        doc = self.name("doc")
        caveat = ContextualizedCaveat(caveat_name="pytest/on_network")
        self.write(update(CREATE, f"document:{doc}#viewer@user:ann", optional_caveat=caveat))
        self.assert_refused(
            grpc.StatusCode.INVALID_ARGUMENT,
            "CAVEAT_PARAMETER_TYPE_ERROR",
            lambda: self.check(f"document:{doc}#view@user:ann", context=context(network=[1])),
            parameter_name="network",
        )

    def test_an_expired_relationship_stops_counting(self):
        doc = self.name("doc")
        asked = f"document:{doc}#view@user:ann"
        instant = timestamp_pb2.Timestamp()
        instant.FromDatetime(datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=3))
        self.write(update(CREATE, f"document:{doc}#viewer@user:ann", optional_expires_at=instant))
        self.assertEqual(self.answer(asked), HAS)
        time.sleep(3.2)
        self.assertEqual(self.answer(asked), NO)

    def test_bulk_answers_in_order_and_isolates_errors(self):
        doc = self.name("doc")
        self.touch(f"document:{doc}#viewer@user:ann")
        asked = [
            question(f"document:{doc}#view@user:ann"),
            question(f"document:{doc}#view@user:bob"),
            question(f"document:{doc}#fly@user:ann"),
            question(f"document:{doc}#view@user:ann"),
        ]
        answer = self.bulk(*asked)
        self.assertTrue(answer.checked_at.token)
        kinds = [pair.WhichOneof("response") for pair in answer.pairs]
        self.assertEqual(kinds, ["item", "item", "error", "item"])
        got = [pair.item.permissionship for pair in answer.pairs if pair.HasField("item")]
        self.assertEqual(got, [HAS, NO, HAS])
        self.assertEqual(answer.pairs[2].error.code, grpc.StatusCode.FAILED_PRECONDITION.value[0])
        self.assertEqual(answer.pairs[1].request.subject.object.object_id, "bob")

    def test_expand_a_relation(self):
        doc = self.name("doc")
        self.touch(
            f"document:{doc}#viewer@user:ann",
            f"document:{doc}#viewer@user:*",
            f"document:{doc}#viewer@group:g#member",
        )
        request = ExpandPermissionTreeRequest(
            consistency=NOW, resource=object_of(f"document:{doc}"), permission="viewer"
        )
        answer = self.client.ExpandPermissionTree(request, timeout=TIMEOUT_S)
        self.assertTrue(answer.expanded_at.token)
        tree = answer.tree_root
        self.assertEqual((tree.expanded_object.object_id, tree.expanded_relation), (doc, "viewer"))
        found = sorted((subject.object.object_id, subject.optional_relation) for subject in tree.leaf.subjects)
        self.assertEqual(found, [("*", ""), ("ann", ""), ("g", "member")])

    def test_expand_a_permission(self):
        doc = self.name("doc")
        self.touch(f"document:{doc}#viewer@user:ann", f"document:{doc}#banned@user:bob")
        request = ExpandPermissionTreeRequest(
            consistency=NOW, resource=object_of(f"document:{doc}"), permission="view"
        )
        tree = self.client.ExpandPermissionTree(request, timeout=TIMEOUT_S).tree_root
        self.assertEqual(tree.expanded_relation, "view")
        self.assertEqual(tree.intermediate.operation, AlgebraicSubjectSet.OPERATION_EXCLUSION)
        base, without = tree.intermediate.children
        self.assertEqual(base.intermediate.operation, AlgebraicSubjectSet.OPERATION_UNION)
        self.assertEqual([found.object.object_id for found in leaves(base)], ["ann"])
        self.assertEqual([found.object.object_id for found in leaves(without)], ["bob"])


def leaves(tree):
    """All subjects at the leaves of a tree."""
    if tree.HasField("leaf"):
        yield from tree.leaf.subjects
    for child in tree.intermediate.children:
        yield from leaves(child)


if __name__ == "__main__":
    unittest.main()
