/** The command line of `ginit fs`, and its help. */
import { parseArgs } from 'node:util';
import { parseBytes } from '@ginit/core/config';
import { isMadeType, MADE_TYPES, type MadeType } from '@ginit/rumpfs';
import { type ImagePlace, placeInImage, placeOrRoot } from './fs-place.ts';

/** The help text of `ginit fs`. */
export const FS_HELP = `ginit fs: the file systems in disk images: ext2, ext3, ext4, UFS, FAT, exFAT, ISO 9660

  ginit fs ls [-l] [-R] PLACE...        the entries of a directory; -l with their attributes, -R of all below it
  ginit fs tree PLACE...                the same as a tree
  ginit fs cat PLACE...                 what is in files
  ginit fs cp [-r] SOURCE... TO         copies files, with -r also directories: into an image, out of it, or both
  ginit fs mkdir [-p] PLACE...          makes directories; -p also those above them
  ginit fs rm [-r] PLACE...             removes files, with -r also directories
  ginit fs stat PLACE...                all that is known of a file
  ginit fs df IMAGE[:PART]...           the format, the label, and how much is free
  ginit fs check IMAGE[:PART]...        whether a file system is sound; nothing is changed, but with --repair of UFS, exFAT
  ginit fs mkfs -t TYPE IMAGE[:PART]    a new, empty file system: ${MADE_TYPES.join(', ')}

PLACE is IMAGE[:PART][:/path]: disk.img, disk.img:/etc/motd, disk.qcow2:2:/home. PART is the number of a partition; without
it the whole disk is one file system. Other paths (cp) are those of the host. Times, permissions and links are copied, too.

  -f, --format FORMAT  of the images: raw, qcow2, vdi, vmdk (default: as the name ends, else raw)
  --backing FILE       the image behind them; again for the one behind that. FORMAT:FILE also says its format
  -t, --type TYPE      the format of the file system (default: what is found); of mkfs: what is made
  --zone ZONE          of the times on a FAT or exFAT, such as Europe/Berlin (default: UTC)
  --owner              cp: keeps owners, too, and the bits that let others run as them
  -L, --label LABEL    mkfs: a name for it
  -b, --block SIZE     mkfs: bytes of a block of ext or UFS, of a cluster of a FAT or exFAT (default: by the size of the disk)
  -i, --inode-ratio SIZE  mkfs: ext, UFS: one inode for so many bytes; -I, --inode-size SIZE: ext: bytes of an inode
  --fragment SIZE      mkfs: UFS: bytes of a fragment (default: an eighth of a block)
  --byte-order ORDER   mkfs: UFS: little or big (default: little)
  -S, --sector SIZE    mkfs: FAT, exFAT: bytes of a sector
  --serial NUMBER      mkfs: FAT, exFAT: the serial number, such as 1234-ABCD (default: by chance)
  --journal PLACE      mkfs: UFS: a log of WAPBL: end (behind the file system) or inside (in a file without a name)
  --journal-size SIZE  mkfs: UFS: its bytes (default: a thousandth of the disk, 1 to 64 MiB)
  --force              mkfs: where a file system or a table of partitions is already
  --json               one line of JSON for each result instead of text

Images are only read, unless cp, mkdir, rm, mkfs or check --repair write to them. Exit code: 0; 1 if something failed or a
file system is damaged, 2 if the command line is wrong, 3 if a check finds nothing but lost space or wrong summaries.
docs/file-systems.md says more.`;

/** How images are opened. */
export interface OpenOptions {
  readonly format: string | undefined;
  readonly backing: readonly string[];
  readonly type: string | undefined;
  readonly zone: string | undefined;
}

