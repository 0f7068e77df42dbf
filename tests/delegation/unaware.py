"""A server that knows nothing of chains: it passes calls on without their `pemba-` metadata, and answers without any.

So does a proxy that keeps only the headers it knows, or SpiceDB itself.
"""

from concurrent import futures

import grpc


class Unaware(grpc.GenericRpcHandler):
    """Serves on a port of its own choosing, `port`, until `close`."""

    STREAMS = ("LookupResources", "LookupSubjects")

    def __init__(self, target):
        self.channel = grpc.insecure_channel(target)
        self.server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
        self.server.add_generic_rpc_handlers((self,))
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def close(self):
        self.server.stop(0).wait()
        self.channel.close()

    def service(self, details):
        method = details.method
        metadata = [(k, v) for k, v in details.invocation_metadata if k == "authorization"]

        def unary(request, context):
            try:
                return self.channel.unary_unary(method)(request, metadata=metadata, timeout=30)
            except grpc.RpcError as error:
                context.abort(error.code(), error.details())

        def stream(request, context):
            try:
                yield from self.channel.unary_stream(method)(request, metadata=metadata, timeout=30)
            except grpc.RpcError as error:
                context.abort(error.code(), error.details())

        if method.rsplit("/", 1)[-1] in self.STREAMS:
            return grpc.unary_stream_rpc_method_handler(stream)
        return grpc.unary_unary_rpc_method_handler(unary)
