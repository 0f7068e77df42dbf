"""Looking up resources and subjects."""

import unittest

import grpc
from authzed.api.v1 import (
    ContextualizedCaveat,
    Cursor,
    LookupResourcesRequest,
    LookupSubjectsRequest,
)
from authzed.api.v1.permission_service_pb2 import LookupPermissionship

import harness
from harness import CREATE, DELETE, DOCUMENT, NOW, TIMEOUT_S, USER, object_of, subject_of, update

HAS = LookupPermissionship.LOOKUP_PERMISSIONSHIP_HAS_PERMISSION
CONDITIONAL = LookupPermissionship.LOOKUP_PERMISSIONSHIP_CONDITIONAL_PERMISSION


class LookupTest(harness.Suite):
    def resources(self, subject, permission="view", **fields):
        request = LookupResourcesRequest(
            consistency=NOW,
            resource_object_type=DOCUMENT,
            permission=permission,
            subject=subject_of(subject),
            **fields,
        )
        return list(self.client.LookupResources(request, timeout=TIMEOUT_S))

    def subjects(self, doc, **fields):
        request = LookupSubjectsRequest(
            consistency=NOW,
            resource=object_of(f"document:{doc}"),
            permission="view",
            subject_object_type=USER,
            **fields,
        )
        return list(self.client.LookupSubjects(request, timeout=TIMEOUT_S))

    def test_resources_by_every_path(self):
        ann, group, folder = self.name("ann"), self.name("group"), self.name("folder")
        self.touch(
            f"document:{self.name('direct')}#viewer@user:{ann}",
            f"group:{group}#member@user:{ann}",
            f"document:{self.name('grouped')}#editor@group:{group}#member",
            f"folder:{folder}#viewer@user:{ann}",
            f"document:{self.name('filed')}#folder@folder:{folder}",
            f"document:{self.name('banned')}#viewer@user:{ann}",
            f"document:{self.name('banned')}#banned@user:{ann}",
        )
        found = self.resources(f"user:{ann}")
        self.assertEqual(
            sorted(result.resource_object_id for result in found),
            sorted(self.name(name) for name in ("direct", "grouped", "filed")),
        )
        for result in found:
            self.assertEqual(result.permissionship, HAS)
            self.assertTrue(result.looked_up_at.token)
        editable = self.resources(f"user:{ann}", "edit")
        self.assertEqual([result.resource_object_id for result in editable], [self.name("grouped")])

    def test_resources_page_by_page(self):
        ann = self.name("ann")
        wanted = [self.name(f"doc{number:02}") for number in range(7)]
        self.touch(*(f"document:{doc}#viewer@user:{ann}" for doc in wanted))
        pages, cursor = [], None
        while True:
            page = self.resources(f"user:{ann}", optional_limit=3, optional_cursor=cursor)
            if not page:
                break
            pages.append([result.resource_object_id for result in page])
            cursor = page[-1].after_result_cursor
            self.assertTrue(cursor.token)
        self.assertEqual([len(page) for page in pages], [3, 3, 1])
        self.assertEqual(sorted(sum(pages, [])), wanted)

    def test_a_conditional_resource_names_what_is_missing(self):
        ann, doc = self.name("ann"), self.name("doc")
        caveat = ContextualizedCaveat(caveat_name="pytest/on_network")
        self.write(update(CREATE, f"document:{doc}#viewer@user:{ann}", optional_caveat=caveat))
        found = self.resources(f"user:{ann}")
        self.assertEqual([result.permissionship for result in found], [CONDITIONAL])
        self.assertEqual(list(found[0].partial_caveat_info.missing_required_context), ["network"])

    def test_a_broken_cursor(self):
        self.assert_refused(
            grpc.StatusCode.INVALID_ARGUMENT,
            "INVALID_CURSOR",
            lambda: self.resources("user:ann", optional_limit=1, optional_cursor=Cursor(token="broken")),
        )

    def test_subjects(self):
        doc, group = self.name("doc"), self.name("group")
        self.touch(
            f"document:{doc}#viewer@user:ann",
            f"document:{doc}#editor@group:{group}#member",
            f"group:{group}#member@user:bob",
            f"document:{doc}#viewer@user:dan",
            f"document:{doc}#banned@user:dan",
        )
        found = self.subjects(doc)
        self.assertEqual(sorted(result.subject.subject_object_id for result in found), ["ann", "bob"])
        for result in found:
            self.assertEqual(result.subject.permissionship, HAS)
            self.assertEqual(result.subject_object_id, result.subject.subject_object_id)
            self.assertEqual(result.permissionship, result.subject.permissionship)
            self.assertTrue(result.looked_up_at.token)

    def test_a_wildcard_comes_with_those_it_does_not_cover(self):
        doc = self.name("doc")
        # Everyone can see this document, the users of the other tests too.
        everyone = f"document:{doc}#viewer@user:*"
        self.addCleanup(lambda: self.write(update(DELETE, everyone)))
        self.touch(everyone, f"document:{doc}#banned@user:dan")
        found = {result.subject.subject_object_id: result for result in self.subjects(doc)}
        self.assertIn("*", found)
        self.assertNotIn("dan", found)
        excluded = [subject.subject_object_id for subject in found["*"].excluded_subjects]
        self.assertEqual(excluded, ["dan"])
        self.assertEqual(list(found["*"].excluded_subject_ids), ["dan"])

    def test_usersets_as_subjects(self):
        doc, group = self.name("doc"), self.name("group")
        self.touch(f"document:{doc}#viewer@group:{group}#member")
        request = LookupSubjectsRequest(
            consistency=NOW,
            resource=object_of(f"document:{doc}"),
            permission="view",
            subject_object_type=harness.GROUP,
            optional_subject_relation="member",
        )
        found = list(self.client.LookupSubjects(request, timeout=TIMEOUT_S))
        self.assertEqual([result.subject.subject_object_id for result in found], [group])


if __name__ == "__main__":
    unittest.main()
