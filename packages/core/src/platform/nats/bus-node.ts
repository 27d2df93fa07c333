/**
 * A node on the bus: it has links to other nodes, shakes hands with them, and hands out channels.
 * Whatever comes from the bus is compared with keys before anything is made of it. docs/cluster.md
 * describes the protocol.
 */
import { PeerGone, RpcError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Bus, BusDenial, BusMessage } from '../bus.ts';
import type { BusClock } from './bus-clock.ts';
import { DatagramKind, linkIdOf, PROTOCOL_VERSION, readHeader } from './datagram.ts';
import {
  epochKeys,
  type EpochKeys,
  type Greeting,
  INCARNATION_BYTES,
  isAuthentic,
  makeHello,
  makeRefusal,
  makeWelcome,
  type NodeTerms,
  type Parties,
  readHello,
  readRefusal,
  readWelcome,
  sameBytes,
} from './handshake.ts';
import { EphemeralKey, type Identity, KEY_BYTES } from './keys.ts';
import { LinkAttempt } from './link-attempt.ts';
import type { LinkChannel } from './link-channel.ts';
import type { LinkSide } from './link-channels.ts';
import { NodeLink } from './node-link.ts';
import { isPublicKey } from './nkey.ts';
import { SignatureBudget } from './signature-budget.ts';
import { inboxOf, receiverOf, senderOf, subjectTo } from './subjects.ts';

/** Who uses a node, and what it decides. */
export interface BusNodeOwner {
  /**
   * Whether a link with this node is wanted; the result says why not. `about` is what it says of
   * itself, or what somebody says in its name: the answer counts once it is known who has said it.
   */
  accepts(peer: string, about: string): string | undefined;
  /** A linked node opens a channel; the result says why it is not wanted, if it is not. */
  opened(peer: string, ticket: Uint8Array, channel: LinkChannel): string | undefined;
  /** A link is up. */
  linked?(peer: string, about: string): void;
  /** A link has ended. `violation` says how the peer broke the protocol, if it did. */
  unlinked?(peer: string, reason: string, violation: string | undefined): void;
}

/** The parts of a node. */
export interface BusNodeParts {
  readonly bus: Bus;
  readonly cluster: string;
  readonly identity: Identity;
  readonly clock: BusClock;
  readonly owner: BusNodeOwner;
  /** What it is, for its peers. */
  readonly about?: string;
  readonly leaseMs?: number;
}

interface Waiter {
  readonly resolve: (link: NodeLink) => void;
  readonly reject: (error: Error) => void;
}

/** A handshake that a peer has begun, until its first sealed datagram comes. */
interface Handshake {
  readonly hello: Uint8Array;
  readonly welcome: Uint8Array;
  readonly link: NodeLink;
  readonly id: string;
  readonly about: string;
}

class Peer {
  readonly key: string;
  link: { readonly link: NodeLink; readonly id: string } | undefined;
  attempt: LinkAttempt | undefined;
  readonly handshakes: Handshake[] = [];
  readonly waiters = new Set<Waiter>();

  constructor(key: string) {
    this.key = key;
  }

  get idle(): boolean {
    return !this.link && !this.attempt && this.handshakes.length === 0;
  }
}

/** One node. */
export class BusNode {
  readonly #parts: BusNodeParts;
  readonly #terms: NodeTerms;
  readonly #peers = new Map<string, Peer>();
  readonly #budget = new SignatureBudget();
  readonly #unsubscribe: () => void;
  /** Why this node cannot be on the bus at all. */
  #failure: Error | undefined;
  /**
   * The bus gives this node nothing of what is sent to it. That may change when it connects anew.
   */
  #inboxDenied: Error | undefined;

