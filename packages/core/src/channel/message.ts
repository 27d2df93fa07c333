/**
 * Messages: the arguments and results of calls as msgpack (https://github.com/msgpack/msgpack/blob/master/spec.md).
 * Capabilities, dataspaces and streams inside are extension types that hold an index into the frame's table; the
 * channel fills and reads the table through a `MessageTable`.
 */
import { addExtension, Packr } from 'msgpackr';
import { CapabilityObject, RawCapability, referenceOf } from '../capability/capability.ts';
import type { Reference } from '../capability/reference.ts';
import { SignalCapability } from '../capability/signal.ts';
import { assert, RpcError } from '../errors.ts';
import { Dataspace } from '../memory/dataspace.ts';
import { extensionType, isMessage } from './message-scan.ts';
import { StreamOffer } from './stream-link.ts';

/** What a channel does for the special values inside a message it sends. Each returns an index in the table. */
export interface OutgoingTable {
  addReference(reference: Reference): number;
  /** Also says whether the content must follow inside the message. */
  addDataspace(dataspace: Dataspace): { index: number; inline: boolean };
  addStream(offer: StreamOffer): number;
}

/** What a channel does for those inside a message it received. */
export interface IncomingTable {
  reference(index: number): RawCapability;
  dataspace(index: number, content: Uint8Array | undefined): Dataspace;
  stream(index: number): unknown;
}

/** Encoding and decoding are synchronous, so one table at a time is in use. */
let outgoing: OutgoingTable | undefined;
let incoming: IncomingTable | undefined;

function outgoingTable(): OutgoingTable {
  assert(outgoing !== undefined, 'a message is being encoded');
  return outgoing;
}

function incomingTable(): IncomingTable {
  assert(incoming !== undefined, 'a message is being decoded');
  return incoming;
}

function malformed(): never {
  throw new RpcError('InvalidArgument', 'malformed message');
}

function index(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : malformed();
}

function registerCapability(Class: abstract new (...args: never[]) => object): void {
  addExtension({
    Class: Class as unknown as new () => object,
    type: extensionType.capability,
    write(value: object): number {
      const reference = value instanceof RawCapability ? value.reference : referenceOf(value);
      assert(reference !== undefined, 'only capabilities are registered for this type');
      return outgoingTable().addReference(reference);
    },
    read: (value: unknown) => incomingTable().reference(index(value)),
  } as unknown as Parameters<typeof addExtension>[0]);
}

registerCapability(CapabilityObject);
registerCapability(SignalCapability);
registerCapability(RawCapability);

addExtension({
  Class: Dataspace as unknown as new () => object,
  type: extensionType.dataspace,
  write(value: Dataspace): [number] | [number, Uint8Array] {
    const added = outgoingTable().addDataspace(value);
    return added.inline ? [added.index, value.copyContent()] : [added.index];
  },
  read(value: unknown): Dataspace {
    if (!Array.isArray(value)) return malformed();
    const content: unknown = value[1];
    return incomingTable().dataspace(index(value[0]), content instanceof Uint8Array ? content : undefined);
  },
} as unknown as Parameters<typeof addExtension>[0]);

addExtension({
  Class: StreamOffer as unknown as new () => object,
  type: extensionType.stream,
  write: (value: StreamOffer): number => outgoingTable().addStream(value),
  read: (value: unknown) => incomingTable().stream(index(value)),
} as unknown as Parameters<typeof addExtension>[0]);

const packr = new Packr({ useRecords: false, copyBuffers: true, moreTypes: false });

/** Encodes `value`; what it carries goes through `table`. */
export function encodeMessage(value: unknown, table: OutgoingTable): Uint8Array {
  assert(outgoing === undefined, 'one message is encoded at a time');
  outgoing = table;
  try {
    return packr.pack(value);
  } finally {
    outgoing = undefined;
  }
}

/** Decodes a message of a peer. Throws `RpcError` `InvalidArgument` if it is none. */
export function decodeMessage(payload: Uint8Array, table: IncomingTable): unknown {
  if (!isMessage(payload)) return malformed();
  incoming = table;
  try {
    const value: unknown = packr.unpack(payload);
    return value;
  } catch (error) {
    if (error instanceof RpcError) throw error;
    return malformed();
  } finally {
    incoming = undefined;
  }
}
