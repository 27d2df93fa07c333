/** The operations on a mount of the caller's own thread. */
import { FsError } from '../errors.ts';
import type { AttributeChange, DirectoryEntry, DirectoryListing } from '../vnode/attributes.ts';
import type { Mount } from '../vnode/mount.ts';
import type { Vnode } from '../vnode/vnode.ts';
import { CONSTANTS } from './constants.ts';
import { Failure } from './failure.ts';
import { type OpenNode, OpenNodes } from './open-nodes.ts';
import type { FsOperations, NodeFacts, VolumeFacts } from './operations.ts';
import { type Maker, namesNothing, PathNodes } from './path-nodes.ts';

const LIST_ENTRIES = 512;
/** The most that is read or written in one step, so that others come between. */
const PIECE_BYTES = 16 * 1024 * 1024;
/** The largest file that is read at once, as in Node. */
const WHOLE_BYTES_MAX = 2 ** 31 - 1;

const { O_APPEND, O_SYNC, O_DSYNC } = CONSTANTS;

/** What belongs to the mount. */
export interface LocalParts {
  readonly mount: Mount;
  readonly maker: Maker;
  /** Is told of every change. */
  readonly changed: () => void;
  /** Gives the device up. Called once, after the file system is unmounted. */
  readonly release: () => Promise<void>;
}

/** The operations. */
export class LocalOperations implements FsOperations {
  readonly #mount: Mount;
  readonly #parts: LocalParts;
  readonly #open: OpenNodes;
  readonly #nodes: PathNodes;
  readonly #blockSizeBytes: number;
  #underWay = 0;
  #idle: (() => void) | undefined;
  #unmounting: Promise<void> | undefined;

  constructor(parts: LocalParts) {
    this.#mount = parts.mount;
    this.#parts = parts;
    this.#open = new OpenNodes(parts.mount);
    this.#nodes = new PathNodes(parts.mount, parts.maker);
    this.#blockSizeBytes = parts.mount.statistics().blockSizeBytes;
  }

