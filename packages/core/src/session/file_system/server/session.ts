import { assert } from '../../../errors.ts';
import type { Implementation } from '../../../interface/interface.ts';
import type { PacketSink } from '../../../packet-stream/index.ts';
import type {
  AttributeChangeData,
  FileSystem,
  FileSystemSpace,
  MoveMode,
  NameData,
  NewNodeData,
  NodeStatus,
  OpenedNode,
  OpenMode,
} from '../declaration.ts';
import {
  checkedName,
  checkedPath,
  checkedTarget,
  fileSystemFailure,
  splitPath,
  toNameData,
} from '../names.ts';
import { Activity } from './activity.ts';
import { ChangeTelling } from './change-telling.ts';
import { ChangeNotices } from './change-notices.ts';
import type { BackendNode, FileSystemBackend } from './backend.ts';
import { madeIn } from './new-node.ts';
import { statusOf } from './node-status.ts';
import { Failures } from './failures.ts';
import { HandleTable, OpenNode } from './handle-table.ts';
import { type NodeWatches, watchesOf } from './node-watches.ts';
import { openDirectory, openFile, writes } from './opening.ts';
import { PacketServer } from './packet-server.ts';
import { walkBackend } from './backend-tree.ts';
import { Waiting } from './waiting.ts';

/** The parts of a session. */
export interface FileSystemSessionOptions<Node extends BackendNode> {
  readonly backend: FileSystemBackend<Node>;
  /** The directory that is `/` for this session, held for it; the session releases it. */
  readonly root: Node;
  readonly writeable: boolean;
  readonly handlesMax: number;
  /** Takes errors that the backend did not mean to throw. */
  readonly report: (error: unknown) => void;
}

const NODE_ACCESS = { readable: false, writeable: false } as const;

/** One session of a File_system server. */
export class FileSystemServerSession<Node extends BackendNode> implements Implementation<typeof FileSystem> {
  readonly #backend: FileSystemBackend<Node>;
  readonly #root: Node;
  readonly #writeable: boolean;
  readonly #handles: HandleTable<Node>;
  readonly #activity = new Activity();
  readonly #watches: NodeWatches;
  readonly #telling: ChangeTelling<Node>;
  readonly #notices = new ChangeNotices();
  readonly #failures: Failures;
  readonly #waiting = new Waiting<Node>();

