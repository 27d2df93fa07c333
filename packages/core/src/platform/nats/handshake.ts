/**
 * The datagrams of a handshake, and the keys that come of it. Two signed messages: a hello of the
 * initiator and a welcome of the responder, each with an ephemeral key. The initiator proves that
 * it is there, and not somebody who replays its hello, by the first sealed datagram.
 * docs/cluster.md has the layouts.
 */
import { assert } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import {
  DATAGRAM_HEADER_BYTES,
  DatagramKind,
  LINK_ID_BYTES,
  plainDatagram,
  PROTOCOL_VERSION,
  Seal,
  viewOf,
} from './datagram.ts';
import {
  derive,
  EphemeralKey,
  type Identity,
  isSignedBy,
  KEY_BYTES,
  sha256,
  SIGNATURE_BYTES,
} from './keys.ts';

/** Bytes of the random number that a node makes when it starts. */
export const INCARNATION_BYTES = 16;
const HASH_BYTES = 32;
const SEAL_KEY_BYTES = 32;
const TERMS_BYTES = KEY_BYTES + INCARNATION_BYTES + 4 + 4 + 4 + 2;
/** The version in which every node says that it does not speak another one's. */
const REFUSAL_VERSION = 1;

/** The facts about a node that its peers need. */
export interface NodeTerms {
  readonly incarnation: Uint8Array;
  readonly leaseMs: number;
  /** The longest datagram that it takes. */
  readonly datagramBytes: number;
  /** Bytes of datagrams that may be under way to it. */
  readonly windowBytes: number;
  /** What it is, for people and for who places components. */
  readonly about: string;
}

/** The two ends of a handshake, by their public keys. */
export interface Parties {
  readonly cluster: string;
  readonly initiator: string;
  readonly responder: string;
}

/** A hello or a welcome, as it came. */
export interface Greeting {
  readonly bytes: Uint8Array;
  readonly ephemeral: Uint8Array;
  readonly terms: NodeTerms;
}

/** The keys of one epoch, as one end has them. */
export interface EpochKeys {
  readonly linkId: Uint8Array;
  readonly outgoing: Seal;
  readonly incoming: Seal;
}

function signedText(kind: 'hello' | 'welcome' | 'refusal', parties: Parties, body: Uint8Array): Uint8Array {
  const { cluster, initiator, responder } = parties;
  const [sender, receiver] = kind === 'hello' ? [initiator, responder] : [responder, initiator];
  const line = `ginit bus ${PROTOCOL_VERSION} ${kind} ${cluster} ${sender} ${receiver}\n`;
  return Buffer.concat([Buffer.from(line), body]);
}

function withSignature(
  kind: 'hello' | 'welcome' | 'refusal',
  parties: Parties,
  identity: Identity,
  body: Uint8Array,
): Uint8Array {
  const bytes = plainDatagram(DatagramKind[kind], Buffer.concat([body, new Uint8Array(SIGNATURE_BYTES)]));
  const signed = bytes.byteLength - SIGNATURE_BYTES;
  bytes.set(identity.sign(signedText(kind, parties, bytes.subarray(0, signed))), signed);
  return bytes;
}

/** Whether the end of a datagram is its signer's signature over the rest. */
export function isAuthentic(
  kind: 'hello' | 'welcome' | 'refusal',
  parties: Parties,
  bytes: Uint8Array,
): boolean {
  const signed = bytes.byteLength - SIGNATURE_BYTES;
  const signer = kind === 'hello' ? parties.initiator : parties.responder;
  const text = signedText(kind, parties, bytes.subarray(0, signed));
  return isSignedBy(signer, text, bytes.subarray(signed));
}

function termsOf(ephemeral: EphemeralKey, terms: NodeTerms): Uint8Array {
  const about = Buffer.from(terms.about);
  assert(about.byteLength <= LIMITS.busAboutBytes, 'a node describes itself in few words');
  const bytes = new Uint8Array(TERMS_BYTES + about.byteLength);
  const view = viewOf(bytes);
  bytes.set(ephemeral.publicKey);
  bytes.set(terms.incarnation, KEY_BYTES);
  const at = KEY_BYTES + INCARNATION_BYTES;
  view.setUint32(at, terms.leaseMs, true);
  view.setUint32(at + 4, terms.datagramBytes, true);
  view.setUint32(at + 8, terms.windowBytes, true);
  view.setUint16(at + 12, about.byteLength, true);
  bytes.set(about, TERMS_BYTES);
  return bytes;
}

