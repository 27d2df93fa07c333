import { Packet, PACKET_STATUS, type PacketSink } from '../../../packet-stream/index.ts';
import { FILE_SYSTEM_OPERATION } from '../declaration.ts';

/** Stands for any inode. */
const ANY_INODE = 0;
/** Inodes that may be due to one handle; if more have changed it hears that any may have. */
const INODES_DUE_MAX = 1024;

/**
 * Word of changes that is due to one client: the watch handles whose nodes have changed. A handle
 * is in here once, however often its node changes before the client takes the packet, and it stays
 * until there is a slot for that; so nothing is lost, and there are never more than there are
 * handles.
 */
export class ChangeNotices {
  readonly #due = new Set<number>();
  /** Inodes whose changes are due to handles that hear of all changes. */
  readonly #inodes = new Map<number, Set<number>>();
  readonly #packet = new Packet();
  /** Has what is due sent soon; missing until the client has opened its stream. */
  #send: (() => void) | undefined;

  /** The client has its stream: `send` has `sendTo` called soon. */
  attach(send: () => void): void {
    this.#send = send;
    if (this.#due.size > 0 || this.#inodes.size > 0) send();
  }

  /** The node with this inode has changed, of which a handle hears that hears of all changes. */
  addInode(handle: number, inode: number): void {
    const due = this.#inodes.get(handle) ?? new Set();
    this.#inodes.set(handle, due);
    if (due.has(ANY_INODE)) return;
    if (due.size < INODES_DUE_MAX) due.add(inode);
    else {
      due.clear();
      due.add(ANY_INODE);
    }
    this.#send?.();
  }

  /** The node of a watch handle has changed. */
  add(handle: number): void {
    this.#due.add(handle);
    this.#send?.();
  }

  /** The handle is closed: nothing more is said of it. */
  forget(handle: number): void {
    this.#due.delete(handle);
    this.#inodes.delete(handle);
  }

  /** Sends as much of what is due as there are slots for. */
  sendTo(sink: Pick<PacketSink, 'notify'>): void {
    for (const handle of this.#due) {
      if (!this.#notify(sink, handle, 0)) return;
      this.#due.delete(handle);
    }
    for (const [handle, inodes] of this.#inodes) {
      for (const inode of inodes) {
        if (!this.#notify(sink, handle, inode)) return;
        inodes.delete(inode);
      }
      this.#inodes.delete(handle);
    }
  }

  #notify(sink: Pick<PacketSink, 'notify'>, handle: number, position: number): boolean {
    const packet = this.#packet.clear();
    packet.operation = FILE_SYSTEM_OPERATION.contentChanged;
    packet.handle = handle;
    packet.position = position;
    packet.status = PACKET_STATUS.ok;
    return sink.notify(packet);
  }
}
