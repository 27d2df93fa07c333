/** Puts together what belongs together in the bytes of a directory. */

/** Something in a directory, from byte `at` on. */
export type Item =
  | { readonly kind: 'file'; readonly at: number; readonly bytes: Uint8Array; readonly name: string }
  | { readonly kind: 'volume'; readonly at: number; readonly bytes: Uint8Array; readonly type: number }
  /** Entries in use that are nothing together. */
  | { readonly kind: 'stray'; readonly at: number; readonly length: number; readonly what: string }
  /** Something behind the end. */
  | { readonly kind: 'behind'; readonly at: number };

const SIZE = 32;

/** What is in a directory, in its order. */
export function* itemsOf(bytes: Uint8Array): Generator<Item> {
  for (let at = 0; at + SIZE <= bytes.length; ) {
    const type = bytes[at] ?? 0;
    if (type === 0) {
      const behind = behindEnd(bytes, at);
      if (behind >= 0) yield { kind: 'behind', at: behind };
      return;
    }
    if (type < 0x80) {
      at += SIZE;
      continue;
    }
    const item = type === 0x85 ? fileAt(bytes, at) : otherAt(bytes, at, type);
    yield item;
    at += item.kind === 'file' ? item.bytes.length : item.kind === 'stray' ? item.length : SIZE;
  }
}

function behindEnd(bytes: Uint8Array, end: number): number {
  for (let at = end; at + SIZE <= bytes.length; at += SIZE) if (bytes[at] !== 0) return at;
  return -1;
}

function otherAt(bytes: Uint8Array, at: number, type: number): Item {
  if ((type & 0x40) !== 0)
    return { kind: 'stray', at, length: SIZE, what: `an entry 0x${type.toString(16)} that belongs to none` };
  return { kind: 'volume', at, bytes: bytes.subarray(at, at + SIZE), type };
}

/** The file whose first entry is at `at`, or as much of it as there is. */
function fileAt(bytes: Uint8Array, at: number): Item {
  const wanted = (bytes[at + 1] ?? 0) + 1;
  let have = 1;
  while (have < wanted && ((bytes[at + have * SIZE] ?? 0) & 0xc0) === 0xc0) have += 1;
  const length = have * SIZE;
  const stray = (what: string): Item => ({ kind: 'stray', at, length, what });
  if (have < wanted) return stray(`${have} of ${wanted} entries of a file`);
  const set = bytes.subarray(at, at + length);
  if (set[SIZE] !== 0xc0) return stray('a file without the entry of its contents');
  const units = set[SIZE + 3] ?? 0;
  const names = Math.ceil(units / 15);
  if (units === 0) return stray('a file without a name');
  for (let entry = 2; entry < 2 + names; entry += 1)
    if (set[entry * SIZE] !== 0xc1) return stray(`a file with ${entry - 2} of ${names} entries of its name`);
  let name = '';
  for (let unit = 0; unit < units; unit += 1) {
    const place = (2 + Math.floor(unit / 15)) * SIZE + 2 + (unit % 15) * 2;
    name += String.fromCharCode((set[place] ?? 0) + (set[place + 1] ?? 0) * 256);
  }
  return { kind: 'file', at, bytes: set, name };
}

/** The checksum of a file's entries. */
export function checksumOfSet(set: Uint8Array): number {
  let sum = 0;
  for (const [at, byte] of set.entries())
    if (at !== 2 && at !== 3) sum = ((sum & 1) * 0x8000 + (sum >>> 1) + byte) % 0x1_0000;
  return sum;
}
