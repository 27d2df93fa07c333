import { labelProblem } from '../label.ts';
import { validName } from './limits.ts';

/*
 * The texts that an attribute may hold. Genode reads everything that is neither yes nor no as "take
 * the default"; here a malformed value is `undefined`, so that the caller can name the place.
 */

const INTEGER_PATTERN = /^-?(?:0x[0-9A-Fa-f]{1,16}|[0-9]{1,19})$/;
const BYTES_PATTERN = /^([0-9]{1,19})([KMG]?)$/;
const BYTES_FACTORS: Readonly<Record<string, number>> = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 };

/**
 * Reads a whole number, decimal or `0x…`, that a double holds exactly; `undefined` if it is none.
 */
export function parseInteger(text: string): number | undefined {
  if (!INTEGER_PATTERN.test(text)) return undefined;
  const negative = text.startsWith('-');
  const magnitude = Number(negative ? text.slice(1) : text);
  if (!Number.isSafeInteger(magnitude)) return undefined;
  return negative && magnitude !== 0 ? -magnitude : magnitude;
}

/**
 * Reads a number of bytes: digits with an optional K, M or G (powers of 1024); `undefined` if
 * malformed or too large.
 */
export function parseBytes(text: string): number | undefined {
  const match = BYTES_PATTERN.exec(text);
  if (match === null) return undefined;
  const factor = BYTES_FACTORS[match[2] ?? ''] ?? 1;
  const sizeBytes = Number(match[1]) * factor;
  return Number.isSafeInteger(sizeBytes) ? sizeBytes : undefined;
}

/** Writes a number of bytes with the largest of G, M, K that divides it, as Genode's reports do. */
export function formatBytes(sizeBytes: number): string {
  for (const suffix of ['G', 'M', 'K']) {
    const factor = BYTES_FACTORS[suffix] ?? 1;
    if (sizeBytes !== 0 && sizeBytes % factor === 0) return `${sizeBytes / factor}${suffix}`;
  }
  return `${sizeBytes}`;
}

/** Reads yes, true, on / no, false, off; `undefined` for everything else. */
export function parseBoolean(text: string): boolean | undefined {
  switch (text) {
    case 'yes':
    case 'true':
    case 'on':
      return true;
    case 'no':
    case 'false':
    case 'off':
      return false;
    default:
      return undefined;
  }
}

/** Inclusive bounds of a number. */
export interface Range {
  readonly min?: number | undefined;
  readonly max?: number | undefined;
}

/** The kind of values that an attribute may have, as plain data. */
export type ValueKind =
  | { readonly kind: 'text' }
  | ({ readonly kind: 'integer' } & Range)
  | ({ readonly kind: 'bytes' } & Range)
  | { readonly kind: 'boolean' }
  /** `ignoreCase`: letters may be upper or lower case. */
  | { readonly kind: 'one-of'; readonly values: readonly string[]; readonly ignoreCase?: boolean }
  | { readonly kind: 'label' }
  /** A name as `validName` has it, such as that of a service. */
  | { readonly kind: 'name' };

/**
 * A value as programs have it: a number for `integer` and `bytes`, a text for words, names and
 * labels.
 */
export type Value = string | number | boolean;

/** The value that `text` means, whatever its range; `undefined` if it means none. */
export function parseValue(text: string, kind: ValueKind): Value | undefined {
  switch (kind.kind) {
    case 'text':
      return text;
    case 'integer':
      return parseInteger(text);
    case 'bytes':
      return parseBytes(text);
    case 'boolean':
      return parseBoolean(text);
    case 'one-of':
      return oneOf(text, kind);
    case 'label':
      return labelProblem(text) === undefined ? text : undefined;
    case 'name':
      return validName(text) ? text : undefined;
  }
}

/** A value as it is written in a config. */
export function formatValue(value: Value, kind: ValueKind['kind']): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return typeof value === 'number' && kind === 'bytes' ? formatBytes(value) : `${value}`;
}

/**
 * Says what is wrong with `text` as a value of `kind`, to be read behind `attribute "x" of <y> is
 * "…", `.
 */
export function valueProblem(text: string, kind: ValueKind): string | undefined {
  switch (kind.kind) {
    case 'text':
      return undefined;
    case 'integer': {
      const value = parseInteger(text);
      return value === undefined ? 'which is not a whole number' : rangeProblem(value, kind, String);
    }
    case 'bytes': {
      const value = parseBytes(text);
      if (value === undefined)
        return /^[0-9]+[KMG]?$/.test(text)
          ? 'which is too large'
          : 'which is not a number of bytes (digits, then K, M, G or nothing)';
      return rangeProblem(value, kind, formatBytes);
    }
    case 'boolean':
      return parseBoolean(text) === undefined ? 'which is neither "yes" nor "no"' : undefined;
    case 'one-of':
      return oneOf(text, kind) === undefined ? `which is none of ${quotedList(kind.values)}` : undefined;
    case 'label':
      return labelProblem(text);
    case 'name':
      return validName(text) ? undefined : 'which is no name (ASCII letters, digits, "_", "-", ".", ":")';
  }
}

/** The declared word that `text` means. */
function oneOf(
  text: string,
  kind: { readonly values: readonly string[]; readonly ignoreCase?: boolean },
): string | undefined {
  if (kind.ignoreCase !== true) return kind.values.find((value) => value === text);
  return kind.values.find((value) => value.toLowerCase() === text.toLowerCase());
}

function rangeProblem(value: number, range: Range, format: (value: number) => string): string | undefined {
  if (range.min !== undefined && value < range.min) return `which is less than ${format(range.min)}`;
  if (range.max !== undefined && value > range.max) return `which is more than ${format(range.max)}`;
  return undefined;
}

/** `"a", "b"`. */
export function quotedList(values: readonly string[]): string {
  return values.map((value) => `"${value}"`).join(', ');
}

/** Shortens a value that is quoted in a message, and shows its control characters. */
export function shown(text: string): string {
  const cut = text.length > 60 ? `${text.slice(0, 60)}…` : text;
  return JSON.stringify(cut);
}
