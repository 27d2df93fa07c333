/**
 * The path tables: all directories once more, the root first: 0 length of the name · 1 blocks of
 * extended attributes · 2 first block (4) · 6 number of the directory above (2) · 8 name, padded to
 * an even length. There are two, of which the second has its numbers big-endian.
 */
import { messageOf } from '../../errors.ts';
import type { Device } from '../device.ts';
import type { Findings } from '../report.ts';
import type { Volume } from './descriptors.ts';
import type { FoundDirectory } from './tree.ts';

const TABLE_BYTES_MAX = 64 * 1024 * 1024;
/** The number of a directory above has 16 bits. */
const NUMBER_MAX = 0xffff;

/** Compares both tables of a volume with the directories that were found. */
export async function checkPathTables(
  device: Device,
  found: Findings,
  volume: Volume,
  directories: ReadonlyMap<number, FoundDirectory>,
): Promise<void> {
  for (const [block, little] of [
    [volume.littleTable, true],
    [volume.bigTable, false],
  ] as const) {
    const where = `${volume.name}: path table in block ${block}`;
    if (block === 0 || volume.pathTableBytes > TABLE_BYTES_MAX) {
      found.harmless(`${where}: of ${volume.pathTableBytes} bytes`);
      continue;
    }
    try {
      const bytes = await device.bytes(block * volume.blockBytes, volume.pathTableBytes);
      checkTable(found, bytes.slice(), little, where, directories);
    } catch (error) {
      found.harmless(`${where}: ${messageOf(error)}`);
    }
  }
}

function checkTable(
  found: Findings,
  bytes: Uint8Array,
  little: boolean,
  where: string,
  directories: ReadonlyMap<number, FoundDirectory>,
): void {
  const view = new DataView(bytes.buffer);
  const blocks: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const nameBytes = bytes[at] ?? 0;
    const end = at + 8 + nameBytes + (nameBytes % 2);
    if (nameBytes === 0 || at + 8 + nameBytes > bytes.length) {
      found.harmless(`${where}: entry at ${at} has a name of ${nameBytes} bytes`);
      return;
    }
    const block = view.getUint32(at + 2, little) + (bytes[at + 1] ?? 0);
    const above = view.getUint16(at + 6, little);
    blocks.push(block);
    const name = String.fromCharCode(...bytes.subarray(at + 8, at + 8 + nameBytes));
    const directory = directories.get(block);
    if (directory === undefined)
      found.harmless(`${where}: entry at ${at} leads to block ${block}, which is no directory`);
    else if (directory.name !== name)
      found.harmless(`${where}: entry at ${at} has another name than its directory`);
    else if (blocks.length <= NUMBER_MAX && blocks[above - 1] !== directory.parent)
      found.harmless(
        `${where}: entry at ${at} belongs to directory ${above}, not to that in block ${directory.parent}`,
      );
    at = end;
  }
  if (blocks.length !== directories.size)
    found.harmless(`${where}: ${blocks.length} directories, but there are ${directories.size}`);
}
