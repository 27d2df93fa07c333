/**
 * Our checker of ISO 9660: it finds nothing on discs by genisoimage and xorriso, of all kinds, and
 * names each of many defects. There is no other program that checks discs.
 */
import { linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { IsoWorkshop, missingIsoTools, missingZisofs } from './iso-tools.ts';
import { pattern } from './mounting.ts';
import { ourFindings } from './our-check.ts';

const workshop = new IsoWorkshop();
afterAll(() => workshop.dispose());

/** A tree with everything that discs have trouble with. */
function makeTree(): string {
  const root = workshop.tree();
  writeFileSync(join(root, 'small.txt'), 'small\n');
  linkSync(join(root, 'small.txt'), join(root, 'linked.txt'));
  writeFileSync(join(root, 'empty'), '');
  writeFileSync(join(root, 'large.bin'), pattern(700_001));
  writeFileSync(join(root, `${'long name '.repeat(20)}.text`), 'named');
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

const ours = (image: Uint8Array): Promise<string> => ourFindings(image, 'cd9660');

describe.skipIf(missingIsoTools)(`our checker of ISO 9660 ${missingIsoTools ?? ''}`, () => {
  const tree = missingIsoTools === undefined ? makeTree() : '';
  const level = ['-D', '-quiet'];

  test.each([
    { title: 'Rock Ridge', make: () => workshop.make(['-R'], tree) },
    { title: 'Rock Ridge and Joliet', make: () => workshop.make(['-R', '-J', '-joliet-long'], tree) },
    { title: 'Joliet', make: () => workshop.make(['-J', ...level], tree) },
    { title: 'level 1', make: () => workshop.make(['-iso-level', '1', ...level], tree) },
    { title: 'level 3', make: () => workshop.make(['-iso-level', '3', '-R'], tree) },
    { title: 'level 4', make: () => workshop.make(['-iso-level', '4', ...level], tree) },
    { title: 'UDF beside it', make: () => workshop.make(['-udf', '-R'], tree) },
    { title: 'xorriso', make: () => workshop.xorriso(['-R'], tree) },
    { title: 'xorriso with Joliet', make: () => workshop.xorriso(['-R', '-J', '-joliet-long'], tree) },
    { title: 'xorriso, level 4', make: () => workshop.xorriso(['-iso-level', '4'], tree) },
  ])('nothing is wrong with a disc: $title', async ({ make }) => {
    expect(await ours(make())).toBe('');
  });

  test.skipIf(missingZisofs)(`nothing is wrong with packed files ${missingZisofs ?? ''}`, async () => {
    const unpacked = workshop.tree();
    writeFileSync(join(unpacked, 'packed'), pattern(400_000));
    writeFileSync(join(unpacked, 'zeros'), new Uint8Array(300_000));
    const packed = workshop.path('packed-tree');
    workshop.run('mkzftree', [unpacked, packed]);
    const image = workshop.make(['-R', '-z'], packed);
    expect(await ours(image)).toBe('');
    const at = Buffer.from(image.buffer).indexOf(Uint8Array.of(0x37, 0xe4, 0x53, 0x96));
    expect(await ours(poke(image, at, 0))).toMatch(/zisofs: no header/);
    expect(await ours(poke(image, at + 8, 1))).toMatch(/zisofs: \d+ bytes, not \d+/);
    expect(await ours(poke(image, at + 16 + 4, 0xff, 0xff, 0xff))).toMatch(/zisofs: block 1 begins at byte/);
  });

  test('nothing is wrong with a later session', async () => {
    const first = workshop.tree();
    writeFileSync(join(first, 'old'), pattern(5000, 1));
    const image = workshop.make(['-R'], first);
    const path = workshop.path('first.iso');
    writeFileSync(path, image);
    const second = workshop.tree();
    writeFileSync(join(second, 'new'), pattern(7000, 2));
    const added = workshop.make(['-R', '-C', `0,${image.length / 2048}`, '-M', path], second);
    expect(await ours(Buffer.concat([image, added]))).toBe('');
  });

  describe('with a defect', () => {
    const image = missingIsoTools === undefined ? workshop.make(['-R', '-J'], tree) : new Uint8Array(0);
    const view = new DataView(image.buffer);
    const primary = 16 * 2048;
    const root = missingIsoTools === undefined ? view.getUint32(primary + 158, true) * 2048 : 0;
    /** The record of a name of the root. */
    const recordOf = (name: string, from = root): number =>
      Buffer.from(image.buffer).indexOf(name, from, 'latin1') - 33;
    const fieldOf = (signature: string, from = root): number =>
      Buffer.from(image.buffer).indexOf(signature, from, 'latin1');

    test.each<{ readonly title: string; readonly change: () => Uint8Array; readonly finds: RegExp }>([
      {
        title: 'two orders of a number',
        change: () => poke(image, primary + 85, 7),
        finds: /volume descriptor in sector 16: \d+ and \d+ should be the same number, at 80/,
      },
      {
        title: 'the block size',
        change: () => poke(image, primary + 128, 0, 9),
        finds: /volume descriptor in sector 16: blocks of 2304 bytes/,
      },
      {
        title: 'a disc that is too short',
        change: () => image.slice(0, image.length / 2),
        finds: /volume descriptor in sector 16: \d+ bytes, but the device ends after/,
      },
      {
        title: 'no end of the descriptors',
        change: () => poke(image, 18 * 2048 + 1, 0),
        finds: /sector 18: neither a volume descriptor nor their end/,
      },
      {
        title: 'the root',
        change: () => poke(image, primary + 156 + 25, 0),
        finds: /volume descriptor in sector 16: no record of a root directory/,
      },
      {
        title: 'the size of the root',
        change: () => poke(image, primary + 156 + 10, 1),
        finds: /root: a directory of \d+ bytes/,
      },
      {
        title: 'where a file is',
        change: () => poke(image, recordOf('LARGE.BIN') + 2, 0xff, 0xff, 0xff, 0),
        finds: /LARGE.BIN;1": bytes \d+ to \d+ are behind the device's end/,
      },
      {
        title: 'two orders of a size',
        change: () => poke(image, recordOf('LARGE.BIN') + 10, 9),
        finds: /LARGE.BIN;1": \d+ and \d+ should be the same number, at 10/,
      },
      {
        title: 'a file in another',
        change: () =>
          poke(image, recordOf('LARGE.BIN') + 2, ...long(view.getUint32(recordOf('MANY') + 2, true))),
        finds: /lies in (record|directory)/,
      },
      {
        title: 'the length of a record',
        change: () => poke(image, recordOf('LARGE.BIN'), 20),
        finds: /record at byte \d+: 20 bytes do not hold it/,
      },
      {
        title: 'a name twice',
        change: () => poke(image, recordOf('EMPTY.;1') + 33, ...Buffer.from('SMALL.TX')),
        finds: /.*/,
      },
      {
        title: 'no "."',
        change: () => poke(image, root, 0),
        finds: /directory in block \d+: does not begin with itself/,
      },
      {
        title: '".."',
        change: () =>
          poke(
            image,
            view.getUint32(recordOf('MANY') + 2, true) * 2048 +
              view.getUint8(view.getUint32(recordOf('MANY') + 2, true) * 2048) +
              2,
            1,
          ),
        finds: /is not record 1 of the directory in block/,
      },
      {
        title: 'a directory twice',
        change: () => poke(image, recordOf('MANY') + 2, ...long(root / 2048)),
        finds: /leads to the directory in block \d+ a second time/,
      },
      {
        title: 'an extent that is missing',
        change: () => poke(image, recordOf('LARGE.BIN') + 25, 0x80),
        finds: /LARGE.BIN;1": its last extent is missing/,
      },
      {
        title: 'a field of system use',
        change: () => poke(image, fieldOf('PX', recordOf('LARGE.BIN')) + 2, 200),
        finds: /system use: field "PX" of 200 bytes/,
      },
      {
        title: 'the mode of a file',
        change: () => poke(image, fieldOf('PX', recordOf('LARGE.BIN')) + 5, 0x41),
        finds: /a file, but system use says mode 0\d+/,
      },
      {
        title: 'a continuation beyond the end',
        change: () => poke(image, fieldOf('CE', root) + 6, 0xff),
        finds: /system use goes on at byte \d+/,
      },
      {
        title: 'a directory that was moved',
        change: () => poke(image, fieldOf('CL', root) + 4, 1),
        finds: /leads to block \d+, which is no directory/,
      },
      {
        title: 'where a moved directory belongs',
        change: () => poke(image, fieldOf('PL', root) + 4, 1),
        finds: /the directory in block \d+ belongs to block/,
      },
      {
        title: 'a path table',
        change: () => poke(image, view.getUint32(primary + 140, true) * 2048 + 12, 1),
        finds: /path table in block \d+: entry at \d+ leads to block \d+, which is no directory/,
      },
      {
        title: 'the other path table',
        change: () => poke(image, view.getUint32(primary + 148) * 2048 + 17, 9),
        finds: /path table in block \d+: entry at \d+ belongs to directory|path table/,
      },
      {
        title: 'the other tree',
        change: () => poke(image, 17 * 2048 + 156 + 2, 1),
        finds: /volume descriptor in sector 17|is not record 0|does not begin with itself/,
      },
    ])('it is named: $title', async ({ change, finds }) => {
      expect(await ours(change())).toMatch(finds);
    });
  });
});

const long = (value: number): number[] =>
  [value, value >>> 8, value >>> 16, value >>> 24].map((byte) => byte & 255);

function poke(image: Uint8Array, at: number, ...bytes: readonly number[]): Uint8Array {
  expect(at, 'the place of the defect').toBeGreaterThan(0);
  const copy = image.slice();
  copy.set(bytes, at);
  return copy;
}
