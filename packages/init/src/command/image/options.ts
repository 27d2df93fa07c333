/** The command line of `ginit image`, and its help. */
import { parseArgs } from 'node:util';
import {
  type BackingFile,
  IMAGE_FORMATS,
  type ImageFile,
  type ImageFormat,
  isImageFormat,
} from '@ginit/block/image';
import { parseBytes } from '@ginit/core/config';
import type { ImageTask, SnapshotTask } from './task.ts';

const CHUNK_BYTES = 64 * 1024;
const BLOCK_BYTES = 512;

/** The help text of `ginit image`. */
export const IMAGE_HELP = `ginit image: disk images: raw, qcow2 (QEMU), VDI (VirtualBox), VMDK (VMware)

  ginit image info IMAGE...            what an image is
  ginit image check [--repair] IMAGE...
                                       whether its tables are sound; --repair makes the refcounts of a qcow2 image anew
  ginit image create IMAGE [SIZE]      a new image; with --backing FILE one over that, as large as that
  ginit image convert IN OUT           copies a disk into a new image; VMDK is written as streamOptimized
  ginit image resize IMAGE [+]SIZE     makes the disk larger; with --shrink also smaller
  ginit image compact IMAGE            makes the file as small as what it holds; a raw file gets holes
  ginit image snapshot create|rollback|delete --store STORE IMAGE NAME
  ginit image snapshot list --store STORE IMAGE
                                       snapshots of a disk, kept in the file STORE, as snapshot_block does

  -f, --format FORMAT  of IMAGE or IN: ${IMAGE_FORMATS.join(', ')} (default: as the name ends; .img is raw)
  --to FORMAT          of OUT, likewise
  --backing FILE       the image behind IMAGE; again for the one behind that. What an image itself names is not opened.
                       FORMAT:FILE also says its format
  --compress           convert: compressed clusters (qcow2; VMDK always has them)
  --cluster-size SIZE  create, convert: of qcow2, 512 to 2M (default: 64K)
  --fixed              create: a VDI image with all of its blocks
  --force              create, convert: replaces a file that is there
  --store-size SIZE    snapshot create: makes the store, of this size; --chunk-size SIZE (default: 64K) and
                       --block-size SIZE (default: 512) say how
  --json               one line of JSON for each image instead of text

SIZE is a number of bytes, or one with K, M or G. An image that a running system or QEMU writes to is in use, and left
alone. Exit code: 0; 1 if an image is not sound or something failed, 2 if the command line is wrong, 3 if a check finds
nothing but space that is lost. docs/images.md says more.`;

/** What a command line asks for. */
export interface ImageCommandLine {
  readonly tasks: readonly ImageTask[];
  readonly json: boolean;
}

const OPTIONS = {
  format: { type: 'string', short: 'f' },
  to: { type: 'string' },
  backing: { type: 'string', multiple: true },
  repair: { type: 'boolean' },
  compress: { type: 'boolean' },
  'cluster-size': { type: 'string' },
  fixed: { type: 'boolean' },
  force: { type: 'boolean' },
  shrink: { type: 'boolean' },
  store: { type: 'string' },
  'store-size': { type: 'string' },
  'chunk-size': { type: 'string' },
  'block-size': { type: 'string' },
  json: { type: 'boolean' },
} as const;

/** The options of each command, beside those that all have. */
const ALLOWED: Readonly<Record<ImageTask['command'], readonly (keyof typeof OPTIONS)[]>> = {
  info: [],
  check: ['repair'],
  create: ['backing', 'cluster-size', 'fixed', 'force'],
  convert: ['to', 'backing', 'compress', 'cluster-size', 'force'],
  resize: ['backing', 'shrink'],
  compact: ['backing'],
  snapshot: ['backing', 'store', 'store-size', 'chunk-size', 'block-size'],
};
const FOR_ALL: readonly string[] = ['format', 'json'];

/** A command line that is wrong; `message` says how. */
class Wrong extends Error {}

/** Reads the arguments after `image`. A string as the result says what is wrong with them. */
export function parseImageArguments(args: readonly string[]): ImageCommandLine | string {
  const [first = '', ...rest] = args;
  const command = commandOf(first);
  if (!command) return first === '' ? 'image: no command given' : `image: there is no command "${first}"`;
  try {
    const { values, positionals } = parseArgs({ args: rest, options: OPTIONS, allowPositionals: true });
    const allowed: readonly string[] = [...ALLOWED[command], ...FOR_ALL];
    const foreign = Object.keys(values).find((name) => !allowed.includes(name));
    if (foreign !== undefined) return `image ${command}: there is no option --${foreign}`;
    return { tasks: new Line(command, values, positionals).tasks(), json: values.json ?? false };
  } catch (error) {
    return error instanceof Wrong || isUsageError(error)
      ? `image ${command}: ${error.message}`
      : raise(error);
  }
}

