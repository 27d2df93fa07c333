/**
 * The second pass: all directories. Their blocks are chains of records (inode, length, length of
 * the name, type, name); the first block begins with "." and "..". With metadata_csum a block ends
 * with a record that has its checksum. A small directory may be stored in its inode, without "."
 * and with the number of its parent instead of "..".
 */
import { castagnoli } from '../crc.ts';
import { attributesInInode } from './attributes.ts';
import { type Context, inodeAt, ROOT } from './context.ts';
import { viewOf } from './disk.ts';
import type { Entry } from './entry.ts';
import { HashTree } from './hash-tree.ts';
import { FLAG, type Inode } from './inode.ts';

const TAIL_BYTES = 12;
const TAIL_TYPE = 0xde;
/** Names of one directory that are kept to find two that are the same. */
const NAMES_MAX = 4_000_000;

/** What is known of the tree when all directories were read. */
export interface Parents {
  /** The directory in which each directory has its entry. */
  readonly byEntry: Map<number, number>;
  /** The one to which its ".." leads. */
  readonly byDots: Map<number, number>;
}

export class DirectoryPass {
  readonly parents: Parents = { byEntry: new Map(), byDots: new Map() };
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  async run(): Promise<Parents> {
    for (const [id, blocks] of this.#context.directories) {
      const inode = await inodeAt(this.#context.geometry, this.#context.disk, this.#context.groups, id);
      if (inode === undefined) continue;
      const names = new Set<string>();
      if (inode.has(FLAG.inline)) this.#inline(inode, names);
      else await this.#blocks(inode, blocks, names);
    }
    return this.parents;
  }

  async #blocks(inode: Inode, blocks: readonly number[], names: Set<string>): Promise<void> {
    const { geometry, disk, found } = this.#context;
    const where = `directory ${inode.id}`;
    const tree = inode.has(FLAG.index) ? new HashTree(this.#context, inode) : undefined;
    let expected = 0;
    for (let index = 0; index < blocks.length; index += 2) {
      const [logical = 0, block = 0] = blocks.slice(index, index + 2);
      if (logical * geometry.blockBytes >= inode.size) break;
      if (logical !== expected) found.damage(`${where}: has no block ${expected}`);
      expected = logical + 1;
      const bytes = await disk.block(block, where);
      if (bytes === undefined) continue;
      const place = `${where}: block ${logical} (${block})`;
      const node = tree?.isNode(bytes, logical) === true;
      if (node) tree.node(bytes, logical, place);
      else this.#checkTail(inode, bytes, place);
      const entries = this.#records(bytes, 0, place, node);
      this.#entries(inode, entries, names, place, logical === 0 ? 2 : 0);
      if (!node) tree?.leaf(logical, entries);
    }
    if (expected * geometry.blockBytes < inode.size) found.damage(`${where}: has no block ${expected}`);
    tree?.finish(where);
  }

  /** A directory in its inode: the number of its parent, and records in two places. */
  #inline(inode: Inode, names: Set<string>): void {
    const where = `directory ${inode.id}`;
    this.#dots(inode.id, viewOf(inode.map).getUint32(0, true));
    this.#context.inodes.count(inode.id);
    const first = inode.map.subarray(4);
    this.#entries(inode, this.#records(first, 4, `${where}: in the inode`, false), names, where, 0);
    const { inlineBytes = 0, inlineAt = 0 } = attributesInInode(inode);
    if (inlineBytes === 0) return;
    const rest = inode.bytes.subarray(inlineAt, inlineAt + inlineBytes);
    this.#entries(inode, this.#records(rest, 0, `${where}: in the attribute`, false), names, where, 0);
  }

  #checkTail(inode: Inode, bytes: Uint8Array, place: string): void {
    if (!this.#context.geometry.checksums) return;
    const { found } = this.#context;
    const at = bytes.length - TAIL_BYTES;
    const view = viewOf(bytes);
    const isTail = view.getUint32(at, true) === 0 && view.getUint16(at + 4, true) === TAIL_BYTES;
    if (!isTail || view.getUint16(at + 6, true) !== TAIL_TYPE << 8) found.damage(`${place}: has no checksum`);
    else if (view.getUint32(at + 8, true) !== castagnoli(inode.seed, bytes.subarray(0, at)))
      found.damage(`${place}: wrong checksum`);
  }

