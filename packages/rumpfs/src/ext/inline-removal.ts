/**
 * Takes the content of a small file or directory out of its inode, where inline_data had put it:
 * whatever changes it finds it in a block, as without that feature. The block is there before the
 * inode leads to it, and the inode changes in one turn.
 */
import { assignRun } from './block-map-grow.ts';
import type { BlockAllocator } from './block-allocator.ts';
import {
  DirectoryRecord,
  bytesFor,
  readRecord,
  RECORD_HEADER_BYTES,
  setRecordLength,
  writeRecord,
} from './directory-record.ts';
import { entryBytes, sealLeaf } from './directory-checksum.ts';
import { initialiseExtents } from './extent-tree.ts';
import { INCOMPATIBLE_FEATURE } from './features.ts';
import { removeInlineValue } from './inline-data.ts';
import { INLINE_RECORDS_OFFSET, inlineTarget } from './inline-directory.ts';
import { type Inode, INODE_FLAG, POINTERS_BYTES } from './inode.ts';
import { encodeInode } from './inode-format.ts';
import { placeOf } from './inode-table.ts';
import { Run } from './run.ts';
import { VERIFIED } from './verified.ts';
import type { Volume } from './volume.ts';

const DOT = new Uint8Array([0x2e]);
const DOT_DOT = new Uint8Array([0x2e, 0x2e]);

/** Moves what a file holds in its inode to a block; nothing to do for any other file. */
export async function moveFileOut(volume: Volume, blocks: BlockAllocator, inode: Inode): Promise<void> {
  const content = inode.inlineContent?.slice(0, inode.sizeBytes);
  if (content === undefined) return;
  await moveOut(volume, inode, inode.sizeBytes, async () => {
    if (content.length === 0) return;
    await assignRun(volume, blocks, inode, 0, 1, new Run(), async ({ block }) => {
      const buffer = volume.cache.tryFresh(block) ?? (await volume.cache.fresh(block));
      buffer.bytes.fill(0);
      buffer.bytes.set(content);
      volume.cache.markDirty(buffer, block, 'data');
    });
  });
}

/** The same for a directory, which gets "." and ".." by that. */
export async function moveDirectoryOut(volume: Volume, blocks: BlockAllocator, inode: Inode): Promise<void> {
  if (inode.inlineContent === undefined) return;
  const bytes = directoryBlock(volume, inode);
  const seal = (contents: Uint8Array): void => sealLeaf(volume, inode, contents);
  seal(bytes);
  await moveOut(volume, inode, volume.blockSizeBytes, () =>
    assignRun(volume, blocks, inode, 0, 1, new Run(), ({ block }) =>
      volume.writeFirst(block, bytes, VERIFIED.directory, seal),
    ),
  );
}

/** Gives the inode an empty map, lets `fill` fill it, and stores both changes together. */
async function moveOut(
  volume: Volume,
  inode: Inode,
  sizeBytes: number,
  fill: () => Promise<void>,
): Promise<void> {
  const { inlineContent, flags, sectors, sizeBytes: before } = inode;
  const pointers = new Uint8Array(inode.pointers.buffer).slice();
  inode.inlineContent = undefined;
  inode.flags &= ~INODE_FLAG.inlineData;
  if (volume.superblock.has(INCOMPATIBLE_FEATURE.extents)) {
    inode.flags |= INODE_FLAG.extents;
    initialiseExtents(inode);
  } else new Uint8Array(inode.pointers.buffer).fill(0);
  const { block, offset } = placeOf(volume, inode.id);
  try {
    await fill();
    const buffer = volume.cache.peek(block) ?? (await volume.cache.read(block));
    inode.sizeBytes = sizeBytes;
    removeInlineValue(volume, inode, buffer.view, offset);
    encodeInode(inode, buffer.view, offset, volume.superblock);
    volume.cache.markDirty(buffer, block, 'structure');
  } catch (error) {
    // A block that was taken already is lost until a check; nothing leads to it.
    inode.inlineContent = inlineContent;
    inode.flags = flags;
    inode.sectors = sectors;
    inode.sizeBytes = before;
    new Uint8Array(inode.pointers.buffer).set(pointers);
    throw error;
  }
}

/** A block with the records of a directory that stood in its inode. Throws `Corrupt`. */
function directoryBlock(volume: Volume, inode: Inode): Uint8Array {
  const content = inode.inlineContent ?? new Uint8Array(POINTERS_BYTES);
  const size = Math.min(inode.sizeBytes, content.length);
  const view = new DataView(content.buffer, content.byteOffset, content.length);
  const bytes = new Uint8Array(volume.blockSizeBytes);
  const end = entryBytes(volume);
  const [first, second] = [bytesFor(1), bytesFor(2)];
  const type = 'directory';
  writeRecord(volume, bytes, 0, first, { inode: inode.id, name: DOT, type });
  writeRecord(volume, bytes, first, end - first, { inode: inlineTarget(inode, 0), name: DOT_DOT, type });
  const out = new DataView(bytes.buffer);
  let [last, at] = [first, first + second];
  const record = new DirectoryRecord();
  for (const [from, stop] of [
    [INLINE_RECORDS_OFFSET, Math.min(POINTERS_BYTES, size)],
    [POINTERS_BYTES, size],
  ] as const) {
    for (let offset = from; offset < stop; offset += record.length) {
      readRecord(volume, view, offset, stop, record, inode.name, 0);
      if (record.inode === 0) continue;
      const start = offset + RECORD_HEADER_BYTES;
      const name = content.slice(start, start + record.nameLength);
      const needed = bytesFor(name.length);
      if (at + needed > end) throw volume.corrupt(`${inode.name}: its entries have no room in a block`);
      // The record before ends where this one begins; the last one reaches to the end.
      setRecordLength(volume, out, last, at - last);
      writeRecord(volume, bytes, at, end - at, { inode: record.inode, name, type: record.type });
      [last, at] = [at, at + needed];
    }
  }
  return bytes;
}
