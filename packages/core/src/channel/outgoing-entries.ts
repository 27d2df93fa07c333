/**
 * The table of a message that is being sent: turns the capabilities, dataspaces and streams inside
 * it into entries of the frame. See `channel.ts` for what the kinds of entries mean. There is one
 * for each message that carries anything.
 *
 * A capability that is still being introduced to us has no entry yet. Then the message is put aside
 * as it was written, and its table is completed when the introductions are done. The objects that
 * it leads to are held until then, even if the component has released them. An object that is gone
 * by then arrives as gone.
 */
import {
  HeldReference,
  LocalReference,
  PendingReference,
  Reference,
  type RemoteReference,
} from '../capability/reference.ts';
import { RpcError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { Dataspace } from '../memory/dataspace.ts';
import type { MemoryPiece } from '../memory/shared-memory.ts';
import type { OutgoingTable } from '../message/writer.ts';
import type { Exported } from './export-table.ts';
import { CONTENT_INLINE, type Entry, EntryKind } from './frame.ts';
import type { TableChannel } from './message-tables.ts';
import { StreamOffer } from './stream-link.ts';

/** Stands for an entry that cannot be known yet. It is never sent. */
const UNKNOWN: Entry = { kind: EntryKind.mine, first: 0, second: 0 };

const GONE: Entry = { kind: EntryKind.gone, first: 0, second: 0 };

/** The table of one message. */
export class OutgoingEntries implements OutgoingTable {
  readonly entries: Entry[] = [];
  readonly memory: MemoryPiece[] = [];
  readonly #channel: TableChannel;
  /**
   * Entries that were added for the peer, and streams that were opened, to be taken back if the
   * message is not sent after all.
   */
  readonly #given: number[] = [];
  readonly #streams: number[] = [];
  /**
   * References to objects of the peer and of third components. When the message is sent, the
   * supervisor is asked to introduce the latter.
   */
  readonly #remotes: { readonly at: number; readonly remote: RemoteReference }[] = [];
  #announced: { readonly number: number; readonly remote: RemoteReference }[] = [];
  /** Capabilities that are still being introduced to us. */
  readonly #pending: { readonly at: number; readonly reference: PendingReference }[] = [];

  constructor(channel: TableChannel) {
    this.#channel = channel;
  }

  add(value: object): boolean {
    if (value instanceof Reference) {
      const at = this.#add(UNKNOWN);
      this.#place(at, value);
      return false;
    }
    if (value instanceof Dataspace) return this.#addDataspace(value);
    if (value instanceof StreamOffer) return this.#addStream(value);
    throw new RpcError('NotShareable', 'this cannot be passed');
  }

  /** Whether the message has to wait for introductions. */
  get unresolved(): boolean {
    return this.#pending.length > 0;
  }

  /** Settles when each capability that it waits for has been introduced, or never will be. */
  async resolved(): Promise<void> {
    await Promise.allSettled(this.#pending.map(({ reference }) => reference.settled));
  }

  /** The message is sent: objects that it announces are introduced, and held until that is done. */
  sent(): void {
    for (const { number, remote } of this.#announced.splice(0)) {
      remote.pins++;
      void this.#channel.introduce(number, remote).finally(() => unpin(remote));
    }
  }

  /** The message is not sent, so the peer will never give these entries back. */
  takeBack(): void {
    for (const index of this.#given.splice(0)) this.#channel.exports.release(index, 1);
    for (const id of this.#streams.splice(0)) this.#channel.streams.closedByPeer(id, false);
  }

  /** The message is put aside: everything that it leads to is held until the result is called. */
  hold(): () => void {
    const remotes = this.#remotes.map(({ remote }) => remote);
    const pending = this.#pending.map(({ reference }) => reference);
    for (const remote of remotes) remote.pins++;
    for (const reference of pending) reference.hold();
    return () => {
      for (const remote of remotes) unpin(remote);
      for (const reference of pending) reference.letGo();
    };
  }

  /** Fills in the entries that were not known when the message was put aside. */
  complete(): void {
    // Announced again, because numbers must go out in order, and others have gone out meanwhile.
    this.#announced = [];
    for (const { at, remote } of this.#remotes.splice(0)) this.#placeRemote(at, remote);
    for (const { at, reference } of this.#pending.splice(0)) {
      if (reference.target) this.#place(at, reference.target);
      else this.entries[at] = GONE;
    }
  }

  #addDataspace(dataspace: Dataspace): boolean {
    const { sealed, sizeBytes } = dataspace;
    if (dataspace.revoked) throw new RpcError('Revoked', 'a freed dataspace cannot be passed');
    const { sharing } = this.#channel;
    if (sharing.accepts(dataspace.memory)) {
      const slot = this.memory.push(sealed ? { ...dataspace.memory, sealed } : dataspace.memory) - 1;
      this.#add({ kind: sealed ? EntryKind.rom : EntryKind.ram, first: sizeBytes, second: slot });
      return false;
    }
    if (!sealed) {
      const { peer = 'a peer without shared memory' } = sharing;
      throw new RpcError('NotShareable', `a writeable dataspace cannot be shared with ${peer}`);
    }
    this.#add({ kind: EntryKind.rom, first: sizeBytes, second: CONTENT_INLINE });
    return true;
  }

  #addStream(offer: StreamOffer): boolean {
    const opened = this.#channel.streams.open(offer, this.#channel.sharing);
    this.#streams.push(opened.id);
    const slot = opened.memory ? this.memory.push(opened.memory) - 1 : CONTENT_INLINE;
    this.#add({ kind: EntryKind.stream, first: opened.id, second: slot });
    return false;
  }

  #place(at: number, reference: Reference): void {
    if (reference instanceof LocalReference) {
      this.#placeOwn(at, reference.target);
    } else if (reference instanceof HeldReference) {
      if (reference.released) throw new RpcError('Revoked', 'a released capability cannot be passed');
      this.#placeRemote(at, reference.remote);
    } else if (reference instanceof PendingReference) {
      if (reference.released) throw new RpcError('Revoked', 'a released capability cannot be passed');
      if (reference.target) this.#place(at, reference.target);
      else if (reference.hasFailed) this.entries[at] = GONE;
      else this.#pending.push({ at, reference });
    } else {
      throw new RpcError('NotShareable', 'this capability cannot be passed');
    }
  }

  #placeOwn(at: number, target: Exported): void {
    const index = this.#channel.exports.add(target);
    this.#given.push(index);
    this.entries[at] = { kind: EntryKind.mine, first: index, second: 0 };
  }

  #placeRemote(at: number, remote: RemoteReference): void {
    this.#remotes.push({ at, remote });
    const owner = remote.channel.peer;
    if (owner === this.#channel.peer) {
      this.entries[at] = { kind: EntryKind.yours, first: remote.index, second: 0 };
      return;
    }
    const number = this.#channel.announce(owner, this.#announced.length + 1);
    this.#announced.push({ number, remote });
    this.entries[at] = { kind: EntryKind.theirs, first: number, second: owner };
  }

  #add(entry: Entry): number {
    if (this.entries.length >= LIMITS.capabilitiesPerMessage) {
      throw new RpcError(
        'LimitExceeded',
        `a message carries at most ${LIMITS.capabilitiesPerMessage} capabilities`,
      );
    }
    return this.entries.push(entry) - 1;
  }
}

function unpin(remote: RemoteReference): void {
  remote.pins--;
  remote.release();
}
