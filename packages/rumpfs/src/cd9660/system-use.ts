/**
 * System use of directory records by the System Use Sharing Protocol (IEEE P1281) and Rock Ridge
 * (IEEE P1282): fields of 0 signature (2) · 2 length · 3 version · 4 what it says. `CE` says where
 * more of them are, `ST` that there are none.
 */
import { textOfBytes } from '@ginit/core/file_system';
import type { NodeType } from '../vnode/attributes.ts';
import { type Disc, SECTOR_BYTES } from './disc.ts';
import { shortTime } from './record.ts';

/** The most areas that continue one record. */
const CONTINUATIONS_MAX = 64;
const NAME_BYTES_MAX = 1024;
const TARGET_BYTES_MAX = 4096;
const DOT = 0x2e;
const SLASH = 0x2f;

const TYPE_OF_MODE: Readonly<Record<number, NodeType>> = {
  1: 'fifo',
  2: 'character-device',
  4: 'directory',
  6: 'block-device',
  8: 'file',
  10: 'symlink',
  12: 'socket',
};

/** The statements of Rock Ridge and zisofs about a node. */
export interface SystemUse {
  name: string | undefined;
  type: NodeType | undefined;
  permissions: number | undefined;
  links: number;
  uid: number;
  gid: number;
  modifiedMs: number | undefined;
  accessedMs: number | undefined;
  changedMs: number | undefined;
  /** The target of a symbolic link. */
  target: string | undefined;
  /** The block of the directory that really is here. */
  childBlock: number | undefined;
  /** The block of the directory above a moved one. */
  parentBlock: number | undefined;
  /** Whether the directory really is elsewhere, and is not shown here. */
  moved: boolean;
  /** The size of a zisofs file before it was compressed. */
  unpackedBytes: number | undefined;
  /** The bytes to skip in other records, which the first record of the root says. */
  skipBytes: number | undefined;
}

/** Collects the fields of one record. */
class Collector {
  readonly use: SystemUse = {
    name: undefined,
    type: undefined,
    permissions: undefined,
    links: 1,
    uid: 0,
    gid: 0,
    modifiedMs: undefined,
    accessedMs: undefined,
    changedMs: undefined,
    target: undefined,
    childBlock: undefined,
    parentBlock: undefined,
    moved: false,
    unpackedBytes: undefined,
    skipBytes: undefined,
  };
  /** Where the fields go on. */
  next: { readonly position: number; readonly length: number } | undefined;
  readonly #disc: Disc;
  readonly #owner: string;
  #name: number[] = [];
  #target: number[] = [];
  #targetOpen = false;

  constructor(disc: Disc, owner: string) {
    this.#disc = disc;
    this.#owner = owner;
  }

