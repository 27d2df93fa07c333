/** The second pass: the records of each directory, and what they lead to. */
import { type Context, type InodeState, isLeaving, ROOT } from './context.ts';
import { type FfsRecord, PIECE_BYTES, putRecord, recordsOf } from './records.ts';

const DIRECTORY = 4;
const WHITEOUT = 1;
const DOT = '.';
const DOT_DOT = '..';
/** A directory begins with so many records that lead to itself and to its parent. */
const DOTS = 2;

/** The name's bytes as text, one character a byte. */
const textOf = (name: Uint8Array): string => String.fromCharCode(...name);
const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

/** Looks at all directories. */
export async function checkDirectories(context: Context): Promise<void> {
  for (const id of context.directories.keys())
    if (!isLeaving(context, id)) await new DirectoryCheck(context, id).run();
}

/** Looks at one directory. */
class DirectoryCheck {
  readonly #context: Context;
  readonly #id: number;
  readonly #names = new Set<string>();

  constructor(context: Context, id: number) {
    this.#context = context;
    this.#id = id;
  }

  async run(): Promise<void> {
    const { geometry, image, directories, inodes, mends } = this.#context;
    const size = inodes.get(this.#id)?.size ?? 0;
    for (const [index, block] of (directories.get(this.#id) ?? []).entries()) {
      const left = Math.min(geometry.bsize, size - index * geometry.bsize);
      const bytes = await image.read(block, Math.ceil(left / geometry.fsize));
      let changed = false;
      for (let offset = 0; offset < left; offset += PIECE_BYTES) {
        const number = (index * geometry.bsize + offset) / PIECE_BYTES;
        changed = this.#piece(bytes.subarray(offset, offset + PIECE_BYTES), number) || changed;
      }
      if (changed && mends) await image.change(block, bytes);
    }
  }

  /** Looks at one piece. True if it was changed. */
  #piece(piece: Uint8Array, number: number): boolean {
    const { geometry, found } = this.#context;
    let { records, wrong } = recordsOf(piece, geometry);
    let changed = false;
    if (wrong !== undefined) {
      found.damage(`directory ${this.#id}: piece ${number}: ${wrong}`);
      this.#cutBehind(piece, records);
      ({ records, wrong } = recordsOf(piece, geometry));
      changed = true;
    }
    if (number === 0 && !hasDots(records)) {
      found.damage(`directory ${this.#id}: does not begin with "." and ".."`);
      this.#putDots(piece);
      ({ records, wrong } = recordsOf(piece, geometry));
      changed = true;
    }
    for (const [index, record] of records.entries()) {
      if (record.inode === 0 || record.inode === WHITEOUT) continue;
      const mended = this.#entry(record, number === 0 && index < DOTS);
      if (mended === undefined) continue;
      putRecord(piece, geometry, mended);
      changed = true;
    }
    return changed;
  }

  /** Lets the last record that can be read reach to the end. */
  #cutBehind(piece: Uint8Array, records: readonly FfsRecord[]): void {
    const { geometry } = this.#context;
    const last = records.at(-1);
    const free = { offset: 0, length: PIECE_BYTES, inode: 0, type: 0, name: new Uint8Array(0) };
    putRecord(piece, geometry, last === undefined ? free : { ...last, length: PIECE_BYTES - last.offset });
  }

  #putDots(piece: Uint8Array): void {
    const { geometry } = this.#context;
    const dot = { offset: 0, length: 12, inode: this.#id, type: DIRECTORY, name: bytesOf(DOT) };
    putRecord(piece, geometry, dot);
    putRecord(piece, geometry, { ...dot, offset: 12, length: 500, inode: ROOT, name: bytesOf(DOT_DOT) });
  }

  /** Looks at one entry; the record that it should be, where it is wrong. */
  #entry(record: FfsRecord, mayBeDots: boolean): FfsRecord | undefined {
    const { found, inodes } = this.#context;
    const text = textOf(record.name);
    const where = `directory ${this.#id}: "${text.replace(/[^ -~]/g, '?')}"`;
    const removed = { ...record, inode: 0, name: new Uint8Array(0) };
    if ((text === DOT || text === DOT_DOT) && !mayBeDots) {
      // The directory has come to a block that was the first one of another, perhaps.
      found.damage(`${where} is there twice`);
      return removed;
    }
    if (text === DOT) return this.#dot(record, where);
    const target = inodes.get(record.inode);
    if (target === undefined) {
      found.damage(`${where} leads to inode ${record.inode}, which is not in use`);
      return text === DOT_DOT ? { ...record, inode: ROOT } : removed;
    }
    if (text === DOT_DOT) return this.#dotDot(record, target, where);
    if (this.#names.has(text) || text.includes('/') || text.includes('\0')) {
      found.damage(`${where} ${this.#names.has(text) ? 'is there twice' : 'cannot be a name'}`);
      return removed;
    }
    this.#names.add(text);
    if (target.type === DIRECTORY && (target.parent !== 0 || record.inode === ROOT)) {
      found.damage(`${where} is a further name of directory ${record.inode}`);
      return removed;
    }
    target.names += 1;
    if (target.type === DIRECTORY) target.parent = this.#id;
    if (this.#context.geometry.oldDirectories || record.type === target.type || record.type === 0)
      return undefined;
    found.damage(`${where} has type ${record.type}, but inode ${record.inode} has ${target.type}`);
    return { ...record, type: target.type };
  }

  #dot(record: FfsRecord, where: string): FfsRecord | undefined {
    const { found, inodes } = this.#context;
    const own = inodes.get(this.#id);
    if (own !== undefined) own.names += 1;
    if (record.inode === this.#id) return undefined;
    found.damage(`${where} leads to inode ${record.inode}`);
    return { ...record, inode: this.#id };
  }

  #dotDot(record: FfsRecord, target: InodeState, where: string): FfsRecord | undefined {
    const { found, inodes } = this.#context;
    const own = inodes.get(this.#id);
    if (own !== undefined) own.dots = record.inode;
    if (target.type === DIRECTORY) {
      target.names += 1;
      return undefined;
    }
    found.damage(`${where} leads to inode ${record.inode}, which is no directory`);
    return { ...record, inode: ROOT };
  }
}

function hasDots(records: readonly FfsRecord[]): boolean {
  const [first, second] = records;
  if (first === undefined || second === undefined) return false;
  const named = (record: FfsRecord, text: string): boolean =>
    record.inode !== 0 && textOf(record.name) === text;
  return named(first, DOT) && named(second, DOT_DOT);
}
