/** The messages about nodes and their names. */
import { pathOf } from './fids.ts';
import { type Operation, qidOf } from './share.ts';
import { ERRNO, NinePError } from './wire.ts';

/** What is asked of a node, and what we tell: all that `stat` has. */
const BASIC = 0x7ff;
const BLOCK_BYTES = 4096;
const SECTOR_BYTES = 512;
/** What is to be set. */
const SET = {
  mode: 1,
  uid: 2,
  gid: 4,
  size: 8,
  modified: 0x20,
  modifiedTo: 0x100,
} as const;
/** `unlinkat` removes a directory. */
const REMOVE_DIRECTORY = 0x200;
const NAME_BYTES = 255;
/** The magic number of 9P among the file systems of Linux. */
const FILE_SYSTEM_TYPE = 0x0102_1997;
const LOCK_GRANTED = 0;
const UNLOCKED = 2;
const MS_PER_SECOND = 1000;
const NS_PER_MS = 1_000_000;

/** Tgetattr. */
export const getAttributes: Operation = async (share, ask, answer) => {
  const fid = share.fids.get(ask.u32());
  ask.u64();
  ask.end();
  const status = await share.status(fid);
  const { mode, uid, gid } = share.attributes.of(status);
  const { sizeBytes, links, modifiedMs, accessedMs, changedMs, allocatedBytes } = status;
  answer.u64(BASIC).qid(qidOf(status)).u32(mode).u32(uid).u32(gid).u64(links).u64(0).u64(sizeBytes);
  answer.u64(BLOCK_BYTES).u64(Math.ceil(allocatedBytes / SECTOR_BYTES));
  for (const ms of [accessedMs, modifiedMs, changedMs])
    answer.u64(Math.floor(ms / MS_PER_SECOND)).u64((ms % MS_PER_SECOND) * NS_PER_MS);
  answer.u64(0).u64(0).u64(0).u64(0);
};

/** Tsetattr. */
export const setAttributes: Operation = async (share, ask) => {
  const fid = share.fids.get(ask.u32());
  const valid = ask.u32();
  const [mode, uid, gid] = [ask.u32(), ask.u32(), ask.u32()];
  const size = ask.u64();
  const times = [ask.u64(), ask.u64(), ask.u64(), ask.u64()];
  ask.end();
  share.checkWriteable();
  const has = (bit: number): boolean => (valid & bit) !== 0;
  if (has(SET.mode | SET.uid | SET.gid)) {
    share.attributes.change(await share.status(fid), {
      mode: has(SET.mode) ? mode : undefined,
      uid: has(SET.uid) ? uid : undefined,
      gid: has(SET.gid) ? gid : undefined,
    });
  }
  if (has(SET.size)) {
    if (size > BigInt(Number.MAX_SAFE_INTEGER)) throw new NinePError(ERRNO.tooLarge);
    await (fid.file ? fid.file.truncate(Number(size)) : share.files.truncate(pathOf(fid.path), Number(size)));
  }
  // Without a time of its own it is that of the server, which files have when they are written.
  if (has(SET.modifiedTo)) await setModified(share, fid, times[2] ?? 0n, times[3] ?? 0n);
};

async function setModified(
  share: Parameters<Operation>[0],
  fid: ReturnType<Parameters<Operation>[0]['fids']['get']>,
  seconds: bigint,
  nanoseconds: bigint,
): Promise<void> {
  const ms = seconds * BigInt(MS_PER_SECOND) + nanoseconds / BigInt(NS_PER_MS);
  if (ms > BigInt(Number.MAX_SAFE_INTEGER)) throw new NinePError(ERRNO.invalid);
  if (fid.file) return fid.file.setModified(Number(ms));
  const { type } = await share.status(fid);
  // Only files can be given a time.
  if (type !== 'file') return;
  await using file = await share.files.open(pathOf(fid.path), { mode: 'write-only' });
  await file.setModified(Number(ms));
}

