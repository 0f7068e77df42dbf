"""Writing, deleting and reading relationships."""

import unittest

import grpc
from authzed.api.v1 import (
    ContextualizedCaveat,
    Cursor,
    DeleteRelationshipsRequest,
    DeleteRelationshipsResponse,
    Precondition,
    ReadRelationshipsRequest,
    RelationshipFilter,
    SubjectFilter,
)
from google.protobuf import struct_pb2

import harness
from harness import CREATE, DELETE, DOCUMENT, NOW, TIMEOUT_S, TOUCH, USER, shown, update


def documents(object_id="", **fields):
    return RelationshipFilter(resource_type=DOCUMENT, optional_resource_id=object_id, **fields)


def caveat(**context):
    fields = struct_pb2.Struct()
    fields.update(context)
    return ContextualizedCaveat(caveat_name="pytest/on_network", context=fields)


class WriteTest(harness.Suite):
    def read(self, wanted, **fields):
        request = ReadRelationshipsRequest(consistency=NOW, relationship_filter=wanted, **fields)
        return list(self.client.ReadRelationships(request, timeout=TIMEOUT_S))

    def lines(self, wanted):
        return sorted(shown(found.relationship) for found in self.read(wanted))

    def delete(self, wanted, **fields):
        request = DeleteRelationshipsRequest(relationship_filter=wanted, **fields)
        return self.client.DeleteRelationships(request, timeout=TIMEOUT_S)

    def test_create_touch_delete(self):
        doc = self.name("doc")
        ann, bob = (f"document:{doc}#viewer@user:{user}" for user in ("ann", "bob"))
        self.assertTrue(self.write(update(CREATE, ann), update(TOUCH, bob)).token)
        self.assertEqual(self.lines(documents(doc)), [ann, bob])
        self.write(update(TOUCH, ann), update(DELETE, bob))
        self.assertEqual(self.lines(documents(doc)), [ann])
        self.write(update(DELETE, bob))
        self.assertEqual(self.lines(documents(doc)), [ann])

    def test_creating_what_exists_writes_nothing(self):
        doc = self.name("doc")
        ann, bob = (f"document:{doc}#viewer@user:{user}" for user in ("ann", "bob"))
        self.write(update(CREATE, ann))
        self.assert_refused(
            grpc.StatusCode.ALREADY_EXISTS,
            "ATTEMPT_TO_RECREATE_RELATIONSHIP",
            lambda: self.write(update(CREATE, bob), update(CREATE, ann)),
            resource_type=DOCUMENT,
            resource_object_id=doc,
            resource_relation="viewer",
            subject_type=USER,
            subject_object_id="ann",
        )
        self.assertEqual(self.lines(documents(doc)), [ann])

    def test_a_touch_replaces_the_caveat(self):
        doc = self.name("doc")
        line = f"document:{doc}#viewer@user:ann"
        self.write(update(CREATE, line, optional_caveat=caveat(network="home")))
        stored = self.read(documents(doc))[0].relationship.optional_caveat
        self.assertEqual((stored.caveat_name, stored.context["network"]), ("pytest/on_network", "home"))
        self.write(update(TOUCH, line))
        self.assertFalse(self.read(documents(doc))[0].relationship.HasField("optional_caveat"))

    def test_one_relationship_twice_in_a_write(self):
        line = f"document:{self.name('doc')}#viewer@user:ann"
        self.assert_refused(
            grpc.StatusCode.INVALID_ARGUMENT,
            "UPDATES_ON_SAME_RELATIONSHIP",
            lambda: self.write(update(TOUCH, line), update(DELETE, line)),
        )

    def test_a_precondition_that_holds_and_one_that_does_not(self):
        doc = self.name("doc")
        first, second = (f"document:{doc}#viewer@user:{user}" for user in ("ann", "bob"))
        absent = Precondition(operation=Precondition.OPERATION_MUST_NOT_MATCH, filter=documents(doc))
        self.write(update(TOUCH, first), optional_preconditions=[absent])
        self.assert_refused(
            grpc.StatusCode.FAILED_PRECONDITION,
            "WRITE_OR_DELETE_PRECONDITION_FAILURE",
            lambda: self.write(update(TOUCH, second), optional_preconditions=[absent]),
            precondition_resource_type=DOCUMENT,
            precondition_resource_id=doc,
        )
        self.assertEqual(self.lines(documents(doc)), [first])

    def test_delete_by_filter_with_preconditions(self):
        doc, other = self.name("doc"), self.name("other")
        kept = f"document:{doc}#editor@user:ann"
        self.touch(kept, f"document:{doc}#viewer@user:ann", f"document:{doc}#viewer@user:bob")
        wanted = documents(doc, optional_relation="viewer")
        must = Precondition(operation=Precondition.OPERATION_MUST_MATCH, filter=documents(other))
        self.assert_refused(
            grpc.StatusCode.FAILED_PRECONDITION,
            "WRITE_OR_DELETE_PRECONDITION_FAILURE",
            lambda: self.delete(wanted, optional_preconditions=[must]),
        )
        self.assertEqual(len(self.lines(wanted)), 2)

        must = Precondition(operation=Precondition.OPERATION_MUST_MATCH, filter=documents(doc))
        answer = self.delete(wanted, optional_preconditions=[must])
        self.assertEqual(answer.deletion_progress, DeleteRelationshipsResponse.DELETION_PROGRESS_COMPLETE)
        self.assertEqual(answer.relationships_deleted_count, 2)
        self.assertTrue(answer.deleted_at.token)
        self.assertEqual(self.lines(documents(doc)), [kept])

    def test_a_limited_delete_loops_until_it_is_complete(self):
        doc = self.name("doc")
        self.touch(*(f"document:{doc}#viewer@user:u{number}" for number in range(5)))
        self.assert_refused(
            grpc.StatusCode.INVALID_ARGUMENT,
            "TOO_MANY_RELATIONSHIPS_FOR_TRANSACTIONAL_DELETE",
            lambda: self.delete(documents(doc), optional_limit=2),
            limit="2",
            filter_resource_type=DOCUMENT,
        )
        counts = []
        while True:
            answer = self.delete(documents(doc), optional_limit=2, optional_allow_partial_deletions=True)
            counts.append(answer.relationships_deleted_count)
            if answer.deletion_progress == DeleteRelationshipsResponse.DELETION_PROGRESS_COMPLETE:
                break
            self.assertLess(len(counts), 10)
        self.assertEqual(counts, [2, 2, 1])
        self.assertEqual(self.lines(documents(doc)), [])

    def test_reading_page_by_page(self):
        doc = self.name("doc")
        wanted = [f"document:{doc}#viewer@user:u{number}" for number in range(5)]
        self.touch(*wanted)
        pages, cursor = [], None
        while True:
            page = self.read(documents(doc), optional_limit=2, optional_cursor=cursor)
            if not page:
                break
            self.assertTrue(all(found.read_at.token for found in page))
            pages.append([shown(found.relationship) for found in page])
            cursor = page[-1].after_result_cursor
        self.assertEqual([len(page) for page in pages], [2, 2, 1])
        self.assertEqual(sorted(sum(pages, [])), wanted)

    def test_filters_narrow(self):
        doc = self.name("doc")
        ann, group = f"document:{doc}#viewer@user:ann", f"document:{doc}#viewer@group:g#member"
        self.touch(ann, group, f"document:{doc}2#viewer@user:ann")

        def by_subject(subject_type, relation=None):
            chosen = relation and SubjectFilter.RelationFilter(relation=relation)
            subject = SubjectFilter(subject_type=subject_type, optional_relation=chosen)
            return documents(doc, optional_subject_filter=subject)

        self.assertEqual(self.lines(by_subject(USER)), [ann])
        self.assertEqual(self.lines(by_subject(harness.GROUP, "member")), [group])
        prefix = RelationshipFilter(resource_type=DOCUMENT, optional_resource_id_prefix=doc)
        self.assertEqual(len(self.lines(prefix)), 3)

    def test_a_broken_cursor(self):
        self.assert_refused(
            grpc.StatusCode.INVALID_ARGUMENT,
            "INVALID_CURSOR",
            lambda: self.read(documents("x"), optional_limit=1, optional_cursor=Cursor(token="broken")),
        )

    def test_an_empty_filter(self):
        self.assert_refused(
            grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FILTER", lambda: self.read(RelationshipFilter())
        )


if __name__ == "__main__":
    unittest.main()
