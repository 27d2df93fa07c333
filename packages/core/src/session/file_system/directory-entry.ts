/**
 * Directory entries as they stand in the bulk buffer; the format is that of
 * `DIRECTORY_ENTRY_BYTES`.
 */
import { DIRECTORY_ENTRY_BYTES, NAME_BYTES_MAX, NODE_TYPES, type NodeType } from './declaration.ts';
import { decodeName, encodeName, fileSystemFailure, validName } from './names.ts';

/** An entry of a directory. */
export interface FileSystemEntry {
  readonly name: string;
  readonly type: NodeType;
  readonly inode: number;
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
  view.setUint32(0, entry.inode % HIGH_WORD, true);
  view.setUint32(4, Math.floor(entry.inode / HIGH_WORD), true);
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
  const view = new DataView(bytes.buffer);
  const entries: FileSystemEntry[] = [];
  for (let at = 0; at < bytes.length; at += DIRECTORY_ENTRY_BYTES) {
    const type = NODE_TYPES[view.getUint8(at + TYPE_AT)];
    const nameBytes = bytes.subarray(at + NAME_AT, at + NAME_AT + view.getUint8(at + NAME_LENGTH_AT));
    const name = decodeName(nameBytes);
    const inode = view.getUint32(at, true) + view.getUint32(at + 4, true) * HIGH_WORD;
    if (type === undefined || !validName(name, nameBytes) || !Number.isSafeInteger(inode)) throw malformed();
    entries.push({ name, type, inode });
  }
  return entries;
}

function malformed(): Error {
  return fileSystemFailure('Corrupt', 'the server sent malformed directory entries');
}
