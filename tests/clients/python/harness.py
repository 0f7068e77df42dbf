"""What the suites share: the server under test, its schema, and the facts of an error.

`PEMBA_ENDPOINT` (host:port) and `PEMBA_KEY` say where the server is. Everything written here has a type under
`pytest/` and is gone afterwards, so the server may hold other data.
"""

import os
import re
import unittest

import grpc
from authzed.api.v1 import (
    Consistency,
    DeleteRelationshipsRequest,
    InsecureClient,
    ObjectReference,
    ReadSchemaRequest,
    Relationship,
    RelationshipFilter,
    RelationshipUpdate,
    SubjectReference,
    WriteRelationshipsRequest,
    WriteSchemaRequest,
)
from google.rpc import error_details_pb2, status_pb2

PREFIX = "pytest/"
USER, GROUP, FOLDER, DOCUMENT = (PREFIX + name for name in ("user", "group", "folder", "document"))
SCHEMA = """
caveat pytest/on_network(network string) {
  network == "office"
}

definition pytest/user {}

definition pytest/group {
  relation member: pytest/user | pytest/group#member
}

definition pytest/folder {
  relation viewer: pytest/user
  permission view = viewer
}

definition pytest/document {
  relation folder: pytest/folder
  relation editor: pytest/user | pytest/group#member
  relation viewer: pytest/user | pytest/user:* | pytest/group#member | pytest/user with pytest/on_network | pytest/user with expiration
  relation banned: pytest/user
  permission edit = editor
  permission view = (viewer + edit + folder->view) - banned
}
"""
CREATE, TOUCH, DELETE = (
    RelationshipUpdate.OPERATION_CREATE,
    RelationshipUpdate.OPERATION_TOUCH,
    RelationshipUpdate.OPERATION_DELETE,
)
NOW = Consistency(fully_consistent=True)
# No call may hang the suite.
TIMEOUT_S = 30


def variable(name):
    value = os.environ.get(name)
    if not value:
        raise RuntimeError(f"set {name}: these tests need a running server")
    return value


def connect(key=None):
    """A client with this key, or with the right one."""
    return InsecureClient(variable("PEMBA_ENDPOINT"), variable("PEMBA_KEY") if key is None else key)


def bare_channel():
    """A channel that sends no key."""
    return grpc.insecure_channel(variable("PEMBA_ENDPOINT"))


def key_metadata():
    """What a call over a bare channel must carry."""
    return [("authorization", f"Bearer {variable('PEMBA_KEY')}")]


def without_ours(schema):
    """A schema text without the definitions and caveats of these tests."""
    kept, position = [], 0
    for match in re.finditer(rf"^(definition|caveat) {PREFIX}", schema, re.MULTILINE):
        if match.start() < position:
            continue
        kept.append(schema[position : match.start()])
        position, depth = schema.index("{", match.start()), 0
        while True:
            depth += {"{": 1, "}": -1}.get(schema[position], 0)
            position += 1
            if depth == 0:
                break
    return "".join(kept) + schema[position:]


def foreign_schema(client):
    """What the server's schema holds besides ours, `use` lines apart."""
    try:
        text = client.ReadSchema(ReadSchemaRequest(), timeout=TIMEOUT_S).schema_text
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.NOT_FOUND:
            raise
        return ""
    lines = without_ours(text).splitlines()
    return "\n".join(line for line in lines if not line.startswith("use "))


def purge(client):
    """Deletes every relationship of ours; no matter if there are none, or no such types yet."""
    for name in (DOCUMENT, FOLDER, GROUP):
        request = DeleteRelationshipsRequest(relationship_filter=RelationshipFilter(resource_type=name))
        try:
            client.DeleteRelationships(request, timeout=TIMEOUT_S)
        except grpc.RpcError as error:
            if reason(error) != "ERROR_REASON_UNKNOWN_DEFINITION":
                raise


def install():
    """Brings the server to our schema without any data of ours."""
    client = connect()
    purge(client)
    schema = f"use expiration\n\n{foreign_schema(client)}\n{SCHEMA}"
    client.WriteSchema(WriteSchemaRequest(schema=schema), timeout=TIMEOUT_S)


def uninstall():
    """Leaves the server as it was found."""
    client = connect()
    purge(client)
    schema = f"use expiration\n\n{foreign_schema(client)}"
    client.WriteSchema(WriteSchemaRequest(schema=schema), timeout=TIMEOUT_S)


def object_of(text):
    object_type, object_id = text.split(":", 1)
    return ObjectReference(object_type=PREFIX + object_type, object_id=object_id)


def subject_of(text):
    """`user:ann` or `group:staff#member`; the prefix of the types is left out."""
    text, _, relation = text.partition("#")
    return SubjectReference(object=object_of(text), optional_relation=relation)


def relationship(text, **attributes):
    """`document:plan#viewer@user:ann`; the prefix of the types is left out."""
    resource, _, subject = text.partition("@")
    resource, _, relation = resource.partition("#")
    return Relationship(
        resource=object_of(resource), relation=relation, subject=subject_of(subject), **attributes
    )


def shown(found):
    """A relationship as text, without the prefix of the types."""
    subject = found.subject
    relation = f"#{subject.optional_relation}" if subject.optional_relation else ""
    return (
        f"{found.resource.object_type}:{found.resource.object_id}#{found.relation}"
        f"@{subject.object.object_type}:{subject.object.object_id}{relation}"
    ).replace(PREFIX, "")


def update(operation, text, **attributes):
    return RelationshipUpdate(operation=operation, relationship=relationship(text, **attributes))


def error_info(error):
    """The ErrorInfo of a failed call, or None."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                info = error_details_pb2.ErrorInfo()
                if detail.Unpack(info):
                    return info
    return None


def reason(error):
    info = error_info(error)
    return info.reason if info else None


class Suite(unittest.TestCase):
    """A test against the server. Object ids come from `self.name`, so that no test sees another's data."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        install()
        cls.addClassCleanup(uninstall)
        cls.client = connect()

    def name(self, suffix):
        return f"{self._testMethodName}_{suffix}"

    def write(self, *updates, **fields):
        """Writes the updates and returns the token."""
        request = WriteRelationshipsRequest(updates=updates, **fields)
        return self.client.WriteRelationships(request, timeout=TIMEOUT_S).written_at

    def touch(self, *texts):
        return self.write(*(update(TOUCH, text) for text in texts))

    def assert_refused(self, code, reason_wanted, call, **metadata):
        """The call fails with this code, this reason (None: no ErrorInfo) and at least this metadata."""
        with self.assertRaises(grpc.RpcError) as caught:
            call()
        error = caught.exception
        info = error_info(error)
        got = info.reason.removeprefix("ERROR_REASON_") if info else None
        self.assertEqual((error.code(), got), (code, reason_wanted), error.details())
        if info:
            self.assertEqual(info.domain, "authzed.com")
            self.assertEqual({key: info.metadata.get(key) for key in metadata}, metadata)
        return error
