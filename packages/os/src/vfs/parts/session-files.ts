/**
 * The files of a File_system session as a part: a node is a handle of the session, looked up by its
 * name. When the server has ended and is back, nodes that are open are looked up again on the same
 * way; what is not there any more, or is another file, is `Unavailable`.
 */
import { PeerGone, type Session, type SessionOpening } from '@ginit/core';
import { inPieces, Mutex } from '@ginit/core/async';
import {
  type AttributeChangeData,
  type BackendListing,
  type BackendNewNode,
  type BackendSpace,
  type BackendStatus,
  FileSystem,
  type FileSystemBackend,
  type FileSystemErrorCode,
  NodesClient,
  type NodeType,
  type OpenedNode,
  SEEK_TAIL,
} from '@ginit/core/file_system';
import { codeOf, fileSystemFailure } from '../../lib/file-system-failure.ts';
import { refuseChange } from './read-only.ts';

/** How the session is asked for. */
export interface SessionFilesOptions {
  readonly label: string;
  readonly root: string;
  readonly writeable: boolean;
  readonly bufferBytes: number;
}

/** Packets of one transfer that are under way at a time. */
const PACKETS_UNDER_WAY = 4;
/** Readings of one directory that can be gone on with at a time; others begin anew. */
const LISTINGS_MAX = 8;

interface Listing {
  readonly handle: number;
  readonly generation: number;
  index: number;
}

/** A node of the session. */
export class SessionNode {
  readonly type: NodeType;
  readonly inode: number;
  /** Its handle, and the session that gave it. */
  handle: number;
  generation: number;
  holds = 1;
  /** Where it was last seen; the root has no parent. Held. */
  parent: SessionNode | undefined;
  name: string;
  readonly listings: Listing[] = [];
  /** One waits for something to read for all who do: those who give up leave none behind. */
  readable: Promise<void> | undefined;
  /** One at a time looks it up again. */
  readonly healing = new Mutex();

  constructor(opened: OpenedNode, generation: number, parent: SessionNode | undefined, name: string) {
    this.type = opened.status.type;
    this.inode = opened.status.inode;
    this.handle = opened.handle;
    this.generation = generation;
    this.parent = parent;
    this.name = name;
  }
}

/** The files of a session. */
export class SessionFiles implements FileSystemBackend<SessionNode> {
  readonly root: SessionNode;
  readonly writeable: boolean;
  readonly #close: () => Promise<unknown>;
  readonly #nodes = new Map<number, SessionNode>();
  #client: NodesClient;
  #generation = 1;
  #changed: (node?: SessionNode, inode?: number) => void = () => {};

