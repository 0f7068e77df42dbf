"""Who is let in, what the schema forbids, and that every call is offered."""

import unittest

import grpc
from authzed.api.v1 import (
    CheckPermissionRequest,
    DiffSchemaRequest,
    ReadSchemaRequest,
    ReflectSchemaRequest,
)
from authzed.api.v1 import experimental_service_pb2 as experimental
from authzed.api.v1 import schema_service_pb2 as schema_service
from authzed.api.v1.permission_service_pb2_grpc import PermissionsServiceStub
from authzed.api.v1.schema_service_pb2_grpc import SchemaServiceStub

import harness
from harness import DOCUMENT, NOW, TIMEOUT_S, TOUCH, connect, object_of, relationship, subject_of, update


class KeyTest(harness.Suite):
    def test_a_wrong_key(self):
        self.assert_refused(
            grpc.StatusCode.PERMISSION_DENIED,
            None,
            lambda: connect("wrong").ReadSchema(ReadSchemaRequest(), timeout=TIMEOUT_S),
        )

    def test_no_key(self):
        with harness.bare_channel() as channel:
            self.assert_refused(
                grpc.StatusCode.UNAUTHENTICATED,
                None,
                lambda: SchemaServiceStub(channel).ReadSchema(ReadSchemaRequest(), timeout=TIMEOUT_S),
            )

    def test_another_kind_of_key(self):
        with harness.bare_channel() as channel:
            self.assert_refused(
                grpc.StatusCode.UNAUTHENTICATED,
                None,
                lambda: PermissionsServiceStub(channel).CheckPermission(
                    CheckPermissionRequest(), timeout=TIMEOUT_S, metadata=[("authorization", "Basic eA==")]
                ),
            )


class SchemaRulesTest(harness.Suite):
    def check(self, resource, permission, subject):
        request = CheckPermissionRequest(
            consistency=NOW,
            resource=object_of(resource),
            permission=permission,
            subject=subject_of(subject),
        )
        return self.client.CheckPermission(request, timeout=TIMEOUT_S)

    def test_an_unknown_definition(self):
        self.assert_refused(
            grpc.StatusCode.FAILED_PRECONDITION,
            "UNKNOWN_DEFINITION",
            lambda: self.check("planet:mars", "view", "user:ann"),
            definition_name="pytest/planet",
        )

    def test_an_unknown_permission(self):
        self.assert_refused(
            grpc.StatusCode.FAILED_PRECONDITION,
            "UNKNOWN_RELATION_OR_PERMISSION",
            lambda: self.check("document:d", "fly", "user:ann"),
            definition_name=DOCUMENT,
            relation_or_permission_name="fly",
        )

    def test_a_wildcard_as_the_subject_of_a_check(self):
        self.assert_refused(
            grpc.StatusCode.INVALID_ARGUMENT,
            "WILDCARD_NOT_ALLOWED",
            lambda: self.check("document:d", "view", "user:*"),
        )

    def test_a_subject_the_relation_does_not_allow(self):
        self.assert_refused(
            grpc.StatusCode.INVALID_ARGUMENT,
            "INVALID_SUBJECT_TYPE",
            lambda: self.touch("document:d#banned@group:g#member"),
            definition_name=DOCUMENT,
            relation_name="banned",
        )

    def test_a_permission_cannot_be_written(self):
        self.assert_refused(
            grpc.StatusCode.INVALID_ARGUMENT,
            "CANNOT_UPDATE_PERMISSION",
            lambda: self.touch("document:d#view@user:ann"),
            definition_name=DOCUMENT,
            permission_name="view",
        )

    def test_a_name_that_breaks_the_grammar(self):
        with self.assertRaises(grpc.RpcError) as caught:
            self.touch("document:no spaces#viewer@user:ann")
        self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)

    def test_too_many_updates(self):
        many = [update(TOUCH, f"document:d{number}#viewer@user:ann") for number in range(1001)]
        self.assert_refused(
            grpc.StatusCode.INVALID_ARGUMENT,
            "TOO_MANY_UPDATES_IN_REQUEST",
            lambda: self.write(*many),
            update_count="1001",
            maximum_updates_allowed="1000",
        )


class OfferedTest(harness.Suite):
    """Every call is answered or refused for what it carries, never for want of it."""

    def assert_offered(self, call):
        refusals = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION)
        try:
            call()
        except grpc.RpcError as error:
            self.assertIn(error.code(), refusals)

    def test_reflection(self):
        for name, request in (
            ("ReflectSchema", ReflectSchemaRequest()),
            ("ComputablePermissions", schema_service.ComputablePermissionsRequest()),
            ("DependentRelations", schema_service.DependentRelationsRequest()),
            ("DiffSchema", DiffSchemaRequest(comparison_schema="definition pytest/user {}")),
        ):
            with self.subTest(name):
                self.assert_offered(lambda: getattr(self.client, name)(request, timeout=TIMEOUT_S))

    def test_experimental(self):
        for name in (
            "BulkCheckPermission",
            "ExperimentalReflectSchema",
            "ExperimentalComputablePermissions",
            "ExperimentalDependentRelations",
            "ExperimentalDiffSchema",
            "ExperimentalRegisterRelationshipCounter",
            "ExperimentalCountRelationships",
            "ExperimentalUnregisterRelationshipCounter",
        ):
            with self.subTest(name):
                request = getattr(experimental, f"{name}Request")()
                self.assert_offered(lambda: getattr(self.client, name)(request, timeout=TIMEOUT_S))

    def test_experimental_streams(self):
        batch = experimental.BulkImportRelationshipsRequest(
            relationships=[relationship(f"document:{self.name('bulk')}#viewer@user:ann")]
        )
        self.assert_offered(
            lambda: self.client.BulkImportRelationships(iter([batch]), timeout=TIMEOUT_S)
        )
        request = experimental.BulkExportRelationshipsRequest()
        self.assert_offered(
            lambda: list(self.client.BulkExportRelationships(request, timeout=TIMEOUT_S))
        )


if __name__ == "__main__":
    unittest.main()
