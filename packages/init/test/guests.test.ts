/** `ginit guests`: what guests are made of, where they are kept, and how fetching fails. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { missingOf } from '../../../test/harness/programs.ts';
import { aptConfig } from '../src/command/guests/apt-root.ts';
import { cpioArchive } from '../src/command/guests/cpio.ts';
import { makeInitrd } from '../src/command/guests/initrd.ts';
import { modulesFor } from '../src/command/guests/kernel-modules.ts';
import { guests } from '../src/command/guests/main.ts';
import { copyGuest, GuestStore, guestsDirectory, sha256 } from '../src/command/guests/store.ts';
import { Output } from '../src/command/output.ts';

let directory: string;
const path = process.env['PATH'];
const cache = process.env['XDG_CACHE_HOME'];
const inDirectory = (name: string): string => join(directory, name);
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ginit-guests-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
  for (const [name, value] of Object.entries({ PATH: path, XDG_CACHE_HOME: cache })) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

function moduleFile(place: string, depends: string): void {
  mkdirSync(join(directory, place, '..'), { recursive: true });
  writeFileSync(inDirectory(place), `\u007fELF\0license=GPL\0depends=${depends}\0name=x\0`);
}

describe('the initrd', () => {
  test('has modules in an order in which they can be loaded', () => {
    moduleFile('kernel/fs/9p.ko', 'pnet,fscache,netfs');
    moduleFile('kernel/net/pnet.ko', '');
    moduleFile('kernel/fs/fscache.ko', 'netfs');
    moduleFile('kernel/fs/netfs.ko', '');
    moduleFile('kernel/fs/other-one.ko', 'netfs');
    const modules = modulesFor(['9p', 'built_in', 'other-one'], directory);
    expect(modules.map(({ name }) => name)).toEqual(['pnet', 'netfs', 'fscache', '9p', 'other_one']);
    const needs = Object.fromEntries(modules.map((module) => [module.name, module.needs]));
    // The last of a line is loaded first.
    expect(needs['9p']).toEqual(['kernel/fs/fscache.ko', 'kernel/fs/netfs.ko', 'kernel/net/pnet.ko']);
    expect(needs['other_one']).toEqual(['kernel/fs/netfs.ko']);
  });

  test('is an archive of BusyBox, modules and a first process', () => {
    moduleFile('lib/modules/6.1/kernel/fs/ext4.ko', '');
    mkdirSync(inDirectory('bin'));
    writeFileSync(inDirectory('bin/busybox'), 'a program');
    const initrd = gunzipSync(makeInitrd({ name: 'x', unpacked: directory, modules: ['ext4'] })).toString(
      'latin1',
    );
    for (const name of [
      'bin/busybox',
      'init',
      'lib/modules/6.1/kernel/fs/ext4.ko',
      'lib/modules/6.1/modules.dep',
    ])
      expect(initrd).toContain(`${name}\0`);
    expect(initrd).toContain('kernel/fs/ext4.ko:\n');
    expect(initrd).toContain('hostname x\n');
  });

  test('is laid out as cpio has it', () => {
    const archive = Buffer.from(cpioArchive([{ path: 'ab', mode: 0o100644, content: Buffer.from('text!') }]));
    expect(archive.subarray(0, 14).toString()).toBe('07070100000001');
    expect(archive.subarray(54, 62).toString()).toBe('00000005');
    expect(archive.subarray(94, 102).toString()).toBe('00000003');
    expect(archive.subarray(110, 124).toString()).toBe('ab\0\0\0\0text!\0\0\0');
    expect(archive.byteLength % 4).toBe(0);
    expect(archive.subarray(124 + 110).toString()).toContain('TRAILER!!!');
  });
});

describe('the store', () => {
  test('keeps a guest whole, and sees what has changed', () => {
    const store = new GuestStore(inDirectory('guests'));
    expect(store.look('one')).toEqual({ state: 'absent' });
    const kept = store.keep('one', ['linux 6'], { linux: Buffer.from('kernel') });
    expect(store.look('one')).toEqual({ state: 'fetched', guest: kept });
    copyGuest(kept, inDirectory('copy/one'));
    expect(readFileSync(inDirectory('copy/one/linux'), 'utf8')).toBe('kernel');
    writeFileSync(join(kept.directory, 'linux'), 'another');
    expect(store.look('one')).toEqual({ state: 'damaged', reason: 'its file "linux" has changed' });
    store.keep('one', [], { linux: Buffer.from('newer') });
    expect(store.look('one').state).toBe('fetched');
    expect(readdirSync(inDirectory('guests'))).toEqual(['one']);
  });

  test('leaves nothing behind when a guest cannot be kept or copied, and what was there is whole', () => {
    const store = new GuestStore(inDirectory('guests'));
    const kept = store.keep('one', [], { linux: Buffer.from('kernel'), initrd: Buffer.from('files') });
    expect(() => store.keep('two', [], { 'no/where': Buffer.from('x') })).toThrow(/ENOENT/);
    expect(readdirSync(inDirectory('guests'))).toEqual(['one']);
    copyGuest(kept, inDirectory('copy'));
    writeFileSync(join(kept.directory, 'linux'), 'newer kernel');
    rmSync(join(kept.directory, 'initrd'));
    expect(() => copyGuest(kept, inDirectory('copy'))).toThrow(/ENOENT/);
    expect(readdirSync(inDirectory('copy')).toSorted()).toEqual(['initrd', 'linux']);
    expect(readFileSync(inDirectory('copy/linux'), 'utf8')).toBe('kernel');
  });

  test('clears away what a fetch that was killed has left, and nothing that is under way', () => {
    const store = new GuestStore(inDirectory('guests'));
    const mine = store.workplace();
    // The number of a process that has ended.
    const { pid } = spawnSync('true');
    const [gone, other, old] = [`.fetch-${pid}-a`, `.fetch-${process.ppid}-b`, '.fetch-c'];
    for (const name of [gone, other, old])
      mkdirSync(inDirectory(`guests/${name}/state`), { recursive: true });
    utimesSync(inDirectory(`guests/${old}`), 0, 0);
    const next = store.workplace();
    const left = readdirSync(inDirectory('guests')).map((name) => inDirectory(`guests/${name}`));
    expect(left.toSorted()).toEqual([mine, next, inDirectory(`guests/${other}`)].toSorted());
  });

  test('refuses a list that leads out of the directory', () => {
    const store = new GuestStore(inDirectory('guests'));
    const { directory: place } = store.keep('one', [], { linux: Buffer.from('kernel') });
    const list = readFileSync(join(place, 'guest.json'), 'utf8');
    writeFileSync(join(place, 'guest.json'), list.replace('"linux"', '"../linux"'));
    expect(store.look('one').state).toBe('damaged');
  });

  test("is in the user's cache", () => {
    expect(guestsDirectory({ XDG_CACHE_HOME: '/c' })).toBe('/c/ginit/guests');
    expect(guestsDirectory({ XDG_CACHE_HOME: 'c' })).toMatch(/^\/.*\/\.cache\/ginit\/guests$/);
  });
});

/** Runs the command; what it says on both outputs. */
async function run(...args: readonly string[]): Promise<{ code: number; text: string }> {
  process.env['XDG_CACHE_HOME'] = inDirectory('cache');
  const [out, err] = [new PassThrough(), new PassThrough()];
  let text = '';
  for (const stream of [out, err]) stream.setEncoding('utf8').on('data', (part: string) => (text += part));
  const output = new Output(out, err);
  const code = await guests(args, output);
  await output.end();
  return { code, text };
}

