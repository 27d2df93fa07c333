/**
 * The keys of users of NATS, as text: `U…` for the public half, `SU…` for the seed. Both are
 * Ed25519 keys in base32, with a prefix of one or two bytes in front and a CRC-16 behind. (Source:
 * github.com/nats-io/nkeys, README.)
 */

/** A text that should be a key and is none. Says nothing of the text itself: it may be a seed. */
export class NkeyError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'NkeyError';
  }
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const KEY_BYTES = 32;
/** The prefix of a user, which gives the letter U. */
const USER = 20 << 3;
/** The prefix of a seed, which gives the letter S; five bits of the kind of key follow. */
const SEED = 18 << 3;
const SEED_PREFIX = [SEED | (USER >> 5), (USER & 31) << 3];
const CRC_POLYNOMIAL = 0x1021;

function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) {
      crc = (crc & 0x8000) === 0 ? (crc << 1) & 0xffff : ((crc << 1) ^ CRC_POLYNOMIAL) & 0xffff;
    }
  }
  return crc;
}

function toBase32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(held >>> bits) & 31];
    }
    held &= (1 << bits) - 1;
  }
  return bits > 0 ? text + ALPHABET[(held << (5 - bits)) & 31] : text;
}

/** The bytes of a text; `undefined` if it is no base32, or not in its only form. */
function fromBase32(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(Math.floor((text.length * 5) / 8));
  if (Math.ceil((bytes.length * 8) / 5) !== text.length) return undefined;
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const letter of text) {
    const value = ALPHABET.indexOf(letter);
    if (value < 0) return undefined;
    held = (held << 5) | value;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = held >>> bits;
    }
    held &= (1 << bits) - 1;
  }
  return held === 0 ? bytes : undefined;
}

function encode(prefix: readonly number[], key: Uint8Array): string {
  const bytes = new Uint8Array(prefix.length + KEY_BYTES + 2);
  bytes.set(prefix);
  bytes.set(key, prefix.length);
  const end = prefix.length + KEY_BYTES;
  const crc = crc16(bytes.subarray(0, end));
  bytes[end] = crc & 0xff;
  bytes[end + 1] = crc >>> 8;
  return toBase32(bytes);
}

function decode(text: string, prefix: readonly number[], what: string): Uint8Array {
  const bytes = fromBase32(text);
  const end = prefix.length + KEY_BYTES;
  if (!bytes || bytes.length !== end + 2) throw new NkeyError(`not ${what}: wrong length or letters`);
  if (prefix.some((byte, index) => bytes[index] !== byte)) throw new NkeyError(`not ${what}`);
  const crc = (bytes[end] ?? 0) | ((bytes[end + 1] ?? 0) << 8);
  if (crc !== crc16(bytes.subarray(0, end))) throw new NkeyError(`not ${what}: wrong check sum`);
  return bytes.slice(prefix.length, end);
}

/** The text of a user's public key of 32 bytes. */
export const encodePublicKey = (key: Uint8Array): string => encode([USER], key);

/** The text of a user's seed of 32 bytes. */
export const encodeSeed = (seed: Uint8Array): string => encode(SEED_PREFIX, seed);

/** The 32 bytes of a user's public key. Throws `NkeyError`. */
export const decodePublicKey = (text: string): Uint8Array =>
  decode(text, [USER], 'the public key of a user (U…)');

/** The 32 bytes of a user's seed. Throws `NkeyError`. */
export const decodeSeed = (text: string): Uint8Array => decode(text, SEED_PREFIX, 'the seed of a user (SU…)');

/** Whether this is the public key of a user. */
export function isPublicKey(text: string): boolean {
  try {
    decodePublicKey(text);
    return true;
  } catch (error) {
    if (error instanceof NkeyError) return false;
    throw error;
  }
}
