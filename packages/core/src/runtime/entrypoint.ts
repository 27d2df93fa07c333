/**
 * The entrypoint of a component: the objects it serves, and its channels, one to each peer. The
 * supervisor has one too (component 0). The two differ in how a capability is introduced to a third
 * component: a component asks the supervisor, and the supervisor asks the owner.
 */
import { capabilityFor } from '../capability/capability.ts';
import { ExportedObject } from '../capability/exported-object.ts';
import { LocalReference, type Reference } from '../capability/reference.ts';
import { SignalCapability } from '../capability/signal.ts';
import { SignalContext } from '../capability/signal-context.ts';
import type { Carrier } from '../channel/carrier.ts';
import { Channel, type ChannelOwner } from '../channel/channel.ts';
import { assert, PeerGone, RpcError } from '../errors.ts';
import type { Capability, Implementation, Interface } from '../interface/interface.ts';
import { LIMITS } from '../limits.ts';
import type { IntroductionOffer, IntroductionRequest } from './control.ts';
import { type TracePlatform, Tracer } from '../trace/tracer.ts';
import { IntroductionRequests } from './introduction-requests.ts';
import { Introductions } from './introductions.ts';
import { ObjectQuota } from './object-quota.ts';

export { SUPERVISOR_ID } from '../channel/channel.ts';

/** The services that an entrypoint needs from its surroundings. */
export interface EntrypointHost {
  /** Runs a turn soon, after what is running now. */
  readonly schedule: (turn: () => void) => void;
  /** Takes errors that no caller can be told of. */
  readonly report: (error: unknown) => void;
  /** Has a capability introduced by its owner. Settles when the owner has answered. */
  readonly introduce: (request: IntroductionRequest) => Promise<void>;
  /** What tracing needs of the platform; without it the component cannot be traced. */
  readonly trace?: TracePlatform | undefined;
  /** A peer broke the channel protocol. */
  readonly violation?: (peer: number, what: string) => void;
}

/**
 * The numbers of objects that a component and its peers hold of each other. After work that leaves
 * nothing behind the numbers are what they were before.
 */
export interface Census {
  /**
   * For each open channel: objects that the peer holds, objects of the peer, calls that wait for
   * its answer.
   */
  readonly channels: readonly {
    readonly peer: number;
    readonly exports: number;
    readonly imports: number;
    readonly calls: number;
  }[];
  /** Introductions to this component of which one half is missing (`introductions.ts`). */
  readonly introductions: number;
}

interface ChannelWaiter {
  readonly resolve: (channel: Channel) => void;
  readonly reject: (error: Error) => void;
}

/** Objects and channels of one component. */
export class Entrypoint implements ChannelOwner {
  readonly #host: EntrypointHost;
  readonly #channels = new Map<number, Channel>();
  readonly #channelWaiters = new Map<number, ChannelWaiter[]>();
  readonly #introductions = new Introductions();
  readonly #requests = new IntroductionRequests();
  /** Peers whose channel has ended, the oldest first: nothing will come from them any more. */
  readonly #ended = new Set<number>();
  readonly objects: ObjectQuota;
  readonly tracer: Tracer;
  served = 0;
  completed = 0;
  #waitsSynchronously = false;
  /**
   * Objects by their implementation, so that passing an implementation twice passes the same
   * capability.
   */
  readonly #objects = new WeakMap<object, ExportedObject>();
  #nextIntroduction = 1;

  constructor(host: EntrypointHost) {
    this.#host = host;
    this.objects = new ObjectQuota(host.schedule);
    this.tracer = new Tracer(host.trace);
  }

