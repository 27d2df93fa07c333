/**
 * How the values of a shape travel: each shape writes and reads its own bytes, and checks while it does so. Nothing says on
 * the wire what is what, so both ends must declare the same; a shape's signature says what its bytes mean, and the
 * signatures of an operation make its key (`operation.ts`), so that ends that differ find out at the first call.
 */
import type { MessageReader } from '../message/reader.ts';
import { readValue, writeValue } from '../message/value.ts';
import type { MessageWriter } from '../message/writer.ts';
import type { Shape } from './shapes.ts';

/** The bytes of a shape's values. */
export interface Wire<T> {
  /** Equal signatures, equal bytes. */
  readonly signature: string;
  /** Whether a value may take no bytes and carry nothing. Of those there are no lists: nothing would cover their count. */
  readonly empty?: boolean;
  /** Writes a value that fits; throws `ShapeError` for one that does not. */
  readonly write: (this: void, writer: MessageWriter, value: unknown, where: string) => void;
  /** Reads a value and checks it; throws `ShapeError`, or `RpcError` `InvalidArgument` for bytes that are none. */
  readonly read: (this: void, reader: MessageReader, where: string) => T;
}

/** A shape whose values have bytes of their own. */
export function shapeWith<T>(check: (value: unknown, where: string) => T, wire: Wire<T>): Shape<T> {
  return Object.assign((value: unknown, where: string) => check(value, where), { wire });
}

/**
 * The wire of a shape. One that is a mere function (a component's own check) travels as any plain value does, and is
 * checked at both ends.
 */
export function wireOf<T>(shape: Shape<T>): Wire<T> {
  return shape.wire ?? valueWire(shape);
}

function valueWire<T>(shape: Shape<T>): Wire<T> {
  return {
    signature: 'value',
    write: (writer, value, where) => writeValue(writer, shape(value, where)),
    read: (reader, where) => shape(readValue(reader), where),
  };
}

/** Any plain value, unchecked. */
export const anyValue: Wire<unknown> = {
  signature: 'value',
  write: (writer, value) => writeValue(writer, value),
  read: (reader) => readValue(reader),
};
