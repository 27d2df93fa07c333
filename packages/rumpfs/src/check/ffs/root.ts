import { emptyDirectory } from './connector.ts';
import { type Context, ROOT } from './context.ts';
import { PIECE_BYTES } from './records.ts';
import { changeInode } from './table.ts';

const DIRECTORY = 4;

/**
 * Whether there is a root. Without one a mend makes an empty one: what had names in it is found
 * again by the next pass. True if the other passes can go on.
 */
export async function checkRoot(context: Context): Promise<boolean> {
  const { geometry, image, claims, inodes, found, mends } = context;
  if (inodes.get(ROOT)?.type === DIRECTORY) return true;
  found.damage(`inode ${ROOT}: the root is no directory`);
  if (!mends) return false;
  const fragment = claims.findFree(1, geometry.frag);
  if (fragment < 0) return false;
  claims.claim(fragment, 1);
  await image.change(fragment, emptyDirectory(geometry, ROOT));
  await changeInode(context, ROOT, (view) => {
    view.makeDirectory(0o755, fragment, PIECE_BYTES, geometry.fsize / 512);
  });
  return false;
}
