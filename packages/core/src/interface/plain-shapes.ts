/** Shapes of single values: numbers, booleans, texts, bytes, words. */
import { assert } from '../errors.ts';
import { CHOICES_MAX, fail, flag, type Shape, shapeWith } from './shape.ts';

/** The number format in which a range of whole numbers travels. */
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

/** Nothing: the result of an operation that returns no value. */
export const nothing: Shape<void> = shapeWith(() => undefined, {
  signature: 'nothing',
  empty: true,
  write: () => {},
  read: () => undefined,
});
