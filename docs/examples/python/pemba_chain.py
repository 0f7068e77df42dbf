"""Asks as a chain of principals with an unmodified gRPC client, and takes no answer that was not for the chain."""

import collections

import grpc

APPLIED = "pemba-chain-applied"


class _Details(
    collections.namedtuple("_Details", ("method", "timeout", "metadata", "credentials", "wait_for_ready", "compression")),
    grpc.ClientCallDetails,
):
    """What a call is made with."""


class ChainInterceptor(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Presents a delegation, a session or an approval: `ChainInterceptor(delegation="dlg_...")`."""

    def __init__(self, **presented):
        self._presented = [("pemba-" + name, value) for name, value in presented.items()]

    def _details(self, details):
        get = lambda name: getattr(details, name, None)
        metadata = list(details.metadata or ()) + self._presented
        return _Details(details.method, details.timeout, metadata, get("credentials"), get("wait_for_ready"), get("compression"))

    def _proven(self, call):
        # The headers of a call that was refused prove nothing, and its error is told when its answer is asked for.
        proven = any(name == APPLIED for name, _ in call.initial_metadata() or ())
        if not proven and (not call.done() or call.code() == grpc.StatusCode.OK):
            call.cancel()
            raise RuntimeError("the server did not apply the chain that was presented")
        return call

    def intercept_unary_unary(self, continuation, details, request):
        return self._proven(continuation(self._details(details), request))

    def intercept_unary_stream(self, continuation, details, request):
        return self._proven(continuation(self._details(details), request))