  /** Takes the fields of an area. */
  take(bytes: Uint8Array): void {
    this.next = undefined;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at + 4 <= bytes.length; ) {
      const length = bytes[at + 2] ?? 0;
      if (length < 4 || at + length > bytes.length) return;
      const signature = String.fromCharCode(bytes[at] ?? 0, bytes[at + 1] ?? 0);
      if (signature === 'ST') return;
      this.#field(
        signature,
        bytes.subarray(at, at + length),
        new DataView(view.buffer, view.byteOffset + at, length),
      );
      at += length;
    }
  }

  end(): SystemUse {
    if (this.#name.length > 0) this.use.name = textOfBytes(Uint8Array.from(this.#name));
    if (this.#target.length > 0) this.use.target = textOfBytes(Uint8Array.from(this.#target));
    return this.use;
  }

  #field(signature: string, bytes: Uint8Array, view: DataView): void {
    const { use } = this;
    switch (signature) {
      case 'SP':
        if (bytes.length >= 7 && bytes[4] === 0xbe && bytes[5] === 0xef) use.skipBytes = bytes[6];
        return;
      case 'CE':
        if (bytes.length >= 28) {
          const position = view.getUint32(4, true) * this.#disc.blockBytes + view.getUint32(12, true);
          this.next = { position, length: view.getUint32(20, true) };
        }
        return;
      case 'PX':
        if (bytes.length < 36) return;
        use.type = TYPE_OF_MODE[view.getUint32(4, true) >>> 12];
        use.permissions = view.getUint32(4, true) & 0o7777;
        use.links = view.getUint32(12, true);
        use.uid = view.getUint32(20, true);
        use.gid = view.getUint32(28, true);
        return;
      case 'NM':
        this.#nameField(bytes);
        return;
      case 'SL':
        this.#linkField(bytes);
        return;
      case 'TF':
        this.#timeField(bytes);
        return;
      case 'CL':
        if (bytes.length >= 12) use.childBlock = view.getUint32(4, true);
        return;
      case 'PL':
        if (bytes.length >= 12) use.parentBlock = view.getUint32(4, true);
        return;
      case 'RE':
        use.moved = true;
        return;
      case 'ZF':
        if (bytes.length >= 16 && bytes[4] === 0x70 && bytes[5] === 0x7a)
          use.unpackedBytes = view.getUint32(8, true);
        return;
      default:
    }
  }

  /** Parts of a name: 4 flags (2 for "." and 4 for "..") · 5 bytes. */
  #nameField(bytes: Uint8Array): void {
    if (((bytes[4] ?? 0) & 6) !== 0) return;
    if (this.#name.length + bytes.length > NAME_BYTES_MAX)
      throw this.#disc.corrupt(`${this.#owner}: its name is too long`);
    this.#name.push(...bytes.subarray(5));
  }

  /** Parts of a target: 4 flags · 5 components of flags (1: goes on), length and bytes. */
  #linkField(bytes: Uint8Array): void {
    for (let at = 5; at + 2 <= bytes.length; ) {
      const flags = bytes[at] ?? 0;
      const length = bytes[at + 1] ?? 0;
      // A component may be cut within a character, so only the whole is made a text.
      const component =
        (flags & 2) !== 0 ? [DOT] : (flags & 4) !== 0 ? [DOT, DOT] : bytes.subarray(at + 2, at + 2 + length);
      if ((flags & 8) !== 0) {
        this.#target = [SLASH];
      } else {
        const joined = this.#target.length === 0 || this.#targetOpen || this.#target.at(-1) === SLASH;
        if (!joined) this.#target.push(SLASH);
        this.#target.push(...component);
      }
      this.#targetOpen = (flags & 1) !== 0;
      if (this.#target.length > TARGET_BYTES_MAX)
        throw this.#disc.corrupt(`${this.#owner}: its target is too long`);
      at += 2 + length;
    }
  }

  /** Times: 4 which there are (0x80: of 17 characters) · 5 the times in the order of their bits. */
  #timeField(bytes: Uint8Array): void {
    const flags = bytes[4] ?? 0;
    const size = (flags & 0x80) === 0 ? 7 : 17;
    let at = 5;
    for (let bit = 0; bit < 7 && at + size <= bytes.length; bit += 1) {
      if ((flags & (1 << bit)) === 0) continue;
      const piece = bytes.subarray(at, at + size);
      const ms = size === 7 ? shortTime(piece) : longTime(piece);
      if (bit === 1) this.use.modifiedMs = ms;
      if (bit === 2) this.use.accessedMs = ms;
      if (bit === 3) this.use.changedMs = ms;
      at += size;
    }
  }
}

/** A time of digits: YYYYMMDDhhmmsscc and quarters of an hour east of UTC. */
function longTime(bytes: Uint8Array): number {
  const digits = String.fromCharCode(...bytes.subarray(0, 16));
  const part = (start: number, length: number): number => Number(digits.slice(start, start + length)) || 0;
  const east = ((bytes[16] ?? 0) << 24) >> 24;
  return (
    Date.UTC(part(0, 4), part(4, 2) - 1, part(6, 2), part(8, 2), part(10, 2), part(12, 2), part(14, 2) * 10) -
    east * 15 * 60_000
  );
}

/** Reads all fields of a record, of which `area` is a copy of those in the record itself. */
export async function readSystemUse(disc: Disc, area: Uint8Array, owner: string): Promise<SystemUse> {
  const collector = new Collector(disc, owner);
  collector.take(area);
  for (let count = 0; collector.next !== undefined; count += 1) {
    if (count === CONTINUATIONS_MAX)
      throw disc.corrupt(`${owner}: its system use goes on in more than ${CONTINUATIONS_MAX} places`);
    const { position, length } = collector.next;
    if (length > SECTOR_BYTES) throw disc.corrupt(`${owner}: a continuation of ${length} bytes`);
    disc.requireBytes(position, length, owner);
    collector.take(await bytesAt(disc, position, length));
  }
  return collector.end();
}

async function bytesAt(disc: Disc, position: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const buffer = await disc.sectorAt(position + done);
    const within = (position + done) % SECTOR_BYTES;
    const count = Math.min(SECTOR_BYTES - within, length - done);
    bytes.set(buffer.bytes.subarray(within, within + count), done);
    done += count;
  }
  return bytes;
}
