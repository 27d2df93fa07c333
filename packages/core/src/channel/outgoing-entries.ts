/**
 * The table of a message that is being sent: turns the capabilities, dataspaces and streams inside it into entries of
 * the frame. See `channel.ts` for what the kinds of entries mean.
 *
 * A capability that is still being introduced to us has no entry yet. Then the message is put aside as it is, encoded,
 * and its table is completed when the introductions are done; what it leads to is held until then, even if the
 * component has long released it. An object that is gone by then arrives as one that is gone.
 */
import {
  HeldReference,
  LocalReference,
  PendingReference,
  type Reference,
  type RemoteReference,
} from '../capability/reference.ts';
import { RpcError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { Dataspace } from '../memory/dataspace.ts';
import type { Exported } from './export-table.ts';
import { CONTENT_INLINE, type Entry, EntryKind } from './frame.ts';
import type { OutgoingTable } from './message.ts';
import type { TableChannel } from './message-tables.ts';
import type { StreamOffer } from './stream-link.ts';

/** In place of an entry that cannot be known yet; never sent. */
const UNKNOWN: Entry = { kind: EntryKind.mine, first: 0, second: 0 };

const GONE: Entry = { kind: EntryKind.gone, first: 0, second: 0 };

/** The table of a message that waits for introductions. */
export interface WaitingTable {
  readonly entries: Entry[];
  readonly memory: SharedArrayBuffer[];
  readonly given: readonly number[];
  readonly streams: readonly number[];
  readonly remotes: readonly { readonly at: number; readonly remote: RemoteReference }[];
  readonly pending: readonly { readonly at: number; readonly reference: PendingReference }[];
}

/** Fills the table of a message; used again for the next one. */
export class OutgoingEntries implements OutgoingTable {
  entries: Entry[] = [];
  memory: SharedArrayBuffer[] = [];
  readonly #channel: TableChannel;
  /** Entries that the peer has been promised, and streams opened, in case the message is not sent after all. */
  #given: number[] = [];
  #streams: number[] = [];
  /** Objects of the peer and of third components; core is to introduce the latter once the message is sent. */
  #remotes: { readonly at: number; readonly remote: RemoteReference }[] = [];
  #announced: { readonly number: number; readonly remote: RemoteReference }[] = [];
  /** Capabilities that are still being introduced to us. */
  #pending: { readonly at: number; readonly reference: PendingReference }[] = [];

  constructor(channel: TableChannel) {
    this.#channel = channel;
  }

  addReference(reference: Reference): number {
    const at = this.#add(UNKNOWN);
    this.#place(at, reference);
    return at;
  }

  addDataspace(dataspace: Dataspace): { index: number; inline: boolean } {
    const sealed = dataspace.sealed;
    if (this.#channel.sharesMemory) {
      const slot = this.memory.push(dataspace.memory) - 1;
      const index = this.#add({
        kind: sealed ? EntryKind.rom : EntryKind.ram,
        first: dataspace.sizeBytes,
        second: slot,
      });
      return { index, inline: false };
    }
    if (!sealed) {
      throw new RpcError(
        'NotShareable',
        'a writeable dataspace cannot be shared with a peer without shared memory',
      );
    }
    const entry = { kind: EntryKind.rom, first: dataspace.sizeBytes, second: CONTENT_INLINE };
    return { index: this.#add(entry), inline: true };
  }

  addStream(offer: StreamOffer): number {
    const opened = this.#channel.streams.open(offer, this.#channel.sharesMemory);
    this.#streams.push(opened.id);
    const slot = opened.memory ? this.memory.push(opened.memory) - 1 : CONTENT_INLINE;
    return this.#add({ kind: EntryKind.stream, first: opened.id, second: slot });
  }

  /** A new message begins. What the last one carried is not touched: its carrier may still hold it. */
  reset(): void {
    if (this.entries.length === 0) return;
    this.entries = [];
    this.memory = [];
    this.#given = [];
    this.#streams = [];
    this.#remotes = [];
    this.#announced = [];
    this.#pending = [];
  }

  /** Whether the message has to wait for introductions. */
  get unresolved(): boolean {
    return this.#pending.length > 0;
  }

  /** The message is sent: what it announces is introduced, and held until that is done. */
  sent(): void {
    if (this.#announced.length === 0) return;
    // Asking core may be a message on this very channel, and so use this table again.
    for (const { number, remote } of this.#announced.splice(0)) {
      remote.pins++;
      void this.#channel.introduce(number, remote).finally(() => unpin(remote));
    }
  }

  /** The message is not sent: the peer will never give these back. */
  takeBack(): void {
    for (const index of this.#given) this.#channel.exports.release(index, 1);
    for (const id of this.#streams) this.#channel.streams.closedByPeer(id, false);
    this.reset();
  }

  /** Puts the message's table aside. */
  putAside(): WaitingTable {
    const waiting = {
      entries: this.entries,
      memory: this.memory,
      given: this.#given,
      streams: this.#streams,
      remotes: this.#remotes,
      pending: this.#pending,
    };
    for (const { remote } of waiting.remotes) remote.pins++;
    for (const { reference } of waiting.pending) reference.hold();
    this.reset();
    return waiting;
  }

  /** Takes a table up again; after that it can be completed and sent, or taken back. */
  takeUp(waiting: WaitingTable): void {
    this.reset();
    this.entries = waiting.entries;
    this.memory = waiting.memory;
    this.#given = [...waiting.given];
    this.#streams = [...waiting.streams];
  }

  /** Fills in what was not known when the message was put aside. */
  complete({ remotes, pending }: WaitingTable): void {
    for (const { at, remote } of remotes) this.#placeRemote(at, remote);
    for (const { at, reference } of pending) {
      if (reference.target) this.#place(at, reference.target);
      else this.entries[at] = GONE;
    }
  }

  /** The message was sent or taken back. */
  letGo({ remotes, pending }: WaitingTable): void {
    for (const { remote } of remotes) unpin(remote);
    for (const { reference } of pending) reference.letGo();
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
