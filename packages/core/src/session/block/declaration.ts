/**
 * Block: blocks of a device by number. Everything but `info` is a packet: many are in flight,
 * acknowledgements come in any order, by tag. There is no order between requests in flight, except
 * that a SYNC covers every write that was acknowledged before it was submitted. (Reference:
 * Genode's Block session.)
 *
 * Session arguments: `tx_buf_size`; a view by `offset` and `num_blocks` (blocks; the server
 * translates and checks); `writeable` (default yes; a session is writeable if this, the policy and
 * the device all say so).
 *
 * Packets: `operation`, `position` = first block, `count` = blocks, payload of `count` blocks for
 * READ and WRITE. SYNC covers the whole device whatever its range. TRIM is a hint, which a server
 * may ignore; what the blocks hold afterwards is undefined until they are written. After
 * WRITE_ZEROES they read as zeros. Both may name no block at all. Everything but READ needs a
 * session that is writeable. The acknowledgement's `status` is a `BLOCK_STATUS`; a server must
 * answer every packet it takes.
 *
 * A device may change: grow, shrink, become read-only. A session whose view it concerns gets a
 * notice (`BLOCK_NOTICE`) by an acknowledgement that answers no request; a view with `num_blocks`
 * never grows beyond that.
 *
 * Both sides have libraries beside this file: `BlockClient`, and `serveBlock` over a
 * `BlockBackend`.
 */
import { rpc, session } from '../../interface/interface.ts';
import { boolean, integer, record, type ShapeType, u53 } from '../../interface/shapes.ts';
import { packetStream } from '../../interface/stream.ts';
import { type Packet, PACKET_STATUS } from '../../packet-stream/index.ts';

/** The operations of packets. */
export const BLOCK_OPERATION = { read: 1, write: 2, sync: 3, trim: 4, writeZeroes: 5 } as const;
/** The name of an operation. */
export type BlockOperation = keyof typeof BLOCK_OPERATION;

/**
 * The operations of acknowledgements that answer no request. `info`: the device is different now;
 * `position` is its number of blocks, and bit 0 of `argument` says whether it can be written.
 */
export const BLOCK_NOTICE = { info: 1 } as const;

/** The statuses of acknowledgements: why a request failed. */
export const BLOCK_STATUS = {
  ok: PACKET_STATUS.ok,
  /** Malformed: payload missing or of the wrong size, unknown operation. */
  invalid: PACKET_STATUS.invalid,
  inputOutput: PACKET_STATUS.firstCode,
  /** The range goes beyond the device or view. */
  outOfRange: PACKET_STATUS.firstCode + 1,
  readOnly: PACKET_STATUS.firstCode + 2,
  noSpace: PACKET_STATUS.firstCode + 3,
  /** The medium, or whoever provides it, is gone. */
  gone: PACKET_STATUS.firstCode + 4,
} as const;

/** Codes of failed requests, as errors of the client library. */
export type BlockErrorCode = 'InputOutput' | 'OutOfRange' | 'ReadOnly' | 'NoSpace' | 'Invalid' | 'Gone';

/** The device that a session gives access to. */
const blockInfo = record({
  /** Bytes of a block: a power of two. */
  blockSize: integer(512, 65_536),
  blockCount: u53,
  /** The alignment that the server wants for payloads in the bulk buffer: 2^alignLog2 bytes. */
  alignLog2: integer(0, 16),
  writeable: boolean,
});
/**
 * A device: its number of blocks, their size in bytes, whether it can be written, and the alignment
 * of payloads (2^alignLog2 bytes).
 */
export type BlockInfo = ShapeType<typeof blockInfo>;

/** Payloads are aligned to a page, so that drivers can hand them to the host as they are. */
const ALIGN_LOG2 = 12;

/** The Block session. */
export const Block = session('Block', {
  info: rpc<() => BlockInfo>({ args: [], result: blockInfo }),
  tx: packetStream('tx', {
    queueSlots: 256,
    defaultBulkBytes: 1024 * 1024,
    alignLog2: ALIGN_LOG2,
    payloadDirection: {
      submitBytes: (packet: Packet) => (packet.operation === BLOCK_OPERATION.write ? packet.size : 0),
      acknowledgeBytes: (packet: Packet) =>
        packet.operation === BLOCK_OPERATION.read && packet.status === BLOCK_STATUS.ok ? packet.size : 0,
    },
  }),
});
