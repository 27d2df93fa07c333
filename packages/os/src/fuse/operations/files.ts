/** Open files: CREATE, OPEN, READ, WRITE, RELEASE, FSYNC. */
import { ERRNO, Refused } from '../errno.ts';
import type { Node } from '../nodes.ts';
import { OPEN_ACCESS_MASK, OPEN_FLAG, OPEN_READ_ONLY, OPEN_TRUNCATE } from '../protocol/constants.ts';
import { Message } from '../protocol/message.ts';
import { exact, type Served } from '../served.ts';
import { make } from './names.ts';
import type { Operation } from './operation.ts';

/** Opens a node. One that is open keeps its handle, also without a name. */
async function openNode(served: Served, node: Node, flags: number): Promise<number> {
  const writes = (flags & OPEN_ACCESS_MASK) !== OPEN_READ_ONLY;
  if (node.status.type !== 'file') throw new Refused(ERRNO.EOPNOTSUPP);
  return served.using(node, async (handle) => {
    if (writes && (flags & OPEN_TRUNCATE) !== 0) {
      served.changes++;
      node.status = await served.client.setAttributes(handle, { sizeBytes: 0 });
    }
    return served.open.add({ kind: 'file', node, writeable: writes });
  });
}

/**
 * Closes what the kernel has no use for any more. Who watches a file hears of what was written when
 * a handle is closed: so, unless somebody else has the file open, that of the node is, and it is
 * found again at its place.
 */
function close(served: Served, number: number): void {
  const opened = served.open.remove(number);
  if (opened === undefined) return;
  const { node } = opened;
  if (opened.kind === 'file') {
    if (opened.writeable && node.opens === 0 && !node.isGhost) served.handles.drop(node);
    return;
  }
  // The kernel does not wait for this, and a server that is gone has closed everything.
  if (opened.handle !== undefined) served.client.close(opened.handle).catch(() => {});
}

/** `fuse_open_out`. */
function writeOpened(into: Message, number: number): void {
  into.u64(number).u32(OPEN_FLAG.keepCache).u32(0);
}

export const open: Operation = async (served, request, exchange) => {
  const node = served.nodes.get(request.node);
  const number = await openNode(served, node, request.u32());
  const answer = new Message(16);
  writeOpened(answer, number);
  if (!exchange.answer(answer.bytes)) close(served, number);
};

export const create: Operation = async (served, request, exchange) => {
  const parent = served.nodes.get(request.node);
  const flags = request.u32();
  const mode = request.u32();
  const name = request.skip(8).name();
  const { node, answer } = await make(served, request, { parent, name }, { type: 'file', mode });
  try {
    const number = await openNode(served, node, flags & ~OPEN_TRUNCATE);
    writeOpened(answer, number);
    if (exchange.answer(answer.bytes)) return;
    close(served, number);
  } catch (error) {
    served.nodes.forget(node.id, 1);
    throw error;
  }
  served.nodes.forget(node.id, 1);
};

export const read: Operation = async (served, request, exchange) => {
  const { node } = served.open.file(request.u64());
  const offset = exact(request.u64());
  const size = Math.min(request.u32(), served.transferBytesMax);
  const into = new Uint8Array(size);
  await served.using(node, async (handle) => {
    let done = 0;
    while (done < size) {
      const piece = into.subarray(done, done + served.client.packetBytes);
      const got = await served.client.read(handle, offset + done, piece);
      done += got;
      // A server gives fewer bytes at the end only.
      if (got < piece.length) break;
    }
    exchange.answer(into.subarray(0, done));
  });
};

export const write: Operation = async (served, request, exchange) => {
  const { node, writeable } = served.open.file(request.u64());
  const offset = exact(request.u64());
  const size = request.u32();
  const from = request.skip(20).copy(size);
  if (!writeable) throw new Refused(ERRNO.EBADF);
  served.changes++;
  let done = 0;
  await served.using(node, async (handle) => {
    while (done < size) {
      const piece = from.subarray(done, done + served.client.packetBytes);
      const written = await served.client.write(handle, offset + done, piece);
      done += written;
      if (written < piece.length) break;
    }
  });
  if (done === 0 && size > 0) throw new Refused(ERRNO.ENOSPC);
  exchange.answer(new Message(8).u32(done).u32(0).bytes);
};

export const release: Operation = async (served, request, exchange) => {
  close(served, request.u64());
  exchange.answer();
};

/** FSYNC, FSYNCDIR and SYNCFS: a session knows but one kind. */
export const sync: Operation = async (served, _, exchange) => {
  await served.client.sync();
  exchange.answer();
};
