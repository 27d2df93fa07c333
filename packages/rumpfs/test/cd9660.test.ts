import * as fc from 'fast-check';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { propertyRuns } from '../../../test/property-runs.ts';
import { exerciseImage } from './exercise.ts';
import { expectSameTree, IsoWorkshop, missingIsoTools, missingZisofs } from './iso-tools.ts';
import { randomFrom } from './memory-hypercalls.ts';
import { Mounted, pattern, same } from './mounting.ts';

const workshop = new IsoWorkshop();
afterAll(() => workshop.dispose());

/** A tree with everything that discs have trouble with. */
function makeTree(): string {
  const root = workshop.tree();
  writeFileSync(join(root, 'small.txt'), 'small\n');
  writeFileSync(join(root, 'empty'), '');
  writeFileSync(join(root, 'large.bin'), pattern(700_001));
  writeFileSync(join(root, `${'long name '.repeat(5)}.text`), 'named');
  mkdirSync(join(root, 'many'));
  for (let index = 0; index < 120; index += 1)
    writeFileSync(join(root, 'many', `file number ${index}.dat`), `${index}`);
  let deep = root;
  for (let level = 1; level <= 12; level += 1) {
    deep = join(deep, `level${level}`);
    mkdirSync(deep);
    writeFileSync(join(deep, 'here'), `level ${level}`);
  }
  symlinkSync('../small.txt', join(root, 'many', 'link'));
  symlinkSync(`/${'a-long-part/'.repeat(10)}end`, join(root, 'long-link'));
  return root;
}

const start = (image: Uint8Array, type = 'cd9660'): Promise<Mounted> => Mounted.start(image, {}, true, type);

