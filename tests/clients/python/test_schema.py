"""Writing and reading the schema."""

import unittest

import grpc
from authzed.api.v1 import ReadSchemaRequest, WriteSchemaRequest

import harness
from harness import TIMEOUT_S, TOUCH, update


class SchemaTest(harness.Suite):
    def schema(self):
        return self.client.ReadSchema(ReadSchemaRequest(), timeout=TIMEOUT_S)

    def write_schema(self, text):
        return self.client.WriteSchema(WriteSchemaRequest(schema=text), timeout=TIMEOUT_S)

    def test_what_was_written_can_be_read_and_written_again(self):
        read = self.schema()
        self.assertTrue(read.read_at.token)
        for part in ("definition pytest/document", "caveat pytest/on_network", "relation banned"):
            self.assertIn(part, read.schema_text)
        self.assertTrue(self.write_schema(read.schema_text).written_at.token)
        self.assertEqual(self.schema().schema_text, read.schema_text)

    def test_a_text_that_does_not_parse(self):
        self.assert_refused(
            grpc.StatusCode.INVALID_ARGUMENT,
            "SCHEMA_PARSE_ERROR",
            lambda: self.write_schema("definition pytest/broken {"),
        )

    def test_a_type_that_is_not_there(self):
        self.assert_refused(
            grpc.StatusCode.FAILED_PRECONDITION,
            "SCHEMA_TYPE_ERROR",
            lambda: self.write_schema("definition pytest/lonely {\n  relation friend: pytest/nobody\n}"),
        )

    def test_a_relation_in_use_cannot_go(self):
        line = f"document:{self.name('doc')}#banned@user:ann"
        self.write(update(TOUCH, line))
        schema = self.schema().schema_text
        smaller = "\n".join(
            line.replace(" - banned", "")
            for line in schema.splitlines()
            if not line.strip().startswith("relation banned")
        )
        self.assert_refused(
            grpc.StatusCode.INVALID_ARGUMENT, "SCHEMA_TYPE_ERROR", lambda: self.write_schema(smaller)
        )
        self.assertEqual(self.schema().schema_text, schema)


if __name__ == "__main__":
    unittest.main()
