// Asks as a chain of principals with an unmodified gRPC client, and takes no answer that was not for the chain.
import { InterceptingCall, status } from "@grpc/grpc-js";

const APPLIED = "pemba-chain-applied";
const UNPROVEN = "the server did not apply the chain that was presented";

/** An interceptor that presents a delegation, a session or an approval: `chain({ delegation: "dlg_..." })`. */
export function chain(presented) {
  return (options, nextCall) => {
    const call = new InterceptingCall(nextCall(options), {
      start(metadata, caller, next) {
        for (const [name, value] of Object.entries(presented)) metadata.set(`pemba-${name}`, value);
        let proven = false;
        next(metadata, {
          onReceiveMetadata(headers, nextMetadata) {
            proven = headers.get(APPLIED).length > 0;
            // Without proof nothing that follows reaches the caller: to pass on an empty message would end a stream well.
            if (proven) nextMetadata(headers);
            else call.cancelWithStatus(status.INTERNAL, UNPROVEN);
          },
          onReceiveMessage(message, nextMessage) {
            if (proven) nextMessage(message);
          },
          onReceiveStatus(ended, nextStatus) {
            if (proven) nextStatus(ended);
            else if (ended.code !== status.OK) caller.onReceiveStatus(ended);
            else caller.onReceiveStatus({ ...ended, code: status.INTERNAL, details: UNPROVEN });
          },
        });
      },
    });
    return call;
  };
}
