/**
 * Has the kernel forget what other sessions of the file system have changed: the content and the
 * attributes of a node, and of a directory the names in it. The kernel may keep such a word waiting
 * until it has the answers that it waits for, so it is sent beside them, one after the other.
 */
import type { NodeChange } from '@ginit/core/file_system';
import type { HostMount } from '@ginit/core/host';
import { encodeName } from '@ginit/core/file_system';
import type { Node, Nodes } from './nodes.ts';
import { HEADER_BYTES, NOTIFY } from './protocol/constants.ts';
import { Message } from './protocol/message.ts';

/** What is sent. */
export class Invalidation {
  readonly #mount: Pick<HostMount, 'notify'>;
  readonly #nodes: Pick<Nodes, 'byInode' | 'all'>;
  readonly #due = new Set<Node>();
  #sending = false;
  /** Counts the words that have come. */
  heard = 0;

  constructor(mount: Pick<HostMount, 'notify'>, nodes: Pick<Nodes, 'byInode' | 'all'>) {
    this.#mount = mount;
    this.#nodes = nodes;
  }

  /** Another session has changed something. */
  changed(change: NodeChange): void {
    this.heard++;
    if (change === 'any') for (const node of this.#nodes.all()) this.#due.add(node);
    else {
      const node = this.#nodes.byInode(change.inode);
      if (node) this.#due.add(node);
    }
    if (!this.#sending) void this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    this.#sending = true;
    for (const node of this.#due) {
      this.#due.delete(node);
      // What is looked up meanwhile is new.
      const names = [...node.children.keys()];
      for (const name of names) await this.#send(entryMessage(node, name));
      await this.#send(inodeMessage(node));
    }
    this.#sending = false;
  }

  /** What the kernel does not know any more need not be forgotten. */
  async #send(message: Uint8Array): Promise<void> {
    await this.#mount.notify([message]);
  }
}

function notice(code: number, bodyBytes: number): Message {
  const bytes = HEADER_BYTES.answer + bodyBytes;
  return new Message(bytes).u32(bytes).u32(code).u64(0);
}

/** `fuse_notify_inval_inode_out`: everything of it. */
function inodeMessage({ id }: Node): Uint8Array {
  return notice(NOTIFY.invalidateInode, 24).u64(id).u64(0).u64(0).bytes;
}

/** `fuse_notify_inval_entry_out`, with the name and a zero. */
function entryMessage({ id }: Node, name: string): Uint8Array {
  const bytes = encodeName(name);
  const message = notice(NOTIFY.invalidateEntry, 16 + bytes.length + 1);
  return message.u64(id).u32(bytes.length).u32(0).raw(bytes).zeros(1).bytes;
}
