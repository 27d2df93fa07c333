/**
 * What the head of a cluster and a node say to each other, on the channel that the node opens to
 * the head with the ticket `node`, or `attach`. The head runs the supervisor and decides; the node
 * is a place where components run. A message is
 *
 *     u32 n · n bytes of JSON · the rest: content of a file, in `piece` only
 *
 * The node speaks first: `present`. The head takes it (`taken`) or refuses it with a reason. For
 * each component the node opens another channel to the head, with the ticket `component NUMBER`:
 * that is the carrier between the supervisor and the component.
 */
import { hostGrant } from '../../session/host-grant.ts';
import {
  boolean,
  integer,
  list,
  oneOf,
  optional,
  record,
  ShapeError,
  type ShapeType,
  text,
  u32,
  u53,
} from '../../interface/shapes.ts';
import { LIMITS } from '../../limits.ts';
import { schedulingShape } from '../../session/scheduling.ts';

/** The version of these messages. */
export const CLUSTER_PROTOCOL = 1;
/** The tickets of channels to the head. */
export const NODE_TICKET = 'node';
export const ATTACH_TICKET = 'attach';
/** The head opens a channel for this to each node, so that those who wait find it without delay. */
export const LOOK_TICKET = 'look';
export const COMPONENT_TICKET = 'component ';

const WORD = 256;
const PATH = 4096;
const HASH = 64;
/** Content of a file in one message. */
export const PIECE_BYTES = 256 * 1024;

/** What a node is made of, as far as that decides whether code runs there. */
export const nodeFacts = record({
  /** The versions of this protocol, of ginit and of Node. */
  protocol: u32,
  ginit: text(WORD),
  node: text(WORD),
  /** Operating system, architecture and C library, as in `linux-x64-glibc`. */
  platform: text(WORD),
});
/** The versions of a node, and its platform. */
export type NodeFacts = ShapeType<typeof nodeFacts>;

const travellingCode = record({
  entry: text(PATH),
  files: list(record({ path: text(PATH), hash: text(HASH), bytes: u53 }), LIMITS.jailFiles),
  links: list(record({ at: text(PATH), to: optional(text(PATH)) }), LIMITS.jailFiles),
});
/** The list of the files of a component; their content is asked for by hash. */
export type CodeList = ShapeType<typeof travellingCode>;

/** What the head says. */
export const headMessage = {
  taken: record({ say: oneOf(['taken']) }),
  refused: record({ say: oneOf(['refused']), reason: text(LIMITS.reasonBytes) }),
  /** The other nodes, with which this one may have links. */
  peers: record({ say: oneOf(['peers']), keys: list(text(64), LIMITS.busPeers) }),
  start: record({
    say: oneOf(['start']),
    id: u32,
    label: text(),
    /** Missing for a component that is attached: the node has its code itself. */
    code: optional(travellingCode),
    heapBytes: optional(u53),
    ramBytes: u53,
    hostDepth: optional(u32),
    scheduling: schedulingShape,
    grants: list(hostGrant, LIMITS.hostGrants),
    /** Whether it may use the grants itself, or only hands them on. */
    usesGrants: boolean,
  }),
  kill: record({ say: oneOf(['kill']), id: u32 }),
  /** Joins two components of the node. */
  connect: record({ say: oneOf(['connect']), first: u32, second: u32 }),
  /** Joins a component of the node to one elsewhere. */
  join: record({
    say: oneOf(['join']),
    component: u32,
    peer: u32,
    key: text(64),
    ticket: text(LIMITS.busTicketBytes),
    opens: boolean,
  }),
  /** How much RAM of the node the system uses. The node holds it to what it has lent. */
  used: record({ say: oneOf(['used']), bytes: u53 }),
  /** A piece of a file that was asked for, or no more of it: it has changed. */
  piece: record({ say: oneOf(['piece']), hash: text(HASH), offset: u53, last: boolean, there: boolean }),
} as const;
export type HeadMessage = ShapeType<(typeof headMessage)[keyof typeof headMessage]>;

/** What a node lends. */
export const nodeOffer = record({
  name: text(LIMITS.nameBytes),
  facts: nodeFacts,
  ramBytes: u53,
  /** How many CPUs. */
  cores: integer(1, 65_536),
  labels: list(text(LIMITS.nameBytes), LIMITS.nodeLabels),
  /** The host grants that components there may be given. */
  lends: list(hostGrant, LIMITS.hostGrants),
});
/** The name of a node, what it is made of, and what it lends. */
export type NodeOffer = ShapeType<typeof nodeOffer>;

/** What a node says. */
export const nodeMessage = {
  present: record({ say: oneOf(['present']), offer: nodeOffer }),
  started: record({ say: oneOf(['started']), id: u32, pid: optional(u53), jailed: boolean }),
  ended: record({
    say: oneOf(['ended']),
    id: u32,
    crashed: boolean,
    reason: text(LIMITS.reasonBytes),
    culprit: boolean,
  }),
  want: record({ say: oneOf(['want']), hash: text(HASH), offset: u53 }),
  /** The channel of two components cannot be made, or has ended. */
  parted: record({ say: oneOf(['parted']), component: u32, peer: u32 }),
  /** A line that a component wrote past its log, or that is about it. */
  line: record({ say: oneOf(['line']), label: text(), text: text(LIMITS.logLineCharacters) }),
} as const;
export type NodeMessage = ShapeType<(typeof nodeMessage)[keyof typeof nodeMessage]>;

const HEADER_BYTES = 4;
const NO_BODY = new Uint8Array(0);

/** A message as a frame. */
export function writeMessage(message: HeadMessage | NodeMessage, body: Uint8Array = NO_BODY): Uint8Array {
  const words = Buffer.from(JSON.stringify(message));
  const frame = Buffer.allocUnsafe(HEADER_BYTES + words.byteLength + body.byteLength);
  frame.writeUInt32LE(words.byteLength, 0);
  frame.set(words, HEADER_BYTES);
  frame.set(body, HEADER_BYTES + words.byteLength);
  return frame;
}

type Table = Record<string, (value: unknown, where: string) => unknown>;

/** Reads a message by its table. Throws `ShapeError` if it is malformed. */
export function readMessage<Known extends Table>(
  shapes: Known,
  frame: Uint8Array,
): { readonly message: ReturnType<Known[keyof Known]>; readonly body: Uint8Array } {
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
  const length = bytes.byteLength >= HEADER_BYTES ? bytes.readUInt32LE(0) : Number.POSITIVE_INFINITY;
  if (length > bytes.byteLength - HEADER_BYTES) throw new ShapeError('message', 'a whole message');
  const body = bytes.subarray(HEADER_BYTES + length);
  let value: unknown;
  try {
    value = JSON.parse(bytes.subarray(HEADER_BYTES, HEADER_BYTES + length).toString('utf8'));
  } catch {
    throw new ShapeError('message', 'JSON');
  }
  const name: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'say') : undefined;
  const shape = typeof name === 'string' && Object.hasOwn(shapes, name) ? shapes[name] : undefined;
  if (!shape) throw new ShapeError('message', 'a known message');
  // The table's own shape has just checked the value.
  return { message: shape(value, 'message') as ReturnType<Known[keyof Known]>, body };
}
