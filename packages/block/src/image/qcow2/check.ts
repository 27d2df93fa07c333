/** Whether the tables of a qcow2 file agree with each other. */
import type { ByteDevice } from '../byte-device.ts';
import { QCOW2_INCOMPATIBLE } from './header.ts';
import { Qcow2File } from './qcow2-file.ts';
import { countUses, MARKED, type Uses } from './uses.ts';
import { Problems, type ImageCheck } from '../image-check.ts';

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
  const leaks = await compareCounts(file, uses, complain);
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
async function compareCounts(file: Qcow2File, uses: Uses, complain: (text: string) => void): Promise<number> {
  const { refcounts } = file;
  let leaks = 0;
  for (let cluster = 0; cluster < refcounts.blocks.length * refcounts.perBlock; cluster++) {
    const block = Math.floor(cluster / refcounts.perBlock);
    if (refcounts.blocks[block] === 0 && cluster >= uses.counts.length) {
      cluster = (block + 1) * refcounts.perBlock - 1;
      continue;
    }
    if (cluster % refcounts.perBlock === 0 && refcounts.blocks[block] !== 0)
      await refcounts.cache.load(block);
    const count = refcounts.cache.peek(block) ? refcounts.count(cluster) : await refcounts.read(cluster);
    const used = uses.counts[cluster] ?? 0;
    if (count < used) complain(`cluster ${cluster} has refcount ${count} and is used ${used} times`);
    else if (count > used) leaks++;
    const marks = uses.marks[cluster] ?? 0;
    if (marks & MARKED.sole && count !== 1)
      complain(`cluster ${cluster} is marked as used once, its refcount is ${count}`);
    if (marks & MARKED.shared && count === 1)
      complain(`cluster ${cluster} is not marked as used once, its refcount is 1`);
  }
  const counted = refcounts.blocks.length * refcounts.perBlock;
  for (let cluster = counted; cluster < uses.counts.length; cluster++) {
    if ((uses.counts[cluster] ?? 0) > 0) complain(`cluster ${cluster} is used, and has no refcount`);
  }
  return leaks;
}
