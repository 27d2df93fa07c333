import { type Context, ROOT } from './context.ts';
import type { FfsGeometry } from './geometry.ts';
import { InodeView } from './inode-view.ts';
import { PIECE_BYTES, putRecord, recordBytes, recordsOf } from './records.ts';
import { changeInode } from './table.ts';

const DIRECTORY = 4;
const LOST_AND_FOUND = 'lost+found';
const DIRECT = 12;

/** The fragment of a directory of the root, or of the root, with nothing in it. */
export function emptyDirectory(geometry: FfsGeometry, id: number): Uint8Array {
  const bytes = new Uint8Array(geometry.fsize);
  const dot = { offset: 0, length: 12, inode: id, type: DIRECTORY, name: bytesOf('.') };
  putRecord(bytes.subarray(0, PIECE_BYTES), geometry, dot);
  const dots = { ...dot, offset: 12, length: PIECE_BYTES - 12, inode: ROOT, name: bytesOf('..') };
  putRecord(bytes.subarray(0, PIECE_BYTES), geometry, dots);
  return bytes;
}

const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

/** Gives what has no name one in `/lost+found`: `#` and the number of the inode. */
export class Connector {
  readonly #context: Context;
  #folder = 0;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Gives an inode a name. Where there is no room for it, that is left to another time. */
  async connect(id: number): Promise<void> {
    const { inodes } = this.#context;
    if (this.#folder === 0) this.#folder = (await this.#find()) || (await this.#make());
    const state = inodes.get(id);
    if (this.#folder === 0 || state === undefined || id === this.#folder) return;
    if (!(await this.#enter(this.#folder, `#${id}`, id, state.type))) return;
    state.names += 1;
    if (state.type !== DIRECTORY) return;
    state.parent = this.#folder;
    await this.setParent(id, this.#folder);
  }

  /** Takes the name of a directory away, and connects it. */
  async moveAway(id: number): Promise<void> {
    const { geometry, image, directories, inodes } = this.#context;
    const state = inodes.get(id);
    if (state === undefined) return;
    for (const [index, block] of (directories.get(state.parent) ?? []).entries()) {
      const size = inodes.get(state.parent)?.size ?? 0;
      const left = Math.min(geometry.bsize, size - index * geometry.bsize);
      const bytes = await image.read(block, Math.ceil(left / geometry.fsize));
      for (let offset = 0; offset < left; offset += PIECE_BYTES) {
        const piece = bytes.subarray(offset, offset + PIECE_BYTES);
        for (const record of recordsOf(piece, geometry).records) {
          const dots = record.name[0] === 0x2e && record.name.length <= 2;
          if (record.inode !== id || dots) continue;
          putRecord(piece, geometry, { ...record, inode: 0, name: new Uint8Array(0) });
          state.names -= 1;
        }
      }
      await image.change(block, bytes);
    }
    state.parent = 0;
    await this.connect(id);
  }

  /** Lets the `..` of a directory lead to its parent, which counts it. */
  async setParent(id: number, parent: number): Promise<void> {
    const { geometry, image, directories, inodes } = this.#context;
    const block = directories.get(id)?.[0];
    const state = inodes.get(id);
    if (block === undefined || state === undefined) return;
    const bytes = await image.read(block, 1);
    const second = recordsOf(bytes.subarray(0, PIECE_BYTES), geometry).records[1];
    if (second === undefined) return;
    putRecord(bytes.subarray(0, PIECE_BYTES), geometry, { ...second, inode: parent });
    await image.change(block, bytes);
    const before = inodes.get(state.dots);
    if (before !== undefined) before.names -= 1;
    const after = inodes.get(parent);
    if (after !== undefined) after.names += 1;
    state.dots = parent;
  }

  /** The directory `lost+found`; 0 where there is none. */
  async #find(): Promise<number> {
    const { geometry, image, directories, inodes } = this.#context;
    const size = inodes.get(ROOT)?.size ?? 0;
    for (const [index, block] of (directories.get(ROOT) ?? []).entries()) {
      const left = Math.min(geometry.bsize, size - index * geometry.bsize);
      const bytes = await image.read(block, Math.ceil(left / geometry.fsize));
      for (let offset = 0; offset < left; offset += PIECE_BYTES) {
        const { records } = recordsOf(bytes.subarray(offset, offset + PIECE_BYTES), geometry);
        const entry = records.find(
          ({ inode, name }) => inode !== 0 && String.fromCharCode(...name) === LOST_AND_FOUND,
        );
        if (entry !== undefined) return inodes.get(entry.inode)?.type === DIRECTORY ? entry.inode : 0;
      }
    }
    return 0;
  }

  /** Makes the directory; 0 where there is no room for it. */
  async #make(): Promise<number> {
    const { geometry, image, claims, inodes, directories } = this.#context;
    if (!inodes.has(ROOT)) return 0;
    const id = await this.#freeInode();
    const fragment = claims.findFree(1, geometry.frag);
    if (id === 0 || fragment < 0) return 0;
    const bytes = emptyDirectory(geometry, id);
    if (!(await this.#enter(ROOT, LOST_AND_FOUND, id, DIRECTORY))) return 0;
    claims.claim(fragment, 1);
    await image.change(fragment, bytes);
    await changeInode(this.#context, id, (view) => {
      view.makeDirectory(0o700, fragment, PIECE_BYTES, geometry.fsize / 512);
    });
    inodes.set(id, { type: DIRECTORY, size: PIECE_BYTES, links: 2, names: 2, parent: ROOT, dots: ROOT });
    const root = inodes.get(ROOT);
    if (root !== undefined) root.names += 1;
    directories.set(id, [fragment]);
    return id;
  }

  /** A free inode, which UFS2 may have to write first; 0 for none. */
  async #freeInode(): Promise<number> {
    const { geometry, image, inodes } = this.#context;
    const { ipg, little, fsize, frag, bsize, inodeBytes } = geometry;
    for (let group = 0; group < geometry.groups; group += 1) {
      const bytes = await image.read(geometry.cgAt(group), 1);
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      const written = geometry.version === 2 ? Math.min(ipg, view.getUint32(120, little)) : ipg;
      for (let bit = group === 0 ? ROOT + 1 : 0; bit < written; bit += 1)
        if (!inodes.has(group * ipg + bit)) return group * ipg + bit;
      if (written === ipg || (written * inodeBytes) % bsize !== 0) continue;
      await image.change(
        geometry.inodesAt(group) + (written * inodeBytes) / fsize,
        new Uint8Array(frag * fsize),
      );
      view.setUint32(120, written + bsize / inodeBytes, little);
      await image.change(geometry.cgAt(group), bytes);
      return group * ipg + written;
    }
    return 0;
  }

  /** Enters a name in a directory, which grows if it must. False where there is no room. */
  async #enter(directory: number, text: string, inode: number, type: number): Promise<boolean> {
    const { geometry, image, directories, inodes } = this.#context;
    const name = bytesOf(text);
    const size = inodes.get(directory)?.size ?? 0;
    for (const [index, block] of (directories.get(directory) ?? []).entries()) {
      const left = Math.min(geometry.bsize, size - index * geometry.bsize);
      const bytes = await image.read(block, Math.ceil(left / geometry.fsize));
      for (let offset = 0; offset < left; offset += PIECE_BYTES) {
        const piece = bytes.subarray(offset, offset + PIECE_BYTES);
        for (const record of recordsOf(piece, geometry).records) {
          const used = record.inode === 0 ? 0 : recordBytes(record.name.length);
          if (record.length - used < recordBytes(name.length)) continue;
          if (used > 0) putRecord(piece, geometry, { ...record, length: used });
          const entry = { offset: record.offset + used, length: record.length - used, inode, type, name };
          putRecord(piece, geometry, entry);
          await image.change(block, bytes);
          return true;
        }
      }
    }
    return (await this.#grow(directory)) && this.#enter(directory, text, inode, type);
  }

  /** One more piece for a directory, in the fragments that it has or in new ones. */
  async #grow(directory: number): Promise<boolean> {
    const { geometry, image, claims, directories, inodes } = this.#context;
    const state = inodes.get(directory);
    const blocks = [...(directories.get(directory) ?? [])];
    if (state === undefined) return false;
    const { bsize, fsize, frag } = geometry;
    const index = Math.floor(state.size / bsize);
    if (index >= DIRECT) return false;
    const had = Math.ceil((state.size % bsize) / fsize);
    const wanted = Math.ceil(((state.size % bsize) + PIECE_BYTES) / fsize);
    let block = blocks[index] ?? 0;
    const contents = had > 0 ? await image.read(block, had) : new Uint8Array(0);
    if (wanted > had) {
      if (had > 0) claims.release(block, had);
      const place = claims.findFree(wanted, frag);
      if (place < 0) {
        if (had > 0) claims.claim(block, had);
        return false;
      }
      claims.claim(place, wanted);
      block = place;
    }
    const bytes = new Uint8Array(wanted * fsize);
    bytes.set(contents);
    const at = state.size % bsize;
    const free = { offset: 0, length: PIECE_BYTES, inode: 0, type: 0, name: new Uint8Array(0) };
    putRecord(bytes.subarray(at, at + PIECE_BYTES), geometry, free);
    await image.change(block, bytes);
    blocks[index] = block;
    directories.set(directory, blocks);
    const size = state.size + PIECE_BYTES;
    inodes.set(directory, { ...state, size });
    await changeInode(this.#context, directory, (view: InodeView) => {
      view.size = size;
      view.setPointer(index, block);
      view.sectors += ((wanted - had) * fsize) / 512;
    });
    return true;
  }
}