  constructor(parts: BusNodeParts) {
    this.#parts = parts;
    const { bus, cluster, clock, identity } = parts;
    this.#terms = {
      incarnation: clock.chance(INCARNATION_BYTES),
      leaseMs: parts.leaseMs ?? LIMITS.busLeaseMs,
      datagramBytes: Math.min(LIMITS.busDatagramBytes, bus.payloadBytesMax),
      windowBytes: LIMITS.busWindowBytes,
      about: parts.about ?? '',
    };
    if (this.#terms.datagramBytes < LIMITS.busDatagramBytesMin) {
      const least = `ginit needs at least ${LIMITS.busDatagramBytesMin}`;
      throw new RangeError(`the bus takes messages of ${bus.payloadBytesMax} bytes at most; ${least}`);
    }
    bus.onConnection((connected) => {
      if (connected) this.#busBack();
    });
    bus.onDenied((denial) => this.#denied(denial));
    const inbox = inboxOf(cluster, identity.publicKey);
    this.#unsubscribe = bus.subscribe(inbox, (message) => this.#take(message));
  }

  get publicKey(): string {
    return this.#parts.identity.publicKey;
  }

  /** The link to a node, if there is one now. */
  linkTo(peer: string): NodeLink | undefined {
    return this.#peers.get(peer)?.link?.link;
  }

  /**
   * Opens a channel to a node, for what the ticket says; the link is made first if there is none.
   * Goes on trying until it is there, refused, or `signal` is aborted. Rejects with `RpcError`.
   */
  async open(peer: string, ticket: Uint8Array, signal?: AbortSignal): Promise<LinkChannel> {
    const link = this.linkTo(peer) ?? (await this.#link(peer, signal));
    return link.open(ticket);
  }

  /** Leaves the bus: every link ends at both ends. The connection stays. */
  close(reason = 'this node has left the bus'): void {
    this.#failure ??= new PeerGone(reason, 'no');
    this.#unsubscribe();
    for (const peer of this.#peers.values()) {
      peer.link?.link.leave();
      this.#giveUp(peer, this.#failure);
      for (const { link } of peer.handshakes.splice(0)) link.end(reason);
    }
    this.#peers.clear();
  }

  #link(key: string, signal: AbortSignal | undefined): Promise<NodeLink> {
    const failure = this.#failure ?? this.#inboxDenied;
    if (failure) return Promise.reject(failure);
    if (!isPublicKey(key) || key === this.publicKey) {
      return Promise.reject(new RpcError('InvalidArgument', 'not the public key of another node'));
    }
    const peer = this.#peer(key);
    if (!peer) return Promise.reject(new RpcError('LimitExceeded', 'too many nodes'));
    return new Promise((resolve, reject) => {
      const onAbort = (): void => waiter.reject(new PeerGone('the attempt was given up', 'no'));
      const settled = (): void => {
        signal?.removeEventListener('abort', onAbort);
        peer.waiters.delete(waiter);
        if (peer.waiters.size === 0) this.#endAttempt(peer);
      };
      const waiter: Waiter = {
        resolve: (link) => {
          settled();
          resolve(link);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      };
      if (signal?.aborted) return onAbort();
      signal?.addEventListener('abort', onAbort, { once: true });
      peer.waiters.add(waiter);
      peer.attempt ??= this.#attempt(key);
    });
  }

  #attempt(key: string): LinkAttempt {
    const { identity, clock } = this.#parts;
    const ephemeral = new EphemeralKey(clock.chance(KEY_BYTES));
    const hello = makeHello(this.#toward(key), identity, ephemeral, this.#terms);
    return new LinkAttempt(hello, ephemeral, clock, (bytes) => this.#send(key, bytes));
  }

  #toward(responder: string): Parties {
    return { cluster: this.#parts.cluster, initiator: this.publicKey, responder };
  }

  #from(initiator: string): Parties {
    return { cluster: this.#parts.cluster, initiator, responder: this.publicKey };
  }

  /** While the bus is away nothing is sent: it would be lost. */
  #send(key: string, bytes: Uint8Array): void {
    const { bus, cluster } = this.#parts;
    if (bus.connected) bus.publish(subjectTo(cluster, key, this.publicKey), bytes);
  }

  #take({ subject, payload }: BusMessage): void {
    const header = readHeader(payload);
    if (!header) return;
    const key = senderOf(subject);
    if (header.kind === DatagramKind.hello) return this.#hello(key, payload, header.version);
    const peer = this.#peers.get(key);
    if (!peer || header.version !== PROTOCOL_VERSION) return;
    if (header.kind === DatagramKind.welcome) return this.#welcome(peer, payload);
    if (header.kind === DatagramKind.refusal) return this.#refusal(peer, payload);
    this.#sealed(peer, header.kind, header.number, payload);
  }

