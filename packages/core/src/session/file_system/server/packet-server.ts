import {
  Packet,
  PACKET_STATUS,
  PacketService,
  type PacketSink,
  type ServedPacket,
} from '../../../packet-stream/index.ts';
import { FILE_SYSTEM_OPERATION, fileSystemStatus, type NodeType, SEEK_TAIL } from '../declaration.ts';
import { fileSystemFailure } from '../names.ts';
import type { Activity } from './activity.ts';
import type { BackendNode, FileSystemBackend } from './backend.ts';
import type { ChangeNotices } from './change-notices.ts';
import type { Failures } from './failures.ts';
import type { HandleTable, OpenNode } from './handle-table.ts';
import type { Waiting } from './waiting.ts';

/** The parts of a session that its packets work on. */
export interface PacketServerParts<Node extends BackendNode> {
  readonly backend: FileSystemBackend<Node>;
  readonly handles: HandleTable<Node>;
  readonly activity: Activity;
  readonly failures: Failures;
  readonly writeable: boolean;
  readonly notices: ChangeNotices;
  readonly waiting: Waiting<Node>;
  /** Tells the watchers of a file that was changed through this handle, if it was. */
  readonly tellModified: (open: OpenNode<Node>) => void;
}

/** Types of nodes whose content is read. */
const READABLE_TYPES: readonly NodeType[] = ['file', 'directory'];

/**
 * Carries out the packets of one session: every packet is taken as soon as it can be acknowledged,
 * so a queue full of them is under way at a time; each is acknowledged when its own operation is
 * done.
 */
export class PacketServer<Node extends BackendNode> {
  readonly #parts: PacketServerParts<Node>;
  readonly #sink: PacketSink;
  readonly #packets: PacketService<ServedPacket>;

  constructor(parts: PacketServerParts<Node>, sink: PacketSink) {
    this.#parts = parts;
    this.#sink = sink;
    const make = (): ServedPacket => ({ packet: new Packet() });
    const begin = (_: PacketSink, served: ServedPacket): void => void this.#serve(served);
    const notices = (to: PacketSink): void => parts.notices.sendTo(to);
    this.#packets = new PacketService({ make, begin, notices });
    this.#packets.serve(sink);
    parts.notices.attach(() => this.#packets.notify());
  }

  async #serve(served: ServedPacket): Promise<void> {
    const { activity, failures } = this.#parts;
    const { packet } = served;
    let length = 0;
    let status: number = PACKET_STATUS.ok;
    try {
      length = await activity.run(() => this.#perform(packet));
    } catch (error) {
      status = fileSystemStatus(failures.codeOf(error));
    }
    this.#packets.end(served, status, length);
  }

  /** Resolves to the bytes done. */
  #perform(packet: Packet): Promise<number> {
    const { handles } = this.#parts;
    switch (packet.operation) {
      case FILE_SYSTEM_OPERATION.read:
        return handles.using(packet.handle, (open) => this.#read(open, packet));
      case FILE_SYSTEM_OPERATION.readStatus:
        return handles.using(packet.handle, (open) => this.#readStatus(open, packet));
      case FILE_SYSTEM_OPERATION.write:
        return handles.using(packet.handle, (open) => this.#write(open, packet));
      case FILE_SYSTEM_OPERATION.writeTimestamp:
        return handles.using(packet.handle, (open) => this.#writeTimestamp(open, packet));
      case FILE_SYSTEM_OPERATION.readReady:
        return handles.using(packet.handle, (open) => this.#readReady(open));
      case FILE_SYSTEM_OPERATION.sync:
        return this.#sync();
      default:
        return Promise.reject(fileSystemFailure('Unsupported'));
    }
  }

  async #read(open: OpenNode<Node>, packet: Packet): Promise<number> {
    const { backend } = this.#parts;
    if (!open.readable) throw fileSystemFailure('Invalid_handle');
    const into = this.#payload(packet);
    let { position } = packet;
    if (open.kind === 'any' && !READABLE_TYPES.includes(open.node.type))
      throw fileSystemFailure('Unsupported', open.node.type);
    if (open.isDirectory) return checked(await open.stream.read(backend, position, into), packet);
    if (position === SEEK_TAIL) {
      const { sizeBytes } = await backend.status(open.node);
      position = Math.max(0, sizeBytes - packet.length);
    }
    if (packet.length === 0 || position > Number.MAX_SAFE_INTEGER - packet.length) return 0;
    return checked(await backend.read(open.node, position, into), packet);
  }

  async #readStatus(open: OpenNode<Node>, packet: Packet): Promise<number> {
    if (!open.isDirectory) throw fileSystemFailure('Invalid_handle');
    const into = this.#payload(packet);
    const { backend } = this.#parts;
    return checked(await open.stream.read(backend, packet.position, into, 'with-status'), packet);
  }

  async #write(open: OpenNode<Node>, packet: Packet): Promise<number> {
    const { backend } = this.#parts;
    if (!open.writeable) throw fileSystemFailure('Invalid_handle');
    if (packet.length === 0) return 0;
    const from = this.#payload(packet);
    open.modified = true;
    const atTail = packet.position === SEEK_TAIL;
    if (!atTail && packet.position > Number.MAX_SAFE_INTEGER - packet.length)
      throw fileSystemFailure('Size_limit_reached');
    for (;;) {
      const done = atTail
        ? await backend.append(open.node, from)
        : await backend.write(open.node, packet.position, from);
      if (done > 0) return checked(done, packet);
      if (!backend.writeReady) throw fileSystemFailure('No_space');
      await this.#parts.waiting.until(open, (ended) => backend.writeReady?.(open.node, ended));
    }
  }

  async #readReady(open: OpenNode<Node>): Promise<number> {
    const { backend, waiting } = this.#parts;
    if (!open.readable || open.isDirectory) throw fileSystemFailure('Invalid_handle');
    await waiting.until(open, (ended) => backend.readReady?.(open.node, ended));
    return 0;
  }

  async #writeTimestamp(open: OpenNode<Node>, packet: Packet): Promise<number> {
    if (!this.#parts.writeable) throw fileSystemFailure('Permission_denied');
    await this.#parts.backend.setAttributes(open.node, { modifiedMs: packet.position });
    open.modified = true;
    return 0;
  }

  async #sync(): Promise<number> {
    const { backend, handles, tellModified } = this.#parts;
    await backend.sync();
    for (const open of handles.all) tellModified(open);
    return 0;
  }

  #payload(packet: Packet): Uint8Array {
    const payload = this.#sink.payload(packet);
    return packet.length === payload.length ? payload : payload.subarray(0, packet.length);
  }
}

function checked(length: number, packet: Packet): number {
  if (!(length >= 0 && length <= packet.length))
    throw new Error(`a file system says that it did ${length} bytes`);
  return length;
}
