/**
 * The memory of a packet stream.
 *
 * A packet stream joins a *source*, which owns the bulk buffer and submits requests, and a *sink*,
 * which consumes and acknowledges them. One dataspace holds all of it (after Genode's
 * packet_stream):
 *
 *     0                source's indexes: head of the submit queue, tail of the acknowledge queue
 *     64               sink's indexes:   head of the acknowledge queue, tail of the submit queue
 *     128, 192         what source and sink wait for (see stream-side.ts)
 *     256              submit queue, then acknowledge queue: `queueSlots` packets of 48 bytes each
 *     next 4 KiB step  bulk buffer
 *
 * Indexes run freely modulo 2^32 and are used modulo `queueSlots` (a power of two), so that a queue
 * of N slots holds N packets. Each index has one writer; what is written by whom lies on cache
 * lines of its own. Everything is in the byte order of the machine: memory is shared only inside
 * one machine.
 */

/** The sizes that both ends of a stream agree on when the session is opened. */
export interface PacketStreamParameters {
  /** Size of the bulk buffer in bytes: a multiple of the alignment, at most 1 GiB. */
  readonly bulkBytes: number;
  /** Slots of each of the two queues: a power of two, 1 to 4096. */
  readonly queueSlots: number;
  /** Payloads start at multiples of 2^alignLog2 bytes in the bulk buffer; 0 to 16. */
  readonly alignLog2: number;
}

export const BULK_BYTES_MAX = 2 ** 30;
export const QUEUE_SLOTS_MAX = 4096;
export const ALIGN_LOG2_MAX = 16;

/** Words (32 bits) and bytes of one packet descriptor in a queue. */
export const PACKET_WORDS = 12;
export const PACKET_BYTES = PACKET_WORDS * 4;

/** Places of the control words, in words. */
export const SOURCE_HEAD = 0;
export const SOURCE_TAIL = 1;
export const SINK_HEAD = 16;
export const SINK_TAIL = 17;
export const SOURCE_WAITS = 32;
export const SINK_WAITS = 48;

const CONTROL_BYTES = 256;
const BULK_ALIGN_BYTES = 4096;

/**
 * Why parameters (of a session's arguments) cannot work, in one sentence, or undefined if they can.
 */
export function streamParametersProblem(parameters: PacketStreamParameters): string | undefined {
  const { bulkBytes, queueSlots, alignLog2 } = parameters;
  if (!Number.isInteger(alignLog2) || alignLog2 < 0 || alignLog2 > ALIGN_LOG2_MAX) {
    return `alignment must be 2^0 to 2^${ALIGN_LOG2_MAX}`;
  }
  const slotsPowerOfTwo = Number.isInteger(queueSlots) && (queueSlots & (queueSlots - 1)) === 0;
  if (!slotsPowerOfTwo || queueSlots < 1 || queueSlots > QUEUE_SLOTS_MAX) {
    return `queue slots must be a power of two, 1 to ${QUEUE_SLOTS_MAX}`;
  }
  if (!Number.isInteger(bulkBytes) || bulkBytes < 0 || bulkBytes > BULK_BYTES_MAX) {
    return `bulk buffer must be 0 to ${BULK_BYTES_MAX} bytes`;
  }
  if (bulkBytes % 2 ** alignLog2 !== 0) return 'bulk buffer must be a multiple of the alignment';
  return undefined;
}

function bulkStart(parameters: PacketStreamParameters): number {
  const queuesEnd = CONTROL_BYTES + 2 * parameters.queueSlots * PACKET_BYTES;
  return Math.ceil(queuesEnd / BULK_ALIGN_BYTES) * BULK_ALIGN_BYTES;
}

/** Bytes of memory a stream needs. Throws RangeError on parameters that cannot work. */
export function streamMemoryBytes(parameters: PacketStreamParameters): number {
  const problem = streamParametersProblem(parameters);
  if (problem !== undefined) throw new RangeError(problem);
  return bulkStart(parameters) + parameters.bulkBytes;
}

/** Views on the parts of a stream's memory. */
export interface StreamMemory {
  readonly parameters: PacketStreamParameters;
  readonly control: Int32Array;
  readonly submitQueue: Int32Array;
  readonly acknowledgeQueue: Int32Array;
  readonly bulk: Uint8Array;
}

/** Throws RangeError if the parameters cannot work or the memory is too small for them. */
export function streamMemory(
  memory: SharedArrayBuffer | ArrayBuffer,
  parameters: PacketStreamParameters,
): StreamMemory {
  if (memory.byteLength < streamMemoryBytes(parameters)) throw new RangeError('stream memory too small');
  const { bulkBytes, queueSlots } = parameters;
  const queueWords = queueSlots * PACKET_WORDS;
  return {
    parameters: { bulkBytes, queueSlots, alignLog2: parameters.alignLog2 },
    control: new Int32Array(memory, 0, CONTROL_BYTES / 4),
    submitQueue: new Int32Array(memory, CONTROL_BYTES, queueWords),
    acknowledgeQueue: new Int32Array(memory, CONTROL_BYTES + queueWords * 4, queueWords),
    bulk: new Uint8Array(memory, bulkStart(parameters), bulkBytes),
  };
}
