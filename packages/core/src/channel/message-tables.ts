/**
 * The tables of a message: turn the capabilities, dataspaces and streams inside it into entries of a frame, and
 * entries of a peer's frame back. See `channel.ts` for what the kinds of entries mean.
 */
import { RawCapability } from '../capability/capability.ts';
import {
  HeldReference,
  LocalReference,
  PendingReference,
  type Reference,
  type RemoteReference,
} from '../capability/reference.ts';
import { RpcError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { Dataspace } from '../memory/dataspace.ts';
import type { SharedMemory } from './carrier.ts';
import type { ChannelStreams } from './channel-streams.ts';
import type { Exported, ExportTable } from './export-table.ts';
import { CONTENT_INLINE, type Entry, EntryKind, type Frame } from './frame.ts';
import type { IncomingTable, OutgoingTable } from './message.ts';
import type { StreamOffer } from './stream-link.ts';

/** What the tables need of their channel. */
export interface TableChannel {
  readonly peer: number;
  readonly sharesMemory: boolean;
  readonly exports: ExportTable;
  readonly streams: ChannelStreams;
  /** A reference to an entry of the peer's table, received once more. */
  import(index: number): Reference;
  /** The number under which our peer will learn of an object of `owner`'s; `more` are in the same message. */
  announce(owner: number, more: number): number;
  /** The message is sent: asks core to introduce the object to our peer. Settles when core has answered. */
  introduce(number: number, remote: RemoteReference): Promise<void>;
  /** Our peer has announced a capability that its owner, another component, will introduce to us. */
  expectIntroduction(number: number, owner: number): Reference;
}

/** A capability in the message has yet to be introduced to us before it can be passed on. */
export class NotYetIntroduced extends Error {
  readonly reference: PendingReference;

  constructor(reference: PendingReference) {
    super('a capability is still being introduced');
    this.reference = reference;
  }
}

/** Fills the table of a message that is being sent; used again for the next one. */
export class OutgoingEntries implements OutgoingTable {
  entries: Entry[] = [];
  memory: SharedArrayBuffer[] = [];
  readonly #channel: TableChannel;
  /** Entries that the peer has been promised, in case the message is not sent after all. */
  #given: number[] = [];
  /** Objects of third components, which core is to introduce once the message is sent. */
  #announced: { readonly number: number; readonly remote: RemoteReference }[] = [];

  constructor(channel: TableChannel) {
    this.#channel = channel;
  }

  addReference(reference: Reference): number {
    if (reference instanceof LocalReference) return this.#addOwn(reference.target);
    if (reference instanceof HeldReference) {
      if (reference.released) throw new RpcError('Revoked', 'a released capability cannot be passed');
      return this.#addRemote(reference.remote);
    }
    if (reference instanceof PendingReference) {
      if (reference.released) throw new RpcError('Revoked', 'a released capability cannot be passed');
      if (!reference.target) throw new NotYetIntroduced(reference);
      return this.addReference(reference.target);
    }
    throw new RpcError('NotShareable', 'this capability cannot be passed');
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
    const slot = opened.memory ? this.memory.push(opened.memory) - 1 : CONTENT_INLINE;
    return this.#add({ kind: EntryKind.stream, first: opened.id, second: slot });
  }

  /** A new message begins. What the last one carried is not touched: its carrier may still hold it. */
  reset(): void {
    if (this.entries.length > 0) this.entries = [];
    if (this.memory.length > 0) this.memory = [];
    if (this.#given.length > 0) this.#given = [];
    if (this.#announced.length > 0) this.#announced = [];
  }

  /** The message is sent: what it announces is introduced, and held until that is done. */
  sent(): void {
    if (this.#announced.length === 0) return;
    // Asking core may be a message on this very channel, and so use this table again.
    for (const { number, remote } of this.#announced.splice(0)) {
      remote.pins++;
      void this.#channel.introduce(number, remote).finally(() => {
        remote.pins--;
        remote.release();
      });
    }
  }

  /** The message is not sent: the peer will never give these back. */
  takeBack(): void {
    for (const index of this.#given) this.#channel.exports.release(index, 1);
  }

  #addOwn(target: Exported): number {
    const index = this.#channel.exports.add(target);
    this.#given.push(index);
    return this.#add({ kind: EntryKind.mine, first: index, second: 0 });
  }

  #addRemote(remote: RemoteReference): number {
    if (remote.channel.peer === this.#channel.peer) {
      return this.#add({ kind: EntryKind.yours, first: remote.index, second: 0 });
    }
    const owner = remote.channel.peer;
    const number = this.#channel.announce(owner, this.#announced.length + 1);
    this.#announced.push({ number, remote });
    return this.#add({ kind: EntryKind.theirs, first: number, second: owner });
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

function malformed(what: string): never {
  throw new RpcError('InvalidArgument', `malformed message: ${what}`);
}

/** Reads the table of a message that a peer sent. */
export class IncomingEntries implements IncomingTable {
  readonly #channel: TableChannel;
  readonly #entries: readonly Entry[];
  readonly #memory: SharedMemory;
  readonly #used = new Set<number>();
  readonly #references: Reference[] = [];

  constructor(channel: TableChannel, frame: Frame, memory: SharedMemory) {
    this.#channel = channel;
    this.#entries = frame.entries;
    this.#memory = memory;
  }

  reference(index: number): RawCapability {
    const entry = this.#take(index);
    switch (entry.kind) {
      case EntryKind.mine:
        return this.#raw(this.#channel.import(entry.first));
      case EntryKind.yours: {
        const target = this.#channel.exports.get(entry.first);
        return target ? new RawCapability(new LocalReference(target)) : malformed('no such capability');
      }
      case EntryKind.theirs:
        return this.#raw(this.#channel.expectIntroduction(entry.first, entry.second));
      default:
        return malformed('not a capability');
    }
  }

  dataspace(index: number, content: Uint8Array | undefined): Dataspace {
    const entry = this.#take(index);
    if (entry.kind !== EntryKind.ram && entry.kind !== EntryKind.rom) return malformed('not a dataspace');
    if (entry.second === CONTENT_INLINE) {
      if (content?.byteLength !== entry.first) return malformed('content of the wrong length');
      return Dataspace.ofContent(content);
    }
    const memory = this.#memory[entry.second];
    if (!memory || memory.byteLength < entry.first) return malformed('no memory for the dataspace');
    return new Dataspace(memory, entry.first, entry.kind === EntryKind.rom);
  }

  stream(index: number): unknown {
    const entry = this.#take(index);
    if (entry.kind !== EntryKind.stream) return malformed('not a stream');
    const memory = entry.second === CONTENT_INLINE ? undefined : this.#memory[entry.second];
    if (entry.second !== CONTENT_INLINE && !memory) return malformed('no memory for the stream');
    return this.#channel.streams.ticket(entry.first, memory);
  }

  /** The message is of no use to anybody: gives back what came with it. */
  giveBack(): void {
    for (const reference of this.#references.splice(0)) reference.release();
  }

  #raw(reference: Reference): RawCapability {
    this.#references.push(reference);
    return new RawCapability(reference);
  }

  /** Each entry is used once: references are counted. */
  #take(index: number): Entry {
    const entry = this.#entries[index];
    if (!entry || this.#used.has(index)) return malformed('no such entry');
    this.#used.add(index);
    return entry;
  }
}

/** The tables of a message that may carry nothing. */
export const NOTHING_CARRIED: IncomingTable & { giveBack(): void } = {
  giveBack: () => {},
  reference: () => malformed('carries a capability'),
  dataspace: () => malformed('carries a dataspace'),
  stream: () => malformed('carries a stream'),
};
