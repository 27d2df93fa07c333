/**
 * Shapes: each checks a value, and decides by which bytes its values travel. A shape writes and
 * reads its own bytes and checks while it does so. The bytes do not say what they are, so both ends
 * must declare the same shapes. A shape's signature describes its bytes, and the signatures of an
 * operation make its key (`operation.ts`); so ends that differ notice it at the first call.
 */
import { malformed, type MessageReader } from '../message/reader.ts';
import { readValue, writeValue } from '../message/value.ts';
import type { MessageWriter } from '../message/writer.ts';

/** The most cases that one byte can tell apart. */
export const CHOICES_MAX = 255;

/** The value does not fit; `message` says where and why. */
export class ShapeError extends Error {
  override readonly name = 'ShapeError';
  /**
   * The name of the value, the path from there to the part that is wrong, and what is wrong with
   * that.
   */
  readonly #where: string;
  #path = '';
  readonly #expected: string;

  constructor(where: string, expected: string) {
    super(`${where}: expected ${expected}`);
    this.#where = where;
    this.#expected = expected;
  }

  /** Puts a step in front of the path. Paths are made only when something is wrong. */
  within(step: string): this {
    this.#path = `${step}${this.#path}`;
    this.message = `${this.#where}${this.#path}: expected ${this.#expected}`;
    return this;
  }
}

/**
 * Checks `value` and returns it, or throws `ShapeError`; `where` is the name of the value in the
 * error. Any such function is a shape.
 */
export interface Shape<T> {
  (value: unknown, where: string): T;
  /** How its values travel. Without it, they travel as plain values do. */
  readonly wire?: Wire<T>;
}

/** The type that a shape lets through. */
export type ShapeType<S> = S extends Shape<infer T> ? T : never;

/** Throws the error for a value that does not fit. */
export function fail(where: string, expected: string): never {
  throw new ShapeError(where, expected);
}

/** Adds a step to the path of an error that came from a part of the value. */
export function within(error: unknown, step: string): unknown {
  return error instanceof ShapeError ? error.within(step) : error;
}

/** Whether `value` is a plain object, so that its properties may be looked at. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Reads a byte that means yes or no. */
export function flag(reader: MessageReader): boolean {
  const value = reader.u8();
  return value > 1 ? malformed() : value === 1;
}

/** How the values of a shape travel. */
export interface Wire<T> {
  /** Two shapes with equal signatures write equal bytes. */
  readonly signature: string;
  /**
   * Whether a value may take no bytes. There are no lists of such values, because no bytes would
   * stand behind their count.
   */
  readonly empty?: boolean;
  /** Writes a value that fits; throws `ShapeError` for one that does not. */
  readonly write: (this: void, writer: MessageWriter, value: unknown, where: string) => void;
  /**
   * Reads a value and checks it. Throws `ShapeError`, or `RpcError` `InvalidArgument` for malformed
   * bytes.
   */
  readonly read: (this: void, reader: MessageReader, where: string) => T;
}

/** Makes a shape whose values travel in a way of their own. */
export function shapeWith<T>(check: (value: unknown, where: string) => T, wire: Wire<T>): Shape<T> {
  return Object.assign((value: unknown, where: string) => check(value, where), { wire });
}

/**
 * How the values of a shape travel. If the shape is only a function (a component's own check), they
 * travel as plain values do, and are checked at both ends.
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

/** Any plain value, without a check. */
export const anyValue: Wire<unknown> = {
  signature: 'value',
  write: (writer, value) => writeValue(writer, value),
  read: (reader) => readValue(reader),
};
