/**
 * Shapes: descriptions of plain data that check a value at run time and give its type at compile time. What comes
 * from a peer is `unknown` until a shape has looked at it. A shape returns the value it accepts (a copy, where
 * it is a record, so that nothing undeclared slips through) or throws `ShapeError`. Each also knows the bytes in which its
 * values travel (`wire.ts`), and checks while it writes and reads them.
 */
import { assert } from '../errors.ts';
import { malformed, type MessageReader } from '../message/reader.ts';
import { shapeWith, type Wire, wireOf } from './wire.ts';

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

function fail(where: string, expected: string): never {
  throw new ShapeError(where, expected);
}

/** Adds a step to the way of an error that came up below it. */
function within(error: unknown, step: string): unknown {
  return error instanceof ShapeError ? error.within(step) : error;
}

/** How a range of whole numbers travels. */
type IntegerWidth = 'u8' | 'u16' | 'u32' | 'f64';

function widthFor(minimum: number, maximum: number): IntegerWidth {
  if (minimum < 0 || maximum > 0xffff_ffff) return 'f64';
  if (maximum > 0xffff) return 'u32';
  return maximum > 0xff ? 'u16' : 'u8';
}

/** A whole number from `minimum` to `maximum`, both included. */
export function integer(minimum = 0, maximum = Number.MAX_SAFE_INTEGER): Shape<number> {
  const check = (value: unknown, where: string): number => {
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) fail(where, 'an integer');
    if (value < minimum || value > maximum) fail(where, `an integer from ${minimum} to ${maximum}`);
    return value;
  };
  const signature = `integer ${minimum} ${maximum}`;
  switch (widthFor(minimum, maximum)) {
    case 'u8':
      return shapeWith(check, {
        signature,
        write: (writer, value, where) => writer.u8(check(value, where)),
        read: (reader, where) => check(reader.u8(), where),
      });
    case 'u16':
      return shapeWith(check, {
        signature,
        write: (writer, value, where) => writer.u16(check(value, where)),
        read: (reader, where) => check(reader.u16(), where),
      });
    case 'u32':
      return shapeWith(check, {
        signature,
        write: (writer, value, where) => writer.u32(check(value, where)),
        read: (reader, where) => check(reader.u32(), where),
      });
    case 'f64':
      return shapeWith(check, {
        signature,
        write: (writer, value, where) => writer.f64(check(value, where)),
        read: (reader, where) => check(reader.f64(), where),
      });
  }
}

/** An unsigned 32-bit number. */
export const u32: Shape<number> = integer(0, 0xffff_ffff);

/** A non-negative safe integer (53 bits). */
export const u53: Shape<number> = integer();

/** Any number but NaN and the infinities. */
export const finite: Shape<number> = ((): Shape<number> => {
  const check = (value: unknown, where: string): number =>
    typeof value === 'number' && Number.isFinite(value) ? value : fail(where, 'a number');
  return shapeWith(check, {
    signature: 'finite',
    write: (writer, value, where) => writer.f64(check(value, where)),
    read: (reader, where) => check(reader.f64(), where),
  });
})();

/** Reads a byte that says yes or no. */
function flag(reader: MessageReader): boolean {
  const value = reader.u8();
  return value > 1 ? malformed() : value === 1;
}

/** A boolean. */
export const boolean: Shape<boolean> = ((): Shape<boolean> => {
  const check = (value: unknown, where: string): boolean =>
    typeof value === 'boolean' ? value : fail(where, 'a boolean');
  return shapeWith(check, {
    signature: 'boolean',
    write: (writer, value, where) => writer.u8(check(value, where) ? 1 : 0),
    read: flag,
  });
})();

/** A string of at most `maximum` UTF-16 units. */
export function text(maximum = 1024): Shape<string> {
  const check = (value: unknown, where: string): string => {
    if (typeof value !== 'string') fail(where, 'a string');
    if (value.length > maximum) fail(where, `a string of at most ${maximum} characters`);
    return value;
  };
  return shapeWith(check, {
    signature: `text ${maximum}`,
    write: (writer, value, where) => writer.text(check(value, where)),
    read: (reader, where) => check(reader.text(), where),
  });
}

