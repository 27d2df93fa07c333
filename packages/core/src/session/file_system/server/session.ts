import type { Implementation } from '../../../interface/interface.ts';
import type { PacketSink } from '../../../packet-stream/index.ts';
import type { FileSystem, FileSystemSpace, NameData, NodeStatus, OpenMode } from '../declaration.ts';
import {
  checkedName,
  checkedPath,
  checkedTarget,
  fileSystemFailure,
  splitPath,
  toNameData,
} from '../names.ts';
import { Activity } from './activity.ts';
import { ChangeNotices } from './change-notices.ts';
import type { BackendNode, FileSystemBackend } from './backend.ts';
import { Failures } from './failures.ts';
import { HandleTable, OpenNode } from './handle-table.ts';
import { type NodeWatches, watchesOf } from './node-watches.ts';
import { PacketServer } from './packet-server.ts';
import { walkBackend } from './backend-tree.ts';

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

const DIRECTORY_ACCESS = { readable: true, writeable: false } as const;
const NODE_ACCESS = { readable: false, writeable: false } as const;

/** One session of a File_system server. */
export class FileSystemServerSession<Node extends BackendNode> implements Implementation<typeof FileSystem> {
  readonly #backend: FileSystemBackend<Node>;
  readonly #root: Node;
  readonly #writeable: boolean;
  readonly #handles: HandleTable<Node>;
  readonly #activity = new Activity();
  readonly #watches: NodeWatches;
  readonly #notices = new ChangeNotices();
  readonly #failures: Failures;

