/** New images of FFS with a log of WAPBL, as our mkfs makes them. */
import { makeFfs } from '../src/mkfs/make-ffs.ts';
import { MemoryHypercalls } from './memory-hypercalls.ts';

export interface JournalledForm {
  readonly version: 1 | 2;
  readonly order: 'little' | 'big';
  readonly journal: 'end' | 'inside';
  readonly blockBytes: number;
  readonly journalBytes?: number;
}

/** All revisions, byte orders and places of the log. */
export const JOURNALLED_FORMS: readonly JournalledForm[] = ([1, 2] as const).flatMap((version) =>
  (['little', 'big'] as const).flatMap((order) =>
    (['end', 'inside'] as const).map((journal) => ({ version, order, journal, blockBytes: 4096 })),
  ),
);

const WORLD = { nowMs: 1_700_000_000_000, random: (into: Uint8Array): void => void into.fill(7) };

/** A new file system without a log. */
export async function plainFfs(form: JournalledForm, sizeBytes: number): Promise<Uint8Array> {
  const image = new Uint8Array(sizeBytes);
  const { version, order, blockBytes } = form;
  await makeFfs(new MemoryHypercalls(image).bio, { version, order, blockBytes, bytesPerInode: 8192 }, WORLD);
  return image;
}

/** A new file system. Its log is short, so that it goes round. */
export async function journalled(form: JournalledForm, sizeBytes: number): Promise<Uint8Array> {
  const image = new Uint8Array(sizeBytes);
  const journalBytes = form.journalBytes ?? 100 * form.blockBytes;
  await makeFfs(new MemoryHypercalls(image).bio, { ...form, journalBytes, bytesPerInode: 8192 }, WORLD);
  return image;
}
