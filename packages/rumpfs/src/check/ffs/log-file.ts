import type { Context } from './context.ts';
import { readInode } from './table.ts';

const FILE = 8;

/**
 * Whether a log that is a file is where the superblock says: else whoever uses it writes to another
 * file. A repair lets go of such a log, and then the file is like any other.
 */
export async function checkLogFile(context: Context): Promise<void> {
  const { geometry, image, inodes, found, mends } = context;
  const id = geometry.logInode;
  if (id === 0) return;
  const state = inodes.get(id);
  const { at, bytes } = geometry.logPlace;
  const sound =
    state?.type === FILE &&
    state.size >= bytes &&
    (await readInode(context, id)).pointer(0) * geometry.fsize === at;
  if (sound) return;
  found.damage(`log of WAPBL: inode ${id} is no file with ${bytes} bytes at byte ${at}`);
  geometry.bytes.fill(0, JOURNAL_FIELDS.from, JOURNAL_FIELDS.end);
  if (mends) await image.changeAt(geometry.at, geometry.bytes);
}

/** The fields of the superblock that lead to a log. */
const JOURNAL_FIELDS = { from: 864, end: 904 } as const;
