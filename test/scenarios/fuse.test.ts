/** Programs of the host on a file system of ginit that is mounted there. */
import { execFileSync, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { cannotMount, FuseMount, imageConfig, isMounted, mountGone, mountOf } from '../harness/fuse-mount.ts';
import { type GinitRun, Workplace } from '../harness/ginit.ts';
import { skipIfLong } from '../harness/long.ts';
import { type Ended, missingOf, PATH, runProgram } from '../harness/programs.ts';

const NO_MOUNT = cannotMount() ?? missingOf('mke2fs', 'e2fsck');
const ROOT = new URL('../..', import.meta.url).pathname;

function makeExt2(path: string, size = '256M', more: readonly string[] = []): void {
  execFileSync('truncate', ['-s', size, path]);
  execFileSync('mke2fs', ['-q', '-F', '-t', 'ext2', ...more, path], { env: { ...process.env, PATH } });
}

async function expectClean(image: string): Promise<void> {
  const { status, text } = await runProgram('e2fsck', ['-fn', image]);
  expect([status, text]).toEqual([0, expect.any(String)]);
}

async function succeeds(program: string, args: readonly string[], cwd?: string): Promise<string> {
  const ended: Ended = await runProgram(program, args, {
    ...(cwd === undefined ? {} : { cwd }),
    timeoutMs: 120_000,
  });
  if (ended.status !== 0) throw new Error(`${program} ${args.join(' ')}: ${ended.status}\n${ended.text}`);
  return ended.stdout;
}

describe.skipIf(NO_MOUNT !== undefined)(`programs on a mounted ext2 ${NO_MOUNT ?? ''}`, () => {
  let place: Workplace;
  let mount: FuseMount;
  let at: (name: string) => string;
  beforeAll(async () => {
    place = new Workplace();
    makeExt2(place.path('disk.img'));
    mount = await FuseMount.start(place, imageConfig(), 300_000);
    at = (name) => join(mount.path, name);
  }, 60_000);
  afterAll(async () => {
    try {
      const { code, stderr } = await mount.stop();
      expect([code, stderr]).toEqual([0, '']);
      expect(isMounted(mount.path)).toBe(false);
      await expectClean(place.path('disk.img'));
    } finally {
      await mount[Symbol.asyncDispose]();
      place[Symbol.dispose]();
    }
  }, 60_000);

  test('cp, tar and diff', async () => {
    const source = join(ROOT, 'packages/rumpfs/src');
    await succeeds('cp', ['-a', source, at('copy')]);
    await succeeds('diff', ['-r', source, at('copy')]);
    await succeeds('tar', ['-C', mount.path, '-cf', at('copy.tar'), 'copy']);
    fs.mkdirSync(at('out'));
    await succeeds('tar', ['-C', at('out'), '-xpf', at('copy.tar')]);
    await succeeds('diff', ['-r', source, at('out/copy')]);
    expect(fs.statSync(at('out/copy/main.ts')).mtimeMs).toBe(
      Math.floor(fs.statSync(join(source, 'main.ts')).mtimeMs / 1000) * 1000,
    );
    await succeeds('rm', ['-r', at('copy'), at('out')]);
    expect(fs.existsSync(at('copy'))).toBe(false);
  }, 120_000);

  test.skipIf(missingOf('git') !== undefined)(
    'git',
    async () => {
      const git = (args: readonly string[], cwd: string): Promise<string> =>
        succeeds(
          'git',
          ['-c', 'user.name=t', '-c', 'user.email=t@localhost', '-c', 'init.defaultBranch=m', ...args],
          cwd,
        );
      fs.mkdirSync(at('one'));
      await git(['init', '-q'], at('one'));
      for (let number = 0; number < 40; number++)
        fs.writeFileSync(at(`one/f${number}`), `line\n`.repeat(number));
      await git(['add', '.'], at('one'));
      await git(['commit', '-qm', 'first'], at('one'));
      fs.appendFileSync(at('one/f7'), 'changed\n');
      expect(await git(['status', '--porcelain'], at('one'))).toBe(' M f7\n');
      await git(['commit', '-qam', 'second'], at('one'));
      await git(['clone', '-q', at('one'), at('two')], mount.path);
      await git(['fsck', '--strict'], at('two'));
      await git(['gc', '-q'], at('two'));
      await git(['fsck', '--strict'], at('two'));
      expect(fs.readFileSync(at('two/f7'), 'utf8')).toBe(fs.readFileSync(at('one/f7'), 'utf8'));
      expect(await git(['status', '--porcelain'], at('two'))).toBe('');
    },
    120_000,
  );

  test.skipIf(missingOf('sqlite3') !== undefined)(
    'sqlite3 with a write-ahead log, two at a time',
    async () => {
      const sql = (text: string): Promise<string> =>
        succeeds('sqlite3', ['-cmd', '.timeout 60000', at('data.db'), text]);
      expect(await sql('pragma journal_mode=wal; create table t(a integer primary key, b text);')).toContain(
        'wal',
      );
      const insert = 'insert into t(b) values (hex(randomblob(200)));'.repeat(40);
      await Promise.all([1, 2].map(() => sql(`${insert} begin; ${insert} commit;`)));
      expect((await sql('select count(*) from t; pragma integrity_check;')).split('\n')).toEqual([
        '160',
        'ok',
        '',
      ]);
      expect(
        (await sql('pragma journal_mode=delete; vacuum; pragma integrity_check;')).split('\n'),
      ).toContain('ok');
    },
    120_000,
  );

  test.skipIf(missingOf('make', 'cc') !== undefined)(
    'make of a small project',
    async () => {
      fs.mkdirSync(at('project'));
      fs.writeFileSync(at('project/a.h'), 'int twice(int);\n');
      fs.writeFileSync(at('project/a.c'), '#include "a.h"\nint twice(int x) { return 2 * x; }\n');
      fs.writeFileSync(
        at('project/main.c'),
        '#include <stdio.h>\n#include "a.h"\nint main() { printf("%d\\n", twice(21)); return 0; }\n',
      );
      fs.writeFileSync(
        at('project/Makefile'),
        'prog: a.o main.o\n\tcc -o $@ a.o main.o\n%.o: %.c a.h\n\tcc -c -o $@ $<\n',
      );
      await succeeds('make', ['-s'], at('project'));
      expect(await succeeds(at('project/prog'), [])).toBe('42\n');
      expect(await succeeds('make', [], at('project'))).toContain('up to date');
    },
    120_000,
  );

  test.skipIf(missingOf('fio') !== undefined)(
    'fio verifies what it has written',
    async () => {
      const args = [
        '--name=v',
        `--directory=${mount.path}`,
        '--size=8m',
        '--rw=randrw',
        '--bsrange=1k-64k',
        '--bs_unaligned',
        '--numjobs=2',
      ];
      const more = [
        '--verify=crc32c',
        '--verify_fatal=1',
        '--verify_state_save=0',
        '--fallocate=none',
        '--ioengine=psync',
        '--end_fsync=1',
        '--output-format=terse',
      ];
      await succeeds('fio', [...args, ...more]);
      await succeeds('fio', [
        ...args,
        ...more,
        '--direct=1',
        '--bsrange=4k-64k',
        '--bs_unaligned=0',
        '--filename_format=d.$jobnum',
      ]);
    },
    120_000,
  );

  test('a sparse file of 4 GiB', () => {
    const file = fs.openSync(at('sparse'), 'w+');
    fs.ftruncateSync(file, 2 ** 32);
    fs.writeSync(file, 'end', 2 ** 32);
    const bytes = Buffer.alloc(10);
    expect(fs.readSync(file, bytes, 0, 10, 2 ** 32 - 4)).toBe(7);
    expect(bytes.toString('latin1', 0, 7)).toBe('\0\0\0\0end');
    const { size, blocks } = fs.fstatSync(file);
    expect([size, blocks * 512 < 2 ** 20]).toEqual([2 ** 32 + 3, true]);
    fs.closeSync(file);
    fs.unlinkSync(at('sparse'));
  });

  test('flock and locks of ranges hold between programs', async () => {
    fs.writeFileSync(at('lock'), '');
    const holder = spawn('flock', [at('lock'), '-c', 'echo has; read line'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    expect((await runProgram('flock', ['-n', at('lock'), '-c', 'true'])).status).toBe(1);
    holder.stdin.end('go\n');
    await new Promise((resolve) => holder.on('close', resolve));
    expect((await runProgram('flock', ['-n', at('lock'), '-c', 'true'])).status).toBe(0);
  }, 30_000);

  test('a directory with many files', async () => {
    const count = 3000;
    fs.mkdirSync(at('many'));
    await succeeds('sh', ['-c', `seq 1 ${count} | sed 's/^/name-/' | xargs touch`], at('many'));
    expect(fs.readdirSync(at('many')).length).toBe(count);
    expect((await succeeds('sh', ['-c', 'ls -l | wc -l'], at('many'))).trim()).toBe(`${count + 1}`);
    await succeeds('rm', ['-r', at('many')]);
  }, 300_000);
});

test.skipIf(NO_MOUNT !== undefined)(
  '100,000 files in a directory',
  async (context) => {
    skipIfLong(context);
    using place = new Workplace();
    makeExt2(place.path('disk.img'), '512M', ['-N', '120000']);
    await using mount = await FuseMount.start(place, imageConfig(), 600_000);
    const at = join(mount.path, 'd');
    fs.mkdirSync(at);
    await succeeds('sh', ['-c', `seq 1 100000 | sed 's/^/name-/' | xargs touch`], at);
    expect((await succeeds('sh', ['-c', 'ls -l | wc -l'], at)).trim()).toBe('100001');
    expect(fs.statSync(join(at, 'name-77777')).isFile()).toBe(true);
    await succeeds('rm', ['-r', at]);
    expect((await mount.stop()).code).toBe(0);
    await expectClean(place.path('disk.img'));
  },
  600_000,
);

describe.skipIf(NO_MOUNT !== undefined)(`the life of a mount ${NO_MOUNT ?? ''}`, () => {
  let place: Workplace;
  beforeEach(() => {
    place = new Workplace();
    makeExt2(place.path('disk.img'), '16M');
  });
  afterEach(() => place[Symbol.dispose]());

  test('somebody unmounts it: the component ends with 0', async () => {
    const config = imageConfig().replace('<start name="mount" ram="8M">', '$& <exit propagate="yes"/>');
    await using mount = await FuseMount.start(place, config);
    fs.writeFileSync(join(mount.path, 'f'), 'kept');
    await succeeds('umount', [mount.path]);
    const { code, stdout } = await mount.run.finished;
    expect([code, stdout]).toEqual([0, expect.stringContaining('no longer mounted at mnt')]);
    await expectClean(place.path('disk.img'));
  }, 60_000);

  test('it is stopped while it is in use: programs lose it, and all that was written is there', async () => {
    await using mount = await FuseMount.start(place, imageConfig());
    const file = fs.openSync(join(mount.path, 'f'), 'w');
    fs.writeSync(file, 'kept');
    const { code, stdout } = await mount.stop();
    expect(stdout).toContain('mnt is in use: programs that use it lose it');
    expect(code).toBe(0);
    expect(() => fs.writeSync(file, 'lost')).toThrow();
    // The descriptor is gone all the same.
    expect(() => fs.closeSync(file)).toThrow(/ENOTCONN/);
    expect(isMounted(mount.path)).toBe(false);
    await expectClean(place.path('disk.img'));
    expect(await succeeds('debugfs', ['-R', 'cat f', place.path('disk.img')])).toBe('kept');
  }, 60_000);

  /** The process of the component, which has the device open. */
  function fuseProcess(mount: FuseMount): number {
    const found = mount.run.processes().find((pid) => {
      const open = fs.readdirSync(`/proc/${pid}/fd`);
      return open.some((number) => {
        try {
          return fs.readlinkSync(`/proc/${pid}/fd/${number}`) === '/dev/fuse';
        } catch {
          return false;
        }
      });
    });
    if (found === undefined) throw new Error('nobody serves the mount');
    return found;
  }

  async function killedUnderLoad(who: 'ginit' | 'component', afterMs: number): Promise<void> {
    await using mount = await FuseMount.start(place, imageConfig());
    const load = spawn(
      'sh',
      ['-c', 'while dd if=/dev/zero of=f bs=64k count=30 && ls -l && rm f; do :; done'],
      {
        cwd: mount.path,
        stdio: 'ignore',
      },
    );
    const ended = new Promise((resolve) => load.on('close', resolve));
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    const pid = who === 'ginit' ? mount.run.child.pid : fuseProcess(mount);
    process.kill(pid ?? 0, 'SIGKILL');
    expect(await mountGone(mount.path)).toBe(true);
    // Nobody hangs: the loop ends at its first error.
    await ended;
    expect(fs.readdirSync(mount.path)).toEqual([]);
  }

  test.each(['ginit', 'component'] as const)(
    'kill -9 of the %s under load leaves no mount',
    (who) => killedUnderLoad(who, 300),
    60_000,
  );

  test('kill -9 under load, 100 times', async (context) => {
    skipIfLong(context);
    for (let round = 0; round < 100; round++) {
      await killedUnderLoad(round % 2 === 0 ? 'ginit' : 'component', (round * 37) % 500);
      makeExt2(place.path('disk.img'), '16M');
    }
  }, 900_000);

  const STUCK = (attributes = ''): string =>
    imageConfig({ mount: mountOf({ attributes }) })
      .replace(
        '<start name="fs"',
        `<start name="faults" ram="8M"> <binary name="fault_block"/>
         <provides> <service name="Block"/> </provides>
         <config> <stuck operation="read" after="40"/> </config>
         <route> <service name="Block"> <child name="disk"/> </service>
           <any-service> <parent/> </any-service> </route> </start>
       <start name="fs"`,
      )
      .replace(
        '<config fs="auto">',
        `<route> <service name="Block"> <child name="faults"/> </service>
         <any-service> <parent/> </any-service> </route> <config fs="auto">`,
      );

  /** A program that waits for the device, and has been seen to wait. */
  async function waiting(mount: FuseMount): Promise<{
    readonly kill: (signal: NodeJS.Signals) => void;
    readonly ended: Promise<NodeJS.Signals | number | null>;
  }> {
    const child = spawn(
      'cat',
      fs.readdirSync(mount.path).filter((name) => name.startsWith('f')),
      {
        cwd: mount.path,
        stdio: 'ignore',
      },
    );
    const ended = new Promise<NodeJS.Signals | number | null>((resolve) =>
      child.on('close', (code, signal) => resolve(signal ?? code)),
    );
    for (let waitedMs = 0; waitedMs < 20_000; waitedMs += 50) {
      const wchan = child.pid === undefined ? '' : fs.readFileSync(`/proc/${child.pid}/wchan`, 'utf8');
      if (wchan.includes('request_wait') || wchan.includes('folio') || wchan.includes('fuse')) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return { kill: (signal) => child.kill(signal), ended };
  }

  function fill(): void {
    fs.mkdirSync(place.path('tree'));
    for (let number = 0; number < 30; number++)
      fs.writeFileSync(place.path(`tree/f${number}`), Buffer.alloc(100_000, number));
    makeExt2(place.path('disk.img'), '16M', ['-d', place.path('tree')]);
  }

  async function withinASecond(what: Promise<unknown>): Promise<void> {
    const late = new Promise((resolve) => setTimeout(resolve, 1500, 'late'));
    expect(await Promise.race([what.then(() => 'in time'), late])).toBe('in time');
  }

  test.each(['SIGINT', 'SIGKILL'] as const)(
    '%s ends who waits for a stuck device, and it can be unmounted',
    async (signal) => {
      fill();
      await using mount = await FuseMount.start(place, STUCK());
      const { kill, ended } = await waiting(mount);
      kill(signal);
      await withinASecond(ended);
      expect(await ended).toBe(signal);
      await withinASecond(succeeds('umount', [mount.path]));
    },
    60_000,
  );

  test('a request that takes too long fails', async () => {
    fill();
    await using mount = await FuseMount.start(place, STUCK('timeout_ms="1000"'));
    const { ended } = await waiting(mount);
    expect(await ended).toBe(1);
  }, 60_000);

  test('what one session changes another one sees', async () => {
    const two = mountOf() + mountOf({ name: 'mount2', directory: 'mnt2' });
    fs.mkdirSync(place.path('mnt2'));
    await using mount = await FuseMount.start(place, imageConfig({ mount: two }));
    const other = place.path('mnt2');
    try {
      await mount.run.until('mounted at mnt2');
      const [here, there] = [join(mount.path, 'f'), join(other, 'f')];
      fs.writeFileSync(here, 'first');
      expect(fs.readFileSync(there, 'utf8')).toBe('first');
      fs.writeFileSync(there, 'second and longer');
      const until = async (what: () => unknown, wanted: unknown): Promise<void> => {
        for (let waitedMs = 0; what() !== wanted && waitedMs < 5000; waitedMs += 10)
          await new Promise((resolve) => setTimeout(resolve, 10));
        expect(what()).toBe(wanted);
      };
      await until(() => fs.readFileSync(here, 'utf8'), 'second and longer');
      fs.renameSync(there, join(other, 'g'));
      await until(() => fs.existsSync(here), false);
      fs.chmodSync(join(other, 'g'), 0o600);
      await until(() => fs.statSync(join(mount.path, 'g')).mode & 0o777, 0o600);
      fs.mkdirSync(join(other, 'd'));
      await until(() => fs.readdirSync(mount.path).toSorted().join(), 'd,g,lost+found');
      fs.unlinkSync(join(mount.path, 'g'));
      await until(() => fs.existsSync(join(other, 'g')), false);
    } finally {
      mount.run.killGroup();
      expect(await mountGone(other)).toBe(true);
    }
  }, 60_000);

  test('a session that may only be read is mounted so', async (context) => {
    skipIfLong(context);
    await using mount = await FuseMount.start(
      place,
      imageConfig().replace(
        'writeable="yes"/> </config> </start>\n    <start name="mount"',
        'writeable="no"/> </config> </start>\n    <start name="mount"',
      ),
    );
    expect(() => fs.writeFileSync(join(mount.path, 'f'), '')).toThrow(/EROFS/);
    expect(fs.readdirSync(mount.path)).toEqual(['lost+found']);
  }, 60_000);

  test('what cannot be mounted says why', async () => {
    const says = async (mount: string, words: string): Promise<void> => {
      place.write('config.xml', imageConfig({ mount }));
      const run = place.start('config.xml');
      await run.until(words);
      run.child.kill('SIGINT');
      await run.finished;
    };
    await says(mountOf({ directory: 'none' }), 'mount "none": there is no such directory: make it first');
    fs.mkdirSync(place.path('mnt'));
    await says(mountOf({ attributes: 'umask="9"' }), '"9" is no umask: octal digits, such as 022');
  }, 60_000);

  test('ginit mount mounts an image, until somebody unmounts it', async () => {
    const directory = place.path('mnt');
    fs.mkdirSync(directory);
    let image = 'disk.img';
    const mounted = async (...args: readonly string[]): Promise<GinitRun> => {
      const run = place.start('mount', ...args, image, 'mnt');
      await run.until('mounted at ');
      return run;
    };
    const run = await mounted();
    fs.writeFileSync(join(directory, 'f'), 'kept');
    await succeeds('umount', [directory]);
    expect(await run.finished).toMatchObject({ code: 0, stderr: '' });
    await expectClean(place.path('disk.img'));
    // A name that says no format is that of a raw image, as for `ginit fs`.
    fs.renameSync(place.path('disk.img'), place.path('disk'));
    image = 'disk';
    const again = await mounted('--read-only', '--uid', '77', '--umask', '077');
    expect(fs.readFileSync(join(directory, 'f'), 'utf8')).toBe('kept');
    const { uid, mode } = fs.statSync(join(directory, 'f'));
    expect([uid, mode & 0o777]).toEqual([77, 0o600]);
    expect(() => fs.writeFileSync(join(directory, 'f'), '')).toThrow(/EROFS/);
    again.child.kill('SIGINT');
    expect(await again.finished).toMatchObject({ code: 0, stderr: '' });
    expect(isMounted(directory)).toBe(false);
  }, 60_000);
});

test('ginit mount says what is wrong with its command line', async () => {
  using place = new Workplace();
  const says = async (...args: readonly string[]): Promise<[number | null, string]> => {
    const { code, stderr } = await place.run('mount', ...args);
    return [code, stderr.split('\n')[0] ?? ''];
  };
  place.write('a.img', '');
  expect(await says()).toEqual([2, 'ginit: mount: no image given']);
  expect(await says('a.img')).toEqual([2, 'ginit: mount: no directory given']);
  expect(await says('b.img:1', 'd')).toEqual([2, 'ginit: mount: there is no image "b.img"']);
  expect(await says('a.img:1', 'd', 'e')).toEqual([
    2,
    'ginit: mount: one image at one directory, not also "e"',
  ]);
  fs.mkdirSync(place.path('d'));
  expect(await says('--umask', '9', 'a.img', 'd')).toEqual([
    2,
    'ginit: mount: --umask 9: not octal digits, such as 022',
  ]);
});
