/**
 * Checks a disc of ISO 9660: the descriptors of its last session, each tree with its records, their
 * system use by Rock Ridge and the tables of zisofs, the path tables, and whether anything lies in
 * something else. Nothing here is shared with the driver.
 */
import { FsError } from '../../errors.ts';
import type { BlockIo } from '../../hypercall/hypercalls.ts';
import { Device } from '../device.ts';
import { type CheckReport, Findings } from '../report.ts';
import { lastSession, readVolumes } from './descriptors.ts';
import { Extents } from './extents.ts';
import { checkPathTables } from './path-table.ts';
import { Tree } from './tree.ts';

/**
 * Checks the disc on a device. Rejects with `NoFileSystem` where there is none, or `InputOutput`.
 */
export async function checkCd9660(bio: BlockIo): Promise<CheckReport> {
  const found = new Findings();
  const device = new Device(bio);
  const start = await lastSession(device);
  if (start === undefined) throw new FsError('NoFileSystem', 'check: no volume descriptor of ISO 9660');
  const volumes = await readVolumes(device, start, found);
  const extents = new Extents();
  for (const [index, volume] of volumes.entries()) {
    const tree = new Tree(device, found, volume, extents, index === 0);
    await tree.run();
    await checkPathTables(device, found, volume, tree.directories);
  }
  if (volumes.length === 0) found.damage(`sector ${start + 16}: no volume descriptor makes sense`);
  extents.check(found);
  return found.report('cd9660');
}
