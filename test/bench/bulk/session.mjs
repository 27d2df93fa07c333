/** The session of ginit's contenders: packets from the client to the server, which reads them. */
import { boolean, nothing, packetStream, rpc, session, u53 } from '@ginit/core';
import { UNDER_WAY_MAXIMUM } from './traffic.mjs';

export const Consumer = session('Consumer', {
  /** Says how packets are to be read: where they are, or from a copy. */
  copyOut: rpc({ args: [boolean], result: nothing }),
  /** The sum of all bytes that were read since the last call. */
  takeSum: rpc({ args: [], result: u53 }),
  tx: packetStream('tx', {
    queueSlots: UNDER_WAY_MAXIMUM,
    defaultBulkBytes: 1024 * 1024,
    alignLog2: 12,
    payloadDirection: { submitBytes: (packet) => packet.size, acknowledgeBytes: () => 0 },
  }),
});
