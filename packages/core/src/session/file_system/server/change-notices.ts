import { Packet, PACKET_STATUS, type PacketSink } from '../../../packet-stream/index.ts';
import { FILE_SYSTEM_OPERATION } from '../declaration.ts';

/**
 * Word of changes that is due to one client: the watch handles whose nodes have changed. A handle
 * is in here once, however often its node changes before the client takes the packet, and it stays
 * until there is a slot for that; so nothing is lost, and there are never more than there are
 * handles.
 */
export class ChangeNotices {
  readonly #due = new Set<number>();
  readonly #packet = new Packet();
  /** Has what is due sent soon; missing until the client has opened its stream. */
  #send: (() => void) | undefined;

  /** The client has its stream: `send` has `sendTo` called soon. */
  attach(send: () => void): void {
    this.#send = send;
    if (this.#due.size > 0) send();
  }

  /** The node of a watch handle has changed. */
  add(handle: number): void {
    this.#due.add(handle);
    this.#send?.();
  }

  /** The handle is closed: nothing more is said of it. */
  forget(handle: number): void {
    this.#due.delete(handle);
  }

  /** Sends as much of what is due as there are slots for. */
  sendTo(sink: PacketSink): void {
    for (const handle of this.#due) {
      const packet = this.#packet.clear();
      packet.operation = FILE_SYSTEM_OPERATION.contentChanged;
      packet.handle = handle;
      packet.status = PACKET_STATUS.ok;
      if (!sink.notify(packet)) return;
      this.#due.delete(handle);
    }
  }
}
