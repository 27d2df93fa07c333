/**
 * Images of ext4 with damage that a seed chooses, in every kind of structure. Whatever they hold,
 * every use of them ends, with results or an `FsError`, and nothing is read or written outside of
 * the device. `pnpm fuzz ext4-hostile` tries more of them.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { skipIfLong } from '../../../test/harness/long.ts';
import { missingTools, Workshop } from './e2fsprogs.ts';
import { exerciseImage } from './exercise.ts';
import { randomFrom } from './memory-hypercalls.ts';
import { Mounted, pattern } from './mounting.ts';

const workshop = new Workshop();
afterAll(() => workshop.dispose());

const SEED = process.env['GINIT_PROPERTY_SEED'];
/** Damaged images of each kind. */
const ROUNDS = SEED === undefined ? 10 : 4000;
const BLOCK = 1024;

const MANY = Object.fromEntries(Array.from({ length: 80 }, (_unused, index) => [`name-${index}`, 'x']));

/** The blocks of an image that hold structures, as debugfs names them. */
function structuresOf(image: Uint8Array): number[] {
  const view = new DataView(image.buffer, image.byteOffset);
  const blocks = [1, 2];
  for (const offset of [0, 4, 8]) blocks.push(view.getUint32(2048 + offset, true));
  const table = view.getUint32(2048 + 8, true);
  for (let block = table; block < table + 24; block += 1) blocks.push(block);
  for (const path of ['/', '/directory', '/many', '/directory/inner', '/pieces']) {
    const shown = new TextDecoder().decode(workshop.debug(image, `stat ${path}`));
    for (const match of shown.matchAll(/(?:ETB\d|IND|\(\d+\)|\(\d+-\d+\)):(\d+)/g))
      blocks.push(Number(match[1]));
  }
  // The journal begins behind its superblock; a transaction is there only after a crash.
  const journal = new TextDecoder().decode(workshop.debug(image, 'stat <8>'));
  const first = Number(/\(0-?\d*\):(\d+)/.exec(journal)?.[1] ?? 0);
  if (first > 0) for (let block = first; block < first + 12; block += 1) blocks.push(block);
  return blocks.filter((block) => block > 0 && (block + 1) * BLOCK <= image.length);
}

/** An image with files in pieces, a hash tree, and a journal that has to be replayed. */
async function made(args: readonly string[]): Promise<Uint8Array> {
  const tree = { file: pattern(90_000), directory: { inner: { deep: 'deep' }, other: '' }, many: MANY };
  const fs = await Mounted.start(
    workshop.make('6M', ['-t', 'ext4', '-b', `${BLOCK}`, '-N', '256', ...args], tree),
  );
  await fs.write('/pieces', new Uint8Array(0));
  await fs.with('/pieces', async (vnode) => {
    for (let index = 0; index < 90; index += 1)
      await fs.mount.write(vnode, index * 4096, pattern(500, index));
  });
  await fs.mount.sync();
  for (let index = 0; index < 20; index += 1) await fs.write(`/many/later-${index}`, pattern(100));
  await fs.mount.sync();
  const image = fs.hypercalls.bytes.slice();
  await fs.mount.unmount();
  return image;
}

describe.skipIf(missingTools)(`ext4 images that lie ${missingTools ?? ''}`, () => {
  test('a journal whose inode lies is refused, with what is wrong', async () => {
    const image = workshop.make('6M', ['-t', 'ext4', '-b', `${BLOCK}`, '-O', '^metadata_csum']);
    const lies: readonly (readonly [readonly string[], RegExp])[] = [
      [['sif <8> block[0] 0x0201f30a'], /inode 8: extents in the inode: 513 entries in room for 4/],
      [['sif <8> block[0] 0'], /inode 8: extents in the inode: magic number 0x0/],
      [['sif <8> mode 0x4180'], /inode 8: the journal is no file with blocks/],
      [['sif <8> size 999999999999'], /inode 8: a journal of 999999999999 bytes/],
      [['sif <8> size 0'], /inode 8: the journal is empty/],
    ];
    for (const [commands, message] of lies) {
      const start = Mounted.start(workshop.edit(image, commands));
      await expect(start).rejects.toMatchObject({ code: 'Corrupt', message: expect.stringMatching(message) });
    }
  });

  const kinds = [
    { title: 'with checksums', args: [] },
    { title: 'without checksums', args: ['-O', '^metadata_csum,^64bit'] },
    { title: 'with pointers and a journal', args: ['-O', '^extent,^metadata_csum,^flex_bg,^64bit'] },
  ];
  for (const { title, args } of kinds) {
    test(`${title}: every use of a damaged image ends`, { timeout: 3_600_000 }, async (context) => {
      skipIfLong(context, title.includes('pointers') && SEED === undefined);
      const image = await made(args);
      const blocks = structuresOf(image);
      const random = randomFrom(Number(SEED ?? 17));
      const changed = image.slice();
      let mounted = 0;
      for (let round = 0; round < ROUNDS; round += 1) {
        changed.set(image);
        for (let damages = 1 + Math.floor(random() * 6); damages > 0; damages -= 1) {
          const block = blocks[Math.floor(random() * blocks.length)] ?? 0;
          const used = Math.floor(random() * (random() < 0.5 ? 128 : BLOCK));
          const offset = block * BLOCK + used;
          const byte = changed[offset] ?? 0;
          changed[offset] =
            random() < 0.5 ? byte ^ (1 << Math.floor(random() * 8)) : Math.floor(random() * 256);
        }
        try {
          mounted += (await exerciseImage(changed, 'ext4')) ? 1 : 0;
        } catch (error) {
          throw new Error(`round ${round}`, { cause: error });
        }
      }
      expect(mounted).toBeGreaterThan(ROUNDS / 10);
    });
  }
});
