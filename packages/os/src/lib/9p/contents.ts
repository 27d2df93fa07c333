/** The messages about the contents of files and directories. */
import type { FileSystemEntry, NodeType, OpenMode } from '@ginit/core/file_system';
import { type Fid, pathOf } from './fids.ts';
import { type Operation, qidOf, type Share } from './share.ts';
import { ERRNO, HEADER_BYTES, type MessageWriter, NinePError, QID_BYTES } from './wire.ts';

/** The flags of Linux's `open`. */
const ACCESS = 3;
const WRITE_ONLY = 1;
const READ_WRITE = 2;
const TRUNCATE = 0o1000;
const APPEND = 0o2000;
/** The bytes of a message beside what is read or written, and beside an entry's name. */
const READ_FRAME_BYTES = HEADER_BYTES + 4;
const ENTRY_FRAME_BYTES = QID_BYTES + 8 + 1 + 2;
/** The types of directory entries in Linux. */
const ENTRY_TYPES: Readonly<Record<NodeType, number>> = {
  fifo: 1,
  'character-device': 2,
  directory: 4,
  'block-device': 6,
  file: 8,
  symlink: 10,
  socket: 12,
};

function modeOf(flags: number): OpenMode {
  switch (flags & ACCESS) {
    case WRITE_ONLY:
      return 'write-only';
    case READ_WRITE:
      return 'read-write';
    default:
      return 'read-only';
  }
}

/** Throws if the fid is open already. */
function checkClosed(fid: Fid): void {
  if (fid.file || fid.directory) throw new NinePError(ERRNO.badHandle, 'the fid is open');
}

/** Tlopen: the node of a fid is opened. */
export const open: Operation = async (share, ask, answer) => {
  const fid = share.fids.get(ask.u32());
  const flags = ask.u32();
  ask.end();
  checkClosed(fid);
  const status = await share.status(fid);
  if (status.type === 'directory') {
    if ((flags & ACCESS) !== 0) throw new NinePError(ERRNO.isADirectory);
    const directory = await share.files.openDirectory(pathOf(fid.path));
    await keepOpen(fid, { directory: { directory, first: 0, fetched: [] } }, () => directory.close());
  } else {
    if (status.type !== 'file') throw new NinePError(ERRNO.notSupported, 'only files are opened');
    const mode = modeOf(flags);
    if (mode !== 'read-only' || (flags & TRUNCATE) !== 0) share.checkWriteable();
    const file = await share.files.open(pathOf(fid.path), { mode });
    await keepOpen(fid, { file, appends: (flags & APPEND) !== 0 }, () => file.close());
    if ((flags & TRUNCATE) !== 0) await file.truncate(0);
  }
  answer.qid(qidOf(status)).u32(0);
};

/** Somebody may have opened the fid meanwhile; one of the two is closed again. */
async function keepOpen(fid: Fid, opened: Partial<Fid>, close: () => Promise<void>): Promise<void> {
  if (fid.file || fid.directory) {
    await close();
    throw new NinePError(ERRNO.badHandle, 'the fid is open');
  }
  Object.assign(fid, opened);
}

/** Tlcreate: a file is made and opened; the fid of its directory stands for it from now on. */
export const create: Operation = async (share, ask, answer) => {
  const fid = share.fids.get(ask.u32());
  const name = ask.text();
  const flags = ask.u32();
  const mode = ask.u32();
  const gid = ask.u32();
  ask.end();
  checkClosed(fid);
  share.checkWriteable();
  const path = share.entry(fid, name);
  const file = await share.files.open(pathOf(path), { mode: 'read-write', create: 'new' });
  await keepOpen(fid, { path, file, appends: (flags & APPEND) !== 0 }, () => file.close());
  answer.qid(await share.made(path, { mode, uid: fid.uid, gid })).u32(0);
};

/** Tread: a part of a file. */
export const read: Operation = async (share, ask, answer) => {
  const { file } = share.fids.get(ask.u32());
  const position = ask.position();
  const wanted = ask.u32();
  ask.end();
  if (!file) throw new NinePError(ERRNO.badHandle, 'the file is not open');
  const bytes = new Uint8Array(Math.min(wanted, share.messageBytes - READ_FRAME_BYTES));
  const count = await file.read(position, bytes);
  answer.u32(count).bytes(bytes.subarray(0, count));
};

/** Twrite: a part of a file. */
export const write: Operation = async (share, ask, answer) => {
  const { file, appends = false } = share.fids.get(ask.u32());
  const position = ask.position();
  const bytes = ask.bytes(ask.u32());
  ask.end();
  if (!file) throw new NinePError(ERRNO.badHandle, 'the file is not open');
  share.checkWriteable();
  await (appends ? file.append(bytes) : file.write(position, bytes));
  answer.u32(bytes.byteLength);
};

/** Tfsync: what was written is on stable storage. */
export const synchronise: Operation = async (share, ask) => {
  share.fids.get(ask.u32());
  ask.u32();
  ask.end();
  await share.files.sync();
};

/**
 * Treaddir: entries from a position on, as many as fit. The positions that we give out count
 * entries, with the directory itself and its parent first.
 */
export const readDirectory: Operation = async (share, ask, answer) => {
  const fid = share.fids.get(ask.u32());
  const position = ask.position();
  const room = Math.min(ask.u32(), share.messageBytes - READ_FRAME_BYTES);
  ask.end();
  if (!fid.directory) throw new NinePError(ERRNO.badHandle, 'the directory is not open');
  const entries = answer;
  const countAt = entries.reserveCount();
  const writer = new EntryWriter(entries, room);
  let next = position;
  for (; next < 2; next++) {
    if (!writer.add(await dotEntry(share, fid, next === 0 ? '.' : '..'), next + 1)) break;
  }
  for (let more = next >= 2; more; ) {
    const batch = await entriesFrom(fid, next - 2);
    more = batch.length > 0;
    for (const entry of batch) {
      if (!writer.add(entry, next + 1)) {
        more = false;
        break;
      }
      next++;
    }
  }
  entries.fillCount(countAt);
};

async function dotEntry(share: Share, fid: Fid, name: '.' | '..'): Promise<FileSystemEntry> {
  const path = name === '..' ? fid.path.slice(0, -1) : fid.path;
  const { inode, type } = await share.files.lstat(pathOf(path));
  return { name, inode, type };
}

/** Some entries from this one on; what was fetched and not given out comes first. */
async function entriesFrom({ directory }: Fid, index: number): Promise<readonly FileSystemEntry[]> {
  if (!directory) return [];
  const { first, fetched } = directory;
  if (index < first || index >= first + fetched.length) {
    directory.fetched = await directory.directory.entriesFrom(index);
    directory.first = index;
    return directory.fetched;
  }
  return fetched.slice(index - first);
}

/** Writes entries as long as they fit. */
class EntryWriter {
  readonly #into: MessageWriter;
  readonly #end: number;

  constructor(into: MessageWriter, room: number) {
    this.#into = into;
    this.#end = into.length + room;
  }

  /** False if it does not fit any more. */
  add(entry: FileSystemEntry, next: number): boolean {
    const bytes = ENTRY_FRAME_BYTES + new TextEncoder().encode(entry.name).byteLength;
    if (this.#into.length + bytes > this.#end) return false;
    this.#into.qid(qidOf(entry)).u64(next).u8(ENTRY_TYPES[entry.type]).text(entry.name);
    return true;
  }
}
