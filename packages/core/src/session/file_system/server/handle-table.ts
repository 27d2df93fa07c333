import { settleAll } from '../../../async/index.ts';
import { fileSystemFailure } from '../names.ts';
import type { BackendNode } from './backend.ts';
import { DirectoryStream } from './directory-stream.ts';

/**
 * The use that a handle was opened for. `node` allows status and links only, `watch` status only,
 * `any` all that its node is asked for.
 */
export type HandleKind = 'directory' | 'file' | 'node' | 'watch' | 'any';

/** An open handle; the table holds its node. */
export class OpenNode<Node extends BackendNode> {
  readonly node: Node;
  readonly kind: HandleKind;
  readonly readable: boolean;
  readonly writeable: boolean;
  /**
   * Operations under way that use it; the node is released when it is closed and these are done.
   */
  users = 0;
  closed = false;
  /** Whether the file was changed through it, and its watchers have not been told yet. */
  modified = false;
  /** Called when it is closed. */
  onClosed: (() => void) | undefined;
  /** Ends what waits for its file; made when something does. */
  waiting: AbortController | undefined;
  #stream: DirectoryStream<Node> | undefined;

  constructor(
    node: Node,
    kind: HandleKind,
    access: { readonly readable: boolean; readonly writeable: boolean },
  ) {
    this.node = node;
    this.kind = kind;
    this.readable = access.readable;
    this.writeable = access.writeable;
  }

  /** Whether names are looked up in it, and its entries read. */
  get isDirectory(): boolean {
    return this.kind === 'directory' || (this.kind === 'any' && this.node.type === 'directory');
  }

  /** Where the reading of this directory stands. */
  get stream(): DirectoryStream<Node> {
    this.#stream ??= new DirectoryStream(this.node);
    return this.#stream;
  }
}

const HANDLE_LIMIT = 2 ** 32;

/** The handles of one session: numbers that are not given again until all others have been. */
export class HandleTable<Node extends BackendNode> {
  readonly #handlesMax: number;
  readonly #release: (open: OpenNode<Node>) => Promise<void>;
  readonly #open = new Map<number, OpenNode<Node>>();
  /** Handles that are being opened. */
  #reserved = 0;
  #next = 1;

  /** `release` is called with every node that was closed and is not in use any more. */
  constructor(handlesMax: number, release: (open: OpenNode<Node>) => Promise<void>) {
    this.#handlesMax = handlesMax;
    this.#release = release;
  }

  get size(): number {
    return this.#open.size;
  }

  /**
   * A handle for what `make` opens, whose node it holds. `Out_of_node_handles` before anything is
   * made, so that no file is created that cannot be opened.
   */
  async add(make: (handle: number) => Promise<OpenNode<Node>>): Promise<number> {
    if (this.#open.size + this.#reserved >= this.#handlesMax) throw fileSystemFailure('Out_of_node_handles');
    this.#reserved++;
    try {
      const handle = this.#freeNumber();
      this.#open.set(handle, await make(handle));
      return handle;
    } finally {
      this.#reserved--;
    }
  }

  /** The open node of a handle. Throws `Invalid_handle` if there is none. */
  get(handle: number): OpenNode<Node> {
    const open = this.#open.get(handle);
    if (open === undefined) throw fileSystemFailure('Invalid_handle');
    return open;
  }

  /** Lends the open node of a handle to `use`. It stays open until `use` has ended. */
  async using<Result>(handle: number, use: (open: OpenNode<Node>) => Promise<Result>): Promise<Result> {
    const open = this.get(handle);
    open.users++;
    try {
      return await use(open);
    } finally {
      open.users--;
      await this.#releaseUnused(open);
    }
  }

  async close(handle: number): Promise<void> {
    const open = this.get(handle);
    this.#open.delete(handle);
    open.closed = true;
    open.onClosed?.();
    open.waiting?.abort();
    await this.#releaseUnused(open);
  }

  /** The open handles. */
  get all(): Iterable<OpenNode<Node>> {
    return this.#open.values();
  }

  /**
   * Closes all handles. Settles when every node is released. No operation may use a handle any
   * more.
   */
  async closeAll(): Promise<void> {
    const handles = [...this.#open.keys()];
    await settleAll(handles.map((handle) => this.close(handle)));
  }

  async #releaseUnused(open: OpenNode<Node>): Promise<void> {
    if (open.closed && open.users === 0) await this.#release(open);
  }

  #freeNumber(): number {
    while (this.#open.has(this.#next)) this.#advance();
    const handle = this.#next;
    this.#advance();
    return handle;
  }

  #advance(): void {
    this.#next = this.#next + 1 < HANDLE_LIMIT ? this.#next + 1 : 1;
  }
}
