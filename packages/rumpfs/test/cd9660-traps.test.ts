/** Discs with what careful guesses get wrong: see also `cd9660.test.ts`. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { programPath } from '../../../test/harness/programs.ts';
import { IsoWorkshop, missingIsoTools } from './iso-tools.ts';
import { Mounted, pattern, same } from './mounting.ts';
import { ourFindings } from './our-check.ts';

const workshop = new IsoWorkshop();
afterAll(() => workshop.dispose());

const start = (image: Uint8Array): Promise<Mounted> => Mounted.start(image, {}, true, 'cd9660');

describe.skipIf(missingIsoTools)(`cd9660 and what discs have in the field ${missingIsoTools ?? ''}`, () => {
  test('names of Joliet by xorriso without Rock Ridge, up to 65 characters, with extensions of three', async () => {
    const tree = workshop.tree();
    const names = [`${'n'.repeat(70)}.text`, `${'m'.repeat(61)}.txt`, 'plain'];
    for (const name of names) writeFileSync(join(tree, name), name);
    mkdirSync(join(tree, 'inner'));
    writeFileSync(join(tree, 'inner', 'deep'), 'deep');
    const path = workshop.path('joliet.iso');
    workshop.run('xorriso', [
      '-outdev',
      path,
      '-rockridge',
      'off',
      '-joliet',
      'on',
      '-map',
      tree,
      '/',
      '-commit',
    ]);
    const image = new Uint8Array(readFileSync(path));
    const fs = await start(image);
    const found = await fs.list('/');
    expect(found).toEqual(['inner', `${'m'.repeat(61)}.txt`, `${'n'.repeat(61)}.tex`, 'plain']);
    for (const [index, name] of [`${'n'.repeat(61)}.tex`, `${'m'.repeat(61)}.txt`].entries())
      expect(new TextDecoder().decode(await fs.contents(`/${name}`))).toBe(names[index]);
    expect(new TextDecoder().decode(await fs.contents('/inner/../inner/deep'))).toBe('deep');
    await fs.end();
    expect(await ourFindings(image, 'cd9660')).toBe('');
  });

  test.skipIf(process.getuid?.() !== 0 || programPath('mknod') === undefined)(
    'devices and pipes by Rock Ridge have their types, from both tools',
    async () => {
      const tree = workshop.tree();
      workshop.run('mknod', [join(tree, 'pipe'), 'p']);
      workshop.run('mknod', [join(tree, 'tty'), 'c', '5', '1']);
      workshop.run('mknod', [join(tree, 'disk'), 'b', '8', '1']);
      writeFileSync(join(tree, 'file'), 'file');
      for (const image of [workshop.make(['-R'], tree), workshop.xorriso(['-R'], tree)]) {
        const fs = await start(image);
        const { entries } = await fs.with('/', (root) => fs.mount.list(root, 0, 100));
        expect(Object.fromEntries(entries.map(({ name, type }) => [name, type]))).toEqual({
          pipe: 'fifo',
          tty: 'character-device',
          disk: 'block-device',
          file: 'file',
        });
        expect(await fs.with('/tty', ({ type }) => type)).toBe('character-device');
        await fs.end();
        expect(await ourFindings(image, 'cd9660')).toBe('');
      }
    },
  );

  test('a file in several extents is one file, and ends where the last one does', async () => {
    const tree = workshop.tree();
    // Files follow each other on the disc in the order of their names.
    const pieces = [pattern(2048 * 9, 1), pattern(2048 * 4, 2), pattern(5000, 3)];
    for (const [index, bytes] of pieces.entries()) writeFileSync(join(tree, `PIECE${index}.BIN`), bytes);
    const image = workshop.make(['-iso-level', '3'], tree);
    const bytes = Buffer.from(image.buffer, image.byteOffset, image.length);
    for (const index of [0, 1, 2]) {
      const record = bytes.indexOf(`PIECE${index}.BIN`) - 33;
      bytes.write('PIECE0', record + 33);
      if (index < 2) bytes[record + 25] = 0x80;
    }
    const fs = await start(image);
    expect(await fs.list('/')).toEqual(['piece0.bin']);
    expect(same(await fs.contents('/piece0.bin'), Buffer.concat(pieces))).toBe(true);
    const across = new Uint8Array(3000);
    await fs.with('/piece0.bin', (vnode) => fs.mount.read(vnode, 2048 * 9 - 1000, across));
    expect(same(across, Buffer.concat(pieces).subarray(2048 * 9 - 1000, 2048 * 9 + 2000))).toBe(true);
    await fs.end();
    expect(await ourFindings(image, 'cd9660')).toBe('');
    // The last extent is missing.
    const record = bytes.lastIndexOf('PIECE0.BIN') - 33;
    bytes[record + 25] = 0x80;
    const broken = await start(image);
    await expect(broken.contents('/piece0.bin')).rejects.toMatchObject({
      code: 'Corrupt',
      message: expect.stringMatching(/record at byte \d+: its last extent is missing/),
    });
    await broken.end();
  });
});