  constructor(options: FileSystemSessionOptions<Node>) {
    const { backend, root, handlesMax, report } = options;
    this.#backend = backend;
    this.#root = root;
    this.#writeable = options.writeable && backend.writeable;
    this.#watches = watchesOf(backend);
    this.#telling = new ChangeTelling(backend, this.#watches);
    this.#handles = new HandleTable(handlesMax, (open) => {
      this.#telling.modified(open);
      return backend.release(open.node);
    });
    this.#failures = new Failures((error) => backend.errorCode(error), report);
  }

  /** Serves the packets that the client submits. */
  attach(sink: PacketSink): void {
    const parts = {
      backend: this.#backend,
      handles: this.#handles,
      activity: this.#activity,
      failures: this.#failures,
      writeable: this.#writeable,
      notices: this.#notices,
      waiting: this.#waiting,
      tellModified: (open: OpenNode<Node>): void => this.#telling.modified(open),
    };
    void new PacketServer(parts, sink);
  }

  dir(pathData: NameData, create: boolean): Promise<number> {
    return this.#opening(async () => {
      const path = checkedPath(pathData);
      const node = create ? await this.#createDirectoryAt(path) : await this.#walk(path, true);
      return openDirectory(this.#backend, node);
    });
  }

  subdir(directory: number, nameData: NameData, create: boolean): Promise<number> {
    return this.#opening(() =>
      this.#inDirectory(directory, nameData, async (parent, name) => {
        if (create) this.#requireWriteable();
        const node = create
          ? await this.#backend.createDirectory(parent, name)
          : await this.#backend.lookup(parent, name);
        if (create) this.#telling.changed(parent);
        return openDirectory(this.#backend, node);
      }),
    );
  }

  file(directory: number, nameData: NameData, mode: OpenMode, create: boolean): Promise<number> {
    return this.#opening(() =>
      this.#inDirectory(directory, nameData, async (parent, name) => {
        if (create || writes(mode)) this.#requireWriteable();
        const node = create
          ? await this.#backend.createFile(parent, name)
          : await this.#backend.lookup(parent, name);
        if (create) this.#telling.changed(parent);
        return openFile(this.#backend, node, mode);
      }),
    );
  }

  open(handle: number, mode: OpenMode): Promise<number> {
    return this.#opening(() =>
      this.#handles.using(handle, async ({ node, kind }) => {
        if (kind === 'watch') throw fileSystemFailure('Invalid_handle');
        if (writes(mode)) this.#requireWriteable();
        this.#backend.hold(node);
        if (node.type === 'directory' && !writes(mode)) return openDirectory(this.#backend, node);
        return openFile(this.#backend, node, mode);
      }),
    );
  }

  lookup(directory: number, nameData: NameData): Promise<OpenedNode> {
    return this.#openingAny(() =>
      this.#inDirectory(directory, nameData, (parent, name) => this.#backend.lookup(parent, name)),
    );
  }

  make(directory: number, nameData: NameData, what: NewNodeData): Promise<OpenedNode> {
    return this.#openingAny(() =>
      this.#inDirectory(directory, nameData, async (parent, name) => {
        this.#requireWriteable();
        const made = await madeIn(this.#backend, parent, name, what);
        this.#telling.changed(parent);
        return made;
      }),
    );
  }

  setAttributes(handle: number, { sizeBytes, ...change }: AttributeChangeData): Promise<NodeStatus> {
    return this.#run(() =>
      this.#handles.using(handle, async ({ node }) => {
        this.#requireWriteable();
        if (sizeBytes !== undefined) {
          if (node.type === 'directory') throw fileSystemFailure('Is_a_directory');
          if (node.type !== 'file') throw fileSystemFailure('Invalid_argument');
          await this.#backend.truncate(node, sizeBytes);
          this.#telling.changed(node);
        }
        if (Object.values(change).some((value) => value !== undefined)) {
          await this.#backend.setAttributes(node, change);
          this.#telling.attributesChanged(node);
        }
        return statusOf(this.#backend, node);
      }),
    );
  }

  target(handle: number): Promise<NameData> {
    return this.#run(() =>
      this.#handles.using(handle, async ({ node }) => {
        if (node.type !== 'symlink') throw fileSystemFailure('Invalid_argument', 'no symbolic link');
        return toNameData(await this.#backend.readLink(node));
      }),
    );
  }

  changes(): Promise<number> {
    return this.#opening(async (handle) => {
      this.#backend.hold(this.#root);
      const open = new OpenNode(this.#root, 'watch', NODE_ACCESS);
      const end = this.#watches.observe((inode, by) => {
        if (by !== this.#telling) this.#notices.addInode(handle, inode);
      });
      open.onClosed = () => {
        end();
        this.#notices.forget(handle);
      };
      return open;
    });
  }

  node(pathData: NameData, follow: boolean): Promise<number> {
    return this.#opening(
      async () => new OpenNode(await this.#walk(checkedPath(pathData), follow), 'node', NODE_ACCESS),
    );
  }

  watch(pathData: NameData): Promise<number> {
    return this.#opening(async (handle) => {
      const open = new OpenNode(await this.#walk(checkedPath(pathData), true), 'watch', NODE_ACCESS);
      const end = this.#watches.add(open.node, () => this.#notices.add(handle));
      open.onClosed = () => {
        end();
        this.#notices.forget(handle);
      };
      return open;
    });
  }

  close(handle: number): Promise<void> {
    return this.#run(() => this.#handles.close(handle));
  }

  status(handle: number): Promise<NodeStatus> {
    return this.#run(() => this.#handles.using(handle, ({ node }) => statusOf(this.#backend, node)));
  }

  stat(directory: number, nameData: NameData): Promise<NodeStatus> {
    return this.#run(() => this.#onEntry(directory, nameData, (node) => statusOf(this.#backend, node)));
  }

  symlink(directory: number, nameData: NameData, targetData: NameData): Promise<void> {
    return this.#run(() =>
      this.#inDirectory(directory, nameData, async (parent, name) => {
        const target = checkedTarget(targetData);
        this.#requireWriteable();
        await this.#backend.release(await this.#backend.createSymlink(parent, name, target));
        this.#telling.changed(parent);
      }),
    );
  }

  readlink(directory: number, nameData: NameData): Promise<NameData> {
    return this.#run(() =>
      this.#onEntry(directory, nameData, async (node) => {
        if (node.type !== 'symlink') throw fileSystemFailure('Invalid_argument', 'no symbolic link');
        return toNameData(await this.#backend.readLink(node));
      }),
    );
  }

  unlink(directory: number, nameData: NameData): Promise<void> {
    return this.#changing(directory, nameData, (parent, name) =>
      this.#telling.around(parent, name, () => this.#backend.unlink(parent, name)),
    );
  }

  rmdir(directory: number, nameData: NameData): Promise<void> {
    return this.#changing(directory, nameData, (parent, name) =>
      this.#telling.around(parent, name, () => this.#backend.removeDirectory(parent, name)),
    );
  }

  truncate(handle: number, sizeBytes: number): Promise<void> {
    return this.#run(() =>
      this.#handles.using(handle, async (open) => {
        if (!open.writeable) throw fileSystemFailure('Invalid_handle');
        open.modified = true;
        await this.#backend.truncate(open.node, sizeBytes);
      }),
    );
  }

  move(
    directory: number,
    nameData: NameData,
    toDirectory: number,
    toNameData_: NameData,
    how: MoveMode,
  ): Promise<void> {
    return this.#changing(directory, nameData, (parent, name) =>
      this.#inDirectory(toDirectory, toNameData_, async (toParent, toName) => {
        if (how === 'exchange') throw fileSystemFailure('Unsupported', 'names are not exchanged');
        await this.#telling.around(toParent, toName, () =>
          this.#backend.rename(parent, name, toParent, toName, how === 'replace'),
        );
        if (parent !== toParent) this.#telling.changed(parent);
      }),
    );
  }

  link(handle: number, directory: number, nameData: NameData): Promise<void> {
    return this.#changing(directory, nameData, (parent, name) =>
      this.#handles.using(handle, async ({ node, kind }) => {
        if (kind === 'watch') throw fileSystemFailure('Invalid_handle');
        await this.#backend.link(parent, name, node);
        this.#telling.changed(parent);
        this.#telling.attributesChanged(node);
      }),
    );
  }

  numEntries(directory: number): Promise<number> {
    return this.#run(() =>
      this.#handles.using(directory, async (open) => {
        if (!open.isDirectory) throw fileSystemFailure('Invalid_handle');
        let count = 0;
        for (let cursor: number | undefined = 0; cursor !== undefined; ) {
          const listing = await this.#backend.list(open.node, cursor, ENTRIES_PER_LIST);
          if (listing.entries.length === 0 && listing.nextCursor === cursor)
            throw fileSystemFailure('Corrupt');
          count += listing.entries.length;
          cursor = listing.nextCursor;
        }
        return count;
      }),
    );
  }

  space(): Promise<FileSystemSpace> {
    return this.#run(async () => ({ ...(await this.#backend.space()), writeable: this.#writeable }));
  }

  /** Waits for what is under way, then closes every handle. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#waiting.end();
    await this.#activity.end();
    try {
      await this.#handles.closeAll();
    } finally {
      await this.#backend.release(this.#root);
    }
  }

  async #run<Result>(operation: () => Promise<Result>): Promise<Result> {
    try {
      return await this.#activity.run(operation);
    } catch (error) {
      throw this.#failures.asRpcError(error);
    }
  }

  #opening(make: (handle: number) => Promise<OpenNode<Node>>): Promise<number> {
    return this.#run(() => this.#handles.add(make));
  }

  /** A handle that serves for everything, and the status of its node. */
  async #openingAny(find: () => Promise<Node>): Promise<OpenedNode> {
    return this.#run(async () => {
      let status: NodeStatus | undefined;
      const handle = await this.#handles.add(async () => {
        const node = await find();
        try {
          status = await statusOf(this.#backend, node);
        } catch (error) {
          await this.#backend.release(node);
          throw error;
        }
        const writeable = this.#writeable && node.type === 'file';
        return new OpenNode(node, 'any', { readable: true, writeable });
      });
      assert(status !== undefined, 'a node that is open has a status');
      return { handle, status };
    });
  }

  #inDirectory<Result>(
    handle: number,
    nameData: NameData,
    use: (directory: Node, name: string) => Promise<Result>,
  ): Promise<Result> {
    return this.#handles.using(handle, async (open) => {
      if (!open.isDirectory) throw notDirectory(open);
      return use(open.node, checkedName(nameData));
    });
  }

  #changing(
    directory: number,
    nameData: NameData,
    change: (directory: Node, name: string) => Promise<void>,
  ): Promise<void> {
    return this.#run(() =>
      this.#inDirectory(directory, nameData, async (parent, name) => {
        this.#requireWriteable();
        await change(parent, name);
      }),
    );
  }

  /** Lends the node of an entry to `use`. */
  #onEntry<Result>(
    directory: number,
    nameData: NameData,
    use: (node: Node) => Promise<Result>,
  ): Promise<Result> {
    return this.#inDirectory(directory, nameData, async (parent, name) => {
      const node = await this.#backend.lookup(parent, name);
      try {
        return await use(node);
      } finally {
        await this.#backend.release(node);
      }
    });
  }

  /** The new node, held. */
  async #createDirectoryAt(path: string): Promise<Node> {
    const { parent, name } = splitPath(path);
    if (name === '' || name === '.' || name === '..') throw fileSystemFailure('Node_already_exists');
    checkedName(name);
    this.#requireWriteable();
    const directory = await this.#walk(parent, true);
    try {
      if (directory.type !== 'directory') throw fileSystemFailure('Not_a_directory');
      const made = await this.#backend.createDirectory(directory, name);
      this.#telling.changed(directory);
      return made;
    } finally {
      await this.#backend.release(directory);
    }
  }

  #requireWriteable(): void {
    if (!this.#writeable) throw fileSystemFailure('Permission_denied');
  }

  #walk(path: string, followLast: boolean): Promise<Node> {
    return walkBackend(this.#backend, this.#root, path, followLast);
  }
}

const ENTRIES_PER_LIST = 256;

/** Why a handle does not serve as a directory. */
function notDirectory({ kind }: OpenNode<BackendNode>): Error {
  return fileSystemFailure(kind === 'any' ? 'Not_a_directory' : 'Invalid_handle');
}
