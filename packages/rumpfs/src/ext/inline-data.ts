import { type Inode, POINTERS_BYTES } from './inode.ts';
import { BASIC_BYTES } from './inode-format.ts';
import type { Volume } from './volume.ts';

/*
 * With inline_data the content of a small file or directory stands in its inode: 60 bytes in the
 * place of the block pointers, and what follows as the value of an extended attribute "system.data"
 * in the inode itself. An empty file has the flag too.
 *
 * The attributes begin behind the extra fields with a magic number. An entry is
 *
 *     0 length of the name · 1 kind of name · 2 offset of the value · 4 inode with the value
 *     8 size of the value · 12 hash · 16 name
 *
 * and the list of them ends with four zero bytes. Offsets of values count from the first entry.
 */
const ATTRIBUTES_MAGIC = 0xea02_0000;
const ENTRY_BYTES = 16;
const KIND_SYSTEM = 7;
const NAME_DATA = [0x64, 0x61, 0x74, 0x61];

/** The content that an inode holds. `view` has the inode at `base`. Throws `Corrupt`. */
export function readInlineContent(volume: Volume, inode: Inode, view: DataView, base: number): Uint8Array {
  const value = findValue(volume, inode, view, base);
  const content = new Uint8Array(POINTERS_BYTES + value.length);
  content.set(new Uint8Array(inode.pointers.buffer, 0, POINTERS_BYTES));
  content.set(value, POINTERS_BYTES);
  if (inode.sizeBytes > content.length) {
    throw volume.corrupt(`${inode.name}: ${inode.sizeBytes} bytes of inline data in ${content.length}`);
  }
  return content;
}

/** The entry of the attribute that continues the content. */
interface ValueEntry {
  readonly entry: number;
  readonly bytes: number;
  /** Where the offsets of values count from. */
  readonly first: number;
  readonly end: number;
}

/** The value of the attribute that continues the content; empty where there is none. */
function findValue(volume: Volume, inode: Inode, view: DataView, base: number): Uint8Array {
  const found = findEntry(volume, inode, view, base);
  if (found === undefined) return new Uint8Array(0);
  const from = found.first + view.getUint16(found.entry + 2, true);
  const size = view.getUint32(found.entry + 8, true);
  if (size === 0) return new Uint8Array(0);
  if (view.getUint32(found.entry + 4, true) !== 0 || from + size > found.end)
    throw volume.corrupt(`${inode.name}: inline data outside of the inode`);
  return new Uint8Array(view.buffer, view.byteOffset + from, size).slice();
}

function findEntry(volume: Volume, inode: Inode, view: DataView, base: number): ValueEntry | undefined {
  const first = base + BASIC_BYTES + inode.extraBytes + 4;
  const end = base + volume.superblock.inodeSizeBytes;
  if (first + ENTRY_BYTES > end || view.getUint32(first - 4, true) !== ATTRIBUTES_MAGIC) return undefined;
  for (let entry = first; entry + ENTRY_BYTES <= end && view.getUint32(entry, true) !== 0; ) {
    const nameLength = view.getUint8(entry);
    const bytes = ENTRY_BYTES + ((nameLength + 3) & ~3);
    const isData =
      view.getUint8(entry + 1) === KIND_SYSTEM &&
      nameLength === NAME_DATA.length &&
      entry + ENTRY_BYTES + nameLength <= end &&
      NAME_DATA.every((byte, index) => view.getUint8(entry + ENTRY_BYTES + index) === byte);
    if (isData) return { entry, bytes, first, end };
    entry += bytes;
  }
  return undefined;
}

/**
 * Takes the attribute that continues the content out of an inode: the values that lie in front of
 * its value move up to the end, and the entries behind its entry move down.
 */
export function removeInlineValue(volume: Volume, inode: Inode, view: DataView, base: number): void {
  const found = findEntry(volume, inode, view, base);
  if (found === undefined) return;
  const { entry, bytes, first, end } = found;
  const entries: number[] = [];
  let list = first;
  while (list + ENTRY_BYTES <= end && view.getUint32(list, true) !== 0) {
    entries.push(list);
    list += ENTRY_BYTES + ((view.getUint8(list) + 3) & ~3);
  }
  const memory = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const value = first + view.getUint16(entry + 2, true);
  const room = (view.getUint32(entry + 8, true) + 3) & ~3;
  const holdsValue = (at: number): boolean =>
    view.getUint32(at + 8, true) > 0 && view.getUint32(at + 4, true) === 0;
  const offsets = entries.filter(holdsValue).map((at) => first + view.getUint16(at + 2, true));
  const lowest = Math.min(value, ...offsets);
  // A value that reaches out of the inode, or into the entries, stays as it is.
  if (room > 0 && value + room <= end && lowest >= Math.min(list + 4, end)) {
    memory.copyWithin(lowest + room, lowest, value);
    memory.fill(0, lowest, lowest + room);
    for (const at of entries.filter(holdsValue)) {
      const offset = view.getUint16(at + 2, true);
      if (first + offset < value) view.setUint16(at + 2, offset + room, true);
    }
  }
  memory.copyWithin(entry, entry + bytes, list);
  memory.fill(0, list - bytes, list);
}
