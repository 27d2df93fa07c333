/** The first pass: the inodes, and who has which fragments. */
import { type Context, ROOT } from './context.ts';
import { InodeView } from './inode-view.ts';

const TYPES = { directory: 4, file: 8, symlink: 10 } as const;
const KNOWN_TYPES = new Set([1, 2, 4, 6, 8, 10, 12]);
const DIRECT = 12;
const INODES_AT_ONCE_BYTES = 64 * 1024;

/** What is counted of one inode. */
interface Tally {
  readonly id: number;
  readonly view: InodeView;
  fragments: number;
  /** Whether its bytes were changed. */
  changed: boolean;
  /** The last block that is there; -1 for none. */
  last: number;
  readonly blocks: number[];
}

const GROUP_MAGIC = 0x0009_0255;
const WRITTEN_AT = 120;

export class InodePass {
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  async run(): Promise<void> {
    for (let group = 0; group < this.#context.geometry.groups; group += 1)
      await this.#group(group, await this.#written(group));
  }

  /** How many inodes of a group were ever written: UFS2 says so, and may lie. */
  async #written(group: number): Promise<number> {
    const { geometry, image, found, mends } = this.#context;
    const { version, ipg, little } = geometry;
    const cg = await image.read(geometry.cgAt(group), geometry.frag);
    const view = new DataView(cg.buffer, cg.byteOffset);
    const magic = view.getUint32(4, little);
    if (magic !== GROUP_MAGIC) found.damage(`group ${group}: magic number 0x${magic.toString(16)}`);
    if (version === 1 || magic !== GROUP_MAGIC) return ipg;
    const said = view.getUint32(WRITTEN_AT, little);
    // The root is always there.
    const least = group === 0 ? geometry.bsize / geometry.inodeBytes : 0;
    const written = Math.max(least, Math.min(said, ipg));
    if (written === said) return written;
    found.damage(`group ${group}: ${said} written inodes of ${ipg}`);
    view.setUint32(WRITTEN_AT, written, little);
    if (mends) await image.change(geometry.cgAt(group), cg);
    return written;
  }

  async #group(group: number, count: number): Promise<void> {
    const { geometry, image, mends } = this.#context;
    const { inodeBytes, fsize } = geometry;
    const atOnce = Math.max(1, Math.floor(INODES_AT_ONCE_BYTES / fsize));
    const end = Math.ceil((count * inodeBytes) / fsize);
    for (let from = 0; from < end; from += atOnce) {
      const fragments = Math.min(atOnce, end - from);
      const first = geometry.inodesAt(group) + from;
      const bytes = await image.read(first, fragments);
      let changed = false;
      for (let offset = 0; offset < bytes.length; offset += inodeBytes) {
        const index = (from * fsize + offset) / inodeBytes;
        if (index >= count) break;
        const id = group * geometry.ipg + index;
        if (id < ROOT) continue;
        const view = new InodeView(bytes.subarray(offset, offset + inodeBytes), geometry);
        changed = (await this.#inode(id, view)) || changed;
      }
      if (changed && mends) await image.change(first, bytes);
    }
  }

  /** Looks at one inode. True if it was changed. */
  async #inode(id: number, view: InodeView): Promise<boolean> {
    const { found } = this.#context;
    if (view.mode === 0) {
      if (!view.hasRest) return false;
      found.harmless(`inode ${id}: is free, but not empty`);
      view.clear();
      return true;
    }
    if (!KNOWN_TYPES.has(view.type)) {
      found.damage(`inode ${id}: unknown type in mode 0x${view.mode.toString(16)}`);
      view.clear();
      return true;
    }
    if (this.#wrongSize(view)) {
      found.damage(`inode ${id}: size ${view.size}`);
      view.clear();
      return true;
    }
    const tally: Tally = { id, view, fragments: 0, changed: false, last: -1, blocks: [] };
    if (this.#hasBlocks(view)) await this.#blocks(tally);
    if (view.attributeBytes !== 0) this.#attributes(tally);
    this.#count(tally);
    this.#remember(tally);
    return tally.changed;
  }