/** What is to be done. */
export type FsTask =
  | {
      readonly command: 'ls';
      readonly places: readonly ImagePlace[];
      readonly long: boolean;
      readonly recursive: boolean;
    }
  | { readonly command: 'tree' | 'cat' | 'stat' | 'df'; readonly places: readonly ImagePlace[] }
  | { readonly command: 'check'; readonly places: readonly ImagePlace[]; readonly mends: boolean }
  | {
      readonly command: 'cp';
      readonly sources: readonly string[];
      readonly to: string;
      readonly recursive: boolean;
      readonly owner: boolean;
    }
  | { readonly command: 'mkdir' | 'rm'; readonly places: readonly ImagePlace[]; readonly recursive: boolean }
  | {
      readonly command: 'mkfs';
      readonly place: ImagePlace;
      readonly made: MadeType;
      readonly label: string | undefined;
      readonly blockBytes: number | undefined;
      readonly bytesPerInode: number | undefined;
      readonly inodeBytes: number | undefined;
      readonly sectorBytes: number | undefined;
      readonly fragmentBytes: number | undefined;
      readonly byteOrder: 'little' | 'big' | undefined;
      readonly serial: number | undefined;
      readonly journal: 'end' | 'inside' | undefined;
      readonly journalBytes: number | undefined;
      readonly force: boolean;
    };

/** What a command line asks for. */
export interface FsCommandLine {
  readonly task: FsTask;
  readonly open: OpenOptions;
  readonly json: boolean;
}

const OPTIONS = {
  format: { type: 'string', short: 'f' },
  backing: { type: 'string', multiple: true },
  type: { type: 'string', short: 't' },
  zone: { type: 'string' },
  json: { type: 'boolean' },
  long: { type: 'boolean', short: 'l' },
  recursive: { type: 'boolean', short: 'R' },
  r: { type: 'boolean', short: 'r' },
  parents: { type: 'boolean', short: 'p' },
  owner: { type: 'boolean' },
  label: { type: 'string', short: 'L' },
  block: { type: 'string', short: 'b' },
  'inode-ratio': { type: 'string', short: 'i' },
  'inode-size': { type: 'string', short: 'I' },
  sector: { type: 'string', short: 'S' },
  fragment: { type: 'string' },
  journal: { type: 'string' },
  'journal-size': { type: 'string' },
  'byte-order': { type: 'string' },
  serial: { type: 'string' },
  force: { type: 'boolean' },
  repair: { type: 'boolean' },
} as const;

type Command = FsTask['command'];
type OptionName = keyof typeof OPTIONS;

/** The options of each command, beside those that all have. */
const ALLOWED: Readonly<Record<Command, readonly OptionName[]>> = {
  ls: ['long', 'recursive', 'r'],
  tree: [],
  cat: [],
  stat: [],
  df: [],
  check: ['repair'],
  cp: ['recursive', 'r', 'owner'],
  mkdir: ['parents'],
  rm: ['recursive', 'r'],
  mkfs: [
    'label',
    'block',
    'inode-ratio',
    'inode-size',
    'sector',
    'fragment',
    'byte-order',
    'serial',
    'journal',
    'journal-size',
    'force',
  ],
};
const FOR_ALL: readonly OptionName[] = ['format', 'backing', 'type', 'zone', 'json'];

/** A command line that is wrong; `message` says how. */
class Wrong extends Error {}

/** Reads the arguments after `fs`. A string as the result says what is wrong with them. */
export function parseFsArguments(args: readonly string[]): FsCommandLine | string {
  const [first = '', ...rest] = args;
  if (!isCommand(first)) return first === '' ? 'fs: no command given' : `fs: there is no command "${first}"`;
  try {
    const { values, positionals } = parseArgs({ args: rest, options: OPTIONS, allowPositionals: true });
    const allowed: readonly string[] = [...ALLOWED[first], ...FOR_ALL];
    const foreign = Object.keys(values).find((name) => !allowed.includes(name));
    if (foreign !== undefined)
      return `fs ${first}: there is no option ${foreign.length === 1 ? '-' : '--'}${foreign}`;
    const { format, backing = [], type, zone, json = false } = values;
    const task = taskOf(first, values, positionals);
    // The type of mkfs is what is made.
    return { task, json, open: { format, backing, type: first === 'mkfs' ? undefined : type, zone } };
  } catch (error) {
    if (error instanceof Wrong || isUsageError(error)) return `fs ${first}: ${error.message}`;
    throw error;
  }
}