  private constructor(
    client: NodesClient,
    root: OpenedNode,
    writeable: boolean,
    close: () => Promise<unknown>,
  ) {
    this.#client = client;
    this.#close = close;
    this.root = new SessionNode(root, this.#generation, undefined, '');
    this.#nodes.set(this.root.inode, this.root);
    this.writeable = writeable;
  }

  /** Rejects with `SessionError`. */
  static async open(env: SessionOpening, options: SessionFilesOptions): Promise<SessionFiles> {
    const { label, root, writeable, bufferBytes } = options;
    let newest: Session<typeof FileSystem>;
    const onReattach = async (session: Session<typeof FileSystem>): Promise<void> => {
      newest = session;
      await files.#follow(new NodesClient(session));
    };
    newest = await env.connect(FileSystem, {
      label,
      args: { root, writeable, tx_buf_size: bufferBytes },
      onReattach,
    });
    const close = (): Promise<unknown> => env.close(newest);
    const client = new NodesClient(newest);
    const handle = await client.root();
    const status = await client.status(handle);
    const space = await client.space();
    const files: SessionFiles = new SessionFiles(client, { handle, status }, space.writeable, close);
    await files.#hear();
    return files;
  }

  /** Calls the handler when other sessions of the server have changed something. */
  onChange(changed: (node?: SessionNode, inode?: number) => void): void {
    this.#changed = changed;
  }

  async close(): Promise<void> {
    await this.#close();
  }

  hold(node: SessionNode): void {
    node.holds++;
  }

  async release(node: SessionNode): Promise<void> {
    for (let at: SessionNode | undefined = node; at; ) {
      at.holds--;
      if (at.holds > 0) return;
      const { parent }: SessionNode = at;
      if (this.#nodes.get(at.inode) === at) this.#nodes.delete(at.inode);
      const handles = [...at.listings, at];
      at.listings.length = 0;
      for (const { handle, generation } of handles) await this.#closeHandle(handle, generation);
      at = parent;
    }
  }

  status(node: SessionNode): Promise<BackendStatus> {
    return this.#with(node, (handle) => this.#client.status(handle));
  }

  async setAttributes(node: SessionNode, change: Omit<AttributeChangeData, 'sizeBytes'>): Promise<void> {
    await this.#with(node, (handle) => this.#client.setAttributes(handle, change));
  }

  read(file: SessionNode, position: number, into: Uint8Array): Promise<number> {
    const pieces = { total: into.length, pieceMax: this.#client.packetBytes, underWayMax: PACKETS_UNDER_WAY };
    return this.#with(file, (handle) =>
      inPieces(pieces, (offset, length) =>
        this.#client.read(handle, position + offset, into.subarray(offset, offset + length)),
      ),
    );
  }

  write(file: SessionNode, position: number, from: Uint8Array): Promise<number> {
    const pieces = { total: from.length, pieceMax: this.#client.packetBytes, underWayMax: 1 };
    return this.#with(file, (handle) =>
      inPieces(pieces, (offset, length) =>
        this.#client.write(handle, position + offset, from.subarray(offset, offset + length)),
      ),
    );
  }

  /** What is larger than a packet is appended in part: the client goes on. */
  append(file: SessionNode, from: Uint8Array): Promise<number> {
    return this.#with(file, (handle) =>
      this.#client.write(handle, SEEK_TAIL, from.subarray(0, this.#client.packetBytes)),
    );
  }

  readReady(file: SessionNode): Promise<void> {
    file.readable ??= this.#with(file, (handle) => this.#client.ready(handle)).finally(() => {
      file.readable = undefined;
    });
    return file.readable;
  }

  async truncate(file: SessionNode, sizeBytes: number): Promise<void> {
    await this.#with(file, (handle) => this.#client.setAttributes(handle, { sizeBytes }));
  }

  readLink(symlink: SessionNode): Promise<string> {
    return this.#with(symlink, (handle) => this.#client.target(handle));
  }

  lookup(directory: SessionNode, name: string): Promise<SessionNode> {
    return this.#with(directory, async (handle) => {
      const generation = this.#generation;
      return this.#found(await this.#client.lookup(handle, name), generation, directory, name);
    });
  }

  /** A cursor is the number of entries before it. */
  async list(directory: SessionNode, cursor: number, entriesMax: number): Promise<BackendListing> {
    return this.#with(directory, async (handle) => {
      const listing = await this.#listingAt(directory, handle, cursor);
      try {
        const listed = await this.#client.entriesFrom(listing.handle, cursor, entriesMax);
        listing.index = cursor + listed.length;
        const entries = listed.map(({ name, type, inode }) => ({ name, type, id: inode }));
        const atEnd = entries.length === 0;
        if (atEnd) await this.#closeHandle(listing.handle, listing.generation);
        else await this.#keep(directory, listing);
        return { entries, nextCursor: atEnd ? undefined : listing.index };
      } catch (error) {
        await this.#closeHandle(listing.handle, listing.generation);
        throw error;
      }
    });
  }

  createFile(directory: SessionNode, name: string, what?: BackendNewNode): Promise<SessionNode> {
    const { mode, uid, gid } = what ?? { mode: 0o644, uid: 0, gid: 0 };
    return this.#making(directory, name, (handle) =>
      this.#client.make(handle, name, { type: 'file', mode, uid, gid }),
    );
  }

  createDirectory(directory: SessionNode, name: string, what?: BackendNewNode): Promise<SessionNode> {
    const { mode, uid, gid } = what ?? { mode: 0o755, uid: 0, gid: 0 };
    return this.#making(directory, name, (handle) =>
      this.#client.make(handle, name, { type: 'directory', mode, uid, gid }),
    );
  }

  createSymlink(
    directory: SessionNode,
    name: string,
    target: string,
    what?: BackendNewNode,
  ): Promise<SessionNode> {
    return this.#making(directory, name, (handle) =>
      this.#client.makeSymlink(handle, name, target, what ?? { uid: 0, gid: 0 }),
    );
  }

  async link(directory: SessionNode, name: string, target: SessionNode): Promise<void> {
    if (!this.writeable) return refuseChange();
    await this.#with(directory, (handle) =>
      this.#with(target, (node) => this.#client.link(node, handle, name)),
    );
  }

  async unlink(directory: SessionNode, name: string): Promise<void> {
    if (!this.writeable) return refuseChange();
    await this.#with(directory, (handle) => this.#client.unlink(handle, name));
  }

  async removeDirectory(directory: SessionNode, name: string): Promise<void> {
    if (!this.writeable) return refuseChange();
    await this.#with(directory, (handle) => this.#client.rmdir(handle, name));
  }

  async rename(
    directory: SessionNode,
    name: string,
    toDirectory: SessionNode,
    toName: string,
    replace: boolean,
  ): Promise<void> {
    if (!this.writeable) return refuseChange();
    await this.#with(directory, (from) =>
      this.#with(toDirectory, (to) => this.#client.move(from, name, to, toName, replace ? 'replace' : 'new')),
    );
    for (const node of this.#nodes.values()) {
      if (node.parent === directory && node.name === name) await this.#moved(node, toDirectory, toName);
    }
  }

  sync(): Promise<void> {
    return this.#client.sync();
  }

  space(): Promise<BackendSpace> {
    return this.#client.space();
  }

  errorCode(error: unknown): FileSystemErrorCode | undefined {
    return codeOf(error);
  }

  /** The server is back, or another one stands for it. */
  async #follow(client: NodesClient): Promise<void> {
    this.#client = client;
    this.#generation++;
    await this.#hear();
  }

  async #hear(): Promise<void> {
    await this.#client.onChange((change) => {
      if (change === 'any') this.#changed();
      else this.#changed(this.#nodes.get(change.inode), change.inode);
    });
  }

  /** Lends a handle of this session. */
  async #with<Result>(node: SessionNode, use: (handle: number) => Promise<Result>): Promise<Result> {
    if (node.generation !== this.#generation) await this.#heal(node);
    return use(node.handle);
  }

  async #heal(node: SessionNode): Promise<void> {
    await node.healing.acquire();
    try {
      const generation = this.#generation;
      if (node.generation === generation) return;
      const { parent } = node;
      if (!parent) {
        node.handle = await this.#client.root();
      } else {
        const opened = await this.#with(parent, (handle) => this.#client.lookup(handle, node.name));
        const { type, inode } = opened.status;
        if (type !== node.type || inode !== node.inode) {
          await this.#closeHandle(opened.handle, generation);
          throw fileSystemFailure('Unavailable', 'the server that is back has another file there');
        }
        if (this.#isOf(node, generation)) await this.#closeHandle(opened.handle, generation);
        else node.handle = opened.handle;
      }
      node.generation = generation;
    } catch (error) {
      if (codeOf(error) !== 'Lookup_failed') throw error;
      throw fileSystemFailure('Unavailable', 'the server that is back does not have it');
    } finally {
      node.healing.release();
    }
  }

  async #making(
    directory: SessionNode,
    name: string,
    make: (handle: number) => Promise<OpenedNode>,
  ): Promise<SessionNode> {
    if (!this.writeable) return refuseChange();
    return this.#with(directory, async (handle) => {
      const generation = this.#generation;
      return this.#found(await make(handle), generation, directory, name);
    });
  }

  /** One object per node: the handle of one that is known is closed. */
  async #found(
    opened: OpenedNode,
    generation: number,
    parent: SessionNode,
    name: string,
  ): Promise<SessionNode> {
    const known = this.#nodes.get(opened.status.inode);
    if (known && known.type === opened.status.type) {
      known.holds++;
      if (this.#isOf(known, generation)) {
        await this.#closeHandle(opened.handle, generation);
      } else {
        // It was open before the server was back.
        known.handle = opened.handle;
        known.generation = generation;
      }
      if (known.parent) await this.#moved(known, parent, name);
      return known;
    }
    parent.holds++;
    const node = new SessionNode(opened, generation, parent, name);
    this.#nodes.set(node.inode, node);
    return node;
  }

  /** Whether the node has a handle of this session already. */
  #isOf(node: SessionNode, generation: number): boolean {
    return node.generation === generation;
  }

  async #moved(node: SessionNode, parent: SessionNode, name: string): Promise<void> {
    const before = node.parent;
    node.name = name;
    if (before === parent) return;
    parent.holds++;
    node.parent = parent;
    if (before) await this.release(before);
  }

  async #listingAt(directory: SessionNode, handle: number, index: number): Promise<Listing> {
    const generation = this.#generation;
    const known = directory.listings.findIndex(
      (listing) => listing.index === index && listing.generation === generation,
    );
    const [listing] = known < 0 || index === 0 ? [] : directory.listings.splice(known, 1);
    return listing ?? { handle: await this.#client.open(handle, 'read-only'), generation, index };
  }

  async #keep(directory: SessionNode, listing: Listing): Promise<void> {
    directory.listings.push(listing);
    const oldest = directory.listings.length > LISTINGS_MAX ? directory.listings.shift() : undefined;
    if (oldest) await this.#closeHandle(oldest.handle, oldest.generation);
  }

  async #closeHandle(handle: number, generation: number): Promise<void> {
    if (generation !== this.#generation) return;
    await this.#client.close(handle).catch((error: unknown) => {
      if (!(error instanceof PeerGone) && codeOf(error) === undefined) throw error;
    });
  }
}
