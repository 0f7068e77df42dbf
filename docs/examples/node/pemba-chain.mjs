// Asks as a chain of principals with an unmodified gRPC client, and takes no answer that was not for the chain.
import { InterceptingCall, status } from "@grpc/grpc-js";

const APPLIED = "pemba-chain-applied";

/** An interceptor that presents a delegation, a session or an approval: `chain({ delegation: "dlg_..." })`. */
export function chain(presented) {
  return (options, nextCall) =>
    new InterceptingCall(nextCall(options), {
      start(metadata, _listener, next) {
        for (const [name, value] of Object.entries(presented)) metadata.set(`pemba-${name}`, value);
        let proven = false;
        next(metadata, {
          onReceiveMetadata(headers, nextMetadata) {
            proven = headers.get(APPLIED).length > 0;
            nextMetadata(headers);
          },
          // Without proof no message reaches the caller.
          onReceiveMessage(message, nextMessage) {
            nextMessage(proven ? message : null);
          },
          onReceiveStatus(ended, nextStatus) {
            const details = "the server did not apply the chain that was presented";
            nextStatus(ended.code === status.OK && !proven ? { ...ended, code: status.INTERNAL, details } : ended);
          },
        });
      },
    });
}
