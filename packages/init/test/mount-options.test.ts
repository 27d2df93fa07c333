/** The command line of `ginit mount`: what can be seen there is told there. */
import { expect, test } from 'vitest';
import { parseMountArguments, type PlaceKind } from '../src/command/mount/options.ts';

const PLACES: Readonly<Record<string, PlaceKind>> = {
  'a.img': 'file',
  disk: 'file',
  'b.qcow2': 'file',
  d: 'directory',
  pipe: 'other',
};
const parse = (...args: readonly string[]): ReturnType<typeof parseMountArguments> =>
  parseMountArguments(args, (path) => PLACES[path]);

test.each([
  [['a.img', 'none'], 'there is no directory "none": make it first'],
  [['a.img', 'a.img'], '"a.img" is no directory'],
  [['d', 'd'], '"d" is no image: it is no file'],
  [['pipe:1', 'd'], '"pipe" is no image: it is no file'],
  [['--uid', 'x', 'a.img', 'd'], '--uid x: not a number from 0 to 4294967294'],
  [['--gid', '4294967295', 'a.img', 'd'], '--gid 4294967295: not a number from 0 to 4294967294'],
  [['--umask', '9', 'a.img', 'd'], '--umask 9: not octal digits, such as 022'],
  [['--ram', '1Z', 'a.img', 'd'], '--ram 1Z: not a size (for example 128M)'],
  [['--ram', '1M', 'a.img', 'd'], '--ram 1M: less than 8M'],
  [['-f', 'zip', 'a.img', 'd'], '--format zip: not one of raw, qcow2, vdi, vmdk'],
])('a wrong command line %j has one clear message', (args, problem) => {
  expect(parse(...args)).toBe(`mount: ${problem}`);
});

test('a wrong type is told with those that there are', () => {
  expect(parse('-t', 'zfs', 'a.img', 'd')).toMatch(/^mount: --type zfs: not one of auto, ext2,/);
});

test('an image has the format that is said, else that of its name, else it is raw', () => {
  expect(parse('-f', 'vdi', 'a.img:2', 'd')).toMatchObject({ image: 'a.img', partition: 2, format: 'vdi' });
  expect(parse('b.qcow2', 'd')).toMatchObject({ format: 'qcow2' });
  expect(parse('disk', 'd')).toMatchObject({ format: 'raw', partition: undefined });
});
