import type { HostMount } from '@ginit/core/host';
import { ERRNO } from './errno.ts';
import { type After, Exchanges } from './exchanges.ts';
import { Invalidation } from './invalidation.ts';
import { NodeHandles } from './node-handles.ts';
import { Nodes } from './nodes.ts';
import { OpenThings } from './open-things.ts';
import { getattr, setattr, statfs } from './operations/attributes.ts';
import { beginningAnswer, TRANSFER_BYTES_MAX } from './operations/beginning.ts';
import { opendir, readdir, readdirplus } from './operations/directories.ts';
import { create, open, read, release, sync, write } from './operations/files.ts';
import * as names from './operations/names.ts';
import type { Operation } from './operations/operation.ts';
import type { Appearance } from './protocol/attributes.ts';
import { OPCODE } from './protocol/constants.ts';
import { Request } from './protocol/request.ts';
import { Served } from './served.ts';
import type { FileSystemSpace, NodesClient } from '@ginit/core/file_system';

/** Handles of nodes that are kept, beside those of open ones. */
const HANDLES_KEPT = 1024;
const EPROTO = 71;

/** The operations that work on the file system. */
const OPERATIONS: ReadonlyMap<number, Operation> = new Map<number, Operation>([
  [OPCODE.lookup, names.lookup],
  [OPCODE.getattr, getattr],
  [OPCODE.setattr, setattr],
  [OPCODE.readlink, names.readlink],
  [OPCODE.symlink, names.symlink],
  [OPCODE.mknod, names.mknod],
  [OPCODE.mkdir, names.mkdir],
  [OPCODE.unlink, names.unlink],
  [OPCODE.rmdir, names.rmdir],
  [OPCODE.rename, names.rename],
  [OPCODE.rename2, names.rename2],
  [OPCODE.link, names.link],
  [OPCODE.open, open],
  [OPCODE.create, create],
  [OPCODE.read, read],
  [OPCODE.write, write],
  [OPCODE.release, release],
  [OPCODE.fsync, sync],
  [OPCODE.opendir, opendir],
  [OPCODE.readdir, readdir],
  [OPCODE.readdirplus, readdirplus],
  [OPCODE.releasedir, release],
  [OPCODE.fsyncdir, sync],
  [OPCODE.syncfs, sync],
  [OPCODE.statfs, statfs],
]);

/** What a mount is served with. */
export interface FuseServerOptions {
  readonly mount: HostMount;
  readonly client: NodesClient;
  readonly space: FileSystemSpace;
  readonly appearance: Appearance;
  readonly timeoutMs: number | undefined;
  readonly after: After;
  readonly report: (error: unknown) => void;
}

/**
 * Answers the kernel's requests for a mount by a File_system session. Each is answered when its own
 * work is done, so a slow one keeps nobody waiting.
 */
export class FuseServer {
  readonly #exchanges: Exchanges;
  readonly #served: Served;
  readonly #report: (error: unknown) => void;

  /** Begins to serve. Rejects if the session's root cannot be opened. */
  static async start(options: FuseServerOptions): Promise<FuseServer> {
    const { client, mount } = options;
    const root = await client.root();
    const status = await client.status(root);
    const nodes = new Nodes(status, (node) => handles.drop(node));
    const handles = new NodeHandles(client, nodes.root, root, HANDLES_KEPT);
    const invalidation = new Invalidation(mount, nodes);
    await client.onChange((change) => invalidation.changed(change));
    const server = new FuseServer(options, { nodes, handles, invalidation });
    mount.serve((message) => server.#take(message));
    return server;
  }

  private constructor(
    { mount, client, space, appearance, timeoutMs, after, report }: FuseServerOptions,
    {
      nodes,
      handles,
      invalidation,
    }: Record<'nodes', Nodes> & Record<'handles', NodeHandles> & Record<'invalidation', Invalidation>,
  ) {
    this.#report = report;
    this.#exchanges = new Exchanges({ mount, after, timeoutMs, report });
    this.#served = new Served({
      client,
      space,
      nodes,
      handles,
      open: new OpenThings(),
      invalidation,
      appearance,
      transferBytesMax: TRANSFER_BYTES_MAX,
    });
  }

  /** What it keeps, for whoever looks for leaks. */
  get kept(): { readonly nodes: number; readonly handles: number; readonly waiting: number } {
    const { nodes, handles } = this.#served;
    return { nodes: nodes.size, handles: handles.size, waiting: this.#exchanges.waiting };
  }

  #take(message: Uint8Array): void {
    try {
      this.#serve(new Request(message));
    } catch (error) {
      this.#report(error);
    }
  }

  #serve(request: Request): void {
    switch (request.opcode) {
      // These have no answer.
      case OPCODE.forget:
        return this.#served.nodes.forget(request.node, request.u64());
      case OPCODE.batchForget: {
        const count = request.u32();
        request.skip(4);
        for (let at = 0; at < count; at++) this.#served.nodes.forget(request.u64(), request.u64());
        return;
      }
      case OPCODE.interrupt:
        return this.#exchanges.interrupt(request.u64());
      case OPCODE.init:
        return this.#begin(request);
      case OPCODE.destroy:
        return this.#exchanges.begin(request.unique, async (exchange) => void exchange.answer());
      default: {
        const operation = OPERATIONS.get(request.opcode);
        this.#exchanges.begin(request.unique, async (exchange) => {
          if (operation) await operation(this.#served, request, exchange);
          else exchange.fail(ERRNO.ENOSYS);
        });
      }
    }
  }

  #begin(request: Request): void {
    const answer = beginningAnswer(request);
    this.#exchanges.begin(request.unique, async (exchange) => {
      if (typeof answer !== 'string') return void exchange.answer(answer);
      exchange.fail(EPROTO);
      throw new Error(answer);
    });
  }
}