/** Programs in the place of apt's. */
function pretend(programs: Readonly<Record<string, string>>): void {
  mkdirSync(inDirectory('programs'));
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(inDirectory(`programs/${name}`), `#!/bin/sh\n${script}\n`);
    chmodSync(inDirectory(`programs/${name}`), 0o755);
  }
  process.env['PATH'] = `${inDirectory('programs')}:${path ?? ''}`;
}

const sleeper = (): number => Number(readFileSync(inDirectory('sleeper'), 'utf8'));

/** Whether a process is there and has not ended; somebody else collects it. */
function isThere(id: number): boolean {
  try {
    return !readFileSync(`/proc/${id}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}

const PACKAGE = 'content of a package';
/** An apt that has every package, each with that hash in its list. */
const pretendedApt = (hash: string): Record<string, string> => ({
  'apt-get': `case "$*" in
    *indextargets*) echo 'http://mirror/debian/|main|Debian|stable' ;;
    *update*) touch "$(dirname "$4")/state/lists/x_Packages" ;;
    *download*) for name; do case "$name" in [lb]*) printf '${PACKAGE}' > "\${name}_1_i386.deb" ;; esac; done ;;
  esac`,
  'apt-cache': `printf 'Package: x\\nVersion: 1\\nDepends: linux-image-6.1-686 (= 1)\\nSHA256: ${hash}\\n'`,
});

const noApt = missingOf('apt-config');

test.skipIf(noApt !== undefined)(
  `whatever the user's apt is set to, a private root checks signatures and stays in its directory (${noApt ?? 'with apt'})`,
  () => {
    const files = [
      'State::lists',
      'State::extended_states',
      'Cache::archives',
      'Cache::pkgcache',
      'Cache::srcpkgcache',
    ];
    const doors = [
      'APT::Get::AllowUnauthenticated',
      'Acquire::AllowInsecureRepositories',
      'Acquire::AllowWeakRepositories',
      'Acquire::AllowDowngradeToInsecureRepositories',
    ];
    writeFileSync(
      inDirectory('user.conf'),
      [...files.map((name) => `Dir::${name} "/elsewhere";`), ...doors.map((name) => `${name} "true";`)].join(
        '\n',
      ),
    );
    writeFileSync(inDirectory('apt.conf'), aptConfig(directory, 'i386'));
    const { stdout } = spawnSync('apt-config', ['-c', inDirectory('apt.conf'), 'dump'], {
      env: { ...process.env, APT_CONFIG: inDirectory('user.conf') },
      encoding: 'utf8',
    });
    for (const name of doors) expect(stdout).toContain(`${name} "false";`);
    for (const name of files) expect(stdout).toContain(`Dir::${name} "${directory}/`);
    expect(stdout).not.toContain('/elsewhere');
  },
);

