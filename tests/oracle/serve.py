"""Serves the SpiceDB library over gRPC: one instance for each bearer token, bytes in and bytes out.

Unary calls go through the library's functions, whose errors are text; streams go on to the library's own socket.
"""

import ctypes
import re
import sys
import threading
from concurrent import futures

import grpc
from spicedb_embedded import ffi

UNARY = {
    "/authzed.api.v1.PermissionsService/CheckPermission": "spicedb_permissions_check_permission",
    "/authzed.api.v1.PermissionsService/CheckBulkPermissions": "spicedb_permissions_check_bulk_permissions",
    "/authzed.api.v1.PermissionsService/WriteRelationships": "spicedb_permissions_write_relationships",
    "/authzed.api.v1.PermissionsService/DeleteRelationships": "spicedb_permissions_delete_relationships",
    "/authzed.api.v1.PermissionsService/ExpandPermissionTree": "spicedb_permissions_expand_permission_tree",
    "/authzed.api.v1.SchemaService/ReadSchema": "spicedb_schema_read_schema",
    "/authzed.api.v1.SchemaService/WriteSchema": "spicedb_schema_write_schema",
}
STREAMS = {
    "/authzed.api.v1.PermissionsService/" + name
    for name in ("LookupResources", "LookupSubjects", "ReadRelationships", "ExportBulkRelationships")
}
CODES = {code.name.replace("_", "").lower(): code for code in grpc.StatusCode}
ERROR = re.compile(r"^rpc error: code = (\w+) desc = (.*)$", re.DOTALL)


class Instance:
    """One SpiceDB in memory."""

    def __init__(self):
        data = ffi.spicedb_start()
        self.handle = data["handle"]
        address = data["streaming_address"]
        target = "unix://" + address if data["streaming_transport"] == "unix" else address
        self.channel = grpc.insecure_channel(target)

    def call(self, function, request):
        """The response's bytes, or an error's text."""
        library = ffi._get_lib()
        response, length, error = ctypes.c_void_p(), ctypes.c_int(), ctypes.c_void_p()
        getattr(library, function)(
            ctypes.c_ulonglong(self.handle),
            ctypes.create_string_buffer(request, len(request) + 1),
            len(request),
            ctypes.byref(response),
            ctypes.byref(length),
            ctypes.byref(error),
        )
        if error.value:
            text = ctypes.string_at(error.value).decode("utf-8", "replace")
            library.spicedb_free(ctypes.cast(error, ctypes.c_char_p))
            return None, text
        if not response.value or length.value <= 0:
            return b"", None
        data = ctypes.string_at(response.value, length.value)
        library.spicedb_free_bytes(response)
        return data, None


class Handler(grpc.GenericRpcHandler):
    def __init__(self):
        self.instances = {}
        self.lock = threading.Lock()

    def instance(self, details):
        token = dict(details.invocation_metadata).get("authorization", "")
        with self.lock:
            if token not in self.instances:
                self.instances[token] = Instance()
            return self.instances[token]

    def service(self, details):
        method = details.method
        if method in UNARY:
            instance = self.instance(details)

            def unary(request, context):
                data, error = instance.call(UNARY[method], request)
                if error is None:
                    return data
                match = ERROR.match(error)
                code = CODES.get(match.group(1).lower()) if match else None
                context.abort(code or grpc.StatusCode.UNKNOWN, match.group(2) if match else error)

            return grpc.unary_unary_rpc_method_handler(unary)
        if method in STREAMS:
            instance = self.instance(details)

            def stream(request, context):
                call = instance.channel.unary_stream(method)(request, timeout=30)
                try:
                    yield from call
                except grpc.RpcError as error:
                    wanted = "grpc-status-details-bin"
                    details = [(k, v) for k, v in error.trailing_metadata() or () if k == wanted]
                    context.set_trailing_metadata(details)
                    context.abort(error.code(), error.details())

            return grpc.unary_stream_rpc_method_handler(stream)
        return None


def main():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
    server.add_generic_rpc_handlers((Handler(),))
    server.add_insecure_port(sys.argv[1])
    server.start()
    server.wait_for_termination()


main()
