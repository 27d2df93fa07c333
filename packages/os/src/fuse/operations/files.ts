/** Open files: CREATE, OPEN, READ, WRITE, RELEASE, FSYNC. */
import type { OpenMode } from '@ginit/core/file_system';
import { ERRNO, Refused } from '../errno.ts';
import type { Node } from '../nodes.ts';
import {
  OPEN_ACCESS_MASK,
  OPEN_FLAG,
  OPEN_READ_ONLY,
  OPEN_TRUNCATE,
  OPEN_WRITE_ONLY,
} from '../protocol/constants.ts';
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
    const own = node.status.unsized ? await served.client.open(handle, modeOf(flags)) : undefined;
    return served.open.add({ kind: 'file', node, writeable: writes, handle: own });
  });
}

function modeOf(flags: number): OpenMode {
  const access = flags & OPEN_ACCESS_MASK;
  if (access === OPEN_READ_ONLY) return 'read-only';
  return access === OPEN_WRITE_ONLY ? 'write-only' : 'read-write';
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
    if (opened.handle !== undefined) served.client.close(opened.handle).catch(() => {});
    return;
  }
  // The kernel does not wait for this, and a server that is gone has closed everything.
  if (opened.handle !== undefined) served.client.close(opened.handle).catch(() => {});
}

/** `fuse_open_out`. The kernel must not believe the size of what has none, nor keep any of it. */
function writeOpened(into: Message, number: number, node: Node): void {
  into
    .u64(number)
    .u32(node.status.unsized ? OPEN_FLAG.direct : OPEN_FLAG.keepCache)
    .u32(0);
}

/**
 * Reads what is at hand of a file without a size; if that is nothing, waits until there is
 * something.
 */
async function readUnsized(
  served: Served,
  handle: number,
  offset: number,
  into: Uint8Array,
): Promise<number> {
  const piece = into.subarray(0, served.client.packetBytes);
  const got = await served.client.read(handle, offset, piece);
  if (got > 0) return got;
  await served.client.ready(handle);
  return served.client.read(handle, offset, piece);
}

export const open: Operation = async (served, request, exchange) => {
  const node = served.nodes.get(request.node);
  const number = await openNode(served, node, request.u32());
  const answer = new Message(16);
  writeOpened(answer, number, node);
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
    writeOpened(answer, number, node);
    if (exchange.answer(answer.bytes)) return;
    close(served, number);
  } catch (error) {
    served.nodes.forget(node.id, 1);
    throw error;
  }
  served.nodes.forget(node.id, 1);
};

export const read: Operation = async (served, request, exchange) => {
  const { node, handle: own } = served.open.file(request.u64());
  const offset = exact(request.u64());
  const size = Math.min(request.u32(), served.transferBytesMax);
  const into = new Uint8Array(size);
  if (own !== undefined) {
    exchange.answer(into.subarray(0, await readUnsized(served, own, offset, into)));
    return;
  }
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
