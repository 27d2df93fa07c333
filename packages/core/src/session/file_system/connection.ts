import { PeerGone, RpcError } from '../../errors.ts';
import type { Session } from '../../interface/interface.ts';
import { copyInto } from '../../memory/copy-into.ts';
import {
  type CompleteRequest,
  type Packet,
  PacketRequests,
  PACKET_STATUS,
  type PrepareRequest,
} from '../../packet-stream/index.ts';
import {
  DIRECTORY_ENTRY_BYTES,
  type FileSystem,
  fileSystemError,
  FILE_SYSTEM_OPERATION,
} from './declaration.ts';

/** The bulk buffer holds at least this much: a page, and a few directory entries. */
const BULK_BYTES_MIN = 4096;
/**
 * The bulk buffer is cut into this many packets, so that one large transfer keeps that many under
 * way.
 */
const PACKETS_PER_BUFFER = 8;
const PACKET_ALIGN_BYTES = 4096;
const DIRECTORY_BYTES_MAX = 64 * 1024;
/** Packets that may wait for room in the stream; more are refused with `LimitExceeded`. */
const WAITING_MAX = 16_384;

/** A session and its packets, as the parts of the client use it. */
export class Connection {
  readonly session: Session<typeof FileSystem>;
  /** The most that one packet reads or writes. */
  readonly packetBytes: number;
  /** Whole entries that one packet reads of a directory, in bytes. */
  readonly directoryBytes: number;
  readonly #requests: PacketRequests;
  /** Whom to tell of changes, by the handles of watched nodes. */
  readonly #watchers = new Map<number, (inode: number) => void>();

  /**
   * Takes over the session's packet stream. Throws RangeError if its bulk buffer is too small to be
   * of use.
   */
  constructor(session: Session<typeof FileSystem>) {
    const source = session.tx;
    const capacity = source.capacityBytes;
    if (capacity < BULK_BYTES_MIN) throw new RangeError(`tx_buf_size must be at least ${BULK_BYTES_MIN}`);
    const share = Math.floor(capacity / PACKETS_PER_BUFFER / PACKET_ALIGN_BYTES) * PACKET_ALIGN_BYTES;
    this.session = session;
    this.packetBytes = Math.max(share, PACKET_ALIGN_BYTES);
    const directoryBytes = Math.min(this.packetBytes, DIRECTORY_BYTES_MAX);
    this.directoryBytes = Math.floor(directoryBytes / DIRECTORY_ENTRY_BYTES) * DIRECTORY_ENTRY_BYTES;
    this.#requests = new PacketRequests(source, {
      closedError: (closure) =>
        new PeerGone(closure === 'closed' ? 'the session was closed' : `the file system server: ${closure}`),
      unasked: ({ operation, handle, position }) => {
        if (operation === FILE_SYSTEM_OPERATION.contentChanged) this.#watchers.get(handle)?.(position);
      },
    });
  }

  /**
   * From now on `changed` is called with every word of a change of a watched node; the result ends
   * that. A handle of `changes` is told the inode.
   */
  watch(handle: number, changed: (inode: number) => void): () => void {
    this.#watchers.set(handle, changed);
    return () => this.#watchers.delete(handle);
  }

  /** Reads with one packet; `take` gets the bytes that came, for the time of the call. */
  read<Result>(
    handle: number,
    position: number,
    length: number,
    take: (bytes: Uint8Array) => Result,
  ): Promise<Result> {
    return this.#perform(
      length,
      (packet) => fill(packet, FILE_SYSTEM_OPERATION.read, handle, position, length),
      (packet, payload) => take(payload.subarray(0, requireDone(packet, 'read'))),
    );
  }

  /** Reads entries of a directory with their statuses, likewise. */
  readStatus<Result>(
    handle: number,
    position: number,
    length: number,
    take: (bytes: Uint8Array) => Result,
  ): Promise<Result> {
    return this.#perform(
      length,
      (packet) => fill(packet, FILE_SYSTEM_OPERATION.readStatus, handle, position, length),
      (packet, payload) => take(payload.subarray(0, requireDone(packet, 'read'))),
    );
  }

  /** Writes with one packet; resolves to the bytes written. */
  write(handle: number, position: number, from: Uint8Array): Promise<number> {
    return this.#perform(
      from.length,
      (packet, payload) => {
        fill(packet, FILE_SYSTEM_OPERATION.write, handle, position, from.length);
        copyInto(payload, from);
      },
      (packet) => requireDone(packet, 'write'),
    );
  }

  async writeTimestamp(handle: number, modifiedMs: number): Promise<void> {
    await this.#perform(
      0,
      (packet) => fill(packet, FILE_SYSTEM_OPERATION.writeTimestamp, handle, modifiedMs, 0),
      (packet) => requireDone(packet, 'write timestamp'),
    );
  }

  /** Settles when the file of a handle has something to read. */
  async readReady(handle: number): Promise<void> {
    await this.#perform(
      0,
      (packet) => fill(packet, FILE_SYSTEM_OPERATION.readReady, handle, 0, 0),
      (packet) => requireDone(packet, 'read ready'),
    );
  }

  async sync(): Promise<void> {
    await this.#perform(
      0,
      (packet) => fill(packet, FILE_SYSTEM_OPERATION.sync, 0, 0, 0),
      (packet) => requireDone(packet, 'sync'),
    );
  }

  async #perform<Result>(
    size: number,
    prepare: PrepareRequest,
    complete: CompleteRequest<Result>,
  ): Promise<Result> {
    if (this.#requests.waiting >= WAITING_MAX) throw new RpcError('LimitExceeded', 'too many packets wait');
    return this.#requests.perform(size, prepare, complete);
  }
}

function fill(packet: Packet, operation: number, handle: number, position: number, length: number): void {
  packet.operation = operation;
  packet.handle = handle;
  packet.position = position;
  packet.length = length;
}

function requireDone(packet: Packet, what: string): number {
  const code = fileSystemError(packet.status);
  if (code !== undefined) throw new RpcError(code, `${what}: ${code}`);
  if (packet.status !== PACKET_STATUS.ok) throw new RpcError('Input_output', what);
  return packet.length;
}
