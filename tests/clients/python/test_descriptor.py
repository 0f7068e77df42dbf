"""The committed descriptor set against the descriptors inside the `authzed` package.

Every message, field, number, type, label, oneof, enum value, service, method and REST route must be the same, apart
from the differences listed here. Needs no server.
"""

import importlib
import pathlib
import unittest

from google.api import annotations_pb2
from google.protobuf import descriptor_pb2

DESCRIPTOR_SET = (
    pathlib.Path(__file__).resolve().parents[3] / "crates/proto/src/generated/descriptor.binpb"
)
PACKAGE = "authzed.api.v1"
FILES = (
    "core",
    "debug",
    "error_reason",
    "experimental_service",
    "permission_service",
    "schema_service",
    "watch_service",
)

# In the wire interface, not (yet) in the package this test installs.
ONLY_OURS = set()
# In the package, not in the wire interface.
ONLY_THEIRS = set()


def messages(prefix, found):
    """Every message of `found`, nested ones too, with its full name."""
    for message in found:
        name = f"{prefix}.{message.name}"
        yield name, message
        yield from messages(name, message.nested_type)


def enums(file):
    """Every enum of a file, nested ones too, with its full name."""
    for enum in file.enum_type:
        yield f"{file.package}.{enum.name}", enum
    for name, message in messages(file.package, file.message_type):
        for enum in message.enum_type:
            yield f"{name}.{enum.name}", enum


def route(options):
    """The REST route of a method: verb, path and body."""
    rule = options.Extensions[annotations_pb2.http]
    verb = rule.WhichOneof("pattern")
    return verb, getattr(rule, verb) if verb else None, rule.body


def field_facts(name, message):
    """One fact for every field of a message."""
    for field in message.field:
        oneof = message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else None
        yield (
            "field",
            name,
            field.name,
            field.number,
            descriptor_pb2.FieldDescriptorProto.Type.Name(field.type),
            field.type_name,
            descriptor_pb2.FieldDescriptorProto.Label.Name(field.label),
            oneof,
            field.proto3_optional,
            field.json_name,
            field.options.deprecated,
        )


def facts(files):
    """Everything a client can tell apart, as a set of tuples."""
    for file in files:
        for name, message in messages(file.package, file.message_type):
            yield ("message", name, file.name, message.options.deprecated)
            yield from field_facts(name, message)
        for name, enum in enums(file):
            yield ("enum", name, file.name)
            for value in enum.value:
                yield ("value", name, value.name, value.number, value.options.deprecated)
        for service in file.service:
            yield ("service", f"{file.package}.{service.name}", file.name)
            for method in service.method:
                yield (
                    "method",
                    f"{file.package}.{service.name}/{method.name}",
                    method.input_type,
                    method.output_type,
                    method.client_streaming,
                    method.server_streaming,
                    method.options.deprecated,
                    *route(method.options),
                )


def ours():
    found = descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTOR_SET.read_bytes())
    return [file for file in found.file if file.package == PACKAGE]


def theirs():
    for name in FILES:
        module = importlib.import_module(f"authzed.api.v1.{name}_pb2")
        file = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        yield with_json_names(file, module.DESCRIPTOR)


def with_json_names(file, descriptor):
    """Fills in the JSON names, which a descriptor inside a package may leave out."""
    known = {}

    def walk(found):
        for message in found.values():
            for field in message.fields:
                known[message.full_name, field.name] = field.json_name
            walk(message.nested_types_by_name)

    walk(descriptor.message_types_by_name)
    for name, message in messages(file.package, file.message_type):
        for field in message.field:
            field.json_name = known[name, field.name]
    return file


class DescriptorTest(unittest.TestCase):
    maxDiff = None

    def test_same_wire_interface(self):
        mine, reference = set(facts(ours())), set(facts(theirs()))
        self.assertEqual(mine - reference, ONLY_OURS)
        self.assertEqual(reference - mine, ONLY_THEIRS)

    def test_the_comparison_sees_everything(self):
        counts = {}
        for fact in facts(ours()):
            counts[fact[0]] = counts.get(fact[0], 0) + 1
        self.assertEqual(
            counts,
            {"message": 104, "field": 338, "enum": 12, "value": 71, "service": 4, "method": 27},
        )

    def test_every_method_has_its_own_route(self):
        routes = [fact[-2] for fact in facts(ours()) if fact[0] == "method"]
        self.assertEqual(len(set(routes)), 27)
        self.assertTrue(all(path.startswith("/v1/") for path in routes))


if __name__ == "__main__":
    unittest.main()
