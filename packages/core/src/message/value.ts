/**
 * Plain values of any kind, for operations that declare no shapes: msgpack
 * (https://github.com/msgpack/msgpack/blob/master/spec.md) with its length in front. Capabilities
 * and the like travel through shapes only.
 */
// Imported from this file and not from the index, which looks for a native part and loads streams:
// that takes a third of a thread's start.
import { addExtension, Packr } from 'msgpackr/pack';
import { RpcError } from '../errors.ts';
import { malformed, type MessageReader } from './reader.ts';
import { isPlainValue } from './value-scan.ts';
import type { MessageWriter } from './writer.ts';

const packr = new Packr({ useRecords: false, copyBuffers: true, moreTypes: false });

/** A type of extension that the reader always refuses; see `value-scan.ts`. */
const REFUSED_TYPE = 0x20;

/**
 * Makes instances of this class an error of the caller if they are found inside a plain value,
 * because they travel only through shapes.
 */
export function refuseInValues(Class: abstract new (...args: never[]) => object, what: string): void {
  const write = (): never => {
    throw new RpcError('InvalidArgument', `${what} cannot be passed where no shape declares it`);
  };
  // The library takes constructors of any kind; its types know only those without arguments.
  const extension = { Class, type: REFUSED_TYPE, write, read: malformed };
  addExtension(extension as unknown as Parameters<typeof addExtension>[0]);
}

/**
 * Writes any plain value. Throws `InvalidArgument` for a value that is not plain: a function, or an
 * instance of a class of the runtime.
 */
export function writeValue(writer: MessageWriter, value: unknown): void {
  writer.blob(pack(value));
}

function pack(value: unknown): Uint8Array {
  try {
    return packr.pack(value);
  } catch (error) {
    if (error instanceof RpcError) throw error;
    throw new RpcError('InvalidArgument', `cannot be passed: ${error instanceof Error ? error.message : ''}`);
  }
}

/** Reads a plain value of a peer. Throws `InvalidArgument` if it is malformed. */
export function readValue(reader: MessageReader): unknown {
  const length = reader.count();
  const at = reader.take(length);
  const bytes = reader.bytes.subarray(at, at + length);
  if (!isPlainValue(bytes)) return malformed();
  try {
    const value: unknown = packr.unpack(bytes);
    return value;
  } catch {
    return malformed();
  }
}
