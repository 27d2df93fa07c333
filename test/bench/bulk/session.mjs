/** The session of ginit's contenders: packets from the client to the server, which reads them. */
import { boolean, nothing, rpc, session, u53 } from '@ginit/core';
import { packetStream } from '@ginit/core/packet-stream';
import { UNDER_WAY_MAXIMUM } from './traffic.mjs';

export const Consumer = session('Consumer', {
  /** Says how packets are to be read: where they are, or from a copy. */
  copyOut: rpc({ args: [boolean], result: nothing }),
  /** Sum of all that was read since the last time. */
  takeSum: rpc({ args: [], result: u53 }),
  tx: packetStream('tx', {
    queueSlots: UNDER_WAY_MAXIMUM,
    defaultBulkBytes: 1024 * 1024,
    alignLog2: 12,
    payloadDirection: { submitBytes: (packet) => packet.size, acknowledgeBytes: () => 0 },
  }),
});
