"""Following changes."""

import unittest

import grpc
from authzed.api.v1 import (
    ReadSchemaRequest,
    RelationshipFilter,
    RelationshipUpdate,
    WatchRequest,
    WriteSchemaRequest,
    ZedToken,
)
from authzed.api.v1.watch_service_pb2 import WatchKind
from google.protobuf import struct_pb2

import harness
from harness import CREATE, DELETE, DOCUMENT, GROUP, TIMEOUT_S, TOUCH, shown, update

NAMES = {
    RelationshipUpdate.OPERATION_CREATE: "touch",
    RelationshipUpdate.OPERATION_TOUCH: "touch",
    RelationshipUpdate.OPERATION_DELETE: "delete",
}


class WatchTest(harness.Suite):
    def follow(self, start, until, **fields):
        """The messages after `start` up to and with the first one that `until` accepts."""
        call = self.client.Watch(WatchRequest(optional_start_cursor=start, **fields), timeout=TIMEOUT_S)
        seen = []
        try:
            for message in call:
                seen.append(message)
                if until(message):
                    return seen
        finally:
            call.cancel()
        self.fail(f"the stream ended after {seen}")

    def changes(self, messages):
        """Operation and relationship of every change; a creation is delivered as a touch."""
        return [
            (NAMES[change.operation], shown(change.relationship))
            for message in messages
            for change in message.updates
        ]

    def test_changes_after_a_token_in_order(self):
        doc = self.name("doc")
        line, last = (f"document:{doc}#viewer@user:{user}" for user in ("ann", "last"))
        before = self.touch(f"document:{doc}#viewer@user:earlier")
        self.write(update(CREATE, line))
        self.write(update(DELETE, line))
        self.write(update(TOUCH, last))
        seen = self.follow(
            before,
            lambda message: ("touch", last) in self.changes([message]),
            optional_object_types=[DOCUMENT],
        )
        self.assertEqual(self.changes(seen), [("touch", line), ("delete", line), ("touch", last)])
        self.assertTrue(all(message.changes_through.token for message in seen))

        rest = self.follow(
            seen[0].changes_through, lambda message: ("touch", last) in self.changes([message])
        )
        self.assertEqual(self.changes(rest), [("delete", line), ("touch", last)])

    def test_a_running_stream_sees_what_comes(self):
        doc = self.name("doc")
        before = self.touch(f"document:{doc}#viewer@user:first")
        second = f"document:{doc}#viewer@user:second"
        call = self.client.Watch(WatchRequest(optional_start_cursor=before), timeout=TIMEOUT_S)
        self.addCleanup(call.cancel)
        self.touch(second)
        message = next(message for message in call if message.updates)
        self.assertEqual(self.changes([message]), [("touch", second)])

    def test_one_write_is_one_message_with_its_metadata(self):
        doc = self.name("doc")
        before = self.touch(f"document:{doc}#viewer@user:earlier")
        metadata = struct_pb2.Struct()
        metadata.update({"by": "the test"})
        lines = [f"document:{doc}#viewer@user:u{number}" for number in range(3)]
        self.write(*(update(TOUCH, line) for line in lines), optional_transaction_metadata=metadata)
        message = self.follow(before, lambda message: message.updates)[-1]
        self.assertEqual(sorted(self.changes([message])), [("touch", line) for line in lines])
        self.assertEqual(message.optional_transaction_metadata["by"], "the test")

    def test_types_and_filters_narrow(self):
        doc, group = self.name("doc"), self.name("group")
        before = self.touch(f"document:{doc}#viewer@user:earlier")
        member, viewer = f"group:{group}#member@user:ann", f"document:{doc}#viewer@user:ann"
        self.touch(member)
        self.touch(viewer)
        by_type = self.follow(before, lambda message: message.updates, optional_object_types=[DOCUMENT])
        self.assertEqual(self.changes(by_type), [("touch", viewer)])
        wanted = RelationshipFilter(resource_type=GROUP, optional_resource_id=group)
        by_filter = self.follow(
            before, lambda message: message.updates, optional_relationship_filters=[wanted]
        )
        self.assertEqual(self.changes(by_filter), [("touch", member)])
        self.assert_refused(
            grpc.StatusCode.INVALID_ARGUMENT,
            None,
            lambda: self.follow(
                before,
                lambda message: True,
                optional_object_types=[DOCUMENT],
                optional_relationship_filters=[wanted],
            ),
        )

    def test_schema_changes(self):
        before = self.touch(f"document:{self.name('doc')}#viewer@user:ann")
        text = self.client.ReadSchema(ReadSchemaRequest(), timeout=TIMEOUT_S).schema_text
        changed = text + "\ndefinition pytest/extra {}\n"
        self.client.WriteSchema(WriteSchemaRequest(schema=changed), timeout=TIMEOUT_S)
        kinds = [WatchKind.WATCH_KIND_INCLUDE_SCHEMA_UPDATES]
        seen = self.follow(before, lambda message: message.schema_updated, optional_update_kinds=kinds)
        self.assertTrue(seen[-1].changes_through.token)

    def test_checkpoints(self):
        before = self.touch(f"document:{self.name('doc')}#viewer@user:ann")
        self.touch(f"document:{self.name('doc')}#viewer@user:bob")
        kinds = [
            WatchKind.WATCH_KIND_INCLUDE_RELATIONSHIP_UPDATES,
            WatchKind.WATCH_KIND_INCLUDE_CHECKPOINTS,
        ]
        seen = self.follow(before, lambda message: message.is_checkpoint, optional_update_kinds=kinds)
        self.assertFalse(seen[-1].updates)

    def test_a_broken_token(self):
        self.assert_refused(
            grpc.StatusCode.INVALID_ARGUMENT,
            None,
            lambda: self.follow(ZedToken(token="broken"), lambda message: True),
        )


if __name__ == "__main__":
    unittest.main()
