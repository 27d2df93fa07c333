/**
 * Shapes that are made of others: lists, records, tables, values that may be absent or of several
 * kinds.
 */
import { assert } from '../errors.ts';
import {
  CHOICES_MAX,
  fail,
  flag,
  isRecord,
  type Shape,
  ShapeError,
  type ShapeType,
  shapeWith,
  within,
  wireOf,
} from './shape.ts';

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
  // Names that every object inherits do not count as fields of a value.
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
  // The callers have just checked the type of every field, but the compiler cannot follow them
  // through their loops.
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

/**
 * The first of up to 255 shapes that fits. The number of that shape travels in front of the value.
 */
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
