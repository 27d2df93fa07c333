/**
 * `mount` against Node's own `fs.promises`: the same calls on both, with the same results and
 * errors.
 */
import nodeFs, { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { mustRun, missingOf } from '../../../test/harness/programs.ts';
import { mount, type MountedFs } from '../src/index.ts';

const missing = missingOf('mke2fs', 'e2fsck');
const folder = mkdtempSync(join(tmpdir(), 'ginit-promises-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Real = typeof nodeFs.promises;
/** A call on either of the two; `at` makes a path of one from the root. */
type Step = (fs: MountedFs & Real, at: (path: string) => string) => Promise<unknown>;

const TEXT = 'some text\nand more\n';
const large = Buffer.from(Array.from({ length: 200_000 }, (_, index) => (index * 7) & 0xff));

/** What both must agree on of a node. */
async function look(fs: MountedFs & Real, path: string): Promise<unknown> {
  const stats = await fs.lstat(path);
  const type = [stats.isFile(), stats.isDirectory(), stats.isSymbolicLink(), stats.isFIFO()];
  const size = stats.isDirectory() ? 0 : stats.size;
  return { type, size, mode: stats.mode, links: stats.nlink, mtime: Math.floor(stats.mtimeMs / 60_000) };
}

/** Small differences of no meaning: where the tree lies, and the order of names. */
const sorted = (names: readonly string[]): string[] =>
  names.filter((name) => name !== 'lost+found').toSorted();

const STEPS: Readonly<Record<string, Step>> = {
  'write and read': async (fs, at) => {
    await fs.writeFile(at('/a'), TEXT);
    return [await fs.readFile(at('/a'), 'utf8'), await fs.readFile(at('/a')), await look(fs, at('/a'))];
  },
  'relative modes': async (fs, at) => {
    await fs.writeFile(at('/secret'), 'x', { mode: 0o600 });
    await fs.mkdir(at('/dir'), { mode: 0o750 });
    return [await look(fs, at('/secret')), await look(fs, at('/dir'))];
  },
  'large file': async (fs, at) => {
    await fs.writeFile(at('/large'), large);
    return Buffer.compare(large, await fs.readFile(at('/large')));
  },
  encodings: async (fs, at) => {
    await fs.writeFile(at('/hex'), 'c3a9ff00', 'hex');
    return [await fs.readFile(at('/hex'), 'base64'), await fs.readFile(at('/hex'), { encoding: 'latin1' })];
  },
  append: async (fs, at) => {
    await fs.appendFile(at('/log'), 'one ');
    await fs.appendFile(at('/log'), Buffer.from('two'));
    return fs.readFile(at('/log'), 'utf8');
  },
  'exclusive creation': (fs, at) => fs.writeFile(at('/a'), '', { flag: 'wx' }),
  'write pieces of an iterable': async (fs, at) => {
    await fs.writeFile(at('/pieces'), ['one', 'two', 'three']);
    return fs.readFile(at('/pieces'), 'latin1');
  },
  'missing file': (fs, at) => fs.readFile(at('/none')),
  'a file as a directory': (fs, at) => fs.readFile(at('/a/b')),
  'a directory read as a file': (fs, at) => fs.readFile(at('/dir')),
  'a directory as a file': (fs, at) => fs.writeFile(at('/dir'), ''),
  truncate: async (fs, at) => {
    await fs.truncate(at('/a'), 4);
    await fs.truncate(at('/a'), 9);
    return fs.readFile(at('/a'), 'latin1');
  },
  'truncate what is not there': (fs, at) => fs.truncate(at('/none'), 1),
  'mkdir twice': (fs, at) => fs.mkdir(at('/dir')),
  'mkdir without a parent': (fs, at) => fs.mkdir(at('/no/such')),
  'mkdir of the root': (fs, at) => fs.mkdir(at('/')),
  'mkdir recursive': async (fs, at) => {
    const first = await fs.mkdir(at('/deep/er/still'), { recursive: true });
    return [first === at('/deep'), await fs.mkdir(at('/deep/er'), { recursive: true })];
  },
  'mkdir recursive over a file': (fs, at) => fs.mkdir(at('/a'), { recursive: true }),
  'mkdir recursive through a file': (fs, at) => fs.mkdir(at('/a/b/c'), { recursive: true }),
  readdir: async (fs, at) => sorted(await fs.readdir(at('/deep'))),
  'readdir recursive': async (fs, at) => {
    await fs.writeFile(at('/deep/er/file'), '');
    return sorted(await fs.readdir(at('/deep'), { recursive: true }));
  },
  'readdir with types': async (fs, at) => {
    const entries = await fs.readdir(at('/deep/er'), { withFileTypes: true });
    return entries.map((entry) => `${entry.name} ${entry.isFile()} ${entry.isDirectory()}`).toSorted();
  },
  'readdir of a file': (fs, at) => fs.readdir(at('/a')),
  'readdir of nothing': (fs, at) => fs.readdir(at('/none')),
  opendir: async (fs, at) => {
    const names: string[] = [];
    for await (const entry of await fs.opendir(at('/deep/er'))) names.push(entry.name);
    return names.toSorted();
  },
  'opendir of nothing': (fs, at) => fs.opendir(at('/none')),
  'opendir of a file': (fs, at) => fs.opendir(at('/a')),
  'symlink and readlink': async (fs, at) => {
    await fs.symlink('a', at('/link'));
    await fs.symlink('nowhere', at('/dangling'));
    await fs.symlink('loop', at('/loop'));
    await fs.symlink('dir', at('/dirlink'));
    return [
      await fs.readlink(at('/link')),
      await fs.readFile(at('/link'), 'latin1'),
      await look(fs, at('/link')),
    ];
  },
  'stat of a link to nothing': (fs, at) => fs.stat(at('/dangling')),
  'a link to itself': (fs, at) => fs.readFile(at('/loop')),
  'a file made through a link to nothing': async (fs, at) => {
    await fs.writeFile(at('/dangling'), 'here');
    return fs.readFile(at('/nowhere'), 'latin1');
  },
  'readlink of a file': (fs, at) => fs.readlink(at('/a')),
  'symlink over a file': (fs, at) => fs.symlink('x', at('/a')),
  realpath: async (fs, at) => {
    await fs.writeFile(at('/dir/inner'), '');
    const found = await fs.realpath(at('/dirlink/../dirlink/./inner'));
    return found.endsWith('/dir/inner');
  },
  'realpath of nothing': (fs, at) => fs.realpath(at('/none/x')),
  link: async (fs, at) => {
    await fs.link(at('/a'), at('/second'));
    return look(fs, at('/a'));
  },
  'link of a directory': (fs, at) => fs.link(at('/dir'), at('/dir2')),
  'link over a file': (fs, at) => fs.link(at('/a'), at('/log')),
  'link of nothing': (fs, at) => fs.link(at('/none'), at('/log2')),
  unlink: async (fs, at) => {
    await fs.unlink(at('/second'));
    return look(fs, at('/a'));
  },
  'unlink of a directory': (fs, at) => fs.unlink(at('/dir')),
  'unlink of nothing': (fs, at) => fs.unlink(at('/none')),
  'rmdir of a directory that is not empty': (fs, at) => fs.rmdir(at('/deep')),
  'rmdir of a file': (fs, at) => fs.rmdir(at('/a')),
  'rmdir of nothing': (fs, at) => fs.rmdir(at('/none')),
  rename: async (fs, at) => {
    await fs.rename(at('/log'), at('/dir/log'));
    return sorted(await fs.readdir(at('/dir')));
  },
  'rename of nothing': (fs, at) => fs.rename(at('/none'), at('/x')),
  'rename of a directory below itself': (fs, at) => fs.rename(at('/deep'), at('/deep/er/in')),
  'rename of a file over a directory': (fs, at) => fs.rename(at('/a'), at('/dir')),
  'rename of a directory over a file': (fs, at) => fs.rename(at('/dir'), at('/a')),
  'rename over a directory that is not empty': async (fs, at) => {
    await fs.mkdir(at('/empty'));
    return fs.rename(at('/empty'), at('/dir'));
  },
  'trailing slashes': async (fs, at) => {
    await fs.mkdir(at('/slash/'));
    return (await fs.stat(at('/slash/'))).isDirectory();
  },
  'a file with a trailing slash': (fs, at) => fs.readFile(at('/a/')),
  'unlink with a trailing slash': (fs, at) => fs.unlink(at('/a/')),
  'rm of a directory': (fs, at) => fs.rm(at('/deep')),
  'rm of nothing': (fs, at) => fs.rm(at('/none')),
  'rm of nothing, forced': (fs, at) => fs.rm(at('/none'), { force: true }),
  'rm recursive': async (fs, at) => {
    await fs.rm(at('/deep'), { recursive: true });
    return sorted(await fs.readdir(at('/')));
  },
  utimes: async (fs, at) => {
    await fs.utimes(at('/a'), 1_600_000_000, new Date('2001-02-03T04:05:06Z'));
    const stats = await fs.stat(at('/a'));
    return [stats.atimeMs, stats.mtimeMs, stats.mtime];
  },
  lutimes: async (fs, at) => {
    await fs.lutimes(at('/link'), 1_500_000_000, 1_400_000_000);
    return [(await fs.lstat(at('/link'))).mtimeMs, (await fs.stat(at('/link'))).mtimeMs];
  },
  'chmod and chown': async (fs, at) => {
    await fs.chmod(at('/a'), 0o4751);
    await fs.chown(at('/a'), 12, 34);
    const { mode, uid, gid } = await fs.stat(at('/a'));
    return [mode, uid, gid];
  },
  'chmod by a text': async (fs, at) => {
    await fs.chmod(at('/a'), '640');
    return (await fs.stat(at('/a'))).mode;
  },
  'chmod of nothing': (fs, at) => fs.chmod(at('/none'), 0o600),
  access: (fs, at) => fs.access(at('/a'), nodeFs.constants.R_OK | nodeFs.constants.W_OK),
  'access of nothing': (fs, at) => fs.access(at('/none')),
  'access for execution': (fs, at) => fs.access(at('/a'), nodeFs.constants.X_OK),
  copyFile: async (fs, at) => {
    await fs.copyFile(at('/large'), at('/copy'));
    return Buffer.compare(large, await fs.readFile(at('/copy')));
  },
  'copyFile over a file, exclusive': (fs, at) =>
    fs.copyFile(at('/large'), at('/copy'), nodeFs.constants.COPYFILE_EXCL),
  'copyFile of nothing': (fs, at) => fs.copyFile(at('/none'), at('/copy2')),
  'cp of a tree': async (fs, at) => {
    await fs.mkdir(at('/tree/in'), { recursive: true });
    await fs.writeFile(at('/tree/in/file'), 'content');
    await fs.symlink('file', at('/tree/in/to'));
    await fs.cp(at('/tree'), at('/tree2'), { recursive: true, verbatimSymlinks: true });
    return [
      sorted(await fs.readdir(at('/tree2'), { recursive: true })),
      await fs.readFile(at('/tree2/in/to'), 'latin1'),
      await fs.readlink(at('/tree2/in/to')),
    ];
  },
  'cp of a tree without recursive': (fs, at) => fs.cp(at('/tree'), at('/tree3')),
  'cp below itself': (fs, at) => fs.cp(at('/tree'), at('/tree/in/again'), { recursive: true }),
  'cp over a file that is kept': async (fs, at) => {
    await fs.cp(at('/a'), at('/copy'), { force: false });
    return (await fs.stat(at('/copy'))).size;
  },
  'cp over a file that must not be': (fs, at) =>
    fs.cp(at('/a'), at('/copy'), { force: false, errorOnExist: true }),
  'a handle': async (fs, at) => {
    const file = await fs.open(at('/handle'), 'w+');
    const results: unknown[] = [];
    results.push(
      (await file.write('hello')).bytesWritten,
      (await file.write(Buffer.from(' world'), 0, 6)).bytesWritten,
    );
    results.push((await file.write('J', 0)).bytesWritten);
    const { bytesRead, buffer } = await file.read(Buffer.alloc(5), 0, 5, 6);
    results.push(bytesRead, buffer);
    results.push((await file.read(Buffer.alloc(5), 0, 5, null)).bytesRead);
    results.push((await file.stat()).size);
    await file.truncate(4);
    results.push((await file.read({ buffer: Buffer.alloc(9), position: 1 })).bytesRead);
    results.push((await file.writev([Buffer.from('ab'), Buffer.from('cd')], 10)).bytesWritten);
    const parts = [Buffer.alloc(3), Buffer.alloc(20)];
    results.push((await file.readv(parts, 0)).bytesRead, parts[0], parts[1]);
    await file.utimes(1, 2);
    results.push((await file.stat()).mtimeMs);
    await file.chmod(0o700);
    results.push((await file.stat()).mode);
    await file.datasync();
    await file.sync();
    await file.close();
    return results;
  },
  'a handle for appending': async (fs, at) => {
    const file = await fs.open(at('/handle'), 'a+');
    await file.write('end', 0);
    const content = await file.readFile('latin1');
    await file.close();
    return content.slice(-3);
  },
  'readFile of a handle begins where it stands': async (fs, at) => {
    const file = await fs.open(at('/a'));
    await file.read(Buffer.alloc(2), 0, 2, null);
    const rest = await file.readFile('latin1');
    await file.close();
    return rest;
  },
  'a handle that may not write': async (fs, at) => {
    const file = await fs.open(at('/a'));
    try {
      return await file.write('x');
    } finally {
      await file.close();
    }
  },
  'a handle that may not read': async (fs, at) => {
    const file = await fs.open(at('/a'), 'a');
    try {
      return await file.read(Buffer.alloc(1));
    } finally {
      await file.close();
    }
  },
  'a closed handle': async (fs, at) => {
    const file = await fs.open(at('/a'));
    await file.close();
    return file.stat();
  },
  'a handle of a directory': async (fs, at) => {
    const file = await fs.open(at('/dir'));
    try {
      return await file.read(Buffer.alloc(1));
    } finally {
      await file.close();
    }
  },
  'a file without a name': async (fs, at) => {
    const file = await fs.open(at('/gone'), 'w+');
    await fs.unlink(at('/gone'));
    await file.writeFile('still here');
    const { nlink, size } = await file.stat();
    await file.close();
    return [nlink, size, sorted(await fs.readdir(at('/'))).includes('gone')];
  },
  streams: async (fs, at) => {
    const out = (await fs.open(at('/stream'), 'w')).createWriteStream();
    out.write('first\n');
    out.end('second\r\nthird');
    await new Promise((resolve, reject) => out.once('close', resolve).once('error', reject));
    const whole: Buffer[] = [];
    for await (const chunk of (await fs.open(at('/stream'))).createReadStream({ start: 2, end: 8 }))
      whole.push(chunk);
    const lines: string[] = [];
    for await (const line of (await fs.open(at('/stream'))).readLines()) lines.push(line);
    return [Buffer.concat(whole).toString(), lines];
  },
  statfs: async (fs, at) => {
    const { bsize, blocks } = await fs.statfs(at('/'));
    return bsize > 0 && blocks > 0;
  },
  'bigint stats': async (fs, at) => {
    const stats = await fs.stat(at('/a'), { bigint: true });
    return [stats.size, stats.mtimeNs, stats.isFile()];
  },
  mkdtemp: async (fs, at) => {
    const made = await fs.mkdtemp(at('/temp-'));
    await fs.rmdir(made);
    return /\/temp-.{6}$/.test(made);
  },
  'a name that is too long': (fs, at) => fs.writeFile(at(`/${'n'.repeat(256)}`), ''),
  'a path with a zero byte': (fs, at) => fs.readFile(at('/a\0b')),
  'flags that are none': (fs, at) => fs.open(at('/a'), 'q'),
  'names that are no ASCII': async (fs, at) => {
    await fs.writeFile(at('/größe 量'), 'x');
    return sorted(await fs.readdir(at('/')));
  },
};

/** The result of a call as something to compare: its value, or the parts of its error. */
async function outcome(work: () => Promise<unknown>, root: string): Promise<object> {
  const plain = (value: unknown): unknown =>
    typeof value === 'string' ? (value === root ? '/' : value.replaceAll(root, '')) : value;
  try {
    return { value: await work() };
  } catch (error) {
    const field = (name: string): unknown => plain(Reflect.get(Object(error), name));
    const code = field('code');
    const own = typeof code === 'string' && code.startsWith('ERR_');
    return own
      ? { code }
      : { code, errno: field('errno'), syscall: field('syscall'), path: field('path'), dest: field('dest') };
  }
}

async function compare(mounted: MountedFs, root: string): Promise<void> {
  // The two have one shape; what differs is only how Node's is declared.
  const ours = mounted as unknown as MountedFs & Real;
  const real = nodeFs.promises as unknown as MountedFs & Real;
  for (const [name, step] of Object.entries(STEPS)) {
    const expected = await outcome(() => step(real, (path) => `${root}${path}`), root);
    const found = await outcome(() => step(ours, (path) => path), '\n');
    // Node's error of a closed handle has no number.
    const numberless =
      'errno' in expected && expected.errno === undefined ? { ...found, errno: undefined } : found;
    expect(numberless, name).toEqual(expected);
  }
}

let images = 0;
async function image(type: string, sizeBytes = 16 * 1024 * 1024): Promise<string> {
  const file = join(folder, `${++images}.img`);
  writeFileSync(file, '');
  truncateSync(file, sizeBytes);
  await mustRun('mke2fs', ['-q', '-t', type, file]);
  return file;
}

describe.skipIf(missing !== undefined)(`mount${missing === undefined ? '' : ` (${missing})`}`, () => {
  test.each([
    ['ext2', false],
    ['ext4', true],
  ])('does on %s what Node does on the host (worker: %s)', async (type, worker) => {
    const file = await image(type);
    const fs = await mount(file, { worker });
    const root = mkdtempSync(join(folder, 'tree-'));
    await compare(fs, root);
    await fs.unmount();
    await mustRun('e2fsck', ['-fn', file]);
  });

  test('refuses changes of what is mounted read-only, and leaves the image as it is', async () => {
    const file = await image('ext4');
    const before = nodeFs.readFileSync(file);
    const fs = await mount(file, { readOnly: true });
    expect(fs.writeable).toBe(false);
    await expect(fs.writeFile('/x', '')).rejects.toMatchObject({
      code: 'EROFS',
      syscall: 'open',
      path: '/x',
    });
    await expect(fs.access('/lost+found', nodeFs.constants.W_OK)).rejects.toMatchObject({ code: 'EROFS' });
    await fs.unmount();
    expect(Buffer.compare(before, nodeFs.readFileSync(file))).toBe(0);
  });

  test('is not unmounted while files are open, unless that is forced', async () => {
    const file = await image('ext2');
    const fs = await mount(file);
    const handle = await fs.open('/x', 'w');
    await expect(fs.unmount()).rejects.toMatchObject({ code: 'EBUSY' });
    await handle.write('data');
    await fs.unmount({ force: true });
    await expect(handle.write('more')).rejects.toMatchObject({ code: 'ENODEV' });
    await expect(fs.stat('/')).rejects.toMatchObject({ code: 'ENODEV' });
    const again = await mount(file);
    expect(await again.readFile('/x', 'utf8')).toBe('data');
    await again[Symbol.asyncDispose]();
    await mustRun('e2fsck', ['-fn', file]);
  });

  test('writers of one image are kept apart', async () => {
    const file = await image('ext2');
    const fs = await mount(file);
    await expect(mount(file)).rejects.toThrow('in use');
    await fs.unmount();
  });

  test('calls that settle when the worker ends, and those after it', async () => {
    const fs = await mount(await image('ext2'), { worker: true });
    const calls = Array.from({ length: 50 }, (_, index) => fs.writeFile(`/${index}`, 'x'));
    const ended = fs.unmount({ force: true });
    await Promise.allSettled(calls);
    await ended;
    await expect(fs.stat('/')).rejects.toMatchObject({ code: 'ENODEV' });
  });

  test('watchers hear of changes', async () => {
    const fs = await mount(await image('ext2'));
    const heard: string[] = [];
    await expect(fs.watch('/dir').next()).rejects.toMatchObject({ code: 'ENOENT', syscall: 'watch' });
    await fs.mkdir('/dir/below', { recursive: true });
    const abort = new AbortController();
    const aborted = expect(fs.watch('/dir', { signal: abort.signal }).next()).rejects.toThrow('aborted');
    const second = (async () => {
      for await (const { eventType, filename } of fs.watch('/dir', { recursive: true })) {
        heard.push(`${eventType} ${filename}`);
        if (heard.length === 3) return;
      }
    })();
    await fs.stat('/dir');
    abort.abort();
    await aborted;
    await fs.writeFile('/dir/below/file', 'x');
    await fs.rename('/dir/below/file', '/dir/other');
    await second;
    expect(heard).toEqual(['change below/file', 'rename below/file', 'rename other']);
    await fs.unmount();
  });

  test('a device without a file system says so, and names the partitions of a disk', async () => {
    const empty = join(folder, 'empty.img');
    writeFileSync(empty, Buffer.alloc(1024 * 1024));
    await expect(mount(empty)).rejects.toMatchObject({ code: 'NoFileSystem' });
    await expect(mount(join(folder, 'none.img'))).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(mount(`${empty}:3`)).rejects.toThrow('there is no partition 3');
  });
});