describe('the command', () => {
  test('lists what there is', async () => {
    const { code, text } = await run();
    expect([code, text]).toEqual([0, expect.stringMatching(/debian-i686 +Linux.*\n +not fetched\n/)]);
  });

  test.each([
    [['fetch', 'os2'], /there is no guest "os2" \(there are: debian-i686/],
    [['fetch'], /name of a guest is missing/],
    [['fetch', 'debian-i686', 'x'], /one guest at a time/],
    [['boot'], /there is no "ginit guests boot"/],
    [['--far'], /--far/],
  ])('refuses %j', async (args, message) => {
    expect(await run(...args)).toEqual({ code: 2, text: expect.stringMatching(message) });
  });

  test('says so where there is no apt', async () => {
    process.env['PATH'] = inDirectory('nothing');
    expect(await run('fetch', 'debian-i686')).toEqual({
      code: 1,
      text: "ginit: debian-i686 cannot be fetched: there is no apt-get here: guests are made of Debian's packages\n",
    });
  });

  test('says so where apt knows no mirror of Debian', async () => {
    pretend({ 'apt-get': "echo 'http://mirror/x/|main|Other|stable'" });
    expect(await run('fetch', 'debian-i686')).toEqual({
      code: 1,
      text: expect.stringMatching(/have no mirror of Debian/),
    });
  });

  test('says so where the mirror cannot be reached, with which apt ends well', async () => {
    const update = "echo 'W: Failed to fetch http://mirror/: no such host' >&2";
    pretend({ 'apt-get': pretendedApt('')['apt-get']?.replace(/touch .*Packages"/, update) ?? '' });
    expect(await run('fetch', 'debian-i686')).toEqual({
      code: 1,
      text: expect.stringMatching(
        /lists of packages could not be reached .*: W: Failed to fetch .* no such host/,
      ),
    });
    expect(readdirSync(inDirectory('cache/ginit/guests'))).toEqual([]);
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('ends at %s with all that it has started, and leaves nothing behind', async (signal, code) => {
    const sleep = `sleep 300 & echo $! > '${inDirectory('sleeper')}'; wait`;
    pretend({ 'apt-get': pretendedApt('')['apt-get']?.replace(/touch .*Packages"/, sleep) ?? '' });
    const ended = run('fetch', 'debian-i686');
    await expect.poll(() => existsSync(inDirectory('sleeper')) && sleeper()).toBeTruthy();
    // Whoever is above us may pass it on once more.
    process.emit(signal, signal);
    process.emit(signal, signal);
    expect(await ended).toEqual({ code, text: expect.stringMatching(/cannot be fetched: interrupted\n$/) });
    expect(readdirSync(inDirectory('cache/ginit/guests'))).toEqual([]);
    await expect.poll(() => isThere(sleeper())).toBe(false);
  });

  test('takes no package whose hash is not the one of the list, and leaves nothing behind', async () => {
    pretend(pretendedApt(sha256(Buffer.from('another content'))));
    const { code, text } = await run('fetch', 'debian-i686');
    expect([code, text]).toEqual([
      1,
      expect.stringMatching(/not the one that is in the list: its hash is another/),
    ]);
    expect(readdirSync(inDirectory('cache/ginit/guests'))).toEqual([]);
  });

  test('puts a guest together, and fetches it once', async () => {
    const unpack = `mkdir -p "$3/boot" "$3/bin" "$3/lib/modules/6.1"
      printf kernel > "$3/boot/vmlinuz-6.1"; printf busybox > "$3/bin/busybox"`;
    pretend({ ...pretendedApt(sha256(Buffer.from(PACKAGE))), 'dpkg-deb': unpack });
    const first = await run('fetch', 'debian-i686', '--into', inDirectory('here'));
    expect([first.code, first.text]).toEqual([0, expect.stringContaining('here/debian-i686: linux, initrd')]);
    expect(readFileSync(inDirectory('here/debian-i686/linux'), 'utf8')).toBe('kernel');
    expect(readdirSync(inDirectory('cache/ginit/guests'))).toEqual(['debian-i686']);
    process.env['PATH'] = inDirectory('nothing');
    expect((await run('fetch', 'debian-i686')).code).toBe(0);
    expect((await run()).text).toContain('linux-image-6.1-686 1, busybox-static 1');
  });
});
