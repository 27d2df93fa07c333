import type { Context } from './context.ts';
import { InodeView } from './inode-view.ts';

/** Reads one inode from its table. */
export async function readInode({ geometry, image }: Context, id: number): Promise<InodeView> {
  const { inodeBytes, fsize, ipg } = geometry;
  const position = (id % ipg) * inodeBytes;
  const fragment = geometry.inodesAt(Math.floor(id / ipg)) + Math.floor(position / fsize);
  const bytes = await image.read(fragment, 1);
  return new InodeView(bytes.subarray(position % fsize, (position % fsize) + inodeBytes), geometry);
}

/** Changes one inode in its table. */
export async function changeInode(
  { geometry, image }: Context,
  id: number,
  change: (view: InodeView) => void,
): Promise<void> {
  const { inodeBytes, fsize, ipg } = geometry;
  const position = (id % ipg) * inodeBytes;
  const fragment = geometry.inodesAt(Math.floor(id / ipg)) + Math.floor(position / fsize);
  const bytes = await image.read(fragment, 1);
  change(new InodeView(bytes.subarray(position % fsize, (position % fsize) + inodeBytes), geometry));
  await image.change(fragment, bytes);
}
