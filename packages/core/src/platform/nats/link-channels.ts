/** The channels of one end of a link, and whose turn it is to write. */
import { RpcError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { LinkChannel } from './link-channel.ts';
import {
  ACKNOWLEDGEMENT_BYTES,
  readRecord,
  RECORD_HEADER_BYTES,
  RecordKind,
  type RecordWriter,
} from './records.ts';

/** The side of a link: each numbers the channels that it opens itself. */
export type LinkSide = 'initiator' | 'responder';

const CHANNEL_MAX = 0xffff_fffe;

/** Who uses the channels. */
export interface ChannelsOwner {
  /** Some channel has something to say. */
  ready(): void;
  /**
   * The peer opens a channel for what its ticket says. The result says why it is not wanted, if it
   * is not.
   */
  opened(ticket: Uint8Array, channel: LinkChannel): string | undefined;
}

/** All channels of one end. */
export class LinkChannels {
  readonly #owner: ChannelsOwner;
  readonly #channels = new Map<number, LinkChannel>();
  /** Those that have something to say, in the order of their turns. */
  readonly #ready = new Set<LinkChannel>();
  #next: number;
  /** The highest number of the peer's channels so far. */
  #highest: number;

  constructor(side: LinkSide, owner: ChannelsOwner) {
    this.#owner = owner;
    this.#next = side === 'initiator' ? 1 : 2;
    this.#highest = side === 'initiator' ? 0 : -1;
  }

  get size(): number {
    return this.#channels.size;
  }

  /** Opens a channel. Throws `LimitExceeded`. */
  open(ticket: Uint8Array): LinkChannel {
    if (ticket.byteLength > LIMITS.busTicketBytes)
      throw new RpcError('LimitExceeded', 'the ticket is too long');
    if (this.#channels.size >= LIMITS.busChannels || this.#next > CHANNEL_MAX) {
      throw new RpcError('LimitExceeded', 'too many channels to this node');
    }
    const channel = this.#add(this.#next, ticket);
    this.#next += 2;
    this.#say(channel);
    return channel;
  }

  /** Whether any of them has something to say. */
  get hasWork(): boolean {
    return this.#ready.size > 0;
  }

  /** Fills a datagram: each channel that has something to say has its turn. */
  fill(writer: RecordWriter): void {
    for (const channel of this.#ready) {
      if (!writer.empty && writer.room <= 0) return;
      this.#ready.delete(channel);
      channel.fill(writer);
      if (channel.hasWork) {
        // It goes on in the next datagram, behind the others.
        this.#ready.add(channel);
        return;
      }
    }
  }

  /**
   * Takes the records of a datagram. The result says how they break the protocol, if they do.
   * `goOn` says whether the link is still open: whoever gets a frame may end it.
   */
  take(body: Uint8Array, goOn: () => boolean): string | undefined {
    for (let at = ACKNOWLEDGEMENT_BYTES; at < body.byteLength && goOn(); ) {
      const record = readRecord(body, at);
      if (!record) return 'a malformed record';
      const fault =
        record.kind === RecordKind.open
          ? this.#opened(record.channel, record.bytes)
          : this.#take(record.channel, record);
      if (fault !== undefined) return fault;
      at += RECORD_HEADER_BYTES + record.bytes.byteLength;
    }
    return undefined;
  }

  /** The link has ended. */
  end(reason: string): void {
    this.#ready.clear();
    for (const channel of this.#channels.values()) channel.ended(reason);
  }

  #take(number: number, record: Parameters<LinkChannel['take']>[0]): string | undefined {
    const channel = this.#channels.get(number);
    if (channel) return channel.take(record);
    // The channel was closed here while this was on its way; otherwise it never was.
    const known = this.#isOurs(number) ? number < this.#next : number <= this.#highest;
    return known ? undefined : `a record of channel ${number}, which nobody has opened`;
  }

  #opened(number: number, ticket: Uint8Array): string | undefined {
    if (number > CHANNEL_MAX || this.#isOurs(number) || number <= this.#highest) {
      return `channel ${number} is opened out of turn`;
    }
    if (ticket.byteLength > LIMITS.busTicketBytes) return 'a ticket that is too long';
    if (this.#channels.size >= 2 * LIMITS.busChannels) return 'too many channels';
    this.#highest = number;
    const channel = this.#add(number);
    const refusal = this.#owner.opened(new Uint8Array(ticket), channel);
    if (refusal !== undefined) channel.refuse(refusal);
    return undefined;
  }

  #isOurs(number: number): boolean {
    return (number & 1) === (this.#next & 1);
  }

  #add(number: number, ticket?: Uint8Array): LinkChannel {
    const host = {
      ready: (channel: LinkChannel): void => this.#say(channel),
      forget: (channel: LinkChannel): void => {
        this.#channels.delete(channel.number);
        this.#ready.delete(channel);
      },
    };
    const channel = new LinkChannel(number, host, ticket);
    this.#channels.set(number, channel);
    return channel;
  }

  #say(channel: LinkChannel): void {
    this.#ready.add(channel);
    this.#owner.ready();
  }
}
