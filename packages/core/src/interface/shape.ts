/**
 * What a shape is: a check of a value, and the bytes in which its values travel. It writes and reads its own bytes and
 * checks while it does so. Nothing says on the wire what is what, so both ends must declare the same; a shape's
 * signature says what its bytes mean, and the signatures of an operation make its key (`operation.ts`), so that ends
 * that differ find out at the first call.
 */
import { malformed, type MessageReader } from '../message/reader.ts';
import { readValue, writeValue } from '../message/value.ts';
import type { MessageWriter } from '../message/writer.ts';

/** What one byte can tell apart. */
export const CHOICES_MAX = 255;

/** The value does not fit; `message` says where and why. */
export class ShapeError extends Error {
  override readonly name = 'ShapeError';
  /** What the value belongs to, the way from there to the place that is wrong, and what is wrong with it. */
  readonly #where: string;
  #path = '';
  readonly #expected: string;

  constructor(where: string, expected: string) {
    super(`${where}: expected ${expected}`);
    this.#where = where;
    this.#expected = expected;
  }

  /** Puts a step in front of the way: paths are made when something is wrong, not while all is well. */
  within(step: string): this {
    this.#path = `${step}${this.#path}`;
    this.message = `${this.#where}${this.#path}: expected ${this.#expected}`;
    return this;
  }
}

/** Checks `value`; `where` says in an error what it belongs to. Any such function is a shape. */
export interface Shape<T> {
  (value: unknown, where: string): T;
  /** The bytes of its values; without, they travel as plain values do. */
  readonly wire?: Wire<T>;
}

/** The type that a shape lets through. */
export type ShapeType<S> = S extends Shape<infer T> ? T : never;

/** The value does not fit. */
export function fail(where: string, expected: string): never {
  throw new ShapeError(where, expected);
}

/** Adds a step to the way of an error that came up below it. */
export function within(error: unknown, step: string): unknown {
  return error instanceof ShapeError ? error.within(step) : error;
}

/** Whether `value` is a plain object, so that its properties may be looked at. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Reads a byte that says yes or no. */
export function flag(reader: MessageReader): boolean {
  const value = reader.u8();
  return value > 1 ? malformed() : value === 1;
}

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