/** Tstatfs: the space that there is. */
export const space: Operation = async (share, ask, answer) => {
  share.fids.get(ask.u32());
  ask.end();
  const { totalBytes, freeBytes, totalNodes, freeNodes } = await share.files.space();
  const free = Math.floor(freeBytes / BLOCK_BYTES);
  answer
    .u32(FILE_SYSTEM_TYPE)
    .u32(BLOCK_BYTES)
    .u64(Math.floor(totalBytes / BLOCK_BYTES));
  answer.u64(free).u64(free).u64(totalNodes).u64(freeNodes).u64(0).u32(NAME_BYTES);
};

/** Tmkdir. */
export const makeDirectory: Operation = async (share, ask, answer) => {
  const fid = share.fids.get(ask.u32());
  const name = ask.text();
  const [mode, gid] = [ask.u32(), ask.u32()];
  ask.end();
  share.checkWriteable();
  const path = share.entry(fid, name);
  await share.files.mkdir(pathOf(path));
  answer.qid(await share.made(path, { mode, uid: fid.uid, gid }));
};

/** Tsymlink. */
export const symlink: Operation = async (share, ask, answer) => {
  const fid = share.fids.get(ask.u32());
  const name = ask.text();
  const target = ask.text();
  const gid = ask.u32();
  ask.end();
  share.checkWriteable();
  const path = share.entry(fid, name);
  await share.files.symlink(pathOf(path), target);
  answer.qid(await share.made(path, { uid: fid.uid, gid }));
};

/** Treadlink. */
export const readlink: Operation = async (share, ask, answer) => {
  const { path } = share.fids.get(ask.u32());
  ask.end();
  answer.text(await share.files.readlink(pathOf(path)));
};

/** Tlink: one more name. */
export const link: Operation = async (share, ask) => {
  const directory = share.fids.get(ask.u32());
  const { path } = share.fids.get(ask.u32());
  const name = ask.text();
  ask.end();
  share.checkWriteable();
  await share.files.link(pathOf(path), pathOf(share.entry(directory, name)));
};

/** Trename. */
export const rename: Operation = async (share, ask) => {
  const { path } = share.fids.get(ask.u32());
  const directory = share.fids.get(ask.u32());
  const name = ask.text();
  ask.end();
  await share.rename(path, share.entry(directory, name));
};

/** Trenameat. */
export const renameAt: Operation = async (share, ask) => {
  const from = share.entry(share.fids.get(ask.u32()), ask.text());
  const to = share.entry(share.fids.get(ask.u32()), ask.text());
  ask.end();
  await share.rename(from, to);
};

/** Tunlinkat. */
export const unlinkAt: Operation = async (share, ask) => {
  const path = share.entry(share.fids.get(ask.u32()), ask.text());
  const flags = ask.u32();
  ask.end();
  share.checkWriteable();
  await ((flags & REMOVE_DIRECTORY) !== 0
    ? share.files.rmdir(pathOf(path))
    : share.files.unlink(pathOf(path)));
};

/** Tremove: the fid is given up in any case. */
export const remove: Operation = async (share, ask) => {
  const number = ask.u32();
  ask.end();
  const { path } = share.fids.get(number);
  await share.fids.clunk(number);
  await share.remove(path);
};

/** Tlock: Linux has granted it within the guest; between guests there are no locks. */
export const lock: Operation = (share, ask, answer) => {
  share.fids.get(ask.u32());
  answer.u8(LOCK_GRANTED);
};

/** Tgetlock: nobody has a lock. */
export const getLock: Operation = (share, ask, answer) => {
  share.fids.get(ask.u32());
  ask.u8();
  const [start, length] = [ask.u64(), ask.u64()];
  const process = ask.u32();
  const client = ask.text();
  ask.end();
  answer.u8(UNLOCKED).u64(start).u64(length).u32(process).text(client);
};