function isCommand(word: string): word is Command {
  return Object.hasOwn(ALLOWED, word);
}

function isUsageError(error: unknown): error is Error {
  const code: unknown = Reflect.get(Object(error), 'code');
  return error instanceof Error && typeof code === 'string' && code.startsWith('ERR_PARSE_ARGS');
}

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'];

function taskOf(command: Command, values: Values, words: readonly string[]): FsTask {
  const recursive = values.recursive === true || values.r === true;
  switch (command) {
    case 'ls':
      return { command, places: places(words), long: values.long ?? false, recursive };
    case 'tree':
    case 'cat':
    case 'stat':
    case 'df':
      return { command, places: places(words) };
    case 'check':
      return { command, places: places(words), mends: values.repair ?? false };
    case 'mkdir':
      return { command, places: places(words), recursive: values.parents ?? false };
    case 'rm':
      return { command, places: places(words), recursive };
    case 'cp':
      return copyTask(words, recursive, values.owner ?? false);
    case 'mkfs':
      return mkfsTask(words, values);
  }
}

function places(words: readonly string[]): readonly ImagePlace[] {
  if (words.length === 0) throw new Wrong('no IMAGE given');
  return words.map(placeOrRoot);
}

function copyTask(words: readonly string[], recursive: boolean, owner: boolean): FsTask {
  const sources = words.slice(0, -1);
  const to = words.at(-1);
  if (to === undefined || sources.length === 0) throw new Wrong('SOURCE and TO are needed');
  if (![to, ...sources].some((word) => placeInImage(word))) {
    throw new Wrong('neither side is in an image: a place there is written IMAGE:/path');
  }
  return { command: 'cp', sources, to, recursive, owner };
}

function mkfsTask(words: readonly string[], values: Values): FsTask {
  const [word, extra] = words;
  if (word === undefined) throw new Wrong('no IMAGE given');
  if (extra !== undefined) throw new Wrong(`one image at a time, not also "${extra}"`);
  const place = placeOrRoot(word);
  if (place.path !== '/') throw new Wrong('a file system is made in an image or a partition, not at a path');
  const { type: made, label, force = false } = values;
  if (made === undefined || !isMadeType(made)) {
    const what = made === undefined ? 'no type given' : `"${made}" cannot be made`;
    throw new Wrong(`${what}: --type is one of ${MADE_TYPES.join(', ')}`);
  }
  return {
    command: 'mkfs',
    place,
    made,
    label,
    blockBytes: bytes(values.block, 'block'),
    bytesPerInode: bytes(values['inode-ratio'], 'inode-ratio'),
    inodeBytes: bytes(values['inode-size'], 'inode-size'),
    sectorBytes: bytes(values.sector, 'sector'),
    fragmentBytes: bytes(values.fragment, 'fragment'),
    byteOrder: byteOrder(values['byte-order']),
    serial: serial(values.serial),
    journal: journalPlace(values.journal),
    journalBytes: bytes(values['journal-size'], 'journal-size'),
    force,
  };
}

function byteOrder(text: string | undefined): 'little' | 'big' | undefined {
  if (text === undefined || text === 'little' || text === 'big') return text;
  throw new Wrong(`--byte-order ${text}: little or big`);
}

function serial(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[0-9a-f]{4}-?[0-9a-f]{4}$/i.test(text))
    throw new Wrong(`--serial ${text}: eight hexadecimal digits, such as 1234-ABCD`);
  return Number.parseInt(text.replace('-', ''), 16);
}

function journalPlace(text: string | undefined): 'end' | 'inside' | undefined {
  if (text === undefined || text === 'end' || text === 'inside') return text;
  throw new Wrong(`--journal ${text}: end or inside`);
}

function bytes(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined;
  const size = parseBytes(text);
  if (size === undefined || size === 0)
    throw new Wrong(`--${name} ${text}: not a size (for example 4096 or 64K)`);
  return size;
}
