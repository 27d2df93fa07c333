/**
 * Checks exFAT: the boot regions, what the root directory says of the volume, the tree with the
 * clusters of each file, and the bitmap. Nothing here is shared with the driver, so that neither
 * hides a mistake of the other. With `mends`, what is found is set right, as far as that can be.
 */
import { FsError } from '../../errors.ts';
import type { BlockIo } from '../../hypercall/hypercalls.ts';
import { type CheckReport, Findings, type RepairReport } from '../report.ts';
import { checkBitmap } from './bitmap-pass.ts';
import { checkBootRegions } from './boot-regions.ts';
import { Claims, type Context, claim, endFatAt } from './context.ts';
import { directoryBytes, DirectoryPass } from './directory-pass.ts';
import { ExfatImage } from './image.ts';
import { identity } from './upcase.ts';
import { checkVolumeEntries } from './volume-pass.ts';

/** Mending shows more to mend: a name that is like another one after that, for example. */
const PASSES_MAX = 6;
const FLAGS_AT = 106;
const IN_USE = 2;

/**
 * Checks what is on a device. Rejects with `NoFileSystem`, with `Corrupt` where there is nothing
 * that can be followed, with `NotSupported` where it is too large, or with `InputOutput`.
 */
export function checkExfat(bio: BlockIo): Promise<CheckReport> {
  return checkOnce(bio, false);
}

/**
 * Mends what is on a device, until nothing is left to mend, and marks it as clean. Resolves to what
 * was found at first, and what is left. Rejects as `checkExfat` does.
 */
export async function repairExfat(bio: BlockIo): Promise<RepairReport> {
  const before = await checkExfat(bio);
  for (let pass = 0; pass < PASSES_MAX; pass += 1) {
    const { findings } = await checkOnce(bio, true);
    if (findings.every(({ text }) => text.includes('was not unmounted cleanly'))) {
      if (findings.length > 0) await markClean(bio);
      break;
    }
  }
  return { before, after: await checkExfat(bio) };
}

async function checkOnce(bio: BlockIo, mends: boolean): Promise<CheckReport> {
  const found = new Findings();
  const image = new ExfatImage(bio);
  const geometry = await checkBootRegions(image, found, mends);
  const context: Context = {
    geometry,
    image,
    found,
    mends,
    claims: new Claims(geometry.clusters),
    capitals: identity(),
    unknownClusters: false,
  };
  const root = await claim(context, geometry.rootCluster, undefined, false);
  if (root.mistake !== undefined) {
    found.damage(`/: ${root.mistake}`);
    if (mends && root.last !== 0) await endFatAt(context, root.last);
  }
  const bytes = await directoryBytes(context, '/', root.clusters);
  if (bytes === undefined) throw new FsError('Corrupt', 'check: the root directory cannot be read');
  const bitmap = await checkVolumeEntries(context, bytes, root.clusters);
  await new DirectoryPass(context).run(root.clusters);
  await checkBitmap(context, bitmap);
  if (mends) await image.write();
  return found.report('exfat');
}

async function markClean(bio: BlockIo): Promise<void> {
  const image = new ExfatImage(bio);
  const flags = await image.read(FLAGS_AT, 1);
  await image.change(FLAGS_AT, new Uint8Array([(flags[0] ?? 0) & ~IN_USE]));
  await image.write();
}