  #sealed(peer: Peer, kind: number, number: number, bytes: Uint8Array): void {
    const id = linkIdOf(bytes);
    if (peer.link?.id === id) return void peer.link.link.receive(kind, number, bytes);
    peer.handshakes.find((begun) => begun.id === id)?.link.receive(kind, number, bytes);
  }

  /**
   * The first datagram of a handshake has come that only the peer can have sealed. Only now is it
   * certain that the peer is there: whatever it had with us before is over.
   */
  #confirmed(peer: Peer, link: NodeLink): void {
    const at = peer.handshakes.findIndex((begun) => begun.link === link);
    const [handshake] = at < 0 ? [] : peer.handshakes.splice(at, 1);
    if (handshake) this.#use(peer, link, handshake.id, handshake.about);
  }

  #hello(key: string, bytes: Uint8Array, version: number): void {
    const parties = this.#from(key);
    const { clock, owner } = this.#parts;
    const known = this.#peers.get(key)?.handshakes.find(({ hello }) => sameBytes(hello, bytes));
    if (known) return this.#send(key, known.welcome);
    if (this.#failure || !isPublicKey(key)) return;
    if (version !== PROTOCOL_VERSION) {
      if (!this.#budget.take(key, true, clock.nowUs())) return;
      const reason = `this node speaks protocol ${PROTOCOL_VERSION}, and the other one protocol ${version}`;
      return this.#refuse(parties, reason, bytes);
    }
    const greeting = readHello(bytes);
    if (!greeting) return;
    const refusal = owner.accepts(key, greeting.terms.about);
    if (!this.#budget.take(key, refusal !== undefined, clock.nowUs())) return;
    if (!isAuthentic('hello', parties, bytes)) return;
    if (refusal !== undefined) return this.#refuse(parties, refusal, bytes);
    const peer = this.#peer(key);
    if (!peer) return this.#refuse(parties, 'too many nodes', bytes);
    // If both say hello at once, the node with the smaller key is the initiator.
    if (peer.attempt && this.publicKey < key) return;
    this.#answer(peer, greeting);
  }

  #refuse(parties: Parties, reason: string, hello: Uint8Array): void {
    this.#send(parties.initiator, makeRefusal(parties, this.#parts.identity, reason, hello));
  }

  #answer(peer: Peer, greeting: Greeting): void {
    const { clock, identity } = this.#parts;
    const ephemeral = new EphemeralKey(clock.chance(KEY_BYTES));
    const hello = greeting.bytes;
    const welcome = makeWelcome(this.#from(peer.key), identity, ephemeral, this.#terms, hello);
    const keys = epochKeys(ephemeral, greeting.ephemeral, 'responder', { hello, welcome });
    if (!keys) return;
    const link = this.#makeLink(peer, 'responder', keys, greeting.terms);
    const { about } = greeting.terms;
    peer.handshakes.push({ hello, welcome, link, id: idOf(keys), about });
    if (peer.handshakes.length > LIMITS.busHandshakes) peer.handshakes[0]?.link.end('another came after it');
    this.#send(peer.key, welcome);
  }

  #welcome(peer: Peer, bytes: Uint8Array): void {
    const { attempt } = peer;
    if (!attempt) return;
    const { hello, ephemeral } = attempt;
    const greeting = readWelcome(this.#toward(peer.key), bytes, hello, () => this.#mayVerify(peer));
    const keys =
      greeting && epochKeys(ephemeral, greeting.ephemeral, 'initiator', { hello, welcome: greeting.bytes });
    if (!greeting || !keys) return;
    const link = this.#makeLink(peer, 'initiator', keys, greeting.terms);
    this.#use(peer, link, idOf(keys), greeting.terms.about);
  }

  #refusal(peer: Peer, bytes: Uint8Array): void {
    const { attempt } = peer;
    if (!attempt) return;
    const parties = this.#toward(peer.key);
    const reason = readRefusal(parties, bytes, attempt.hello, () => this.#mayVerify(peer));
    if (reason === undefined) return;
    this.#giveUp(peer, new PeerGone(`the node ${peer.key} refuses: ${reason}`, 'no'));
    this.#forgetIfIdle(peer);
  }

  /**
   * Whether the signature of an answer to our hello may be looked at. Hellos in the name of that
   * node do not count here, so a flood of them keeps no answer out.
   */
  #mayVerify(peer: Peer): boolean {
    return this.#budget.take(`answer of ${peer.key}`, false, this.#parts.clock.nowUs());
  }

  #makeLink(peer: Peer, side: LinkSide, keys: EpochKeys, terms: NodeTerms): NodeLink {
    const { bus, clock, owner } = this.#parts;
    const own = this.#terms;
    const link: NodeLink = new NodeLink({
      side,
      keys,
      clock,
      leaseUs: Math.min(own.leaseMs, terms.leaseMs) * 1000,
      datagramBytes: Math.min(own.datagramBytes, terms.datagramBytes),
      windowBytes: terms.windowBytes,
      connected: () => bus.connected,
      transmit: (datagram) => this.#send(peer.key, datagram),
      opened: (ticket, channel) => owner.opened(peer.key, ticket, channel),
      confirmed: () => this.#confirmed(peer, link),
      ended: (reason, violation) => this.#linkEnded(peer, link, reason, violation),
    });
    return link;
  }

  /** Takes a link into use, instead of one that there may have been. */
  #use(peer: Peer, link: NodeLink, id: string, about: string): void {
    const before = peer.link;
    peer.link = { link, id };
    before?.link.end('its node has made a new link');
    this.#endAttempt(peer);
    this.#parts.owner.linked?.(peer.key, about);
    for (const waiter of peer.waiters) waiter.resolve(link);
  }

  #linkEnded(peer: Peer, link: NodeLink, reason: string, violation: string | undefined): void {
    const begun = peer.handshakes.findIndex((handshake) => handshake.link === link);
    if (begun >= 0) peer.handshakes.splice(begun, 1);
    const inUse = peer.link?.link === link;
    if (inUse) peer.link = undefined;
    this.#forgetIfIdle(peer);
    if (begun < 0) this.#parts.owner.unlinked?.(peer.key, reason, violation);
  }

  #endAttempt(peer: Peer): void {
    peer.attempt?.end();
    peer.attempt = undefined;
    this.#forgetIfIdle(peer);
  }

  #giveUp(peer: Peer, error: Error): void {
    for (const waiter of peer.waiters) waiter.reject(error);
    this.#endAttempt(peer);
  }

  #busBack(): void {
    this.#inboxDenied = undefined;
    for (const peer of this.#peers.values()) {
      peer.attempt?.sayNow();
      peer.link?.link.busBack();
    }
  }

  /** The bus does not let this node do something: whoever waits for that is told at once. */
  #denied({ operation, subject }: BusDenial): void {
    const { cluster } = this.#parts;
    const what = operation === 'publish' ? 'publish to' : 'subscribe to';
    const error = new PeerGone(`the bus does not let ${this.publicKey} ${what} "${subject}"`, 'no');
    if (operation === 'publish') {
      const peer = this.#peers.get(receiverOf(cluster, subject) ?? '');
      if (peer) this.#deny(peer, error);
    } else if (subject === inboxOf(cluster, this.publicKey)) {
      this.#inboxDenied = error;
      for (const peer of this.#peers.values()) this.#deny(peer, error);
    }
  }

  #deny(peer: Peer, error: Error): void {
    this.#giveUp(peer, error);
    peer.link?.link.end(error.message);
  }

  #peer(key: string): Peer | undefined {
    const known = this.#peers.get(key);
    if (known) return known;
    if (this.#peers.size >= LIMITS.busPeers) return undefined;
    const peer = new Peer(key);
    this.#peers.set(key, peer);
    return peer;
  }

  #forgetIfIdle(peer: Peer): void {
    if (peer.idle && peer.waiters.size === 0 && this.#peers.get(peer.key) === peer)
      this.#peers.delete(peer.key);
  }
}

const idOf = ({ linkId }: EpochKeys): string => Buffer.from(linkId).toString('hex');