  /** Cuts a block into its records, as far as they make sense. */
  #records(bytes: Uint8Array, base: number, place: string, node: boolean): Entry[] {
    const { geometry, found } = this.#context;
    const view = viewOf(bytes);
    const entries: Entry[] = [];
    for (let at = 0; at < bytes.length; ) {
      if (bytes.length - at < 8) {
        found.damage(`${place}: ${bytes.length - at} bytes behind the last record`);
        break;
      }
      const length = recordLength(view.getUint16(at + 4, true), geometry.blockBytes);
      const wide = geometry.needs('fileType');
      const nameBytes = wide ? view.getUint8(at + 6) : view.getUint16(at + 6, true);
      const inode = view.getUint32(at, true);
      const least = inode === 0 ? 8 : 12;
      if (length < least || length % 4 !== 0 || at + length > bytes.length || nameBytes + 8 > length) {
        const tail = !node && geometry.checksums && at === bytes.length - TAIL_BYTES;
        if (!tail)
          found.damage(`${place}: record at ${base + at} of ${length} bytes, with a name of ${nameBytes}`);
        break;
      }
      if (inode !== 0) {
        const type = wide ? view.getUint8(at + 7) : 0;
        entries.push({ at: base + at, inode, type, name: bytes.slice(at + 8, at + 8 + nameBytes) });
      }
      at += length;
    }
    return entries;
  }

  #entries(inode: Inode, entries: readonly Entry[], names: Set<string>, place: string, dots: number): void {
    for (let index = 0; index < dots; index += 1) this.#checkDot(inode, entries[index], index, place);
    for (const entry of entries.slice(dots)) this.#entry(inode, entry, names, place);
  }

  #checkDot(directory: Inode, entry: Entry | undefined, index: number, place: string): void {
    const { found, inodes } = this.#context;
    const expected = index === 0 ? '.' : '..';
    if (entry === undefined || textOf(entry.name) !== expected) {
      found.damage(`${place}: no "${expected}" in its place`);
      return;
    }
    if (index === 0) {
      if (entry.inode !== directory.id) found.damage(`${place}: "." leads to inode ${entry.inode}`);
      inodes.count(directory.id);
    } else this.#dots(directory.id, entry.inode);
    if (entry.type !== 0 && entry.type !== 2)
      found.harmless(`${place}: "${expected}" has the type ${entry.type}`);
  }

  #dots(id: number, parent: number): void {
    this.parents.byDots.set(id, parent);
    this.#context.inodes.count(parent);
  }

  #entry(directory: Inode, entry: Entry, names: Set<string>, place: string): void {
    const { geometry, found, inodes } = this.#context;
    const name = textOf(entry.name);
    const where = `${place}: entry ${JSON.stringify(name)} at ${entry.at}`;
    if (!directory.has(FLAG.encrypted)) {
      if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name))
        found.damage(`${where}: no name for a file`);
    }
    if (names.has(name)) found.damage(`${where}: the directory has that name twice`);
    if (names.size < NAMES_MAX) names.add(name);
    if (entry.inode > geometry.inodes || (entry.inode < geometry.firstInode && entry.inode !== ROOT)) {
      found.damage(`${where}: leads to inode ${entry.inode}, which no name may lead to`);
      return;
    }
    const kind = inodes.kind(entry.inode);
    if (kind === undefined) {
      found.damage(`${where}: leads to inode ${entry.inode}, which is not in use`);
      return;
    }
    const expected = inodes.entryType(entry.inode);
    const given = geometry.needs('fileType') ? entry.type : expected;
    if (given !== expected) found.harmless(`${where}: has the type ${entry.type}, not ${expected}`);
    inodes.count(entry.inode);
    if (kind !== 'directory') return;
    if (entry.inode === ROOT) found.damage(`${where}: leads to the root`);
    else if (this.parents.byEntry.has(entry.inode))
      found.damage(`${where}: a second name of directory ${entry.inode}`);
    else this.parents.byEntry.set(entry.inode, directory.id);
  }
}

/** Blocks of 64 KiB have records longer than 16 bits can say. */
function recordLength(field: number, blockBytes: number): number {
  if (blockBytes < 65_536) return field;
  return field === 0 || field === 65_535 ? blockBytes : (field & 65_532) | ((field & 3) << 16);
}

/** A text for each name, different for different bytes. */
function textOf(name: Uint8Array): string {
  let text = '';
  for (const byte of name) text += String.fromCharCode(byte);
  return text;
}
