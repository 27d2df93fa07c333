/** Refcounts made anew from what a file really uses. */
import { malformed } from '../image-error.ts';
import { type Qcow2File, readRefcountTable } from './qcow2-file.ts';
import { countUses } from './uses.ts';

/**
 * Counts what the file uses and takes that for its refcounts; the next commit writes them. Rejects
 * with `ImageError` if tables are wrong in another way, too, and nothing has changed then.
 */
export async function rebuiltRefcounts(file: Qcow2File, progress?: (share: number) => void): Promise<void> {
  const blocks = file.hasRefcounts
    ? file.refcounts.blocks.slice()
    : await readRefcountTable(file.device, file.header);
  const { counts } = await countUses(file, {
    blocks,
    complain: (problem) => {
      throw malformed(`the image cannot be repaired: ${problem}`);
    },
    ...(progress === undefined ? {} : { progress }),
  });
  file.useRefcounts(blocks);
  const { refcounts, form } = file;
  await file.changingTables(async () => {
    refcounts.assign(counts);
    // The blocks that the file has are not needed any more once the new ones are there.
    for (const offset of blocks) {
      if (offset === 0) continue;
      const cluster = offset / form.clusterBytes;
      const pins = await refcounts.pin([], [cluster]);
      refcounts.release(cluster);
      refcounts.unpin(pins);
      file.removeTable(offset, form.clusterBytes);
    }
  });
}
