/**
 * Makes a qcow2 file as small as what it holds: clusters of zeros are freed, those at the end of
 * the file move to free places before, and the end is cut off. Each step is a commit, so that a
 * crash leaves a whole image.
 */
import { isZero } from '../../lib/is-zero.ts';
import { readPadded } from '../byte-device.ts';
import type { NewMapping } from './allocation.ts';
import { readEntry } from './l2-entry.ts';
import type { Qcow2Image } from './qcow2-image.ts';

/** Entries that are looked at between two commits. */
const CLUSTERS_PER_STEP = 1024;
/** How often the clusters are gone through, at most, to move them. */
const PASSES_MAX = 4;

/** What a compaction has done. */
export interface Qcow2Compaction {
  readonly zeroClusters: number;
  readonly movedClusters: number;
}

/** Compacts an image that nobody else uses. Rejects with `ImageError`. */
export async function compactQcow2(
  image: Qcow2Image,
  progress: (share: number) => void = () => {},
): Promise<Qcow2Compaction> {
  const zeroClusters = await freeZeroes(image, (share) => progress(share / 2));
  let movedClusters = 0;
  for (let pass = 0; pass < PASSES_MAX; pass++) {
    // What one pass has moved away leaves room for the next.
    const moved = await moveDown(image, (share) => progress(0.5 + share / 2));
    movedClusters += moved;
    if (moved === 0) break;
  }
  // Tables, too, have to leave the end of the file.
  await image.rewriteTables();
  await image.rewriteTables();
  await image.close();
  progress(1);
  return { zeroClusters, movedClusters };
}

/** The clusters of the file that the disk has as they are, with their numbers on the disk. */
async function* dataClusters(
  image: Qcow2Image,
  progress: (share: number) => void,
): AsyncGenerator<{ readonly cluster: number; readonly host: number }, void> {
  const { file } = image;
  const { l2Entries } = file.form;
  for (let key = 0; key < file.l1.length; key++) {
    progress(key / file.l1.length);
    const at = file.l1[key] ?? 0;
    if (at === 0 && !file.l2.peek(key)) continue;
    for (let index = 0; index < l2Entries; index++) {
      const { view } = await file.l2.load(key);
      const entry = readEntry(file.form, view, index, at);
      if (entry.kind === 'data' && entry.sole) yield { cluster: key * l2Entries + index, host: entry.host };
    }
  }
}

async function freeZeroes(image: Qcow2Image, progress: (share: number) => void): Promise<number> {
  const { file, allocation } = image;
  const bytes = new Uint8Array(file.form.clusterBytes);
  const zero: NewMapping = { kind: image.hasBacking ? 'zero' : 'none' };
  if (image.hasBacking && file.form.version === 2) return 0;
  let freed = 0;
  for await (const { cluster, host } of dataClusters(image, progress)) {
    await readPadded(file.device, bytes, host);
    if (!isZero(bytes)) continue;
    await allocation.map(cluster, [zero], true);
    freed++;
    if (freed % CLUSTERS_PER_STEP === 0) await image.sync();
  }
  await image.sync();
  return freed;
}

async function moveDown(image: Qcow2Image, progress: (share: number) => void): Promise<number> {
  const { file, allocation } = image;
  const { clusterBytes } = file.form;
  const bytes = new Uint8Array(clusterBytes);
  let moved = 0;
  for await (const { cluster, host } of dataClusters(image, progress)) {
    const run = await allocation.take(1);
    if (run.first * clusterBytes >= host) {
      file.refcounts.giveBack(run);
      continue;
    }
    try {
      await readPadded(file.device, bytes, host);
      await file.device.write(bytes, run.first * clusterBytes);
      await allocation.map(cluster, [{ kind: 'data', cluster: run.first }], true);
    } catch (error) {
      file.refcounts.giveBack(run);
      throw error;
    }
    moved++;
    if (moved % CLUSTERS_PER_STEP === 0) await image.sync();
  }
  await image.sync();
  return moved;
}
