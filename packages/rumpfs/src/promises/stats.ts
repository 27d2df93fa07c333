/** What `stat` and its like result in: Node's `Stats`, `StatFs` and `Dirent`. */
import type { DirectoryEntry, NodeType } from '../vnode/attributes.ts';
import { CONSTANTS } from './constants.ts';
import type { NodeFacts, VolumeFacts } from './operations.ts';

const SECTOR_BYTES = 512;
const NS_PER_MS = 1_000_000n;

const TYPE_BITS: Readonly<Record<NodeType, number>> = {
  file: CONSTANTS.S_IFREG,
  directory: CONSTANTS.S_IFDIR,
  symlink: CONSTANTS.S_IFLNK,
  'character-device': CONSTANTS.S_IFCHR,
  'block-device': CONSTANTS.S_IFBLK,
  fifo: CONSTANTS.S_IFIFO,
  socket: CONSTANTS.S_IFSOCK,
};

/** The questions that can be asked of a node's type. */
class TypeTests {
  readonly #type: NodeType;

  constructor(type: NodeType) {
    this.#type = type;
  }

  isFile(): boolean {
    return this.#type === 'file';
  }

  isDirectory(): boolean {
    return this.#type === 'directory';
  }

  isSymbolicLink(): boolean {
    return this.#type === 'symlink';
  }

  isBlockDevice(): boolean {
    return this.#type === 'block-device';
  }

  isCharacterDevice(): boolean {
    return this.#type === 'character-device';
  }

  isFIFO(): boolean {
    return this.#type === 'fifo';
  }

  isSocket(): boolean {
    return this.#type === 'socket';
  }
}

/**
 * The attributes of a node, as Node's `Stats`. Where a format has no time of birth, that is the one
 * of change.
 */
export class MountedStats extends TypeTests {
  readonly dev = 0;
  readonly rdev = 0;
  readonly ino: number;
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly blksize: number;
  /** In sectors of 512 bytes. */
  readonly blocks: number;
  readonly atimeMs: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly birthtimeMs: number;
  /** Whether `birthtime` is one, and not the time of change. */
  readonly hasBirthtime: boolean;

  constructor({ attributes: facts, blockSizeBytes }: NodeFacts) {
    super(facts.type);
    this.ino = facts.id;
    this.mode = TYPE_BITS[facts.type] | facts.permissions;
    this.nlink = facts.links;
    this.uid = facts.uid;
    this.gid = facts.gid;
    this.size = facts.sizeBytes;
    this.blksize = blockSizeBytes;
    this.blocks = Math.ceil(facts.allocatedBytes / SECTOR_BYTES);
    this.atimeMs = facts.accessedMs;
    this.mtimeMs = facts.modifiedMs;
    this.ctimeMs = facts.changedMs;
    this.birthtimeMs = facts.bornMs ?? facts.changedMs;
    this.hasBirthtime = facts.bornMs !== undefined;
  }

  get atime(): Date {
    return new Date(this.atimeMs);
  }

  get mtime(): Date {
    return new Date(this.mtimeMs);
  }

  get ctime(): Date {
    return new Date(this.ctimeMs);
  }

  get birthtime(): Date {
    return new Date(this.birthtimeMs);
  }
}

/** The attributes of a node, as Node's `BigIntStats`. */
export class MountedBigIntStats extends TypeTests {
  readonly dev = 0n;
  readonly rdev = 0n;
  readonly ino: bigint;
  readonly mode: bigint;
  readonly nlink: bigint;
  readonly uid: bigint;
  readonly gid: bigint;
  readonly size: bigint;
  readonly blksize: bigint;
  /** In sectors of 512 bytes. */
  readonly blocks: bigint;
  readonly atimeMs: bigint;
  readonly mtimeMs: bigint;
  readonly ctimeMs: bigint;
  readonly birthtimeMs: bigint;
  readonly atimeNs: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly birthtimeNs: bigint;
  readonly atime: Date;
  readonly mtime: Date;
  readonly ctime: Date;
  readonly birthtime: Date;

  constructor(facts: NodeFacts) {
    super(facts.attributes.type);
    const stats = new MountedStats(facts);
    this.ino = BigInt(stats.ino);
    this.mode = BigInt(stats.mode);
    this.nlink = BigInt(stats.nlink);
    this.uid = BigInt(stats.uid);
    this.gid = BigInt(stats.gid);
    this.size = BigInt(stats.size);
    this.blksize = BigInt(stats.blksize);
    this.blocks = BigInt(stats.blocks);
    const wholeMs = (ms: number): bigint => BigInt(Math.floor(ms));
    this.atimeMs = wholeMs(stats.atimeMs);
    this.mtimeMs = wholeMs(stats.mtimeMs);
    this.ctimeMs = wholeMs(stats.ctimeMs);
    this.birthtimeMs = wholeMs(stats.birthtimeMs);
    this.atimeNs = this.atimeMs * NS_PER_MS;
    this.mtimeNs = this.mtimeMs * NS_PER_MS;
    this.ctimeNs = this.ctimeMs * NS_PER_MS;
    this.birthtimeNs = this.birthtimeMs * NS_PER_MS;
    this.atime = stats.atime;
    this.mtime = stats.mtime;
    this.ctime = stats.ctime;
    this.birthtime = stats.birthtime;
  }
}

/** The space of a file system, as Node's `StatFs`. */
export class MountedStatFs<Amount extends number | bigint = number> {
  /** The number by which Linux knows the format; 0 for one that it does not know. */
  readonly type: Amount;
  readonly bsize: Amount;
  readonly blocks: Amount;
  readonly bfree: Amount;
  readonly bavail: Amount;
  readonly files: Amount;
  readonly ffree: Amount;

  constructor(facts: VolumeFacts, amount: (value: number) => Amount) {
    this.type = amount(MAGIC[facts.type] ?? 0);
    this.bsize = amount(facts.blockSizeBytes);
    this.blocks = amount(facts.blocks);
    this.bfree = amount(facts.blocksFree);
    this.bavail = amount(facts.blocksFree);
    this.files = amount(facts.nodes);
    this.ffree = amount(facts.nodesFree);
  }
}

/**
 * statfs(2): EXT4_SUPER_MAGIC, MSDOS_SUPER_MAGIC, EXFAT_SUPER_MAGIC, ISOFS_SUPER_MAGIC,
 * TMPFS_MAGIC.
 */
const MAGIC: Readonly<Record<string, number>> = {
  ext2: 0xef53,
  msdos: 0x4d44,
  exfat: 0x2011_bab0,
  cd9660: 0x9660,
  tmpfs: 0x0102_1994,
};

/** An entry of a directory, as Node's `Dirent`. */
export class MountedDirent extends TypeTests {
  readonly name: string;
  /** The path of the directory, as it was given. */
  readonly parentPath: string;
  /** The same, by its old name. */
  readonly path: string;

  constructor({ name, type }: Pick<DirectoryEntry, 'name' | 'type'>, parentPath: string) {
    super(type);
    this.name = name;
    this.parentPath = parentPath;
    this.path = parentPath;
  }
}
