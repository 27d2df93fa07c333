/**
 * The table of a message that a peer sent: turns entries of its frame back into capabilities, dataspaces and streams.
 * See `channel.ts` for what the kinds of entries mean, and `outgoing-entries.ts` for the other way.
 */
import { RawCapability } from '../capability/capability.ts';
import {
  LocalReference,
  PendingReference,
  type Reference,
  type RemoteReference,
} from '../capability/reference.ts';
import { RpcError } from '../errors.ts';
import { Dataspace } from '../memory/dataspace.ts';
import type { SharedMemory } from './carrier.ts';
import type { ChannelStreams } from './channel-streams.ts';
import type { ExportTable } from './export-table.ts';
import { CONTENT_INLINE, type Entry, EntryKind, type Frame } from './frame.ts';
import type { IncomingTable } from './message.ts';

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
      case EntryKind.gone:
        return new RawCapability(PendingReference.failed('the owner of the capability is gone'));
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