/** Bytes, at most `maximum` of them. */
export function bytes(maximum: number): Shape<Uint8Array> {
  const check = (value: unknown, where: string): Uint8Array => {
    if (!(value instanceof Uint8Array)) fail(where, 'bytes');
    if (value.byteLength > maximum) fail(where, `at most ${maximum} bytes`);
    return value;
  };
  return shapeWith(check, {
    signature: `bytes ${maximum}`,
    write: (writer, value, where) => writer.blob(check(value, where)),
    read: (reader, where) => check(reader.blob(), where),
  });
}

/** What one byte can tell apart. */
const CHOICES_MAX = 255;

/** One of the given words: up to 255 of them. */
export function oneOf<const Words extends readonly string[]>(words: Words): Shape<Words[number]> {
  assert(words.length <= CHOICES_MAX, `oneOf takes at most ${CHOICES_MAX} words`);
  const expected = `one of ${words.join(', ')}`;
  const indexOf = (value: unknown, where: string): number => {
    const index = words.findIndex((word) => word === value);
    return index === -1 ? fail(where, expected) : index;
  };
  const check = (value: unknown, where: string): Words[number] =>
    words.find((word) => word === value) ?? fail(where, expected);
  return shapeWith(check, {
    signature: `one of ${JSON.stringify(words)}`,
    write: (writer, value, where) => writer.u8(indexOf(value, where)),
    read: (reader, where) => words[reader.u8()] ?? fail(where, expected),
  });
}

/** A list of at most `maximum` items of one shape. */
export function list<T>(item: Shape<T>, maximum: number): Shape<T[]> {
  const checkList = (value: unknown, where: string): readonly unknown[] => {
    if (!Array.isArray(value)) fail(where, 'a list');
    if (value.length > maximum) fail(where, `a list of at most ${maximum} items`);
    return value;
  };
  const check = (value: unknown, where: string): T[] => {
    const items: T[] = [];
    const elements = checkList(value, where);
    try {
      for (const element of elements) items.push(item(element, where));
    } catch (error) {
      throw within(error, `[${items.length}]`);
    }
    return items;
  };
  const wire = wireOf(item);
  const { write: writeItem, read: readItem } = wire;
  assert(!wire.empty, 'there is no list of what takes no bytes');
  return shapeWith(check, {
    signature: `[${wire.signature} ${maximum}]`,
    write(writer, value, where) {
      const elements = checkList(value, where);
      const { length } = elements;
      writer.count(length);
      let index = 0;
      try {
        for (; index < length; index++) writeItem(writer, elements[index], where);
      } catch (error) {
        throw within(error, `[${index}]`);
      }
    },
    read(reader, where) {
      const count = reader.count();
      if (count > maximum) fail(where, `a list of at most ${maximum} items`);
      const items: T[] = [];
      try {
        while (items.length < count) items.push(readItem(reader, where));
      } catch (error) {
        throw within(error, `[${items.length}]`);
      }
      return items;
    },
  });
}

/** A value that may be absent, which one byte in front of it says. */
function absentOr<T, Absent>(shape: Shape<T>, absent: Absent, name: string): Shape<T | Absent> {
  const wire = wireOf(shape);
  const isAbsent = (value: unknown): boolean => value === undefined || value === null;
  return shapeWith<T | Absent>((value, where) => (isAbsent(value) ? absent : shape(value, where)), {
    signature: `${name} ${wire.signature}`,
    write(writer, value, where) {
      writer.u8(isAbsent(value) ? 0 : 1);
      if (!isAbsent(value)) wire.write(writer, value, where);
    },
    read: (reader, where) => (flag(reader) ? wire.read(reader, where) : absent),
  });
}

/** The value, or `undefined` when it is absent. */
export function optional<T>(shape: Shape<T>): Shape<T | undefined> {
  return absentOr(shape, undefined, 'optional');
}

/** The value, or `null`. */
export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  return absentOr(shape, null, 'nullable');
}

