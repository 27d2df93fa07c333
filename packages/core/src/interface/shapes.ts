/**
 * Shapes: descriptions of plain data that check a value at run time and give its type at compile time. What comes
 * from a peer is `unknown` until a shape has looked at it. A shape returns the value it accepts (a copy, where
 * it is a record, so that nothing undeclared slips through) or throws `ShapeError`.
 */

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

/** Checks `value`; `where` says in an error what it belongs to. */
export type Shape<T> = (value: unknown, where: string) => T;

/** The type that a shape lets through. */
export type ShapeType<S> = S extends Shape<infer T> ? T : never;

function fail(where: string, expected: string): never {
  throw new ShapeError(where, expected);
}

/** Adds a step to the way of an error that came up below it. */
function within(error: unknown, step: string): unknown {
  return error instanceof ShapeError ? error.within(step) : error;
}

/** A whole number from `minimum` to `maximum`, both included. */
export function integer(minimum = 0, maximum = Number.MAX_SAFE_INTEGER): Shape<number> {
  return (value, where) => {
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) fail(where, 'an integer');
    if (value < minimum || value > maximum) fail(where, `an integer from ${minimum} to ${maximum}`);
    return value;
  };
}

/** An unsigned 32-bit number. */
export const u32: Shape<number> = integer(0, 0xffff_ffff);

/** A non-negative safe integer (53 bits). */
export const u53: Shape<number> = integer();

/** A boolean. */
export const boolean: Shape<boolean> = (value, where) =>
  typeof value === 'boolean' ? value : fail(where, 'a boolean');

/** A string of at most `maximum` UTF-16 units. */
export function text(maximum = 1024): Shape<string> {
  return (value, where) => {
    if (typeof value !== 'string') fail(where, 'a string');
    if (value.length > maximum) fail(where, `a string of at most ${maximum} characters`);
    return value;
  };
}

/** Bytes, at most `maximum` of them. */
export function bytes(maximum: number): Shape<Uint8Array> {
  return (value, where) => {
    if (!(value instanceof Uint8Array)) fail(where, 'bytes');
    if (value.byteLength > maximum) fail(where, `at most ${maximum} bytes`);
    return value;
  };
}

/** One of the given words. */
export function oneOf<const Words extends readonly string[]>(words: Words): Shape<Words[number]> {
  return (value, where) => words.find((word) => word === value) ?? fail(where, `one of ${words.join(', ')}`);
}

/** A list of at most `maximum` items of one shape. */
export function list<T>(item: Shape<T>, maximum: number): Shape<T[]> {
  return (value, where) => {
    if (!Array.isArray(value)) fail(where, 'a list');
    if (value.length > maximum) fail(where, `a list of at most ${maximum} items`);
    const items: T[] = [];
    try {
      for (const element of value) items.push(item(element, where));
    } catch (error) {
      throw within(error, `[${items.length}]`);
    }
    return items;
  };
}

/** The value, or `undefined` when it is absent. */
export function optional<T>(shape: Shape<T>): Shape<T | undefined> {
  return (value, where) => (value === undefined || value === null ? undefined : shape(value, where));
}

/** The value, or `null`. */
export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  return (value, where) => (value === undefined || value === null ? null : shape(value, where));
}

/** Nothing: the result of an operation that returns no value. */
export const nothing: Shape<void> = () => undefined;

/** Whether `value` is a plain object, so that its properties may be looked at. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

type OptionalKeys<Fields extends Record<string, Shape<unknown>>> = {
  [Key in keyof Fields]: undefined extends ShapeType<Fields[Key]> ? Key : never;
}[keyof Fields];

/** The type of a record: fields whose shape admits `undefined` may be left out. */
export type RecordType<Fields extends Record<string, Shape<unknown>>> = {
  [Key in Exclude<keyof Fields, OptionalKeys<Fields>>]: ShapeType<Fields[Key]>;
} & { [Key in OptionalKeys<Fields>]?: ShapeType<Fields[Key]> | undefined };

/** An object with exactly the given fields; others are dropped. */
export function record<Fields extends Record<string, Shape<unknown>>>(
  fields: Fields,
): Shape<RecordType<Fields>> {
  const entries = Object.entries(fields);
  return (value, where) => {
    if (!isRecord(value)) fail(where, 'a record');
    const result: Record<string, unknown> = {};
    let at = '';
    try {
      for (const [name, shape] of entries) {
        at = name;
        const field = shape(Object.hasOwn(value, name) ? value[name] : undefined, where);
        if (field !== undefined) result[name] = field;
      }
    } catch (error) {
      throw within(error, `.${at}`);
    }
    // The loop above has just established every field's type; the compiler cannot follow it through entries().
    return result as RecordType<Fields>;
  };
}

/** A table of at most `maximum` named values of one shape. */
export function table<T>(shape: Shape<T>, maximum: number): Shape<Record<string, T>> {
  return (value, where) => {
    if (!isRecord(value)) fail(where, 'a table');
    const entries = Object.entries(value);
    if (entries.length > maximum) fail(where, `a table of at most ${maximum} entries`);
    let at = '';
    try {
      return Object.fromEntries(
        entries.map(([key, item]) => {
          at = key;
          return [key, shape(item, where)];
        }),
      );
    } catch (error) {
      throw within(error, `.${at}`);
    }
  };
}

/** The first of several shapes that fits. */
export function anyOf<T>(expected: string, ...shapes: Shape<T>[]): Shape<T> {
  return (value, where) => {
    for (const shape of shapes) {
      try {
        return shape(value, where);
      } catch (error) {
        if (!(error instanceof ShapeError)) throw error;
      }
    }
    return fail(where, expected);
  };
}
