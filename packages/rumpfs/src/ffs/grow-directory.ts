import { fragmentsOf, mapRun, Run } from './block-map.ts';
import { assignRun } from './block-map-grow.ts';
import { shrinkTo } from './block-map-shrink.ts';
import { PIECE_BYTES, writeRecord } from './directory-record.ts';
import { takeForGrowth } from './file-tail.ts';
import type { Inode } from './inode.ts';
import { storeInode } from './inode-table.ts';
import type { Parts } from './parts.ts';
import { DIRECT_POINTERS, type Superblock } from './superblock.ts';

const noName = new Uint8Array(0);

/** Pieces of a directory in which every record is free. */
export function emptyPieces(superblock: Superblock, lengthBytes: number): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  for (let offset = 0; offset < lengthBytes; offset += PIECE_BYTES)
    writeRecord(superblock, bytes, offset, PIECE_BYTES, { inode: 0, name: noName, type: undefined });
  return bytes;
}

/**
 * Lets a directory grow to a size that is larger by one piece. On the device the new piece is empty
 * before the inode says that it is there. Where the fragments move, the names in them are durable
 * first, so none leads to an inode that is not. Resolves to the fragment with the new piece; the
 * caller stores the inode. `begin` fills in what a new block holds from the beginning. Rejects with
 * `NoSpace`.
 */
export async function growDirectory(
  parts: Parts,
  inode: Inode,
  sizeBytes: number,
  begin: (contents: Uint8Array) => void = () => undefined,
): Promise<number> {
  const { volume } = parts;
  const { blockSizeBytes, fragmentSizeBytes } = volume.superblock;
  const before = inode.sizeBytes;
  const logical = Math.floor(before / blockSizeBytes);
  const begun = before % blockSizeBytes > 0;
  const had = begun ? fragmentsOf(volume, before, logical) : 0;
  const wanted = fragmentsOf(volume, sizeBytes, logical);
  const within = Math.floor((before % blockSizeBytes) / fragmentSizeBytes);
  if (had === wanted) {
    const run = new Run();
    await mapRun(volume, inode, logical, 1, run);
    if (run.fragment === 0) throw volume.corrupt(`${inode.name}: directory block ${logical} is missing`);
    await formatPiece(parts, run.fragment + within, before % fragmentSizeBytes);
    inode.sizeBytes = sizeBytes;
    return run.fragment + within;
  }
  if (begun && logical < DIRECT_POINTERS)
    return (await moreRoom(parts, inode, sizeBytes, had, wanted)) + within;
  let made = 0;
  inode.sizeBytes = sizeBytes;
  try {
    await assignRun(parts, inode, logical, 1, async ({ first, fragments }) => {
      made = first;
      const contents = emptyPieces(volume.superblock, fragments * fragmentSizeBytes);
      begin(contents);
      await volume.writeFirst(first, contents);
    });
  } catch (error) {
    await shrinkTo(parts, inode, before);
    await storeInode(volume, inode);
    throw error;
  }
  return made + within;
}

/** Empties the piece behind the end of a directory, if it is not so. */
async function formatPiece({ volume }: Parts, fragment: number, offset: number): Promise<void> {
  const { cache, superblock } = volume;
  for (;;) {
    const buffer = cache.peek(fragment) ?? (await cache.read(fragment));
    const inode = buffer.view.getUint32(offset, superblock.littleEndian);
    const length = buffer.view.getUint16(offset + 4, superblock.littleEndian);
    // Only what was written first, or is from the device, looks like that.
    if (inode === 0 && length === PIECE_BYTES) return;
    if (volume.journalled) {
      buffer.bytes.set(emptyPieces(superblock, PIECE_BYTES), offset);
      cache.markDirty(buffer, fragment, 'structure');
      return;
    }
    if (buffer.dirty === undefined && !buffer.writing) {
      buffer.bytes.set(emptyPieces(superblock, PIECE_BYTES), offset);
      const bytes = buffer.bytes.slice();
      cache.dataFirst();
      await cache.direct.write(fragment, bytes);
      return;
    }
    await cache.flushDurably();
  }
}

/** More fragments for the last block of a directory. Resolves to the first of the block. */
async function moreRoom(
  parts: Parts,
  inode: Inode,
  sizeBytes: number,
  had: number,
  wanted: number,
): Promise<number> {
  const { volume, space } = parts;
  const { superblock, cache } = volume;
  const size = superblock.fragmentSizeBytes;
  const logical = Math.floor(inode.sizeBytes / superblock.blockSizeBytes);
  const old = inode.pointer(logical);
  volume.requireFragments(old, had, inode.name);
  const gained = emptyPieces(superblock, (wanted - had) * size);
  if (await space.extend(old, had, wanted)) {
    try {
      await volume.writeFirst(old + had, gained);
    } catch (error) {
      await space.free(old + had, wanted - had, inode.name);
      throw error;
    }
    inode.sectors += gained.length / 512;
    inode.sizeBytes = sizeBytes;
    return old;
  }
  const moved = await takeForGrowth(parts, inode, logical, wanted);
  try {
    if (!volume.journalled) await cache.flushDurably();
    const contents = new Uint8Array(wanted * size);
    for (let index = 0; index < had; index += 1) {
      const buffer = cache.peek(old + index) ?? (await cache.read(old + index));
      contents.set(buffer.bytes, index * size);
    }
    contents.set(gained, had * size);
    await volume.writeFirst(moved, contents);
  } catch (error) {
    await space.free(moved, wanted, inode.name);
    throw error;
  }
  inode.setPointer(logical, moved);
  inode.sectors += gained.length / 512;
  inode.sizeBytes = sizeBytes;
  if (inode.lastLogicalBlock === logical) inode.lastFragment = moved;
  await storeInode(volume, inode);
  await space.free(old, had, inode.name);
  return moved;
}