  open(path: string, flags: number, mode: number): Promise<number> {
    return this.#during(async () => {
      this.#open.requireRoom();
      return this.#open.add(await this.#nodes.opened(path, flags, mode), flags);
    });
  }

  close(handle: number): Promise<void> {
    return this.#during(() => this.#open.close(handle));
  }

  read(handle: number, into: Uint8Array, position: number | null): Promise<number> {
    return this.#during(() => {
      const node = this.#open.get(handle);
      if (!node.readable) throw new Failure('BadHandle', 'the file is not open for reading');
      return inTurn(node, position, (at) => this.#mount.read(node.vnode, at, into));
    });
  }

  write(handle: number, from: Uint8Array, position: number | null): Promise<number> {
    return this.#changing(async () => {
      const node = this.#open.get(handle);
      if (!node.writeable) throw new Failure('BadHandle', 'the file is not open for writing');
      const written = node.appends
        ? await this.#mount.append(node.vnode, from)
        : await inTurn(node, position, (at) => this.#mount.write(node.vnode, at, from));
      if ((node.flags & (O_SYNC | O_DSYNC)) !== 0) await this.#mount.sync();
      return written;
    });
  }

  handleFacts(handle: number): Promise<NodeFacts> {
    return this.#during(async () => this.#factsOf(this.#open.get(handle).vnode));
  }

  truncateHandle(handle: number, sizeBytes: number): Promise<void> {
    return this.#during(async () => {
      const node = this.#open.get(handle);
      if (!node.writeable) throw new FsError('InvalidArgument', 'the file is not open for writing');
      this.#parts.changed();
      await this.#mount.truncate(node.vnode, sizeBytes);
    });
  }

  changeHandle(handle: number, change: AttributeChange): Promise<void> {
    return this.#during(() => {
      const { vnode } = this.#open.get(handle);
      this.#parts.changed();
      return this.#mount.setAttributes(vnode, this.#withoutSetId(vnode, change));
    });
  }

  list(handle: number, cursor: number, entriesMax: number): Promise<DirectoryListing> {
    return this.#during(async () => this.#mount.list(this.#open.get(handle).vnode, cursor, entriesMax));
  }

  readAll(path: string, flags: number): Promise<Uint8Array> {
    return this.#during(() => this.#withOpened(path, flags, 0o666, (vnode) => this.#contents(vnode)));
  }

  writeAll(path: string, flags: number, mode: number, bytes: Uint8Array): Promise<void> {
    return this.#during(() =>
      this.#withOpened(path, flags, mode, async (vnode) => {
        this.#parts.changed();
        const appends = (flags & O_APPEND) !== 0;
        for (let done = 0; done < bytes.length; ) {
          const piece = bytes.subarray(done, done + PIECE_BYTES);
          done += appends
            ? await this.#mount.append(vnode, piece)
            : await this.#mount.write(vnode, done, piece);
        }
      }),
    );
  }

  facts(path: string, follow: boolean): Promise<NodeFacts> {
    const known = this.#unmounting ? undefined : this.#nodes.peek(path, follow);
    if (known !== undefined) return Promise.resolve(this.#factsOf(known));
    return this.#during(() => this.#nodes.at(path, follow, async (vnode) => this.#factsOf(vnode)));
  }

  change(path: string, change: AttributeChange, follow: boolean): Promise<void> {
    return this.#during(() =>
      this.#nodes.at(path, follow, (vnode) => {
        this.#parts.changed();
        return this.#mount.setAttributes(vnode, this.#withoutSetId(vnode, change));
      }),
    );
  }

  truncate(path: string, sizeBytes: number): Promise<void> {
    return this.#during(() =>
      this.#nodes.at(path, true, (vnode) => {
        this.#parts.changed();
        return this.#mount.truncate(vnode, sizeBytes);
      }),
    );
  }

  listAll(path: string): Promise<readonly DirectoryEntry[]> {
    return this.#during(() =>
      this.#nodes.at(path, true, async (vnode) => {
        const all: DirectoryEntry[] = [];
        for (let cursor: number | undefined = 0; cursor !== undefined; ) {
          const { entries, nextCursor } = await this.#mount.list(vnode, cursor, LIST_ENTRIES);
          for (const entry of entries) all.push(entry);
          cursor = nextCursor;
        }
        return all;
      }),
    );
  }

  makeDirectory(path: string, mode: number): Promise<void> {
    return this.#changing(async () => {
      if (namesNothing(path)) return this.#nodes.refuseNew(path);
      await this.#nodes.in(path, async (directory, name) => {
        const made = await this.#mount.createDirectory(directory, name, this.#nodes.newNode(mode));
        await this.#mount.release(made);
      });
    });
  }

  removeDirectory(path: string): Promise<void> {
    return this.#changing(async () => {
      if (namesNothing(path)) return this.#nodes.refuseRemoval(path);
      await this.#nodes.in(path, (directory, name) => this.#mount.removeDirectory(directory, name));
    });
  }

  unlink(path: string): Promise<void> {
    return this.#changing(async () => {
      if (namesNothing(path)) throw new FsError('IsDirectory', `"${path}" is a directory`);
      await this.#nodes.requireDirectoryAt(path);
      await this.#nodes.in(path, (directory, name) => this.#mount.unlink(directory, name));
    });
  }

  rename(path: string, newPath: string): Promise<void> {
    return this.#changing(async () => {
      if (namesNothing(path) || namesNothing(newPath)) throw new FsError('Busy', 'the directory stays');
      await this.#nodes.requireDirectoryAt(path);
      if (newPath.endsWith('/') && !path.endsWith('/')) await this.#nodes.requireDirectoryAt(`${path}/`);
      await this.#nodes.in(path, (directory, name) =>
        this.#nodes.in(newPath, (toDirectory, toName) =>
          this.#mount.rename(directory, name, toDirectory, toName),
        ),
      );
    });
  }

  link(path: string, newPath: string): Promise<void> {
    return this.#changing(() =>
      this.#nodes.at(path, false, async (target) => {
        if (namesNothing(newPath)) return this.#nodes.refuseNew(newPath);
        await this.#nodes.in(newPath, async (directory, name) => {
          if (target.type === 'directory') {
            await this.#nodes.requireFree(directory, name);
            throw new FsError('NotPermitted', 'a directory has one name only');
          }
          if (newPath.endsWith('/')) throw new FsError('NotFound', `"${newPath}" leads to a directory`);
          await this.#mount.link(directory, name, target);
        });
      }),
    );
  }

  symlink(target: string, path: string): Promise<void> {
    return this.#changing(async () => {
      if (target === '') throw new FsError('NotFound', 'a link to nothing');
      if (namesNothing(path)) return this.#nodes.refuseNew(path);
      await this.#nodes.in(path, async (directory, name) => {
        if (path.endsWith('/')) throw new FsError('NotFound', `"${path}" leads to a directory`);
        await this.#mount.release(await this.#mount.createSymlink(directory, name, target));
      });
    });
  }

  readLink(path: string): Promise<string> {
    return this.#during(() => this.#nodes.at(path, false, (vnode) => this.#mount.readLink(vnode)));
  }

  realPath(path: string): Promise<string> {
    return this.#during(() => this.#nodes.realPath(path));
  }

  volume(): Promise<VolumeFacts> {
    return this.#during(async () => ({ ...this.#mount.statistics(), writeable: this.#mount.writeable }));
  }

  sync(): Promise<void> {
    return this.#during(() => this.#mount.sync());
  }

  async unmount(force: boolean): Promise<void> {
    if (!force && this.#open.count > 0) throw new FsError('Busy', `${this.#open.count} files are open`);
    this.#unmounting ??= this.#end();
    await this.#unmounting;
  }

  async #end(): Promise<void> {
    if (this.#underWay > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    try {
      await this.#open.closeAll();
      await this.#mount.unmount();
    } finally {
      await this.#parts.release();
    }
  }

  async #during<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#unmounting) throw new Failure('Unmounted', 'the file system is unmounted');
    this.#underWay += 1;
    try {
      return await work();
    } finally {
      this.#underWay -= 1;
      if (this.#underWay === 0) this.#idle?.();
    }
  }

  #changing<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#during(() => {
      this.#parts.changed();
      return work();
    });
  }

  async #withOpened<Result>(
    path: string,
    flags: number,
    mode: number,
    work: (vnode: Vnode) => Promise<Result>,
  ): Promise<Result> {
    const vnode = await this.#nodes.opened(path, flags, mode);
    try {
      return await work(vnode);
    } finally {
      await this.#mount.release(vnode);
    }
  }

  async #contents(vnode: Vnode): Promise<Uint8Array> {
    const { sizeBytes } = this.#mount.attributes(vnode);
    // A directory is refused by the read below, whatever its size.
    const wanted = vnode.type === 'file' ? sizeBytes : 1;
    if (wanted > WHOLE_BYTES_MAX) throw new FsError('FileTooLarge', `a file of ${sizeBytes} bytes`);
    const bytes = new Uint8Array(wanted);
    let done = 0;
    while (done < wanted) {
      const length = await this.#mount.read(vnode, done, bytes.subarray(done, done + PIECE_BYTES));
      if (length === 0) break;
      done += length;
    }
    return done < wanted ? bytes.subarray(0, done) : bytes;
  }

  /** A file with another owner no longer runs as its owner, as in Linux. */
  #withoutSetId(vnode: Vnode, change: AttributeChange): AttributeChange {
    if (vnode.type !== 'file' || (change.uid === undefined && change.gid === undefined)) return change;
    const { permissions } = this.#mount.attributes(vnode);
    const groupRuns = (permissions & 0o010) !== 0;
    return { ...change, permissions: permissions & ~(groupRuns ? 0o6000 : 0o4000) };
  }

  #factsOf(vnode: Vnode): NodeFacts {
    return { attributes: this.#mount.attributes(vnode), blockSizeBytes: this.#blockSizeBytes };
  }
}

/** Does something at a position, or with null where the last one of these ended. */
async function inTurn(
  node: OpenNode,
  position: number | null,
  work: (at: number) => Promise<number>,
): Promise<number> {
  if (position !== null) return work(position);
  await node.sequence.acquire();
  try {
    const length = await work(node.position);
    node.position += length;
    return length;
  } finally {
    node.sequence.release();
  }
}
