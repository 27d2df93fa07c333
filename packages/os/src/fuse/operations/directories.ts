/** Open directories: OPENDIR, READDIR, READDIRPLUS. */
import { encodeName, type NodeType, type StatusEntry } from '@ginit/core/file_system';
import type { Node } from '../nodes.ts';
import type { OpenedDirectory } from '../open-things.ts';
import { direntBytes, EMPTY_ENTRY_BYTES, writeDirent, writeEntry } from '../protocol/attributes.ts';
import { OPEN_FLAG } from '../protocol/constants.ts';
import { Message } from '../protocol/message.ts';
import { exact, type Served } from '../served.ts';
import type { Operation } from './operation.ts';

/** `.` and `..` come first, at these offsets; the entries of the session follow them. */
const DOTS = ['.', '..'] as const;
/** Entries that are read at a time; the session gives as many as one packet has room for. */
const ENTRIES_PER_READ = 256;

export const opendir: Operation = async (served, request, exchange) => {
  const node = served.nodes.get(request.node);
  const isGone = node.isGhost && !served.handles.has(node);
  const opened = isGone
    ? undefined
    : await served.using(node, (handle) => served.client.open(handle, 'read-only'));
  const directory: OpenedDirectory = {
    kind: 'directory',
    node,
    handle: opened,
    entries: [],
    first: 0,
    readAt: 0,
  };
  const number = served.open.add(directory);
  const flags = OPEN_FLAG.keepCache | OPEN_FLAG.cacheDirectory;
  if (!exchange.answer(new Message(16).u64(number).u32(flags).u32(0).bytes)) {
    served.open.remove(number);
    if (opened !== undefined) served.client.close(opened).catch(() => {});
  }
};

/** The entries of a directory from number `index` on, as many as are at hand; none at the end. */
async function entriesFrom(
  served: Served,
  directory: OpenedDirectory,
  index: number,
): Promise<readonly StatusEntry[]> {
  const behind = index - directory.first;
  if (behind >= 0 && behind < directory.entries.length) return directory.entries.slice(behind);
  const readAt = served.changes;
  if (directory.handle === undefined) return [];
  const entries = await served.client.entriesFrom(directory.handle, index, ENTRIES_PER_READ);
  directory.entries = entries;
  directory.first = index;
  directory.readAt = readAt;
  return entries;
}

/** An entry to be spelled; with a status if the kernel may be told of the node. */
interface Listed {
  readonly name: string;
  readonly inode: number;
  readonly type: NodeType;
  readonly next: number;
  readonly status: StatusEntry['status'];
}

/** The entries from an offset on; an empty batch is the end. */
async function listedFrom(served: Served, directory: OpenedDirectory, offset: number): Promise<Listed[]> {
  const { node } = directory;
  // Not even the dots are in a directory that was removed.
  if (node.isGhost) return [];
  const dots = DOTS.map((name, index): Listed => {
    const { inode } = name === '.' ? node.status : (node.place?.parent ?? node).status;
    return { name, inode, type: 'directory', next: index + 1, status: undefined };
  });
  if (offset < dots.length) return dots.slice(offset);
  const entries = await entriesFrom(served, directory, offset - dots.length);
  // What was read before this mount has changed something may be old.
  const isNew = directory.readAt === served.changes;
  return entries.map(({ name, inode, type, status }, index) => ({
    name,
    inode,
    type,
    next: offset + index + 1,
    status: isNew ? status : undefined,
  }));
}

/** Spells entries until the kernel's memory is full, `plus` with what LOOKUP would say of each. */
const listing =
  (plus: boolean): Operation =>
  async (served, request, exchange) => {
    const directory = served.open.directory(request.u64());
    const offset = exact(request.u64());
    const answer = new Message(Math.min(request.u32(), served.transferBytesMax));
    const told: Node[] = [];
    const validity = served.validity();
    let at = offset;
    do {
      const batch = await listedFrom(served, directory, at);
      const from = at;
      for (const listed of batch) {
        const name = encodeName(listed.name);
        const bytes = direntBytes(name) + (plus ? EMPTY_ENTRY_BYTES : 0);
        if (answer.length + bytes > answer.capacity) break;
        if (plus) told.push(...tellOf(served, directory.node, listed, { answer, validity: validity() }));
        writeDirent(answer, { ...listed, name });
        at = listed.next;
      }
      if (at === from) break;
      // The dots alone would be an odd answer; otherwise one look at the session is enough.
    } while (at <= DOTS.length);
    if (!exchange.answer(answer.bytes)) for (const { id } of told) served.nodes.forget(id, 1);
  };

/** Spells a node if the kernel may be told of it; the result is what it was told of. */
function tellOf(
  served: Served,
  parent: Node,
  { name, status }: Listed,
  into: { readonly answer: Message; readonly validity: ReturnType<ReturnType<Served['validity']>> },
): Node[] {
  if (status === undefined) {
    into.answer.zeros(EMPTY_ENTRY_BYTES);
    return [];
  }
  const node = served.nodes.found(parent, name, status);
  writeEntry(into.answer, node, status, into.validity);
  return [node];
}

export const readdir = listing(false);
export const readdirplus = listing(true);
