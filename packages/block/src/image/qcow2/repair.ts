/** Refcounts of a file are made anew from what it really uses. */
import type { ByteDevice } from '../byte-device.ts';
import { unsupported } from '../image-error.ts';
import { Commits } from './commit.ts';
import { QCOW2_INCOMPATIBLE } from './header.ts';
import { Qcow2File } from './qcow2-file.ts';
import { rebuiltRefcounts } from './rebuild.ts';

/**
 * Repairs an image that nobody else uses. Rejects with `ImageError` if more is wrong with it, and
 * with what `progress` throws: nothing has changed then.
 */
export async function repairQcow2(device: ByteDevice, progress?: (share: number) => void): Promise<void> {
  const file = await Qcow2File.open(device);
  if (file.header.bitmaps) throw unsupported('an image with persistent bitmaps cannot be repaired');
  await rebuiltRefcounts(file, progress);
  const { dirty, corrupt } = QCOW2_INCOMPATIBLE;
  const commits = new Commits(file, async () => {});
  await commits.commit({ incompatible: file.header.incompatible & ~(dirty | corrupt) });
}