/** Reads a greeting of exactly this length behind its terms; `undefined` if it is malformed. */
function readGreeting(bytes: Uint8Array, restBytes: number): Greeting | undefined {
  const body = bytes.subarray(DATAGRAM_HEADER_BYTES);
  if (body.byteLength < TERMS_BYTES + restBytes) return undefined;
  const view = viewOf(body);
  const at = KEY_BYTES + INCARNATION_BYTES;
  const aboutBytes = view.getUint16(at + 12, true);
  if (aboutBytes > LIMITS.busAboutBytes || body.byteLength !== TERMS_BYTES + aboutBytes + restBytes) {
    return undefined;
  }
  const terms: NodeTerms = {
    incarnation: body.slice(KEY_BYTES, at),
    leaseMs: view.getUint32(at, true),
    datagramBytes: view.getUint32(at + 4, true),
    windowBytes: view.getUint32(at + 8, true),
    about: Buffer.from(body.subarray(TERMS_BYTES, TERMS_BYTES + aboutBytes)).toString('utf8'),
  };
  const { leaseMs, datagramBytes } = terms;
  if (leaseMs < LIMITS.busLeaseMsMin || leaseMs > LIMITS.busLeaseMsMax) return undefined;
  if (datagramBytes < LIMITS.busDatagramBytesMin) return undefined;
  return { bytes: new Uint8Array(bytes), ephemeral: body.slice(0, KEY_BYTES), terms };
}

export function makeHello(
  parties: Parties,
  identity: Identity,
  ephemeral: EphemeralKey,
  terms: NodeTerms,
): Uint8Array {
  return withSignature('hello', parties, identity, termsOf(ephemeral, terms));
}

/** Reads a hello, without looking at its signature; `undefined` if it is malformed. */
export const readHello = (bytes: Uint8Array): Greeting | undefined => readGreeting(bytes, SIGNATURE_BYTES);

/** The answer of a responder that is ready. */
export function makeWelcome(
  parties: Parties,
  identity: Identity,
  ephemeral: EphemeralKey,
  terms: NodeTerms,
  hello: Uint8Array,
): Uint8Array {
  const body = Buffer.concat([termsOf(ephemeral, terms), sha256(hello)]);
  return withSignature('welcome', parties, identity, body);
}

/**
 * Reads the welcome to a hello; `undefined` if it is malformed, forged, or an answer to another.
 * `mayVerify` says whether its signature may be looked at; it is asked when all else is in order.
 */
export function readWelcome(
  parties: Parties,
  bytes: Uint8Array,
  hello: Uint8Array,
  mayVerify: () => boolean,
): Greeting | undefined {
  const greeting = readGreeting(bytes, HASH_BYTES + SIGNATURE_BYTES);
  if (!greeting) return undefined;
  const end = bytes.byteLength - SIGNATURE_BYTES;
  if (!sameBytes(bytes.subarray(end - HASH_BYTES, end), sha256(hello))) return undefined;
  return mayVerify() && isAuthentic('welcome', parties, bytes) ? greeting : undefined;
}

/** The answer of a responder that wants no link, with the reason. */
export function makeRefusal(
  parties: Parties,
  identity: Identity,
  reason: string,
  hello: Uint8Array,
): Uint8Array {
  const text = Buffer.from(reason).subarray(0, LIMITS.reasonBytes);
  const body = Buffer.concat([sha256(hello), new Uint8Array(2), text]);
  viewOf(body).setUint16(HASH_BYTES, text.byteLength, true);
  const bytes = withSignature('refusal', parties, identity, body);
  assert(bytes[0] === REFUSAL_VERSION, 'a refusal is understood by every version');
  return bytes;
}

/**
 * The reason of a refusal of a hello; `undefined` if it is malformed or forged. `mayVerify` as for
 * a welcome.
 */
export function readRefusal(
  parties: Parties,
  bytes: Uint8Array,
  hello: Uint8Array,
  mayVerify: () => boolean,
): string | undefined {
  const body = bytes.subarray(DATAGRAM_HEADER_BYTES);
  const rest = HASH_BYTES + 2;
  if (body.byteLength < rest + SIGNATURE_BYTES) return undefined;
  const length = viewOf(body).getUint16(HASH_BYTES, true);
  if (length > LIMITS.reasonBytes || body.byteLength !== rest + length + SIGNATURE_BYTES) return undefined;
  if (!sameBytes(body.subarray(0, HASH_BYTES), sha256(hello))) return undefined;
  if (!mayVerify() || !isAuthentic('refusal', parties, bytes)) return undefined;
  return Buffer.from(body.subarray(rest, rest + length)).toString('utf8');
}

/**
 * The keys of the epoch that a hello and its welcome begin; `undefined` if the peer's key gives
 * none.
 */
export function epochKeys(
  own: EphemeralKey,
  peer: Uint8Array,
  side: 'initiator' | 'responder',
  greetings: { readonly hello: Uint8Array; readonly welcome: Uint8Array },
): EpochKeys | undefined {
  const secret = own.agree(peer);
  if (!secret) return undefined;
  const salt = sha256(greetings.hello, greetings.welcome);
  const bytes = derive(secret, salt, 'ginit bus link', LINK_ID_BYTES + 2 * SEAL_KEY_BYTES);
  const linkId = bytes.slice(0, LINK_ID_BYTES);
  const first = new Seal(bytes.subarray(LINK_ID_BYTES, LINK_ID_BYTES + SEAL_KEY_BYTES), linkId);
  const second = new Seal(bytes.subarray(LINK_ID_BYTES + SEAL_KEY_BYTES), linkId);
  const [outgoing, incoming] = side === 'initiator' ? [first, second] : [second, first];
  return { linkId, outgoing, incoming };
}

export function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.byteLength === other.byteLength && one.every((byte, index) => byte === other[index]);
}
