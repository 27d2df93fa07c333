/** Whether the tables of a qcow2 file agree with each other. */
import type { ByteDevice } from '../byte-device.ts';
import { QCOW2_INCOMPATIBLE } from './header.ts';
import { Qcow2File } from './qcow2-file.ts';
import { countUses, MARKED, type Uses } from './uses.ts';
import { type ImageCheck, Problems } from '../image-check.ts';
import { readCount } from './refcount-width.ts';

/** Refcount blocks for clusters that the file does not have; more of them are a fault. */
const BLOCKS_BEHIND_MAX = 64;

/** Checks an image. Rejects with `ImageError` if it cannot even be read. */
export async function checkQcow2(
  device: ByteDevice,
  progress?: (share: number) => void,
): Promise<ImageCheck> {
  const file = await Qcow2File.open(device);
  await file.openRefcounts();
  const problems = new Problems();
  const complain = (text: string): void => problems.add(text);
  const uses = await countUses(file, {
    blocks: file.refcounts.blocks,
    complain,
    ...(progress === undefined ? {} : { progress }),
  });
  // The walk was all of the work that has a share; the caller may still want to stop.
  const leaks = await compareCounts(file, uses, complain, () => progress?.(1));
  const { header, form } = file;
  if (header.incompatible & QCOW2_INCOMPATIBLE.corrupt) problems.add('the image is marked as corrupt');
  return {
    problems: problems.list,
    problemCount: problems.count,
    leaks,
    repairable: problems.count > 0 || leaks > 0,
    dataBytes: (uses.dataClusters + uses.compressedClusters) * form.clusterBytes,
  };
}

/** Compares refcounts with uses. The result is the number of clusters that are lost. */
async function compareCounts(
  file: Qcow2File,
  uses: Uses,
  complain: (text: string) => void,
  poll: () => void,
): Promise<number> {
  const { refcounts } = file;
  const { blocks, perBlock } = refcounts;
  const inFile = Math.ceil(uses.counts.length / perBlock);
  const behind = blocks.subarray(inFile).filter((offset) => offset !== 0).length;
  if (behind > BLOCKS_BEHIND_MAX) {
    complain(`${behind} refcount blocks are for clusters behind the end of the file`);
  }
  const seen = new Set<number>();
  let leaks = 0;
  for (let block = 0; block < Math.max(inFile, behind > BLOCKS_BEHIND_MAX ? 0 : blocks.length); block++) {
    poll();
    const offset = blocks[block] ?? 0;
    if (offset === 0 && block >= inFile) continue;
    // What two blocks have in common was told when uses were counted.
    if (offset !== 0 && seen.has(offset)) continue;
    seen.add(offset);
    const view = offset === 0 ? undefined : (await refcounts.cache.load(block)).view;
    for (let index = 0; index < perBlock; index++) {
      const cluster = block * perBlock + index;
      const count = view === undefined ? 0 : readCount(view, file.header.refcountOrder, index);
      leaks += compareCluster(cluster, count, uses, complain);
    }
  }
  return leaks;
}

/** Compares one count. The result is 1 if the cluster is lost. */
function compareCluster(
  cluster: number,
  count: number,
  uses: Uses,
  complain: (text: string) => void,
): number {
  const used = uses.counts[cluster] ?? 0;
  const marks = uses.marks[cluster] ?? 0;
  if (count < used) complain(`cluster ${cluster} has refcount ${count} and is used ${used} times`);
  if (marks & MARKED.sole && count !== 1)
    complain(`cluster ${cluster} is marked as used once, its refcount is ${count}`);
  if (marks & MARKED.shared && count === 1)
    complain(`cluster ${cluster} is not marked as used once, its refcount is 1`);
  return count > used ? 1 : 0;
}