function commandOf(word: string): ImageTask['command'] | undefined {
  switch (word) {
    case 'info':
    case 'check':
    case 'create':
    case 'convert':
    case 'resize':
    case 'compact':
    case 'snapshot':
      return word;
    default:
      return undefined;
  }
}

function isUsageError(error: unknown): error is Error {
  const code: unknown = Reflect.get(Object(error), 'code');
  return error instanceof Error && typeof code === 'string' && code.startsWith('ERR_PARSE_ARGS');
}

function raise(error: unknown): never {
  throw error;
}

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'];

class Line {
  readonly #command: ImageTask['command'];
  readonly #values: Values;
  readonly #words: string[];

  constructor(command: ImageTask['command'], values: Values, words: readonly string[]) {
    this.#command = command;
    this.#values = values;
    this.#words = [...words];
  }

  tasks(): readonly ImageTask[] {
    const command = this.#command;
    switch (command) {
      case 'info':
        return this.#files().map((image) => ({ command, image }));
      case 'check':
        return this.#files().map((image) => ({ command, image, repair: this.#values.repair ?? false }));
      case 'snapshot':
        return [this.#snapshot()];
      case 'create':
      case 'convert':
      case 'resize':
      case 'compact':
        return [this.#end(this.#task(command))];
    }
  }

  #task(command: 'create' | 'convert' | 'resize' | 'compact'): ImageTask {
    const { fixed = false, force = false, compress = false, shrink = false } = this.#values;
    const clusterBytes = this.#bytes('cluster-size');
    switch (command) {
      case 'create': {
        const image = this.#file();
        const size = this.#words.shift();
        const sizeBytes = size === undefined ? undefined : bytesOf(size, 'SIZE');
        return { command, image, sizeBytes, clusterBytes, fixed, force };
      }
      case 'convert': {
        const image = this.#file();
        const into = this.#word('OUT');
        return { command, image, into, intoFormat: formatOf(this.#values.to), clusterBytes, compress, force };
      }
      case 'resize': {
        const image = this.#file();
        const size = this.#word('SIZE');
        const more = size.startsWith('+');
        return { command, image, sizeBytes: bytesOf(more ? size.slice(1) : size, 'SIZE'), more, shrink };
      }
      case 'compact':
        return { command, image: this.#file() };
    }
  }

  #snapshot(): SnapshotTask {
    const action = this.#word('create, list, rollback or delete');
    if (action !== 'create' && action !== 'list' && action !== 'rollback' && action !== 'delete') {
      throw new Wrong(`"${action}" is not one of create, list, rollback, delete`);
    }
    const image = this.#file();
    const name = action === 'list' ? '' : this.#word('NAME');
    const { store } = this.#values;
    if (store === undefined) throw new Wrong('--store says where the snapshots are kept');
    return this.#end({
      command: 'snapshot',
      action,
      image,
      name,
      store,
      storeBytes: this.#bytes('store-size'),
      chunkBytes: this.#bytes('chunk-size') ?? CHUNK_BYTES,
      blockBytes: this.#bytes('block-size') ?? BLOCK_BYTES,
    });
  }

  #files(): ImageFile[] {
    const files = [this.#file()];
    while (this.#words.length > 0) files.push(this.#file());
    return files;
  }

  #file(): ImageFile {
    const file = this.#word('IMAGE');
    return {
      file,
      format: formatOf(this.#values.format),
      backing: (this.#values.backing ?? []).map(backingFile),
    };
  }

  #word(what: string): string {
    const word = this.#words.shift();
    if (word === undefined) throw new Wrong(`no ${what} given`);
    return word;
  }

  #bytes(name: 'cluster-size' | 'store-size' | 'chunk-size' | 'block-size'): number | undefined {
    const text = this.#values[name];
    return text === undefined ? undefined : bytesOf(text, `--${name}`);
  }

  /** Nothing may be left over. */
  #end<Task>(task: Task): Task {
    const [extra] = this.#words;
    if (extra !== undefined) throw new Wrong(`nobody expects "${extra}"`);
    return task;
  }
}

function formatOf(word: string | undefined): ImageFormat | undefined {
  if (word === undefined || isImageFormat(word)) return word;
  throw new Wrong(`"${word}" is not one of ${IMAGE_FORMATS.join(', ')}`);
}

/** Reads FILE, or FORMAT:FILE. */
function backingFile(text: string): BackingFile {
  const colon = text.indexOf(':');
  const format = text.slice(0, Math.max(0, colon));
  return isImageFormat(format) ? { file: text.slice(colon + 1), format } : { file: text, format: undefined };
}

function bytesOf(text: string, what: string): number {
  const bytes = parseBytes(text);
  if (bytes === undefined || bytes === 0)
    throw new Wrong(`${what} "${text}" is not a size (for example 512M or 20G)`);
  return bytes;
}
