/** GETATTR, SETATTR and STATFS. */
import type { AttributeChangeData } from '@ginit/core/file_system';
import { SETATTR } from '../protocol/constants.ts';
import { writeAttributesAnswer } from '../protocol/attributes.ts';
import { Message } from '../protocol/message.ts';
import type { Request } from '../protocol/request.ts';
import { exact } from '../served.ts';
import type { Operation } from './operation.ts';

const MS_PER_SECOND = 1000;
const NS_PER_MS = 1_000_000;

export const getattr: Operation = async (served, { node: id }, exchange) => {
  const node = served.nodes.get(id);
  const validity = served.validity();
  const status = await served.status(node);
  const answer = new Message();
  writeAttributesAnswer(answer, status, validity());
  exchange.answer(answer.bytes);
};

export const setattr: Operation = async (served, request, exchange) => {
  const node = served.nodes.get(request.node);
  const change = changeOf(request);
  const validity = served.validity();
  served.changes++;
  node.status = await served.using(node, (handle) => served.client.setAttributes(handle, change));
  const answer = new Message();
  writeAttributesAnswer(answer, node.status, validity());
  exchange.answer(answer.bytes);
};

/** `fuse_setattr_in`. */
function changeOf(request: Request): Partial<AttributeChangeData> {
  const valid = request.u32();
  const has = (bit: number): boolean => (valid & bit) !== 0;
  const size = request.skip(4 + 8).u64();
  const [accessed, modified] = [request.skip(8).i64(), request.i64()];
  const [accessedNs, modifiedNs] = [request.skip(8).u32(), request.u32()];
  const mode = request.skip(4).u32();
  const [uid, gid] = [request.skip(4).u32(), request.u32()];
  return {
    ...(has(SETATTR.mode) ? { mode: mode & 0o7777 } : {}),
    ...(has(SETATTR.uid) ? { uid } : {}),
    ...(has(SETATTR.gid) ? { gid } : {}),
    ...(has(SETATTR.size) ? { sizeBytes: exact(size) } : {}),
    ...(has(SETATTR.accessed) ? { accessedMs: timeMs(accessed, accessedNs) } : {}),
    ...(has(SETATTR.modified) ? { modifiedMs: timeMs(modified, modifiedNs) } : {}),
  };
}

/** A session has no times before 1970. */
function timeMs(seconds: number, nanoseconds: number): number {
  return Math.max(0, seconds * MS_PER_SECOND + Math.floor(nanoseconds / NS_PER_MS));
}

export const statfs: Operation = async (served, _, exchange) => {
  const { totalBytes, freeBytes, totalNodes, freeNodes, blockBytes, nameBytesMax } =
    await served.client.space();
  const free = Math.floor(freeBytes / blockBytes);
  const answer = new Message(80)
    .u64(Math.floor(totalBytes / blockBytes))
    .u64(free)
    .u64(free);
  answer.u64(totalNodes).u64(freeNodes);
  answer.u32(blockBytes).u32(nameBytesMax).u32(blockBytes).u32(0).zeros(24);
  exchange.answer(answer.bytes);
};
