/**
 * The entries of a tar archive, with the long names that pax headers (types `x` and `g`) and GNU
 * (types `L` and `K`) put before them.
 */
import { textOfBytes } from '@ginit/core/file_system';
import { readPaxRecords } from './pax-records.ts';
import { readTarHeader, TAR_BLOCK_BYTES, TarError, type TarHeader } from './tar-header.ts';

/** Kinds of entries that are shown. */
export type TarEntryType =
  | 'file'
  | 'hard-link'
  | 'symlink'
  | 'directory'
  | 'character-device'
  | 'block-device'
  | 'fifo';

/** An entry. */
export interface TarEntry {
  /** Where its header stands. */
  readonly position: number;
  readonly path: string;
  readonly type: TarEntryType;
  /** Of links. */
  readonly target: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly modifiedMs: number;
  readonly content: Uint8Array;
}

/** Long names and pax headers are not longer than this. */
const META_BYTES_MAX = 1024 * 1024;

const TYPES: Readonly<Record<string, TarEntryType>> = {
  '0': 'file',
  // A file that the archiver wanted to be in one piece.
  '7': 'file',
  '1': 'hard-link',
  '2': 'symlink',
  '3': 'character-device',
  '4': 'block-device',
  '5': 'directory',
  '6': 'fifo',
};

type Records = ReadonlyMap<string, string>;
const NONE: Records = new Map();

/** Reads the entries in their order. Throws `TarError`. */
export function* tarEntries(archive: Uint8Array): Generator<TarEntry, void, void> {
  let global: Records = NONE;
  let pax: Records = NONE;
  let longName: string | undefined;
  let longTarget: string | undefined;
  for (let position = 0; position < archive.length; ) {
    const header = readTarHeader(archive, position);
    if (!header) return;
    const records = new Map([...global, ...pax]);
    // The size of a file may stand in its pax header; that of a header itself never does.
    const isMeta = ['x', 'g', 'L', 'K', 'V'].includes(header.type);
    const sizeBytes = isMeta ? header.sizeBytes : sizeOf(header, records, position);
    const from = position + TAR_BLOCK_BYTES;
    if (sizeBytes < 0 || sizeBytes > archive.length - from)
      throw new TarError(`the archive ends within the content of "${header.name}"`, position);
    if (isMeta && sizeBytes > META_BYTES_MAX)
      throw new TarError('a long name or pax header is too long', position);
    const content = archive.subarray(from, from + sizeBytes);
    switch (header.type) {
      case 'x':
        pax = readPaxRecords(content, from);
        break;
      case 'g':
        global = new Map([...global, ...readPaxRecords(content, from)]);
        break;
      case 'L':
        longName = untilZero(content);
        break;
      case 'K':
        longTarget = untilZero(content);
        break;
      case 'V':
        // The name of a volume.
        break;
      default:
        yield entryOf(header, position, content, {
          ...(longName === undefined ? {} : { path: longName }),
          ...(longTarget === undefined ? {} : { linkpath: longTarget }),
          ...Object.fromEntries(records),
        });
        pax = NONE;
        longName = undefined;
        longTarget = undefined;
    }
    position = from + Math.ceil(sizeBytes / TAR_BLOCK_BYTES) * TAR_BLOCK_BYTES;
  }
}

function sizeOf(header: TarHeader, records: Records, position: number): number {
  // Links and directories have no content, whatever they say; some writers put the file's size.
  if (['1', '2', '3', '4', '5', '6'].includes(header.type)) return 0;
  const text = records.get('size');
  if (text === undefined || text === '') return header.sizeBytes;
  const size = Number(text);
  if (!/^[0-9]+$/.test(text) || !Number.isSafeInteger(size))
    throw new TarError('a size is no number', position);
  return size;
}

function entryOf(
  header: TarHeader,
  position: number,
  content: Uint8Array,
  records: Readonly<Record<string, string>>,
): TarEntry {
  const path = records['path'] || header.name;
  const sparse = Object.keys(records).some((key) => key.startsWith('GNU.sparse.'));
  const type = sparse ? undefined : TYPES[header.type];
  if (!type) {
    const what = sparse || header.type === 'S' ? 'a sparse file' : `an entry of the type "${header.type}"`;
    throw new TarError(`"${path}" is ${what}, which is not read`, position);
  }
  const number = (key: string, otherwise: number): number => {
    const text = records[key];
    if (text === undefined || text === '') return otherwise;
    const value = Number(text);
    if (!/^-?[0-9]+(\.[0-9]*)?$/.test(text) || Math.abs(value) > 2 ** 43)
      throw new TarError(`"${key}" of a pax header is no number`, position);
    return value;
  };
  return {
    position,
    path,
    // Before POSIX directories were files whose names end with a slash.
    type: type === 'file' && path.endsWith('/') ? 'directory' : type,
    target: records['linkpath'] || header.linkName,
    mode: header.mode & 0o7777,
    uid: unsigned(number('uid', header.uid)),
    gid: unsigned(number('gid', header.gid)),
    modifiedMs: Math.max(0, Math.floor(number('mtime', header.modifiedSeconds) * 1000)),
    content,
  };
}

/** What is no id of 32 bits is nobody's. */
function unsigned(id: number): number {
  return Number.isInteger(id) && id >= 0 && id < 2 ** 32 ? id : 65_534;
}

function untilZero(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return textOfBytes(end < 0 ? bytes : bytes.subarray(0, end));
}
