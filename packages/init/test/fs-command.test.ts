/** `ginit fs`: what it does with images, and what it says. The standard tools are the judges. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { missingOf, programPath } from '../../../test/harness/programs.ts';
import { parseFsArguments } from '../src/command/fs/options.ts';
import { performFs } from '../src/command/fs/perform.ts';
import { Problem } from '../src/command/fs/problem.ts';
import { parseImageArguments } from '../src/command/image/options.ts';
import { performTask } from '../src/command/image/perform.ts';

const missing = missingOf('e2fsck', 'fsck.fat', 'sfdisk', 'mdir');
const GINIT = fileURLToPath(new URL('../bin/ginit.js', import.meta.url));
const MIB = 1024 * 1024;
const folder = mkdtempSync(join(tmpdir(), 'ginit-fs-'));
const before = process.cwd();
beforeAll(() => process.chdir(folder));
afterAll(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true, force: true });
});

interface Said {
  readonly code: number;
  readonly lines: string[];
  readonly bytes: Buffer;
  /** What was said besides, and the problem. */
  readonly notes: string[];
}

/** Runs a command line in this thread. */
async function fs(...args: readonly string[]): Promise<Said> {
  const line = parseFsArguments(args);
  if (typeof line === 'string') return { code: 2, lines: [], bytes: Buffer.alloc(0), notes: [line] };
  const lines: string[] = [];
  const pieces: Buffer[] = [];
  const notes: string[] = [];
  const world = {
    line: async (text: string) => void lines.push(text),
    bytes: async (bytes: Uint8Array) => void pieces.push(Buffer.from(bytes)),
    say: (text: string) => void notes.push(text),
    progress: () => {},
    watched: true,
    stopped: () => false,
  };
  let code = 1;
  try {
    code = await performFs(line, world);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    notes.push(error.message);
  }
  return { code, lines, bytes: Buffer.concat(pieces), notes };
}

function tool(
  name: string,
  ...args: readonly string[]
): { readonly code: number | null; readonly output: string } {
  const env = { ...process.env, MTOOLS_SKIP_CHECK: '1' };
  const { status, stdout, stderr } = spawnSync(programPath(name) ?? name, args, { encoding: 'utf8', env });
  return { code: status, output: `${stdout}${stderr}` };
}

function imageFile(name: string, sizeBytes: number): string {
  writeFileSync(name, '');
  truncateSync(name, sizeBytes);
  return name;
}

/** A tree with everything that a copy has to keep. */
function makeTree(path: string): void {
  mkdirSync(join(path, 'sub', 'empty'), { recursive: true });
  writeFileSync(join(path, 'note.txt'), 'a note\n');
  linkSync(join(path, 'note.txt'), join(path, 'sub', 'same note.txt'));
  symlinkSync('../note.txt', join(path, 'sub', 'link'));
  const bytes = Buffer.alloc(1_300_000, 'content ');
  bytes.fill(0, 200_000, 700_000);
  writeFileSync(join(path, 'sub', 'large'), bytes);
  writeFileSync(join(path, 'holes'), '');
  truncateSync(join(path, 'holes'), 700_001);
  chmodSync(join(path, 'sub', 'large'), 0o640);
  for (const [name, seconds] of [
    ['note.txt', 1_000_000_000],
    ['sub/large', 1_234_567_890],
    ['sub/empty', 1_300_000_000],
    ['holes', 1_400_000_000],
    ['sub', 1_500_000_000],
  ] as const) {
    utimesSync(join(path, name), seconds, seconds);
  }
  chmodSync(join(path, 'sub'), 0o750);
}

/** What a tree is, for comparisons. */
function facts(path: string, exact: boolean): unknown[] {
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .toSorted()
    .map((name) => {
      const stats = lstatSync(join(path, name));
      const kept = exact
        ? [
            stats.mode,
            stats.isDirectory() ? 0 : stats.nlink,
            stats.isSymbolicLink() ? 0 : Math.round(stats.mtimeMs / 10),
          ]
        : [];
      const content = stats.isSymbolicLink()
        ? readlinkSync(join(path, name))
        : stats.isFile()
          ? readFileSync(join(path, name)).toString('latin1')
          : '';
      return { name, content, kept, directory: stats.isDirectory() };
    });
}

