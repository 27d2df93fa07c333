/**
 * Directory entries as they stand in the bulk buffer; the format is that of
 * `DIRECTORY_ENTRY_BYTES`.
 */
import {
  DIRECTORY_ENTRY_BYTES,
  NAME_BYTES_MAX,
  NODE_TYPES,
  type NodeStatus,
  type NodeType,
  STATUS_ENTRY_BYTES,
} from './declaration.ts';
import { decodeName, encodeName, fileSystemFailure, validName } from './names.ts';

/** An entry of a directory. */
export interface FileSystemEntry {
  readonly name: string;
  readonly type: NodeType;
  readonly inode: number;
}

/** An entry with the status of its node; without one if it has gone meanwhile. */
export interface StatusEntry extends FileSystemEntry {
  readonly status: NodeStatus | undefined;
}

const TYPE_AT = 8;
const NAME_LENGTH_AT = 9;
const NAME_AT = 10;
const HIGH_WORD = 2 ** 32;

/**
 * Writes an entry over the first `DIRECTORY_ENTRY_BYTES` of `into`. `Corrupt` if its name cannot be
 * one.
 */
export function encodeDirectoryEntry(entry: FileSystemEntry, into: Uint8Array): void {
  const name = encodeName(entry.name);
  if (name.length > NAME_BYTES_MAX || !validName(entry.name, name)) {
    throw fileSystemFailure('Corrupt', `the directory holds an entry that is no name`);
  }
  const view = new DataView(into.buffer, into.byteOffset, DIRECTORY_ENTRY_BYTES);
  setU53(view, 0, entry.inode);
  view.setUint8(TYPE_AT, NODE_TYPES.indexOf(entry.type));
  view.setUint8(NAME_LENGTH_AT, name.length);
  into.set(name, NAME_AT);
  into.fill(0, NAME_AT + name.length, DIRECTORY_ENTRY_BYTES);
}

/**
 * The entries in a READ's payload. `Corrupt` if a server wrote anything else: a piece of an entry,
 * an unknown type, a name that would lead elsewhere.
 */
export function decodeDirectoryEntries(payload: Uint8Array): FileSystemEntry[] {
  // Neither may the server change it under the checks, nor does TextDecoder take shared memory
  // everywhere.
  const bytes = payload.slice();
  if (bytes.length % DIRECTORY_ENTRY_BYTES !== 0) throw malformed();
  const entries: FileSystemEntry[] = [];
  for (let at = 0; at < bytes.length; at += DIRECTORY_ENTRY_BYTES) entries.push(decodeEntry(bytes, at));
  return entries;
}

/**
 * Writes an entry with its status over the first `STATUS_ENTRY_BYTES` of `into`; `Corrupt`
 * likewise.
 */
export function encodeStatusEntry(entry: StatusEntry, into: Uint8Array): void {
  encodeDirectoryEntry(entry, into);
  const view = new DataView(into.buffer, into.byteOffset, STATUS_ENTRY_BYTES);
  const { status } = entry;
  U53_FIELDS.forEach((field, index) => setU53(view, U53_AT + index * 8, status?.[field] ?? 0));
  U32_FIELDS.forEach((field, index) => view.setUint32(U32_AT + index * 4, status?.[field] ?? 0, true));
  view.setUint32(UNSIZED_AT, status?.unsized ? 1 : 0, true);
  view.setUint32(UNSIZED_AT + 4, 0, true);
}

/** The entries in a READ_STATUS's payload; `Corrupt` likewise. */
export function decodeStatusEntries(payload: Uint8Array): StatusEntry[] {
  const bytes = payload.slice();
  if (bytes.length % STATUS_ENTRY_BYTES !== 0) throw malformed();
  const view = new DataView(bytes.buffer);
  const entries: StatusEntry[] = [];
  for (let at = 0; at < bytes.length; at += STATUS_ENTRY_BYTES) {
    const entry = decodeEntry(bytes, at);
    entries.push({ ...entry, status: decodeStatus(view, at, entry) });
  }
  return entries;
}

/** The fields of a status behind an entry, in their order. */
const U53_FIELDS = ['sizeBytes', 'allocatedBytes', 'accessedMs', 'modifiedMs', 'changedMs'] as const;
const U32_FIELDS = ['links', 'mode', 'uid', 'gid'] as const;
const U53_AT = DIRECTORY_ENTRY_BYTES;
const U32_AT = U53_AT + U53_FIELDS.length * 8;
const UNSIZED_AT = U32_AT + U32_FIELDS.length * 4;

function decodeStatus(view: DataView, at: number, { type, inode }: FileSystemEntry): NodeStatus | undefined {
  const u53 = (index: number): number => getU53(view, at + U53_AT + index * 8);
  const u32 = (index: number): number => view.getUint32(at + U32_AT + index * 4, true);
  if (u32(0) === 0) return undefined;
  return {
    type,
    inode,
    sizeBytes: u53(0),
    allocatedBytes: u53(1),
    accessedMs: u53(2),
    modifiedMs: u53(3),
    changedMs: u53(4),
    links: u32(0),
    mode: u32(1),
    uid: u32(2),
    gid: u32(3),
    unsized: u32(4) !== 0,
  };
}

function decodeEntry(bytes: Uint8Array, at: number): FileSystemEntry {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const type = NODE_TYPES[view.getUint8(at + TYPE_AT)];
  const nameBytes = bytes.subarray(at + NAME_AT, at + NAME_AT + view.getUint8(at + NAME_LENGTH_AT));
  const name = decodeName(nameBytes);
  if (type === undefined || !validName(name, nameBytes)) throw malformed();
  return { name, type, inode: getU53(view, at) };
}

function setU53(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % HIGH_WORD, true);
  view.setUint32(at + 4, Math.floor(value / HIGH_WORD), true);
}

function getU53(view: DataView, at: number): number {
  const value = view.getUint32(at, true) + view.getUint32(at + 4, true) * HIGH_WORD;
  if (!Number.isSafeInteger(value)) throw malformed();
  return value;
}

function malformed(): Error {
  return fileSystemFailure('Corrupt', 'the server sent malformed directory entries');
}