  #wrongSize(view: InodeView): boolean {
    const { geometry } = this.#context;
    const { size } = view;
    const blocks = DIRECT + geometry.nindir + geometry.nindir ** 2 + geometry.nindir ** 3;
    if (!Number.isSafeInteger(size) || size > blocks * geometry.bsize) return true;
    if (view.type === TYPES.directory) return size === 0 || size % 512 !== 0;
    return view.type === TYPES.symlink && size > geometry.bsize;
  }

  #hasBlocks(view: InodeView): boolean {
    const { geometry } = this.#context;
    if (view.type === TYPES.directory || view.type === TYPES.file) return true;
    const area = 15 * geometry.pointerBytes;
    const short = view.size < geometry.shortLink || (view.sectors === 0 && view.size <= area);
    return view.type === TYPES.symlink && !short;
  }

  /** Follows the pointers of an inode. */
  async #blocks(tally: Tally): Promise<void> {
    const { geometry, found } = this.#context;
    const { view, id } = tally;
    const needed = Math.ceil(view.size / geometry.bsize);
    for (let index = 0; index < DIRECT; index += 1) {
      const pointer = view.pointer(index);
      if (pointer === 0) continue;
      const left = Math.ceil((view.size - index * geometry.bsize) / geometry.fsize);
      const good = index < needed && this.#claim(tally, pointer, Math.min(left, geometry.frag));
      if (good) {
        tally.last = index;
        tally.blocks.push(pointer);
        continue;
      }
      if (index >= needed) found.harmless(`inode ${id}: pointer ${index} is behind its end`);
      view.setPointer(index, 0);
      tally.changed = true;
    }
    let first = DIRECT;
    let covered = geometry.nindir;
    for (let level = 1; level <= 3; level += 1) {
      const pointer = view.pointer(DIRECT + level - 1);
      if (pointer !== 0 && first >= needed)
        found.harmless(`inode ${id}: pointer block of level ${level} behind its end`);
      const kept =
        pointer !== 0 && first < needed && (await this.#tree(tally, pointer, level, first, needed));
      if (pointer !== 0 && !kept) {
        view.setPointer(DIRECT + level - 1, 0);
        tally.changed = true;
      }
      first += covered;
      covered *= geometry.nindir;
    }
    if (view.type === TYPES.directory && tally.blocks.length < needed) this.#shortDirectory(tally);
    else if (tally.last < needed - 1) {
      found.harmless(`inode ${id}: ends with a hole`);
      view.size = (tally.last + 1) * geometry.bsize;
      tally.changed = true;
    }
  }

  /** A directory without some of its blocks ends before the first that is missing. */
  #shortDirectory(tally: Tally): void {
    const { geometry, found } = this.#context;
    const { view, id } = tally;
    found.damage(`inode ${id}: a directory of ${view.size} bytes with ${tally.blocks.length} blocks`);
    let whole = 0;
    while (whole < DIRECT && view.pointer(whole) !== 0) whole += 1;
    if (whole === 0) view.clear();
    else view.size = Math.min(view.size, whole * geometry.bsize);
    tally.changed = true;
  }

  /** Follows a pointer block. False if it cannot be what the pointer says. */
  async #tree(tally: Tally, pointer: number, level: number, first: number, needed: number): Promise<boolean> {
    const { geometry, image, found, mends } = this.#context;
    if (!this.#claim(tally, pointer, geometry.frag)) return false;
    const bytes = await image.read(pointer, geometry.frag);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const span = geometry.nindir ** (level - 1);
    let changed = false;
    for (let index = 0; index < geometry.nindir; index += 1) {
      const at = index * geometry.pointerBytes;
      const child =
        geometry.version === 1
          ? view.getUint32(at, geometry.little)
          : Number(view.getBigInt64(at, geometry.little));
      if (child === 0) continue;
      const block = first + index * span;
      let good = block < needed;
      if (!good) found.harmless(`inode ${tally.id}: a pointer to block ${block} is behind its end`);
      if (good && level > 1) good = await this.#tree(tally, child, level - 1, block, needed);
      else if (good) good = this.#data(tally, child, block);
      if (good) continue;
      bytes.fill(0, at, at + geometry.pointerBytes);
      changed = true;
    }
    if (changed && mends) await image.change(pointer, bytes);
    return true;
  }

  #data(tally: Tally, pointer: number, block: number): boolean {
    if (!this.#claim(tally, pointer, this.#context.geometry.frag)) return false;
    tally.last = Math.max(tally.last, block);
    if (tally.view.type === TYPES.directory) tally.blocks.push(pointer);
    return true;
  }

  /** Notes that an inode has fragments. False if they cannot be its own. */
  #claim(tally: Tally, first: number, count: number): boolean {
    const { geometry, found, claims } = this.#context;
    const { size, frag } = geometry;
    if (!Number.isSafeInteger(first) || first < 0 || first + count > size || (first % frag) + count > frag) {
      found.damage(`inode ${tally.id}: a pointer to fragment ${first}, for ${count} of ${size}`);
      return false;
    }
    const taken = claims.claim(first, count);
    if (taken >= 0) {
      found.damage(`inode ${tally.id}: fragment ${taken} has another owner, too`);
      return false;
    }
    tally.fragments += count;
    return true;
  }

  #attributes(tally: Tally): void {
    const { geometry, found } = this.#context;
    const { view, id } = tally;
    const bytes = view.attributeBytes;
    let good = bytes > 0 && bytes <= 2 * geometry.bsize;
    for (let index = 0; good && index * geometry.bsize < bytes; index += 1) {
      const left = Math.min(geometry.bsize, bytes - index * geometry.bsize);
      good = this.#claim(tally, view.attributePointer(index), Math.ceil(left / geometry.fsize));
    }
    if (good) return;
    found.damage(`inode ${id}: ${bytes} bytes of extended attributes that are not there`);
    view.dropAttributes();
    tally.changed = true;
  }

  #count(tally: Tally): void {
    const { id, view, fragments } = tally;
    const { geometry, found } = this.#context;
    const sectors = (fragments * geometry.fsize) / 512;
    if (view.mode === 0 || view.sectors === sectors) return;
    found.harmless(`inode ${id}: says ${view.sectors} sectors, but has ${sectors}`);
    view.sectors = sectors;
    tally.changed = true;
  }

  #remember(tally: Tally): void {
    const { inodes, directories, found } = this.#context;
    const { id, view } = tally;
    if (view.mode === 0) return;
    inodes.set(id, { type: view.type, size: view.size, links: view.links, names: 0, parent: 0, dots: 0 });
    if (view.type === TYPES.directory) {
      directories.set(id, tally.blocks);
      found.directories += 1;
    } else {
      found.files += 1;
    }
  }
}