describe.skipIf(missingIsoTools)(`cd9660 reads discs ${missingIsoTools ?? ''}`, () => {
  const tree = missingIsoTools === undefined ? makeTree() : '';

  test('Rock Ridge by genisoimage, with deep directories that it has moved, as the folder was', async () => {
    const image = workshop.make(['-R'], tree);
    const before = image.slice();
    const fs = await start(image, 'auto');
    expect(fs.hypercalls.lines).toEqual(['cd9660: mounted read-only, as every disc']);
    expect(await expectSameTree(fs, tree, { unix: true })).toBe(151);
    const names = ['level1', 'level2', 'level3', 'level4', 'level5', 'level6', 'level7', 'level8', 'level9'];
    // A directory that was moved lies below the one that it belongs to.
    const above = await fs.with(`/${names.join('/')}`, (vnode) => vnode.node.parent());
    expect(above).toBe(await fs.with(`/${names.slice(0, -1).join('/')}`, (vnode) => vnode.id));
    await expect(fs.write('/new', pattern(1))).rejects.toMatchObject({ code: 'ReadOnly' });
    await fs.end();
    expect(same(image, before)).toBe(true);
  });

  test('Rock Ridge by xorriso, which writes any depth as it is', async () => {
    const fs = await start(workshop.xorriso(['-R'], tree));
    expect(await expectSameTree(fs, tree, { unix: true })).toBe(151);
    expect(await fs.with('/many', (vnode) => fs.mount.attributes(vnode).links)).toBeGreaterThanOrEqual(1);
    await fs.end();
  });

  test('the parts of a link that are longer than a field, which ends within a character', async () => {
    const links = workshop.tree();
    for (const [index, target] of ['é'.repeat(125), `x${'é'.repeat(125)}/../${'日'.repeat(80)}`].entries())
      symlinkSync(target, join(links, `link${index}`));
    const fs = await start(workshop.xorriso(['-R'], links));
    expect(await expectSameTree(fs, links, { unix: true })).toBe(2);
    await fs.end();
  });

  test('Joliet, which cuts names after 64 characters', async () => {
    const names = workshop.tree();
    const long = `${'n'.repeat(60)}.text`;
    for (const name of ['ümläut 日本.txt', long, 'plain']) writeFileSync(join(names, name), name);
    const xorriso = await start(workshop.xorriso(['-J', '-R', '-joliet-long'], names));
    expect(await expectSameTree(xorriso, names, { unix: true })).toBe(3);
    await xorriso.end();
    const made = await start(workshop.make(['-J', '-input-charset', 'utf-8'], names));
    const cut = (name: string): string => (name === long ? long.slice(0, 64) : name);
    expect(await expectSameTree(made, names, { unix: false, name: cut })).toBe(3);
    await made.end();
  });

  test('levels 1 to 4 without extensions', async () => {
    const names = workshop.tree();
    writeFileSync(join(names, 'readme.txt'), 'text');
    writeFileSync(join(names, 'data'), pattern(5000));
    for (const level of ['1', '2', '3', '4']) {
      const fs = await start(workshop.make(['-iso-level', level], names));
      expect(await fs.list('/'), level).toEqual(['data', 'readme.txt']);
      expect(same(await fs.contents('/data'), pattern(5000))).toBe(true);
      await fs.end();
    }
  });

  test('the last of several sessions', async () => {
    const first = workshop.tree();
    writeFileSync(join(first, 'old'), pattern(5000, 1));
    const image = workshop.make(['-R'], first);
    const path = workshop.path('first.iso');
    writeFileSync(path, image);
    const second = workshop.tree();
    writeFileSync(join(second, 'new'), pattern(7000, 2));
    const sectors = image.length / 2048;
    const added = workshop.make(['-R', '-C', `0,${sectors}`, '-M', path], second);
    const both = new Uint8Array(image.length + added.length);
    both.set(image);
    both.set(added, image.length);
    const fs = await start(both);
    expect(await fs.list('/')).toEqual(['new', 'old']);
    expect(same(await fs.contents('/old'), pattern(5000, 1))).toBe(true);
    expect(same(await fs.contents('/new'), pattern(7000, 2))).toBe(true);
    await fs.end();
  });

  test('changed bytes: every use ends, with results or an FsError', { timeout: 600_000 }, async () => {
    const whole = workshop.make(['-R', '-J'], tree);
    // Everything in front of the large file is structure, or small.
    const used = [...whole.keys()].filter(
      (at) => at >= 32_768 && at < 32_768 + 120 * 2048 && whole[at] !== 0,
    );
    const changed = whole.slice();
    let mounted = 0;
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (seed) => {
        const random = randomFrom(seed);
        changed.set(whole);
        for (let flips = 1 + Math.floor(random() * 12); flips > 0; flips -= 1) {
          const at = used[Math.floor(random() * used.length)] ?? 0;
          changed[at] =
            random() < 0.5
              ? (changed[at] ?? 0) ^ (1 << Math.floor(random() * 8))
              : Math.floor(random() * 256);
        }
        mounted += (await exerciseImage(changed, 'cd9660')) ? 1 : 0;
      }),
      { numRuns: propertyRuns(12), endOnFailure: true },
    );
    expect(mounted).toBeGreaterThan(4);
  });

  test('directories that contain themselves, and system use that goes on in a circle', async () => {
    const image = workshop.make(['-R'], tree);
    const view = new DataView(image.buffer);
    const root = view.getUint32(16 * 2048 + 156 + 2, true);
    const many = await (await start(image.slice())).with('/many', (vnode) => vnode.id / 2048);
    // The entry of "many" in the root leads to the root.
    const looped = image.slice();
    for (let at = root * 2048; at < (root + 2) * 2048; at += 2) {
      if (view.getUint32(at, true) === many) new DataView(looped.buffer).setUint32(at, root, true);
    }
    const fs = await start(looped);
    expect(await fs.list('/many/many/many')).toEqual(await fs.list('/'));
    await fs.end();
    const circle = image.slice();
    // The records of the root itself and of what is above it stay: by them Rock Ridge is known.
    for (let at = root * 2048 + 512; at < (root + 1) * 2048; at += 1) {
      const isContinuation = image[at] === 0x43 && image[at + 1] === 0x45 && image[at + 2] === 28;
      if (!isContinuation) continue;
      // The continuation begins with itself.
      const where = view.getUint32(at + 4, true) * 2048 + view.getUint32(at + 12, true);
      circle.set(image.subarray(at, at + 28), where);
    }
    const other = await start(circle);
    await expect(other.list('/')).rejects.toThrow(/goes on in more than 64 places/);
  });
});

test.skipIf(missingZisofs)(`cd9660 unpacks zisofs ${missingZisofs ?? ''}`, async () => {
  const tree = workshop.tree();
  writeFileSync(join(tree, 'packed'), pattern(400_000));
  writeFileSync(join(tree, 'zeros'), new Uint8Array(300_000));
  writeFileSync(join(tree, 'tiny'), 'x');
  const packed = workshop.path('packed-tree');
  workshop.run('mkzftree', [tree, packed]);
  const fs = await start(workshop.make(['-R', '-z'], packed));
  expect(await expectSameTree(fs, tree, { unix: true })).toBe(3);
  const piece = new Uint8Array(1000);
  await fs.with('/packed', (vnode) => fs.mount.read(vnode, 200_123, piece));
  expect(same(piece, pattern(400_000).subarray(200_123, 201_123))).toBe(true);
  await fs.end();
});