  /** Takes a new channel into use. `first` is the object of ours that the peer finds at index 0. */
  addChannel(peer: number, carrier: Carrier, first?: ExportedObject): Channel {
    const channel = new Channel(peer, carrier, this);
    if (first) channel.exports.setFirst(first);
    this.#channels.set(peer, channel);
    this.#ended.delete(peer);
    channel.start();
    for (const waiter of this.#channelWaiters.get(peer) ?? []) waiter.resolve(channel);
    this.#channelWaiters.delete(peer);
    return channel;
  }

  /** The channel to `peer`, once the supervisor has made it. */
  async channelTo(peer: number): Promise<Channel> {
    const channel = this.#channels.get(peer);
    if (channel) return channel;
    if (this.#ended.has(peer)) throw new PeerGone();
    return new Promise((resolve, reject) => {
      const waiters = this.#channelWaiters.get(peer) ?? [];
      if (waiters.length >= LIMITS.introductionsPerChannel) {
        reject(new RpcError('LimitExceeded', 'too many introductions under way'));
        return;
      }
      waiters.push({ resolve, reject });
      this.#channelWaiters.set(peer, waiters);
    });
  }

  get waitsSynchronously(): boolean {
    return this.#waitsSynchronously;
  }

  /**
   * Runs `wait`, which waits in a synchronous call. What peers ask for meanwhile is put aside until
   * it is over.
   */
  whileWaiting<T>(wait: () => T): T {
    assert(!this.#waitsSynchronously, 'a thread waits in one synchronous call at a time');
    this.#waitsSynchronously = true;
    try {
      return wait();
    } finally {
      this.#waitsSynchronously = false;
      // Callers that were answered meanwhile are told before the frames that were put aside are
      // taken.
      queueMicrotask(() => {
        for (const channel of this.#channels.values()) channel.answersTaken();
      });
      this.#host.schedule(() => {
        for (const channel of this.#channels.values()) channel.resume();
      });
    }
  }

  census(): Census {
    const channels = Array.from(this.#channels.values(), (channel) => ({
      peer: channel.peer,
      exports: channel.exports.size,
      imports: channel.importedObjects,
      calls: channel.pendingCalls,
    }));
    return { channels, introductions: this.#introductions.size };
  }

  /** A peer is gone for good. */
  peerGone(peer: number): void {
    this.#channels.get(peer)?.close();
    for (const waiter of this.#channelWaiters.get(peer) ?? []) waiter.reject(new PeerGone());
    this.#channelWaiters.delete(peer);
    this.#channelEnded(peer);
  }

  /** A capability of an object of ours; the same implementation always gives the same object. */
  export<I extends Interface>(interface_: I, implementation: Implementation<I>): Capability<I> {
    return capabilityFor(interface_, new LocalReference(this.exportObject(interface_, implementation)));
  }

  /** The object itself, for a caller that must count or revoke it. */
  exportObject<I extends Interface>(interface_: I, implementation: Implementation<I>): ExportedObject {
    const known = this.#objects.get(implementation);
    if (known) return known;
    const object = new ExportedObject(interface_, implementation, this.#host.report);
    this.#objects.set(implementation, object);
    return object;
  }

  /**
   * A capability of a new session object, whatever else its implementation is used for. The
   * session's client has paid for it.
   */
  serve<I extends Interface>(
    interface_: I,
    implementation: Implementation<I>,
  ): { object: ExportedObject; capability: Capability<I> } {
    const object = new ExportedObject(interface_, implementation, this.#host.report, true);
    return { object, capability: capabilityFor(interface_, new LocalReference(object)) };
  }

  /** Dissolves an object: later calls of it end with `Revoked`. */
  revoke(implementation: object): void {
    this.#objects.get(implementation)?.revoke();
    this.#objects.delete(implementation);
  }

  /** A new signal context. */
  signal(handler: () => void | Promise<void>): SignalCapability {
    const context = new SignalContext(handler, this.#host.schedule, this.#host.report);
    return new SignalCapability(new LocalReference(context));
  }

  announce(owner: number, more: number): number {
    this.#requests.admit(owner, more);
    const number = this.#nextIntroduction;
    this.#nextIntroduction = (number + 1) >>> 0;
    return number;
  }

  introduce(number: number, via: number, index: number, to: number): Promise<void> {
    return this.#requests.ask(via, () => this.#host.introduce({ number, via, index, to }));
  }

  /** As the owner of a capability: puts it into the table of the channel with `to`. */
  async offer({ giver, number, index, to }: IntroductionOffer): Promise<void> {
    const target = this.#channels.get(giver)?.exports.get(index);
    if (!target) throw new RpcError('Revoked', 'no such capability');
    try {
      const channel = await this.channelTo(to);
      channel.introduceTo(giver, number, target);
    } catch (error) {
      // The supervisor has asked for this, and would take `PeerGone` for our end. The component
      // itself has nothing to report.
      if (error instanceof PeerGone) throw new RpcError('Revoked', 'the receiver is gone');
      throw error;
    }
  }

  expectIntroduction(giver: number, number: number, owner: number): Reference {
    const reference = this.#introductions.announced(giver, number, owner);
    if (this.#ended.has(owner)) this.#introductions.failed(giver, number, owner, 'the owner is gone', true);
    return reference;
  }

  introduced(giver: number, number: number, reference: Reference, owner: number): void {
    // If the giver died before its message came, nobody will ever ask for the object.
    if (this.#channels.has(giver)) this.#introductions.introduced(giver, number, owner, reference);
    else reference.release();
  }

  /** The supervisor could not bring about what `giver` has announced of an object of `owner`'s. */
  introductionFailed(giver: number, number: number, owner: number, reason: string): void {
    if (!this.#channels.has(giver)) return;
    this.#introductions.failed(giver, number, owner, reason, this.#ended.has(owner));
  }

  channelClosed(channel: Channel, violation: string | undefined): void {
    if (this.#channels.get(channel.peer) === channel) this.#channels.delete(channel.peer);
    this.#channelEnded(channel.peer);
    if (violation) this.#host.violation?.(channel.peer, violation);
  }

  #channelEnded(peer: number): void {
    this.#introductions.ended(peer);
    this.#ended.add(peer);
    if (this.#ended.size <= LIMITS.endedPeers) return;
    for (const oldest of this.#ended) {
      this.#ended.delete(oldest);
      break;
    }
  }
}