  constructor(options: FileSystemSessionOptions<Node>) {
    const { backend, root, handlesMax, report } = options;
    this.#backend = backend;
    this.#root = root;
    this.#writeable = options.writeable && backend.writeable;
    this.#watches = watchesOf(backend);
    this.#handles = new HandleTable(handlesMax, (open) => {
      this.#tellModified(open);
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
      tellModified: (open: OpenNode<Node>): void => this.#tellModified(open),
    };
    void new PacketServer(parts, sink);
  }

  dir(pathData: NameData, create: boolean): Promise<number> {
    return this.#opening(async () => {
      const path = checkedPath(pathData);
      const node = create ? await this.#createDirectoryAt(path) : await this.#walk(path, true);
      return this.#openDirectory(node);
    });
  }

  subdir(directory: number, nameData: NameData, create: boolean): Promise<number> {
    return this.#opening(() =>
      this.#inDirectory(directory, nameData, async (parent, name) => {
        if (create) this.#requireWriteable();
        const node = create
          ? await this.#backend.createDirectory(parent, name)
          : await this.#backend.lookup(parent, name);
        if (create) this.#watches.changed(parent);
        return this.#openDirectory(node);
      }),
    );
  }

  file(directory: number, nameData: NameData, mode: OpenMode, create: boolean): Promise<number> {
    return this.#opening(() =>
      this.#inDirectory(directory, nameData, async (parent, name) => {
        const writeable = mode === 'write-only' || mode === 'read-write';
        if (create || writeable) this.#requireWriteable();
        const node = create
          ? await this.#backend.createFile(parent, name)
          : await this.#backend.lookup(parent, name);
        if (create) this.#watches.changed(parent);
        return this.#keeping(node, () => {
          if (node.type === 'symlink') throw fileSystemFailure('Is_a_symlink');
          if (node.type === 'directory') throw fileSystemFailure('Is_a_directory');
          if (node.type !== 'file' && mode !== 'stat-only') throw fileSystemFailure('Unsupported', node.type);
          const readable = mode === 'read-only' || mode === 'read-write';
          return new OpenNode(node, 'file', { readable, writeable });
        });
      }),
    );
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
    return this.#run(() => this.#handles.using(handle, ({ node }) => this.#status(node)));
  }

  stat(directory: number, nameData: NameData): Promise<NodeStatus> {
    return this.#run(() => this.#onEntry(directory, nameData, (node) => this.#status(node)));
  }

  symlink(directory: number, nameData: NameData, targetData: NameData): Promise<void> {
    return this.#run(() =>
      this.#inDirectory(directory, nameData, async (parent, name) => {
        const target = checkedTarget(targetData);
        this.#requireWriteable();
        await this.#backend.release(await this.#backend.createSymlink(parent, name, target));
        this.#watches.changed(parent);
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
      this.#tellingOf(parent, name, () => this.#backend.unlink(parent, name)),
    );
  }

  rmdir(directory: number, nameData: NameData): Promise<void> {
    return this.#changing(directory, nameData, (parent, name) =>
      this.#tellingOf(parent, name, () => this.#backend.removeDirectory(parent, name)),
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

  move(directory: number, nameData: NameData, toDirectory: number, toNameData_: NameData): Promise<void> {
    return this.#changing(directory, nameData, (parent, name) =>
      this.#inDirectory(toDirectory, toNameData_, async (toParent, toName) => {
        await this.#tellingOf(toParent, toName, () => this.#backend.rename(parent, name, toParent, toName));
        if (parent !== toParent) this.#watches.changed(parent);
      }),
    );
  }

  link(handle: number, directory: number, nameData: NameData): Promise<void> {
    return this.#changing(directory, nameData, (parent, name) =>
      this.#handles.using(handle, async ({ node, kind }) => {
        if (kind === 'watch') throw fileSystemFailure('Invalid_handle');
        await this.#backend.link(parent, name, node);
        this.#watches.changed(parent);
      }),
    );
  }

  numEntries(directory: number): Promise<number> {
    return this.#run(() =>
      this.#handles.using(directory, async (open) => {
        if (open.kind !== 'directory') throw fileSystemFailure('Invalid_handle');
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
    return this.#run(async () => this.#backend.space());
  }

  /** Waits for what is under way, then closes every handle. */
  async [Symbol.asyncDispose](): Promise<void> {
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

  #inDirectory<Result>(
    handle: number,
    nameData: NameData,
    use: (directory: Node, name: string) => Promise<Result>,
  ): Promise<Result> {
    return this.#handles.using(handle, async (open) => {
      if (open.kind !== 'directory') throw fileSystemFailure('Invalid_handle');
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

  /** Tells the watchers of a file that was changed through this handle, if it was. */
  #tellModified(open: OpenNode<Node>): void {
    if (!open.modified) return;
    open.modified = false;
    this.#watches.changed(open.node);
  }

  /**
   * Takes the name away from what has it, or gives it to something else, by `change`. Then tells
   * the watchers of the directory, and of what had the name; nobody looks for that if nobody
   * watches.
   */
  async #tellingOf(directory: Node, name: string, change: () => Promise<void>): Promise<void> {
    const before = this.#watches.any
      ? await this.#backend.lookup(directory, name).catch(() => undefined)
      : undefined;
    try {
      await change();
      this.#watches.changed(directory);
      if (before) this.#watches.changed(before);
    } finally {
      if (before) await this.#backend.release(before);
    }
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
      this.#watches.changed(directory);
      return made;
    } finally {
      await this.#backend.release(directory);
    }
  }

  #openDirectory(node: Node): Promise<OpenNode<Node>> {
    return this.#keeping(node, () => {
      if (node.type === 'symlink') throw fileSystemFailure('Is_a_symlink');
      if (node.type !== 'directory') throw fileSystemFailure('Not_a_directory');
      return new OpenNode(node, 'directory', DIRECTORY_ACCESS);
    });
  }

  /**
   * Gives a held node to the open node that `make` makes. If `make` throws, the node is released.
   */
  async #keeping(node: Node, make: () => OpenNode<Node>): Promise<OpenNode<Node>> {
    try {
      return make();
    } catch (error) {
      await this.#backend.release(node);
      throw error;
    }
  }

  async #status(node: Node): Promise<NodeStatus> {
    const status = await this.#backend.status(node);
    // A time before 1970 has no place in the interface.
    return { ...status, modifiedMs: Math.max(0, Math.floor(status.modifiedMs)) };
  }

  #requireWriteable(): void {
    if (!this.#writeable) throw fileSystemFailure('Permission_denied');
  }

  #walk(path: string, followLast: boolean): Promise<Node> {
    return walkBackend(this.#backend, this.#root, path, followLast);
  }
}

const ENTRIES_PER_LIST = 256;
