/**
 * The interfaces of the stress run: what peers can do to each other, and how the director leads
 * them.
 */
import {
  bytes,
  capability,
  dataspace,
  integer,
  nothing,
  record,
  rpc,
  rpcInterface,
  session,
  signal,
  text,
  u32,
  u53,
} from '@ginit/core';
import { packetStream } from '@ginit/core/packet-stream';

export const BYTES_MAXIMUM = 64 * 1024;
const DEPTH_MAXIMUM = 16;

/** Objects that components hand to each other. */
export const Thing = rpcInterface('Thing', {
  poke: rpc({ args: [u32], result: u32 }),
});

/** The service of every node. */
export const Peer = session(
  'Peer',
  {
    echo: rpc({ args: [bytes(BYTES_MAXIMUM)], result: bytes(BYTES_MAXIMUM) }),
    /** Answers after so many milliseconds. */
    later: rpc({ args: [integer(0, 100)], result: u32 }),
    /** Fails with the declared code. */
    refuse: rpc({ args: [], result: nothing }),
    /** Fails in an undeclared way. */
    fail: rpc({ args: [], result: nothing }),
    /**
     * Goes on to another peer, and so on, `depth` calls deep, in circles too; the number of calls
     * made.
     */
    walk: rpc({ args: [u32, integer(0, DEPTH_MAXIMUM)], result: integer(0, DEPTH_MAXIMUM + 1) }),
    give: rpc({ args: [], result: capability(Thing) }),
    take: rpc({ args: [capability(Thing)], result: nothing }),
    /** Pokes it so many times; how often that went well. */
    use: rpc({ args: [capability(Thing), integer(0, 64)], result: integer(0, 64) }),
    /** Gives it straight back. */
    reflect: rpc({ args: [capability(Thing)], result: capability(Thing) }),
    /** Submits the signal so many times. */
    wake: rpc({ args: [signal, integer(1, 64)], result: nothing }),
    /** Sum of the bytes in it. */
    sum: rpc({ args: [dataspace], result: u53 }),
  },
  { errors: ['Refused'] },
);

/** Takes packets; `argument` of each is the checksum of its payload. */
export const Sink = session('Sink', {
  tx: packetStream('tx', {
    queueSlots: 32,
    defaultBulkBytes: 64 * 1024,
    alignLog2: 6,
    payloadDirection: { submitBytes: (packet) => packet.size, acknowledgeBytes: () => 0 },
  }),
});

/** The service of hostile components. */
export const Trap = session('Trap', {
  touch: rpc({ args: [], result: nothing }),
});

/** The counts of a component, and its account. */
export const memberState = record({
  made: u53,
  settled: u53,
  failures: u53,
  ramQuota: u53,
  ramUsed: u53,
  capQuota: u53,
  capUsed: u53,
});

/** How the director leads a component. */
export const Control = rpcInterface('Control', {
  begin: rpc({ args: [], result: nothing }),
  /**
   * Starts nothing new, and settles when all that was under way is done and every session is
   * closed.
   */
  rest: rpc({ args: [], result: nothing }),
  /** Lets go of what others have handed over; everybody rests by then. */
  clear: rpc({ args: [], result: nothing }),
  state: rpc({ args: [], result: memberState }),
});

/** The director. */
export const Director = session('Director', {
  /** A component is there; the number of its incarnation. */
  join: rpc({ args: [text(64), capability(Control)], result: u32 }),
});
