/**
 * Names of FAT. An entry has a short name: eight bytes and three, padded with blanks, in capitals;
 * two bits say that the base or the extension is shown in small letters. A name that does not fit
 * has long-name slots in front of its entry, 13 UTF-16 units in each, last part first, tied to the
 * entry by a checksum of its short name.
 *
 * Names that differ only in case are the same.
 */
import { withoutLoneSurrogates } from '../fat/name-rules.ts';
import { hashText } from '../index/hash-text.ts';

export const SHORT_NAME_BYTES = 11;
export const CASE_BASE = 0x08;
export const CASE_EXTENSION = 0x10;

const BLANK = 0x20;
/** The first byte of a short name that really begins with 0xe5, the mark of a removed entry. */
const ESCAPED_E5 = 0x05;
const BASE_BYTES = 8;
/** Characters above 127 of code page 437. */
const CODE_PAGE =
  'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»' +
  '░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀' +
  'αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0';
const SHORT_CHARACTERS = /^[A-Z0-9!#$%&'()@^_`{}~-]+$/;
// oxlint-disable-next-line no-control-regex
const ASCII = /^[\u0000-\u007f]*$/;

/** A short name as it is stored. */
export interface ShortName {
  readonly bytes: Uint8Array;
  readonly caseBits: number;
}

/** The form that all names have in common that are the same but for their case. */
export function foldName(text: string): string {
  if (ASCII.test(text)) return text.toUpperCase();
  let folded = '';
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charAt(index);
    const upper = unit.toUpperCase();
    folded += upper.length === 1 ? upper : unit;
  }
  return folded;
}

/** The short name in `bytes` at `offset`, as it is shown. */
export function shortNameText(bytes: Uint8Array, offset: number, caseBits: number): string {
  const base = partText(bytes, offset, BASE_BYTES, (caseBits & CASE_BASE) !== 0);
  const extension = partText(bytes, offset + BASE_BYTES, 3, (caseBits & CASE_EXTENSION) !== 0);
  return extension === '' ? base : `${base}.${extension}`;
}

function partText(bytes: Uint8Array, start: number, length: number, small: boolean): string {
  let end = start + length;
  while (end > start && bytes[end - 1] === BLANK) end -= 1;
  let text = '';
  for (let index = start; index < end; index += 1) {
    const raw = bytes[index] ?? BLANK;
    const byte = index === start && length === BASE_BYTES && raw === ESCAPED_E5 ? 0xe5 : raw;
    text += byte < 128 ? String.fromCharCode(byte) : CODE_PAGE.charAt(byte - 128);
  }
  return small ? text.toLowerCase() : text;
}

/** The text of long-name units, with what no text can have replaced. */
export function longNameText(units: Uint16Array, length: number): string {
  return withoutLoneSurrogates(String.fromCharCode(...units.subarray(0, length)));
}

/** The short name that says all of a name; undefined where it takes long-name slots. */
export function exactShortName(text: string): ShortName | undefined {
  const dot = text.lastIndexOf('.');
  const base = dot < 0 ? text : text.slice(0, dot);
  const extension = dot < 0 ? '' : text.slice(dot + 1);
  if (base === '' || base.length > BASE_BYTES || extension.length > 3 || (dot >= 0 && extension === ''))
    return undefined;
  if (!ASCII.test(text)) return undefined;
  const upperBase = base.toUpperCase();
  const upperExtension = extension.toUpperCase();
  if (!SHORT_CHARACTERS.test(upperBase) || (extension !== '' && !SHORT_CHARACTERS.test(upperExtension)))
    return undefined;
  const smallBase = base !== upperBase;
  const smallExtension = extension !== upperExtension;
  if (smallBase && base !== base.toLowerCase()) return undefined;
  if (smallExtension && extension !== extension.toLowerCase()) return undefined;
  const caseBits = (smallBase ? CASE_BASE : 0) | (smallExtension ? CASE_EXTENSION : 0);
  return { bytes: stored(upperBase, upperExtension), caseBits };
}

/**
 * Short names for a name that does not fit, the best first: `LONGNA~1.TXT` to `~4`, then with a
 * hash of the name, so that thousands of similar names need few tries.
 */
export function* shortNameCandidates(text: string): Generator<ShortName> {
  const trimmed = text.replace(/^[. ]+/, '');
  const dot = trimmed.lastIndexOf('.');
  const base = shortened(dot <= 0 ? trimmed : trimmed.slice(0, dot), BASE_BYTES);
  const extension = shortened(dot <= 0 ? '' : trimmed.slice(dot + 1), 3);
  for (let tail = 1; tail <= 4; tail += 1)
    yield { bytes: stored(`${(base || '_').slice(0, 6)}~${tail}`, extension), caseBits: 0 };
  for (let round = 0; round < 0x1_0000; round += 1) {
    const hash = (hashText(text, round >>> 3) & 0xffff).toString(16).toUpperCase().padStart(4, '0');
    yield { bytes: stored(`${base.slice(0, 2)}${hash}~${(round & 7) + 1}`, extension), caseBits: 0 };
  }
}

function shortened(text: string, length: number): string {
  const kept = [...text.toUpperCase()].filter((character) => character !== ' ' && character !== '.');
  return kept
    .map((character) => (SHORT_CHARACTERS.test(character) ? character : '_'))
    .join('')
    .slice(0, length);
}

function stored(base: string, extension: string): Uint8Array {
  const bytes = new Uint8Array(SHORT_NAME_BYTES).fill(BLANK);
  for (let index = 0; index < base.length; index += 1) bytes[index] = base.charCodeAt(index);
  for (let index = 0; index < extension.length; index += 1)
    bytes[BASE_BYTES + index] = extension.charCodeAt(index);
  return bytes;
}

/** The checksum by which long-name slots belong to a short name. */
export function checksumOf(bytes: Uint8Array, offset: number): number {
  let sum = 0;
  for (let index = offset; index < offset + SHORT_NAME_BYTES; index += 1) {
    sum = (((sum & 1) << 7) + (sum >> 1) + (bytes[index] ?? 0)) & 0xff;
  }
  return sum;
}
