"""Importing and exporting relationships."""

import threading
import time
import unittest

import grpc
from authzed.api.v1 import RelationshipFilter
from authzed.api.v1.permission_service_pb2 import (
    ExportBulkRelationshipsRequest,
    ImportBulkRelationshipsRequest,
)
from authzed.api.v1.permission_service_pb2_grpc import PermissionsServiceStub

import harness
from harness import DOCUMENT, NOW, TIMEOUT_S, relationship, shown


class BulkTest(harness.Suite):
    def load(self, *batches):
        requests = (
            ImportBulkRelationshipsRequest(relationships=[relationship(line) for line in batch])
            for batch in batches
        )
        return self.client.ImportBulkRelationships(requests, timeout=TIMEOUT_S).num_loaded

    def export(self, prefix, **fields):
        wanted = RelationshipFilter(resource_type=DOCUMENT, optional_resource_id_prefix=prefix)
        request = ExportBulkRelationshipsRequest(
            consistency=NOW, optional_relationship_filter=wanted, **fields
        )
        return list(self.client.ExportBulkRelationships(request, timeout=TIMEOUT_S))

    def lines(self, batches):
        return [shown(found) for batch in batches for found in batch.relationships]

    def test_what_goes_in_comes_out(self):
        wanted = [f"document:{self.name(f'doc{number}')}#viewer@user:ann" for number in range(5)]
        self.assertEqual(self.load(wanted[:2], wanted[2:]), 5)
        self.assertEqual(sorted(self.lines(self.export(self.name("doc")))), wanted)

        batches = self.export(self.name("doc"), optional_limit=2)
        self.assertTrue(all(0 < len(batch.relationships) <= 2 for batch in batches))
        self.assertEqual(sorted(self.lines(batches)), wanted)
        rest = self.export(
            self.name("doc"), optional_limit=2, optional_cursor=batches[0].after_result_cursor
        )
        self.assertEqual(self.lines(batches[:1]) + self.lines(rest), self.lines(batches))

    def test_an_import_is_all_or_nothing(self):
        existing, new = (f"document:{self.name(name)}#viewer@user:ann" for name in ("old", "new"))
        self.touch(existing)
        with self.assertRaises(grpc.RpcError) as caught:
            self.load([new], [existing])
        self.assertEqual(caught.exception.code(), grpc.StatusCode.ALREADY_EXISTS)
        self.assertEqual(self.lines(self.export(self.name("new"))), [])

    def test_an_import_broken_off_does_nothing(self):
        line = f"document:{self.name('doc')}#viewer@user:ann"
        sent, stop = threading.Event(), threading.Event()
        self.addCleanup(stop.set)

        def requests():
            yield ImportBulkRelationshipsRequest(relationships=[relationship(line)])
            sent.set()
            stop.wait(TIMEOUT_S)

        with harness.bare_channel() as channel:
            call = PermissionsServiceStub(channel).ImportBulkRelationships.future(
                requests(), timeout=TIMEOUT_S, metadata=harness.key_metadata()
            )
            self.assertTrue(sent.wait(TIMEOUT_S))
            # The batch must be with the server before the stream goes, or this shows nothing.
            time.sleep(0.3)
            call.cancel()
        time.sleep(0.3)
        self.assertEqual(self.lines(self.export(self.name("doc"))), [])

    def test_an_import_keeps_to_the_schema(self):
        self.assert_refused(
            grpc.StatusCode.INVALID_ARGUMENT,
            "INVALID_SUBJECT_TYPE",
            lambda: self.load([f"document:{self.name('doc')}#banned@group:g#member"]),
        )


if __name__ == "__main__":
    unittest.main()