/** Nothing: the result of an operation that returns no value. */
export const nothing: Shape<void> = shapeWith(() => undefined, {
  signature: 'nothing',
  empty: true,
  write: () => {},
  read: () => undefined,
});

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
  const names = Object.keys(fields);
  const shapes = Object.values(fields);
  const wires = shapes.map(wireOf);
  // What every object inherits is no field of it.
  const inherited = names.map((name) => name in Object.prototype);
  const own = (value: Record<string, unknown>, index: number): unknown => {
    const name = names[index] ?? '';
    return inherited[index] && !Object.hasOwn(value, name) ? undefined : value[name];
  };
  const writes = wires.map(({ write }) => write);
  const reads = wires.map(({ read }) => read);
  const check = (value: unknown, where: string): RecordType<Fields> => {
    if (!isRecord(value)) fail(where, 'a record');
    const result: Record<string, unknown> = {};
    let index = 0;
    try {
      for (; index < names.length; index++) {
        const field = shapes[index]?.(own(value, index), where);
        if (field !== undefined) result[names[index] ?? ''] = field;
      }
    } catch (error) {
      throw within(error, `.${names[index] ?? ''}`);
    }
    return complete(result);
  };
  // Its callers have just established every field's type; the compiler cannot follow them through their loops.
  const complete = (result: Record<string, unknown>): RecordType<Fields> => result as RecordType<Fields>;
  return shapeWith(check, {
    signature: `{${names.map((name, index) => `${JSON.stringify(name)}:${wires[index]?.signature ?? ''}`).join(',')}}`,
    empty: wires.every(({ empty }) => empty === true),
    write(writer, value, where) {
      if (!isRecord(value)) fail(where, 'a record');
      let index = 0;
      try {
        for (; index < names.length; index++) writes[index]?.(writer, own(value, index), where);
      } catch (error) {
        throw within(error, `.${names[index] ?? ''}`);
      }
    },
    read(reader, where) {
      const result: Record<string, unknown> = {};
      let index = 0;
      try {
        for (; index < names.length; index++) {
          const field = reads[index]?.(reader, where);
          if (field !== undefined) result[names[index] ?? ''] = field;
        }
      } catch (error) {
        throw within(error, `.${names[index] ?? ''}`);
      }
      return complete(result);
    },
  });
}

/** A table of at most `maximum` named values of one shape. */
export function table<T>(shape: Shape<T>, maximum: number): Shape<Record<string, T>> {
  const entriesOf = (value: unknown, where: string): [string, unknown][] => {
    if (!isRecord(value)) fail(where, 'a table');
    const entries = Object.entries(value);
    if (entries.length > maximum) fail(where, `a table of at most ${maximum} entries`);
    return entries;
  };
  const named = <R>(name: string, use: () => R): R => {
    try {
      return use();
    } catch (error) {
      throw within(error, `.${name}`);
    }
  };
  const check = (value: unknown, where: string): Record<string, T> =>
    Object.fromEntries(
      entriesOf(value, where).map(([name, item]) => [name, named(name, () => shape(item, where))]),
    );
  const wire = wireOf(shape);
  return shapeWith(check, {
    signature: `table ${wire.signature} ${maximum}`,
    write(writer, value, where) {
      const entries = entriesOf(value, where);
      writer.count(entries.length);
      for (const [name, item] of entries) {
        writer.text(name);
        named(name, () => wire.write(writer, item, where));
      }
    },
    read(reader, where) {
      const count = reader.count();
      if (count > maximum) fail(where, `a table of at most ${maximum} entries`);
      const entries: [string, T][] = [];
      for (let index = 0; index < count; index++) {
        const name = reader.text();
        entries.push([name, named(name, () => wire.read(reader, where))]);
      }
      return Object.fromEntries(entries);
    },
  });
}

/** The first of several shapes that fits, of up to 255; which one it is travels in front of the value. */
export function anyOf<T>(expected: string, ...shapes: Shape<T>[]): Shape<T> {
  assert(shapes.length <= CHOICES_MAX, `anyOf takes at most ${CHOICES_MAX} shapes`);
  const fitting = (value: unknown, where: string): { index: number; fitted: T } => {
    for (const [index, shape] of shapes.entries()) {
      try {
        return { index, fitted: shape(value, where) };
      } catch (error) {
        if (!(error instanceof ShapeError)) throw error;
      }
    }
    return fail(where, expected);
  };
  const wires = shapes.map(wireOf);
  return shapeWith((value, where) => fitting(value, where).fitted, {
    signature: `any of (${wires.map(({ signature }) => signature).join(' or ')})`,
    write(writer, value, where) {
      const { index, fitted } = fitting(value, where);
      writer.u8(index);
      wires[index]?.write(writer, fitted, where);
    },
    read(reader, where) {
      const wire = wires[reader.u8()];
      return wire ? wire.read(reader, where) : fail(where, expected);
    },
  });
}
