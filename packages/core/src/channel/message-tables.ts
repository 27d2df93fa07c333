/**
 * The table of a message that a peer sent: turns entries of its frame back into capabilities,
 * dataspaces and streams. See `channel.ts` for what the kinds of entries mean, and
 * `outgoing-entries.ts` for the other way.
 */
import {
  LocalReference,
  PendingReference,
  type Reference,
  type RemoteReference,
} from '../capability/reference.ts';
import { RpcError } from '../errors.ts';
import { Dataspace } from '../memory/dataspace.ts';
import { hasSize, type MemorySharing } from '../memory/shared-memory.ts';
import { type IncomingTable, malformed, type MessageReader, takeReader } from '../message/reader.ts';
import { HEADER_BYTES } from '../message/writer.ts';
import type { SharedMemory } from './carrier.ts';
import type { ChannelStreams } from './channel-streams.ts';
import type { ExportTable } from './export-table.ts';
import { CONTENT_INLINE, type Entry, EntryKind, type IncomingFrame } from './frame.ts';
import { StreamTicket } from './stream-link.ts';

/** The parts of a channel that the tables of messages work with. */
export interface TableChannel {
  readonly peer: number;
  readonly sharing: MemorySharing;
  readonly exports: ExportTable;
  readonly streams: ChannelStreams;
  /** A reference to an entry of the peer's table, which the peer has passed once more. */
  import(index: number): Reference;
  /**
   * The number under which the peer will learn of an object of `owner`'s. `more` others are in the
   * same message.
   */
  announce(owner: number, more: number): number;
  /**
   * The message is sent: asks the supervisor to introduce the object to the peer. Settles when it
   * has answered.
   */
  introduce(number: number, remote: RemoteReference): Promise<void>;
  /**
   * The peer has announced a capability that its owner, a third component, will introduce to us.
   */
  expectIntroduction(number: number, owner: number): Reference;
}

/** Reads the table of a message that a peer sent: each entry once, in their order. */
export class IncomingEntries implements IncomingTable {
  readonly #channel: TableChannel;
  readonly #entries: readonly Entry[];
  readonly #memory: SharedMemory;
  readonly #taken: (Reference | StreamTicket)[] = [];
  #next = 0;

  constructor(channel: TableChannel, entries: readonly Entry[], memory: SharedMemory) {
    this.#channel = channel;
    this.#entries = entries;
    this.#memory = memory;
  }

  next(reader: MessageReader): object {
    const entry = this.#entries[this.#next++];
    if (!entry) return malformed('malformed message: carries too little');
    switch (entry.kind) {
      case EntryKind.ram:
      case EntryKind.rom:
        return this.#dataspace(entry, reader);
      case EntryKind.stream:
        return this.#keep(this.#stream(entry));
      default:
        return this.#keep(this.#reference(entry));
    }
  }

  /**
   * The message was read. Capabilities that were used belong to somebody now; the others are given
   * back.
   */
  seen(): void {
    this.#taken.length = 0;
    this.#giveBackRest();
  }

  /** The message is of no use: capabilities that nobody has used are given back. */
  giveBackUnseen(): void {
    for (const taken of this.#taken.splice(0)) giveBack(taken);
    this.#giveBackRest();
  }

  #giveBackRest(): void {
    for (const entry of this.#entries.slice(this.#next)) {
      if (entry.kind === EntryKind.mine || entry.kind === EntryKind.theirs) this.#reference(entry).release();
      if (entry.kind === EntryKind.stream) this.#refuse(entry);
    }
    this.#next = this.#entries.length;
  }

  #refuse(entry: Entry): void {
    try {
      this.#channel.streams.ticket(entry.first, undefined, this.#channel.sharing).refuse();
    } catch (error) {
      // The number of the stream is taken, or there is one stream too many: then there is nothing
      // to refuse.
      if (!(error instanceof RpcError)) throw error;
    }
  }

  #keep<Taken extends Reference | StreamTicket>(taken: Taken): Taken {
    this.#taken.push(taken);
    return taken;
  }

  #reference(entry: Entry): Reference {
    switch (entry.kind) {
      case EntryKind.mine:
        return this.#channel.import(entry.first);
      case EntryKind.yours: {
        const target = this.#channel.exports.get(entry.first);
        return target ? new LocalReference(target) : malformed('malformed message: no such capability');
      }
      case EntryKind.theirs:
        return this.#channel.expectIntroduction(entry.first, entry.second);
      default:
        return PendingReference.failed('the owner of the capability is gone');
    }
  }

  #dataspace(entry: Entry, reader: MessageReader): Dataspace {
    if (entry.second === CONTENT_INLINE) {
      const content = reader.blob();
      if (entry.kind !== EntryKind.rom || content.byteLength !== entry.first) {
        return malformed('malformed message: content of the wrong length');
      }
      return Dataspace.ofContent(content);
    }
    const memory = this.#memory[entry.second];
    const sealed = entry.kind === EntryKind.rom;
    if (!memory || !hasSize(memory, entry.first) || (memory.sealed === true && !sealed)) {
      return malformed('malformed message: no memory for the dataspace');
    }
    return new Dataspace(memory, entry.first, sealed);
  }

  #stream(entry: Entry): StreamTicket {
    const memory = entry.second === CONTENT_INLINE ? undefined : this.#memory[entry.second];
    const none = !memory || memory.sealed === true;
    if (entry.second !== CONTENT_INLINE && none) malformed('malformed message: no memory for the stream');
    return this.#channel.streams.ticket(entry.first, memory, this.#channel.sharing);
  }
}

/** The table of a frame that a peer sent, if it carries anything. */
export function entriesOf(
  { entries }: IncomingFrame,
  channel: TableChannel,
  memory: SharedMemory,
): IncomingEntries | undefined {
  return entries.length === 0 ? undefined : new IncomingEntries(channel, entries, memory);
}

/** A reader of the payload of a frame, to be given back. */
export function readerOf(frame: IncomingFrame, table?: IncomingEntries): MessageReader {
  const reader = takeReader();
  reader.begin(frame.bytes, HEADER_BYTES, frame.payloadEnd, table);
  return reader;
}

function giveBack(taken: Reference | StreamTicket): void {
  if (taken instanceof StreamTicket) taken.refuse();
  else taken.release();
}
