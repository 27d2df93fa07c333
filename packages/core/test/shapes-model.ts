/**
 * Random shapes, and for each the values that fit it. What a shape carries stands in a table of the
 * test's own, so that capabilities, signals and dataspaces can be among the values.
 */
import fc from 'fast-check';
import * as core from '../src/index.ts';
import { capabilityFor, referenceOf } from '../src/capability/capability.ts';
import { LocalReference, Reference } from '../src/capability/reference.ts';
import { SignalCapability } from '../src/capability/signal.ts';
import { SignalContext } from '../src/capability/signal-context.ts';
import { ShapeError, type Shape } from '../src/interface/shapes.ts';
import { wireOf } from '../src/interface/shape.ts';
import { type IncomingTable, malformed, MessageReader } from '../src/message/reader.ts';
import { giveBackWriter, takeWriter } from '../src/message/writer.ts';

/** A shape, and what fits it. */
export interface Case {
  readonly name: string;
  readonly shape: Shape<unknown>;
  readonly fits: fc.Arbitrary<unknown>;
  /** Whether its values may take no bytes: no list may be made of those. */
  readonly empty?: boolean;
  /** Whether it makes `undefined` of anything: no shape that chooses takes it. */
  readonly vanishes?: boolean;
}

const Thing = core.rpcInterface('Thing', {
  poke: core.rpc<() => number>({ args: [], result: core.integer() }),
});

function localReference(): Reference {
  return new LocalReference(
    new SignalContext(
      () => {},
      () => {},
      () => {},
    ),
  );
}

/** A component's own check, without bytes of its own. */
const even: Shape<number> = (value, where) => {
  if (typeof value !== 'number' || value % 2 !== 0) throw new ShapeError(where, 'an even number');
  return value;
};

const anyText = (maximum: number): fc.Arbitrary<string> =>
  fc
    .oneof(
      fc.string({ unit: 'binary', maxLength: maximum }),
      fc.string({ maxLength: maximum }),
      fc.nat(maximum).map((length) => 'x'.repeat(length)),
    )
    .filter(({ length }) => length <= maximum);

const bounds = fc.constantFrom(
  0,
  1,
  252,
  253,
  254,
  255,
  256,
  0xffff,
  0x1_0000,
  0xffff_ffff,
  2 ** 40,
  -1,
  -300,
);

const integers: fc.Arbitrary<Case> = fc.tuple(bounds, bounds).map(([first, second]) => {
  const [minimum, maximum] = [Math.min(first, second), Math.max(first, second)];
  const fits = fc.oneof(fc.maxSafeInteger(), bounds, fc.constantFrom(minimum, maximum));
  return {
    name: `integer(${minimum}, ${maximum})`,
    shape: core.integer(minimum, maximum),
    fits: fits.map((value) => Math.min(maximum, Math.max(minimum, value))),
  };
});

const sizes = fc.constantFrom(0, 1, 2, 40, 64, 65, 252, 253, 300, 70_000);

const leaves: fc.Arbitrary<Case> = fc.oneof(
  integers,
  fc.constantFrom<Case>(
    { name: 'finite', shape: core.finite, fits: fc.double({ noNaN: true, noDefaultInfinity: true }) },
    { name: 'boolean', shape: core.boolean, fits: fc.boolean() },
    { name: 'even', shape: even, fits: fc.integer().map((value) => value * 2) },
    { name: 'nothing', shape: core.nothing, fits: fc.constant(undefined), empty: true, vanishes: true },
    {
      name: 'capability',
      shape: core.capability(Thing),
      fits: fc.constant(0).map(() => capabilityFor(Thing, localReference())),
    },
    {
      name: 'signal',
      shape: core.signal,
      fits: fc.constant(0).map(() => new SignalCapability(localReference())),
    },
    {
      name: 'dataspace',
      shape: core.dataspace,
      fits: fc.uint8Array().map((content) => core.Dataspace.ofContent(content)),
    },
  ),
  sizes.map((size) => ({ name: `text(${size})`, shape: core.text(size), fits: anyText(size) })),
  sizes.map((size) => ({
    name: `bytes(${size})`,
    shape: core.bytes(size),
    fits: fc.nat(size).map((length) => new Uint8Array(length).fill(length)),
  })),
  fc
    .uniqueArray(fc.constantFrom('', 'a', 'b', 'a|b', '__proto__', 'length'), { minLength: 1 })
    .map((words) => ({
      name: `oneOf(${words.join(' ')})`,
      shape: core.oneOf(words),
      fits: fc.constantFrom(...words),
    })),
);

const fieldNames = fc.constantFrom('a', 'b', 'length', 'toString', '1', '0', 'very long name');

