import { textOfBytes } from '@ginit/core/file_system';
import { hasName } from './directory-block.ts';
import { DirectoryRecord, readRecord, RECORD_HEADER_BYTES } from './directory-record.ts';
import { type Inode, POINTERS_BYTES } from './inode.ts';
import type { NodeType } from '../vnode/attributes.ts';
import type { Volume } from './volume.ts';

/*
 * A small directory whose entries stand in its inode: the number of the directory above, then a
 * chain of records to the end of the first sixty bytes, and another through the rest. It has
 * neither "." nor "..".
 */
export const INLINE_RECORDS_OFFSET = 4;

/** An entry of a directory in its inode. */
export interface InlineEntry {
  readonly offset: number;
  readonly id: number;
  readonly name: string;
  readonly type: NodeType | undefined;
}

export function inlineEntries(volume: Volume, inode: Inode): InlineEntry[] {
  const entries: InlineEntry[] = [];
  walk(volume, inode, (record, bytes) => {
    const start = record.offset + RECORD_HEADER_BYTES;
    const name = textOfBytes(bytes.subarray(start, start + record.nameLength));
    entries.push({ offset: record.offset, id: record.inode, name, type: record.type });
    return false;
  });
  return entries;
}

/** The offset of the record of a name; -1 where there is none. */
export function findInline(volume: Volume, inode: Inode, name: Uint8Array): number {
  let found = -1;
  walk(volume, inode, (record, bytes) => {
    if (hasName(bytes, record, name)) found = record.offset;
    return found >= 0;
  });
  return found;
}

/** The number of the node at an offset, or, at 0, that of the directory above. */
export function inlineTarget(inode: Inode, offset: number): number {
  const bytes = inode.inlineContent ?? new Uint8Array(POINTERS_BYTES);
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(offset, true);
}

function walk(
  volume: Volume,
  inode: Inode,
  visit: (record: DirectoryRecord, bytes: Uint8Array) => boolean,
): void {
  const bytes = inode.inlineContent ?? new Uint8Array(0);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const record = new DirectoryRecord();
  const size = Math.min(inode.sizeBytes, bytes.length);
  for (const [from, end] of [
    [INLINE_RECORDS_OFFSET, Math.min(POINTERS_BYTES, size)],
    [POINTERS_BYTES, size],
  ] as const) {
    for (let offset = from; offset < end; offset += record.length) {
      readRecord(volume, view, offset, end, record, inode.name, 0);
      if (record.inode !== 0 && visit(record, bytes)) return;
    }
  }
}