test('wrong command lines are told', () => {
  const said = (...args: readonly string[]): unknown => parseFsArguments(args);
  expect(said()).toBe('fs: no command given');
  expect(said('mv')).toBe('fs: there is no command "mv"');
  expect(said('ls')).toBe('fs ls: no IMAGE given');
  expect(said('ls', '--label', 'x', 'a.img')).toBe('fs ls: there is no option --label');
  expect(said('cp', 'a')).toBe('fs cp: SOURCE and TO are needed');
  expect(said('cp', 'a', 'b')).toMatch(/neither side is in an image/);
  expect(said('mkfs', 'a.img')).toMatch(/no type given/);
  expect(said('mkfs', '-t', 'ntfs', 'a.img')).toMatch(/"ntfs" cannot be made/);
  expect(said('mkfs', '-t', 'ext2', 'a.img:/x')).toMatch(/not at a path/);
  expect(said('mkfs', '-t', 'ufs2', '--byte-order', 'middle', 'a.img')).toMatch(
    /--byte-order middle: little or big/,
  );
  expect(said('mkfs', '-t', 'ext2', '-b', 'many', 'a.img')).toMatch(/--block many: not a size/);
});

describe.skipIf(missing !== undefined)(`with the standard tools (${missing ?? 'they are installed'})`, () => {
  beforeAll(async () => {
    makeTree('tree');
    expect((await fs('mkfs', '-t', 'ext2', '-L', 'first', imageFile('ext.img', 24 * MIB))).code).toBe(0);
    expect(await fs('cp', '-r', 'tree', 'ext.img:/')).toMatchObject({ code: 0, notes: [] });
  });

  test('a tree goes into an image and comes out the same', async () => {
    expect(tool('e2fsck', '-fn', 'ext.img').code).toBe(0);
    expect(await fs('cp', '-r', 'ext.img:/tree', 'back')).toMatchObject({ code: 0, notes: [] });
    expect(facts('back', true)).toEqual(facts('tree', true));
    // What is there already is replaced.
    expect(await fs('cp', '-r', 'ext.img:/tree', 'ext.img:/tree/sub/large', '.')).toMatchObject({ code: 0 });
    expect(facts('tree', true)).toEqual(facts('back', true));
    rmSync('large');
  });

  test('holes stay holes', async () => {
    const { lines } = await fs('stat', '--json', 'ext.img:/tree/holes', 'ext.img:/tree/sub/large');
    const [holes, large] = lines.map((line): { allocated: number } => JSON.parse(line));
    expect(holes?.allocated).toBe(0);
    expect(large?.allocated).toBeLessThan(1_000_000);
  });

  test('a partition of a qcow2 image, made, filled from another image, and read by mtools', async () => {
    imageFile('disk.img', 80 * MIB);
    const { output } = spawnSync(programPath('sfdisk') ?? '', ['-q', 'disk.img'], {
      input: 'label: gpt\n,10M\n,40M\n',
    });
    expect(String(output)).not.toMatch(/failed/);
    const line = parseImageArguments(['convert', 'disk.img', 'disk.qcow2']);
    if (typeof line === 'string') throw new Error(line);
    for (const task of line.tasks) expect(await performTask(task)).toHaveProperty('result');
    expect((await fs('ls', 'disk.qcow2')).notes).toEqual([
      '"disk.qcow2" is a disk with partitions: say which one (disk.qcow2:1, disk.qcow2:2)',
    ]);
    expect((await fs('mkfs', '-t', 'fat32', 'disk.qcow2')).notes[0]).toMatch(
      /is a disk with partitions.*--force/,
    );
    expect(await fs('mkfs', '-t', 'fat32', '-L', 'STICK', 'disk.qcow2:2')).toMatchObject({ code: 0 });
    const copied = await fs('cp', '-r', 'ext.img:/tree', 'disk.qcow2:2:/');
    expect(copied).toMatchObject({
      code: 1,
      notes: [expect.stringMatching(/sub\/link: there are no links/)],
    });
    expect(await fs('check', 'disk.qcow2:2')).toMatchObject({ code: 0, notes: [] });
    const back = parseImageArguments(['convert', '--force', 'disk.qcow2', 'disk.img']);
    if (typeof back === 'string') throw new Error(back);
    for (const task of back.tasks) expect(await performTask(task)).toHaveProperty('result');
    const start = /disk\.img2[^\n]*start= *(\d+)/.exec(tool('sfdisk', '-d', 'disk.img').output)?.[1];
    const at = `disk.img@@${Number(start) * 512}`;
    expect(tool('mdir', '-i', at, '::/tree/sub').output).toMatch(/same note\.txt/);
    expect(
      (await fs('cat', 'disk.qcow2:2:/tree/sub/large')).bytes.equals(readFileSync('tree/sub/large')),
    ).toBe(true);
  });

  test('listings, for people and for programs', async () => {
    expect((await fs('ls', 'ext.img:/tree')).lines).toEqual(['holes', 'note.txt', 'sub']);
    const long = (await fs('ls', '-l', 'ext.img:/tree')).lines;
    expect(long[1]).toBe('-rw-r--r-- 2 0 0      7 2001-09-09 01:46 note.txt');
    expect((await fs('ls', '-l', 'ext.img:/tree/sub/link')).lines[0]).toMatch(
      /^lrwxrwxrwx .* -> \.\.\/note\.txt$/,
    );
    expect((await fs('tree', 'ext.img:/tree')).lines).toEqual([
      'ext.img:/tree',
      '├── holes',
      '├── note.txt',
      '└── sub/',
      '    ├── empty/',
      '    ├── large',
      '    ├── link -> ../note.txt',
      '    └── same note.txt',
    ]);
    const [json] = (await fs('ls', '--json', 'ext.img:/tree/note.txt')).lines;
    expect(JSON.parse(json ?? '')).toMatchObject({ path: '/tree/note.txt', type: 'file', size: 7, links: 2 });
    expect((await fs('ls', '-R', 'ext.img:/tree')).lines).toContain('ext.img:/tree/sub/empty:');
    expect((await fs('stat', 'ext.img:/tree/note.txt')).lines).toContain(
      '  modified: 2001-09-09T01:46:40.000Z',
    );
    expect(JSON.parse((await fs('df', '--json', 'ext.img')).lines[0] ?? '')).toMatchObject({
      type: 'ext2',
      label: 'first',
    });
    expect((await fs('df', 'ext.img')).lines[0]).toMatch(
      /^ext\.img: ext2 "first": \d+ of 25165824 bytes used/,
    );
  });

  test('reading changes nothing', async () => {
    const content = readFileSync('ext.img');
    for (const command of ['ls', 'tree', 'stat', 'df', 'check'])
      expect((await fs(command, 'ext.img')).code).toBe(0);
    await fs('cp', 'ext.img:/tree/note.txt', 'copied');
    expect(readFileSync('copied', 'utf8')).toBe('a note\n');
    expect(readFileSync('ext.img').equals(content)).toBe(true);
  });

  test('directories are made, and trees removed', async () => {
    expect(await fs('mkdir', 'ext.img:/a/b')).toMatchObject({
      code: 1,
      notes: ['ext.img:/a/b: no such file or directory'],
    });
    expect((await fs('mkdir', '-p', 'ext.img:/a/b', 'ext.img:/c')).code).toBe(0);
    expect((await fs('rm', 'ext.img:/a')).code).toBe(1);
    expect((await fs('rm', '-r', 'ext.img:/a', 'ext.img:/c')).code).toBe(0);
    expect((await fs('ls', 'ext.img')).lines).toEqual(['lost+found', 'tree']);
    expect(tool('e2fsck', '-fn', 'ext.img').code).toBe(0);
  });

  test.each([
    [['ls', 'none.img'], /^none\.img: no such file or directory$/],
    [['cat', 'ext.img:/none'], /^ext\.img:\/none: no such file or directory$/],
    [['cat', 'ext.img:/tree'], /^ext\.img:\/tree: illegal operation on a directory$/],
    [['cp', 'ext.img:/tree', 'x'], /is a directory \(-r copies it\)/],
    [['cp', '-r', 'ext.img:/tree', 'ext.img:/tree/sub'], /cannot be copied into itself/],
    [['cp', 'ext.img:/tree/note.txt', 'ext.img:/tree/note.txt'], /cannot be copied over itself/],
    [['cp', 'tree/note.txt', 'copied', 'ext.img:/none'], /there is no such directory/],
    [['cp', 'no such file', 'ext.img:/'], /^no such file: no such file or directory$/],
    [['cp', 'tree/note.txt', 'tree/sub/large', 'ext.img:/tree/note.txt'], /is no directory/],
    [['check', 'ext.img:/tree'], /checked as a whole/],
    [['check', 'tree/sub/large'], /no known file system/],
    [['ls', '-t', 'msdos', 'ext.img'], /^ext\.img: /],
    [['ls', 'ext.img:1'], /there is no partition 1: /],
    [['mkfs', '-t', 'ext2', '-b', '3000', '--force', 'ext.img'], /ext2 has no blocks of 3000 bytes/],
    [
      ['mkfs', '-t', 'ext4', '--sector', '512', '--force', 'ext.img'],
      /^ext\.img: ext4 has no size of a sector to choose$/,
    ],
    [
      ['mkfs', '-t', 'ext4', '--journal', 'end', '--force', 'ext.img'],
      /^ext\.img: ext4 has no log of WAPBL$/,
    ],
    [['rm', 'ext.img:/tree'], /^ext\.img:\/tree: is a directory \(-r removes it\)$/],
    [['rm', '-r', 'ext.img:/tree', 'ext.img:/'], /^ext\.img:\/: is the root, which is not removed$/],
    [['rm', '-r', 'ext.img'], /^ext\.img: is the root, which is not removed$/],
    [['rm', '-r', 'ext.img://../.'], /is the root, which is not removed$/],
    [
      ['cp', '-r', 'ext.img:/tree', './ext.img:/more'],
      /^"ext\.img" and "\.\/ext\.img" are in the same file, .* one way$/,
    ],
    [['check', '--repair', 'ext.img'], /^ext\.img: .* not mended: only ffs and exfat are$/],
    [['mkfs', '-t', 'ext2', 'ext.img'], /has a file system \(ext2\): --force makes a new one/],
  ])('%j is told in one line', async (args, said) => {
    const { code, notes } = await fs(...args);
    expect(code).toBe(1);
    expect(notes).toHaveLength(1);
    expect(notes[0]).toMatch(said);
  });

  test('an image without a byte is told', async () => {
    const { code, notes } = await fs('mkfs', '-t', 'ext2', imageFile('nothing.img', 0));
    expect([code, notes]).toEqual([1, ['"nothing.img" has no room: it is empty']]);
  });

  test('two partitions of one image cannot be used at once where one is written to', async () => {
    imageFile('parts.img', 24 * MIB);
    const { status } = spawnSync(programPath('sfdisk') ?? 'sfdisk', ['-q', 'parts.img'], {
      input: 'label: gpt\nsize=8M\nsize=8M\n',
    });
    expect(status).toBe(0);
    expect((await fs('mkfs', '-t', 'ext2', 'parts.img:1')).code).toBe(0);
    expect((await fs('mkfs', '-t', 'ext2', 'parts.img:2')).code).toBe(0);
    expect((await fs('df', 'parts.img:1', 'parts.img:2')).code).toBe(0);
    const { code, notes } = await fs('cp', '-r', 'parts.img:1:/lost+found', 'parts.img:2:/x');
    expect([code, notes]).toEqual([
      1,
      [
        '"parts.img:1" and "parts.img:2" are in the same file, which only one of them can write to: copy by way of the host',
      ],
    ]);
  });

  test('a full disk is told, and leaves no half of a file', async () => {
    await fs('mkfs', '-t', 'msdos', imageFile('small.img', 1 * MIB));
    const { code, notes } = await fs('cp', 'tree/sub/large', 'small.img:/');
    expect(code).toBe(1);
    expect(notes).toEqual(['small.img:/large: no space left on device']);
    expect((await fs('ls', 'small.img')).lines).toEqual([]);
    expect(tool('fsck.fat', '-n', 'small.img').code).toBe(0);
  });

  test('a check tells damage from lost space', async () => {
    await fs('mkfs', '-t', 'fat16', imageFile('check.img', 16 * MIB));
    await fs('cp', 'tree/note.txt', 'check.img:/');
    const bytes = readFileSync('check.img');
    const fat = 512 * bytes.readUInt16LE(14);
    const fatBytes = 512 * bytes.readUInt16LE(22);
    for (const copy of [0, 1]) bytes.writeUInt16LE(0xffff, fat + copy * fatBytes + 2000);
    writeFileSync('check.img', bytes);
    expect((await fs('check', 'check.img')).code).toBe(3);
    for (const copy of [0, 1]) bytes.writeUInt16LE(0, fat + copy * fatBytes + 4);
    writeFileSync('check.img', bytes);
    const damaged = await fs('check', 'check.img', 'ext.img');
    expect(damaged.code).toBe(1);
    expect(damaged.lines.at(-1)).toMatch(/ext\.img: ext2: sound/);
  });

  test('an exFAT is made, filled, damaged, found so and mended', async () => {
    const image = imageFile('stick.img', 12 * MIB);
    const made = await fs('mkfs', '-t', 'exfat', '-b', '8K', '-L', 'Größe', '--serial', '1234-ABCD', image);
    expect(made).toMatchObject({ code: 0, notes: [] });
    expect(readFileSync(image).readUInt32LE(100)).toBe(0x1234_abcd);
    expect(await fs('mkfs', '-t', 'exfat', image)).toMatchObject({
      notes: [expect.stringMatching(/has a file system \(exfat\): --force makes a new one/)],
    });
    expect(await fs('cp', '-r', 'tree', `${image}:/`)).toMatchObject({
      code: 1,
      notes: [expect.stringMatching(/sub\/link: there are no links/)],
    });
    expect((await fs('cat', `${image}:/TREE/Sub/large`)).bytes.equals(readFileSync('tree/sub/large'))).toBe(
      true,
    );
    expect((await fs('df', image)).lines.join(' ')).toMatch(/exfat/);
    expect((await fs('check', image)).lines.at(-1)).toMatch(/: exfat: sound/);
    const bytes = readFileSync(image);
    // The last byte of the first sector of the bitmap, and the checksum of a file.
    bytes.writeUInt8(0xff, bytes.readUInt32LE(88) * 512 + 150);
    const note = bytes.indexOf(Buffer.from('note.txt', 'utf16le')) - 66;
    bytes.writeUInt16LE(0x1234, note + 2);
    writeFileSync(image, bytes);
    expect((await fs('check', image)).code).toBe(1);
    const mended = await fs('check', '--repair', image);
    expect(mended).toMatchObject({ code: 0 });
    expect((await fs('cat', `${image}:/tree/note.txt`)).bytes.equals(readFileSync('tree/note.txt'))).toBe(
      true,
    );
    expect((await fs('check', image)).lines.at(-1)).toMatch(/: exfat: sound/);
    for (const wrong of [
      ['--serial', '12'],
      ['-I', '128'],
    ])
      expect((await fs('mkfs', '-t', 'exfat', '--force', ...wrong, image)).code).not.toBe(0);
  });

  test('a UFS is made, filled, damaged, found so and mended', async () => {
    for (const [type, order, ...journal] of [
      ['ufs1', 'big', '--journal', 'inside', '--journal-size', '2M'],
      ['ufs2', 'little', '--journal', 'end'],
    ] as const) {
      const image = imageFile(`${type}.img`, 12 * MIB);
      const usual = ['-b', '8K', '--fragment', '2K', '-i', '4K', '--byte-order', order, '-L', 'first'];
      const sizes = [...usual, ...journal];
      const made = await fs('mkfs', '-t', type, ...sizes, image);
      expect(made).toMatchObject({ code: 0, notes: [] });
      expect(await fs('mkfs', '-t', type, image)).toMatchObject({
        notes: [expect.stringMatching(/has a file system \(ffs\): --force makes a new one/)],
      });
      expect(await fs('cp', '-r', 'tree', `${image}:/`)).toMatchObject({ code: 0, notes: [] });
      expect(await fs('cp', '-r', `${image}:/tree`, `back-${type}`)).toMatchObject({ code: 0, notes: [] });
      expect(facts(`back-${type}`, true)).toEqual(facts('tree', true));
      expect((await fs('check', image)).lines.at(-1)).toMatch(/: ffs: sound/);
      const { lines } = await fs('stat', `${image}:/tree`);
      expect(lines.some((line) => /^  born: \d{4}-/.test(line))).toBe(type === 'ufs2');
      const bytes = readFileSync(image);
      const total = (type === 'ufs1' ? 8192 : 65_536) + 1008 + 8;
      bytes.writeUInt8(
        bytes.readUInt8(total + (order === 'big' ? 7 : 0)) ^ 1,
        total + (order === 'big' ? 7 : 0),
      );
      writeFileSync(image, bytes);
      expect((await fs('check', image)).code).toBe(3);
      const mended = await fs('check', '--repair', image);
      expect(mended).toMatchObject({ code: 0, notes: [`${image}: 1 mistakes were mended`] });
      expect((await fs('check', image)).code).toBe(0);
    }
    const refused = await fs('check', '--repair', 'ext.img');
    expect(refused.notes).toEqual([expect.stringMatching(/not mended: only ffs and exfat are/)]);
    expect((await fs('mkfs', '-t', 'ext2', '--fragment', '1K', imageFile('no.img', MIB))).notes).toEqual([
      expect.stringMatching(/ext2 has no fragments/),
    ]);
    expect((await fs('mkfs', '-t', 'ufs2', '--journal', 'there', 'no.img')).notes).toEqual([
      expect.stringMatching(/--journal there: end or inside/),
    ]);
    expect((await fs('mkfs', '-t', 'ufs2', '--journal-size', '1M', 'no.img')).notes).toEqual([
      expect.stringMatching(/the bytes of a journal, but no journal/),
    ]);
  });

  test('names that would lead elsewhere are not followed', async () => {
    await fs('mkfs', '-t', 'ext2', imageFile('evil.img', 2 * MIB));
    mkdirSync('evil');
    writeFileSync('evil/xx_yy', 'evil');
    await fs('cp', '-r', 'evil', 'evil.img:/');
    const bytes = readFileSync('evil.img');
    const place = bytes.indexOf('xx_yy');
    bytes.write('../yy', place);
    writeFileSync('evil.img', bytes);
    mkdirSync('caught');
    expect((await fs('cp', '-r', 'evil.img:/evil', 'caught/')).code).toBe(1);
    expect(existsSync('caught/yy')).toBe(false);
    // A link that is in the way is replaced, not followed.
    symlinkSync(join(folder, 'tree', 'note.txt'), 'trap');
    expect((await fs('cp', 'ext.img:/tree/sub/large', 'trap')).code).toBe(0);
    expect(readFileSync('tree/note.txt', 'utf8')).toBe('a note\n');
    expect(lstatSync('trap').isFile()).toBe(true);
  });

  test('Ctrl-C ends a copy in order', async () => {
    await fs('mkfs', '-t', 'ext2', imageFile('stop.img', 513 * MIB));
    writeFileSync('endless', Buffer.alloc(128 * MIB, 1));
    const child = spawn(process.execPath, [GINIT, 'fs', 'cp', 'endless', 'stop.img:/'], { cwd: folder });
    let text = '';
    child.stderr.setEncoding('utf8').on('data', (part: string) => (text += part));
    const exited = once(child, 'exit');
    // It is at work as soon as the image is no longer marked as clean.
    const descriptor = openSync('stop.img', 'r');
    const state = Buffer.alloc(2);
    do {
      await new Promise((resolve) => setTimeout(resolve, 2));
      readSync(descriptor, state, 0, 2, 1024 + 58);
    } while (child.exitCode === null && (state.readUInt16LE() & 1) === 1);
    closeSync(descriptor);
    child.kill('SIGINT');
    const [code] = await exited;
    expect([code, text]).toEqual([130, 'ginit: fs: interrupted\n']);
    expect(tool('e2fsck', '-fn', 'stop.img').code).toBe(0);
    expect((await fs('ls', 'stop.img')).lines).toEqual(['lost+found']);
    rmSync('stop.img');
    rmSync('endless');
  });
});
