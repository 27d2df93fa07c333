/**
 * The few words of AML (ACPI Machine Language; ACPI specification 6.5, 20.2) that our table needs,
 * as bytes.
 */

/** AML, or data of a table. */
export type Aml = readonly number[];

const NAMED = 0x08;
const BUFFER = 0x11;
const PACKAGE = 0x12;
const SCOPE = 0x10;
const DEVICE = [0x5b, 0x82];
const BYTE = 0x0a;
const DOUBLE_WORD = 0x0c;

/** Little-endian bytes of numbers. */
export const bytes1 = (...values: readonly number[]): Aml => values;
export const bytes2 = (...values: readonly number[]): Aml =>
  values.flatMap((value) => [value & 0xff, (value >>> 8) & 0xff]);
export const bytes4 = (...values: readonly number[]): Aml =>
  values.flatMap((value) => bytes2(value & 0xffff, value >>> 16));

/** A text of ASCII, as bytes. */
export const ascii = (text: string): Aml => Array.from(text, (character) => character.charCodeAt(0));

export const byte = (value: number): Aml => [BYTE, value & 0xff];
export const doubleWord = (value: number): Aml => [DOUBLE_WORD, ...bytes4(value)];

/** An object with a name of four characters; a leading `\\` does not count. */
export const named = (name: string, value: Aml): Aml => [NAMED, ...ascii(name), ...value];

export const packageOf = (...elements: readonly Aml[]): Aml => [
  PACKAGE,
  ...withLength([elements.length, ...elements.flat()]),
];
export const buffer = (content: Aml): Aml => [BUFFER, ...withLength([...byte(content.length), ...content])];
export const scope = (name: string, ...content: readonly Aml[]): Aml => [
  SCOPE,
  ...withLength([...ascii(name), ...content.flat()]),
];
export const device = (name: string, ...content: readonly Aml[]): Aml => [
  ...DEVICE,
  ...withLength([...ascii(name), ...content.flat()]),
];

/** A length in one to three bytes, which counts itself, in front of what it measures. */
function withLength(content: Aml): Aml {
  const short = content.length + 1;
  if (short < 0x40) return [short, ...content];
  const middle = content.length + 2;
  if (middle < 0x1000) return [0x40 | (middle & 0xf), middle >>> 4, ...content];
  const long = content.length + 3;
  return [0x80 | (long & 0xf), (long >>> 4) & 0xff, long >>> 12, ...content];
}
