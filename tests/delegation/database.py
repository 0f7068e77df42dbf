"""One database of `pemba serve-testing`, with its clock.

`PEMBA_ENDPOINT` (host:port) says where the server is; each token has a database of its own there, empty at first.
"""

import os
import re
import secrets

import grpc
import stubs  # noqa: F401  makes pemba.v1 importable
from authzed.api.v1 import (
    Consistency,
    ObjectReference,
    Relationship,
    RelationshipUpdate,
    SubjectReference,
    WriteRelationshipsRequest,
    WriteSchemaRequest,
)
from authzed.api.v1 import permission_service_pb2_grpc, schema_service_pb2_grpc
from google.protobuf import duration_pb2, timestamp_pb2
from google.rpc import error_details_pb2, status_pb2
from pemba.v1 import (
    agent_service_pb2 as agent,
    agent_service_pb2_grpc,
    authority_service_pb2 as authority,
    authority_service_pb2_grpc,
    core_pb2 as core,
    delegation_service_pb2 as delegation,
    delegation_service_pb2_grpc,
    testing_service_pb2 as testing,
    testing_service_pb2_grpc,
)

NOW = Consistency(fully_consistent=True)
# No call may hang a suite.
TIMEOUT_S = 30
NANOS = 1_000_000_000
# The codes by which a request is refused; a refusal of pemba.v1's own may have another. Every other failure is the
# server's or the test's.
REFUSALS = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.PERMISSION_DENIED,
}


class Refused(Exception):
    """Pemba said no: its reason and its message."""

    def __init__(self, reason, message):
        super().__init__(f"{reason}: {message}")
        self.reason = reason


def error_info(error):
    """The ErrorInfo of a failed call, or None."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                info = error_details_pb2.ErrorInfo()
                if detail.Unpack(info):
                    return info
    return None


def object_id(text):
    """A text as an object id: what ids may not contain is written `=` and two hexadecimal digits a byte."""
    return re.sub(
        rb"[^a-zA-Z0-9/_|\-+]", lambda found: b"=%02X" % found[0][0], text.encode("utf-8", "surrogatepass")
    ).decode("ascii")


def thing(object_type, text):
    """The object whose id stands for this text."""
    return ObjectReference(object_type=object_type, object_id=object_id(text))


def subject(found):
    """An object as a subject."""
    return SubjectReference(object=found)


def instant(nanos):
    """Nanoseconds since 1970 as the wire has them."""
    return timestamp_pb2.Timestamp(seconds=nanos // NANOS, nanos=nanos % NANOS)


class Database:
    """A database, and the services that speak for it."""

    def __init__(self, schema):
        self.token = "delegation-" + secrets.token_hex(16)
        channel = grpc.insecure_channel(os.environ["PEMBA_ENDPOINT"])
        self.metadata = (("authorization", f"Bearer {self.token}"),)
        self.permissions = permission_service_pb2_grpc.PermissionsServiceStub(channel)
        self.agents = agent_service_pb2_grpc.AgentServiceStub(channel)
        self.authority = authority_service_pb2_grpc.AuthorityServiceStub(channel)
        self.delegations = delegation_service_pb2_grpc.DelegationServiceStub(channel)
        self.testing = testing_service_pb2_grpc.TestingServiceStub(channel)
        self.channel = channel
        self.registered = set()
        schemas = schema_service_pb2_grpc.SchemaServiceStub(channel)
        self.ask(schemas.WriteSchema, WriteSchemaRequest(schema=schema))
        self.now = self.advance(0)
        for object_type, kind in (("user", agent.PRINCIPAL_KIND_HUMAN), ("agent", agent.PRINCIPAL_KIND_AGENT)):
            policy = agent.TypePolicy(
                object_type=object_type,
                kind=kind,
                mode=agent.TYPE_MODE_MANAGED if object_type == "agent" else agent.TYPE_MODE_OBSERVED,
            )
            self.ask(self.agents.SetTypePolicy, agent.SetTypePolicyRequest(policy=policy))

    def ask(self, method, request):
        """The response; `Refused` where Pemba says no. Other failures are raised as they are."""
        try:
            return method(request, metadata=self.metadata, timeout=TIMEOUT_S)
        except grpc.RpcError as error:
            info = error_info(error)
            if error.code() not in REFUSALS and not (info and info.domain == "pemba.dev"):
                raise
            raise Refused(info.reason if info else error.code().name, error.details()) from None

    def advance(self, nanos):
        """Moves the clock forward, stops it the first time, and returns where it stands, in nanoseconds since 1970."""
        by = duration_pb2.Duration(seconds=nanos // NANOS, nanos=nanos % NANOS)
        found = self.ask(self.testing.AdvanceClock, testing.AdvanceClockRequest(by=by)).now
        self.now = found.seconds * NANOS + found.nanos
        return self.now

    def write(self, facts):
        """Creates relationships: (resource, relation, subject) each, all objects."""
        updates = [
            RelationshipUpdate(
                operation=RelationshipUpdate.OPERATION_TOUCH,
                relationship=Relationship(resource=resource, relation=relation, subject=subject(who)),
            )
            for resource, relation, who in facts
        ]
        self.ask(self.permissions.WriteRelationships, WriteRelationshipsRequest(updates=updates))

    def register(self, name):
        """Registers an agent, once."""
        if name in self.registered:
            return
        spec = agent.AgentSpec(
            principal=thing("agent", name),
            kind=agent.AGENT_KIND_AGENT,
            sponsors=[thing("user", "sponsor")],
            purpose="a scripted agent of a benchmark",
        )
        self.ask(self.agents.RegisterAgent, agent.RegisterAgentRequest(spec=spec))
        self.registered.add(name)

    def close(self):
        self.channel.close()