/** Random shapes. */
export const shapes: fc.Arbitrary<Case> = fc.letrec<{ shape: Case; solid: Case; lasting: Case }>((tie) => ({
  shape: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    { arbitrary: leaves, weight: 3 },
    { arbitrary: fc.tuple(tie('solid'), sizes).map(([item, size]) => listOf(item, size)), weight: 1 },
    { arbitrary: tie('shape').map(optionalOf), weight: 1 },
    { arbitrary: tie('lasting').map(nullableOf), weight: 1 },
    { arbitrary: fc.dictionary(fieldNames, tie('shape'), { maxKeys: 4 }).map(recordOf), weight: 1 },
    { arbitrary: fc.tuple(tie('shape'), sizes).map(([item, size]) => tableOf(item, size)), weight: 1 },
    { arbitrary: fc.array(tie('lasting'), { minLength: 1, maxLength: 3 }).map(anyOfThem), weight: 1 },
  ),
  solid: tie('shape').filter(({ empty }) => !empty),
  lasting: tie('shape').filter(({ vanishes }) => !vanishes),
})).shape;

function listOf(item: Case, size: number): Case {
  const fits = fc.array(item.fits, { maxLength: Math.min(size, 6) });
  return { name: `list(${item.name}, ${size})`, shape: core.list(item.shape, size), fits };
}

function optionalOf({ name, shape, fits, vanishes }: Case): Case {
  return {
    name: `optional(${name})`,
    shape: core.optional(shape),
    fits: fc.oneof(fits, fc.constant(undefined)),
    vanishes: vanishes === true,
  };
}

function nullableOf({ name, shape, fits }: Case): Case {
  return { name: `nullable(${name})`, shape: core.nullable(shape), fits: fc.oneof(fits, fc.constant(null)) };
}

function recordOf(fields: Record<string, Case>): Case {
  const entries = Object.entries(fields);
  const shape = core.record(Object.fromEntries(entries.map(([name, field]) => [name, field.shape])));
  return {
    name: `record(${entries.map(([name, field]) => `${name}: ${field.name}`).join(', ')})`,
    shape,
    fits: fc.record(Object.fromEntries(entries.map(([name, field]) => [name, field.fits]))),
    empty: entries.every(([, field]) => field.empty === true),
  };
}

function tableOf(item: Case, size: number): Case {
  const names = fc.oneof(anyText(80), fc.constantFrom('__proto__', 'toString', '0'));
  const fits = fc.dictionary(names, item.fits, { maxKeys: Math.min(size, 4) });
  return { name: `table(${item.name}, ${size})`, shape: core.table(item.shape, size), fits };
}

function anyOfThem(cases: Case[]): Case {
  return {
    name: `anyOf(${cases.map(({ name }) => name).join(', ')})`,
    shape: core.anyOf<unknown>('any of them', ...cases.map(({ shape }) => shape)),
    fits: fc.oneof(...cases.map(({ fits }) => fits)),
  };
}

/** A shape and a value for it, such that a report shows both. */
export interface Sample {
  readonly one: Case;
  readonly value: unknown;
}

export function sample(one: Case, value: unknown): Sample {
  const show = { [fc.toStringMethod]: () => `${one.name} with ${fc.stringify(value)}` };
  return Object.assign({ one, value }, show);
}

/** A value as bytes, and what it carries. */
export function written(
  { shape }: Case,
  value: unknown,
  where = 'it',
): { bytes: Uint8Array; carried: object[] } {
  const carried: object[] = [];
  const writer = takeWriter(() => ({ add: (one) => carried.push(one) > 0 && one instanceof core.Dataspace }));
  try {
    wireOf(shape).write(writer, value, where);
    return { bytes: writer.payload().slice(), carried };
  } finally {
    giveBackWriter(writer);
  }
}

/**
 * Reads all of bytes `start` to `end`; what the message mentions is taken from `carried`, in its
 * order.
 */
export function readBack(
  { shape }: Case,
  bytes: Uint8Array,
  carried: readonly object[],
  start = 0,
  end = bytes.byteLength,
): unknown {
  let next = 0;
  const table: IncomingTable = {
    next(from) {
      const one = carried[next++] ?? malformed();
      // As on a carrier that shares no memory.
      return one instanceof core.Dataspace ? core.Dataspace.ofContent(from.blob()) : one;
    },
  };
  const reader = new MessageReader();
  reader.begin(bytes, start, end, table);
  const value = wireOf(shape).read(reader, 'it');
  reader.finish();
  return value;
}

/**
 * Something that can be compared: capabilities by where they lead, dataspaces by content, one zero.
 */
export function comparable(value: unknown): unknown {
  const reference = referenceOf(value);
  if (reference) return { reference };
  if (value instanceof core.Dataspace) return { content: [...value.attach()], sealed: value.sealed };
  if (value instanceof Uint8Array) return { bytes: [...value] };
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value === 'number') return value + 0;
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, item]) => [name, comparable(item)]);
  return { entries: entries.toSorted(([one], [other]) => (String(one) < String(other) ? -1 : 1)) };
}
