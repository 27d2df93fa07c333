/** Archives: what the host's tar packs is what is read, and a hostile archive is refused. */
import { execFileSync } from 'node:child_process';
import {
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
} from 'node:fs';
import { symlinkSync, utimesSync, writeFileSync, chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readTar, type TarNode } from '../src/vfs/tar/tar-tree.ts';
import { TarError } from '../src/vfs/tar/tar-header.ts';
import { propertyRuns } from '../../../test/property-runs.ts';

const LONG = 'n'.repeat(200);

function withDirectory<Result>(use: (directory: string) => Result): Result {
  const directory = mkdtempSync(join(tmpdir(), 'ginit-tar-'));
  try {
    return use(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** A tree with everything that archives have a way to say. */
function fillTree(root: string): void {
  mkdirSync(join(root, 'd', LONG, LONG), { recursive: true });
  writeFileSync(join(root, 'a'), 'hello\n');
  writeFileSync(join(root, 'empty'), '');
  writeFileSync(join(root, 'd', LONG, LONG, `${LONG}é`), 'deep'.repeat(1000));
  writeFileSync(join(root, 'd', 'tool'), '#!/bin/sh\n', { mode: 0o755 });
  chmodSync(join(root, 'd', 'tool'), 0o4755);
  linkSync(join(root, 'a'), join(root, 'd', 'hard'));
  symlinkSync('../a', join(root, 'd', 'soft'));
  symlinkSync(`/${LONG}`, join(root, 'long-link'));
  utimesSync(join(root, 'a'), 1_000_000_000, 1_234_567_890.5);
}

type Picture = Record<string, unknown>;

/** What a directory of the host has. */
function onHost(path: string): Picture {
  return Object.fromEntries(
    readdirSync(path).map((name) => {
      const at = join(path, name);
      const { mode, mtimeMs, nlink } = lstatSync(at);
      const common = { mode: mode & 0o7777, seconds: Math.floor(mtimeMs / 1000) };
      if (lstatSync(at).isSymbolicLink()) return [name, { target: readlinkSync(at) }];
      if (lstatSync(at).isDirectory()) return [name, { ...common, entries: onHost(at) }];
      return [name, { ...common, links: nlink, content: readFileSync(at).toString('base64') }];
    }),
  );
}

/** What a directory of an archive has. */
function inArchive(node: TarNode): Picture {
  return Object.fromEntries(
    Array.from(node.entries, ([name, entry]) => {
      const common = { mode: entry.mode, seconds: Math.floor(entry.modifiedMs / 1000) };
      if (entry.type === 'symlink') return [name, { target: entry.target }];
      if (entry.type === 'directory') return [name, { ...common, entries: inArchive(entry) }];
      const content = Buffer.from(entry.content).toString('base64');
      return [name, { ...common, links: entry.links, content }];
    }),
  );
}

function pack(directory: string, ...options: string[]): Uint8Array {
  return execFileSync('tar', ['-C', directory, '-c', ...options, '.'], { maxBuffer: 2 ** 26 });
}

describe('archives of the host', () => {
  test.each([['--format=gnu'], ['--format=pax'], ['--format=oldgnu'], ['--format=posix', '--numeric-owner']])(
    'packed by tar %s are read as they were',
    (...options) =>
      withDirectory((directory) => {
        fillTree(directory);
        expect(inArchive(readTar(pack(directory, ...options)).root)).toEqual(onHost(directory));
      }),
  );

  test.each([['--format=ustar'], ['--format=v7']])('packed by tar %s, with short names only', (option) =>
    withDirectory((directory) => {
      mkdirSync(join(directory, 'x'.repeat(60), 'e'), { recursive: true });
      writeFileSync(join(directory, 'x'.repeat(60), 'e', 'f'), 'content');
      symlinkSync('f', join(directory, 'x'.repeat(60), 'link'));
      expect(inArchive(readTar(pack(directory, option)).root)).toEqual(onHost(directory));
    }),
  );

  test('a later entry of the same name stands for an earlier one', () =>
    withDirectory((directory) => {
      writeFileSync(join(directory, 'a'), 'old');
      const archive = join(directory, 'x.tar');
      execFileSync('tar', ['-C', directory, '-cf', archive, 'a']);
      writeFileSync(join(directory, 'a'), 'newer');
      execFileSync('tar', ['-C', directory, '-rf', archive, 'a']);
      const { root } = readTar(readFileSync(archive));
      expect(Buffer.from(root.entries.get('a')?.content ?? []).toString()).toBe('newer');
    }));

  test('an owner that does not fit into octal digits', () =>
    withDirectory((directory) => {
      writeFileSync(join(directory, 'a'), 'x');
      for (const format of ['gnu', 'pax']) {
        const { root } = readTar(pack(directory, `--format=${format}`, '--owner=:4000000000', '--group=:7'));
        expect(root.entries.get('a')).toMatchObject({ uid: 4_000_000_000, gid: 7 });
      }
    }));
});

/** A header as the format says, with a right checksum. */
function header(fields: {
  name?: string;
  type?: string;
  size?: string;
  link?: string;
  magic?: string;
}): Buffer {
  const { name = 'f', type = '0', size = '00000000000', link = '', magic = 'ustar\0' } = fields;
  const block = Buffer.alloc(512);
  block.write(name, 0);
  block.write('0000644', 100);
  block.write(size, 124);
  block.fill(' ', 148, 156);
  block.write(type, 156);
  block.write(link, 157);
  block.write(magic, 257);
  block.write(
    `${block
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0`,
    148,
  );
  return block;
}

describe('what is refused, with its place', () => {
  const pad = (text: string): Buffer => Buffer.concat([Buffer.from(text), Buffer.alloc(512 - text.length)]);
  const meta = (type: string, text: string): Buffer[] => [
    header({ type, size: text.length.toString(8).padStart(11, '0') }),
    pad(text),
  ];
  test.each<[string, Buffer[], string]>([
    ['a name that leads out', [header({ name: '../x' })], 'at byte 0: the name "../x" leads out'],
    ['one in the middle', [header({}), header({ name: 'a/../../x' })], 'at byte 512: the name'],
    ['content that is not there', [header({ size: '00000001000' })], 'at byte 0: the archive ends within'],
    ['half a header', [header({}), Buffer.alloc(100, 1)], 'at byte 512: the archive ends within a header'],
    ['something else', [Buffer.alloc(512, 7)], 'at byte 0: no header of tar'],
    ['something compressed', [Buffer.from([0x1f, 0x8b, 8, 0])], 'it is compressed'],
    ['a size that is no number', [header({ size: '0000000000x' })], 'a number is not octal'],
    [
      'a size without bounds',
      [header({ size: '\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff' })],
      'at byte 0',
    ],
    ['a hard link to nothing', [header({ type: '1', link: 'none' })], 'is a hard link to nothing before it'],
    ['a hard link to itself', [header({ type: '1', link: 'f' })], 'is a hard link to nothing before it'],
    [
      'a link to a directory',
      [header({ name: 'd/', type: '5' }), header({ type: '1', link: 'd' })],
      'at byte 512',
    ],
    ['a link without a target', [header({ type: '2' })], 'is a symbolic link to nothing'],
    [
      'a way through a link',
      [header({ name: 'l', type: '2', link: '/etc' }), header({ name: 'l/passwd' })],
      'at byte 512: "l/passwd" lies in what is no directory',
    ],
    ['a file over a directory', [header({ name: 'd/', type: '5' }), header({ name: 'd' })], 'would replace'],
    ['a sparse file', [header({ type: 'S' })], 'is a sparse file, which is not read'],
    ['an unknown type', [header({ type: 'Q' })], 'an entry of the type "Q"'],
    ['a long part of a name', [...meta('L', 'n'.repeat(256)), header({})], 'has a part that is too long'],
    [
      'a record that is no record',
      [...meta('x', '99 path=x\n'), header({})],
      'at byte 512: a record of a pax header',
    ],
    ['a record without a length', [...meta('x', 'x path=x\n'), header({})], 'is malformed'],
    ['a record of length 0', [...meta('x', '0 path=x\n'), header({})], 'is malformed'],
    ['a size in a record', [...meta('x', '12 size=-1x\n'), header({})], 'a size is no number'],
  ])('%s', (_, blocks, problem) => {
    expect(() => readTar(Buffer.concat(blocks))).toThrow(TarError);
    expect(() => readTar(Buffer.concat(blocks))).toThrow(problem);
  });

  test('an empty archive is an empty directory', () => {
    expect(readTar(new Uint8Array(0)).root.entries.size).toBe(0);
    expect(readTar(new Uint8Array(10_240)).root.entries.size).toBe(0);
  });

  test('whatever the bytes are, an archive is read or refused', () =>
    withDirectory((directory) => {
      fillTree(directory);
      const archives = [pack(directory, '--format=gnu'), pack(directory, '--format=pax')];
      const change = fc.record({ at: fc.nat(), byte: fc.nat(255), summed: fc.boolean() });
      fc.assert(
        fc.property(fc.nat(1), fc.array(change, { minLength: 1, maxLength: 8 }), (which, changes) => {
          const archive = Uint8Array.from(archives[which] ?? []);
          for (const { at, byte, summed } of changes) {
            const place = at % archive.length;
            archive[place] = byte;
            if (summed) sumAgain(archive, place - (place % 512));
          }
          try {
            readTar(archive);
          } catch (error) {
            expect(error).toBeInstanceOf(TarError);
          }
        }),
        { numRuns: propertyRuns(300) },
      );
    }));
});

/** Makes the checksum of a block right, as who changes it on purpose would. */
function sumAgain(archive: Uint8Array, at: number): void {
  const block = Buffer.from(archive.buffer, archive.byteOffset + at, Math.min(512, archive.length - at));
  if (block.length < 512) return;
  block.fill(' ', 148, 156);
  block.write(
    `${block
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0`,
    148,
  );
}
