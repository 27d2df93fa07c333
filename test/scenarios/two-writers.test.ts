/** One file has one writer: a config that says otherwise is refused, and so is a second program. */
import { spawnSync, spawn } from 'node:child_process';
import { linkSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CORE_URL, GinitRun, systemConfig, Workplace } from '../harness/ginit.ts';
import { installWithoutKoffi } from '../harness/without-koffi.ts';
import { allLongIf } from '../harness/long.ts';

/**
 * A driver that writes to its file, reports that, and goes on until it is stopped; or exits, if its
 * config says so.
 */
const HOLDER = `import { component } from '${CORE_URL}';
export default component({ host: ['file'] }, async (env) => {
  const file = await env.host.openFile(env.config.node.value('file') ?? 'disk.img', env.config.node.value('access') ?? 'rw');
  await env.log('has it');
  env.onStop(() => file.close());
  if (env.config.node.value('once') === 'yes') env.exit(0);
});`;

const driver = (name: string, more: string, path = 'disk.img', access = 'rw'): string =>
  `<start name="${name}" ${more}> <binary name="./holder.mjs"/> <exit propagate="yes"/> ` +
  `<host> <file path="${path}" access="${access}"/> </host>`;
const held = (more = '', access = 'rw'): string =>
  systemConfig(`${driver('a', more, 'disk.img', access)} <config access="${access}"/> </start>`);
const once = (more = ''): string => systemConfig(`${driver('b', more)} <config once="yes"/> </start>`);

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
  place.write('holder.mjs', HOLDER);
  place.write('disk.img', new Uint8Array(65_536));
});
afterEach(() => place[Symbol.dispose]());

describe('ginit check', () => {
  async function check(first: [string, string], second: [string, string]): Promise<[number | null, string]> {
    const [one, two] = [driver('a', '', ...first), driver('b', '', ...second)];
    place.write('config.xml', systemConfig(`${one} </start>\n${two} </start>`));
    const { code, stderr } = await place.run('check', 'config.xml');
    return [code, stderr];
  }

  test('refuses two grants to write to one file, however they spell it', async () => {
    mkdirSync(place.path('sub'));
    symlinkSync('disk.img', place.path('symbolic.img'));
    linkSync(place.path('disk.img'), place.path('hard.img'));
    for (const other of [
      'disk.img',
      './sub/../disk.img',
      'symbolic.img',
      'hard.img',
      place.path('disk.img'),
    ]) {
      const [code, stderr] = await check(['disk.img', 'rw'], [other, 'rw']);
      expect(code).toBe(2);
      const spelled = other === 'disk.img' ? '' : ', as "disk.img"';
      const place1 = stderr.split(':').slice(0, 3).join(':');
      expect(place1).toMatch(/^config\.xml:8:\d+$/);
      expect(stderr.slice(place1.length)).toMatch(
        new RegExp(
          `^: start node "a" may write to the same file "[^"]+"${spelled} \\(config\\.xml:7:\\d+\\)\\n$`,
        ),
      );
    }
  });

  test('refuses two grants to write to one file that does not exist yet', async () => {
    const [code, stderr] = await check(['new.img', 'rw'], ['./new.img', 'rw']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('may write to the same file')]);
  });

  test('warns of a reader beside a writer, and accepts two readers, or two files', async () => {
    place.write('other.img', '');
    const [code, stderr] = await check(['disk.img', 'rw'], ['disk.img', 'ro']);
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(/^config\.xml:8:\d+: warning: start node "a" may write/),
    ]);
    for (const [first, second] of [
      ['ro', 'disk.img'],
      ['rw', 'other.img'],
    ] as const) {
      const [right, nothing] = await check(['disk.img', first], [second, first]);
      expect([right, nothing]).toEqual([0, expect.stringMatching(/^ginit: .*no errors\n$/)]);
    }
  });
});

async function holding(config: string): Promise<GinitRun> {
  place.write('holding.xml', config);
  const run = place.start('holding.xml');
  await run.until('has it');
  return run;
}

describe.each(['', 'isolation="thread"'])('a driver with %j', (placement) => {
  allLongIf(placement !== '');

  test('keeps a second ginit from its file, which says who has it, until it ends', async () => {
    place.write('once.xml', once(placement));
    const first = await holding(held(placement));
    const second = await place.run('once.xml');
    expect(second.stderr).toContain(`file "disk.img" is in use by ginit, process ${first.child.pid}`);
    expect(second.code).toBe(1);
    first.child.kill('SIGTERM');
    expect((await first.finished).code).toBe(0);
    const third = await place.run('once.xml');
    expect([third.code, third.stderr]).toEqual([0, '']);
  });

  test('that is killed gives its file back', async () => {
    place.write('once.xml', once(placement));
    const killed = await holding(held(placement));
    killed.child.kill('SIGKILL');
    await killed.finished;
    expect(await killed.leftOver()).toEqual([]);
    expect((await place.run('once.xml')).code).toBe(0);
  });
});

test('a driver that only reads its file keeps nobody from it', async () => {
  place.write('once.xml', once());
  const first = await holding(held('', 'ro'));
  expect((await place.run('once.xml')).code).toBe(0);
  first.child.kill('SIGTERM');
  await first.finished;
});

test('without koffi a warning says that nothing is locked', async () => {
  place.write('once.xml', once());
  const command = installWithoutKoffi(place.directory);
  const { code, stderr } = await new GinitRun(['once.xml'], place.directory, command).finished;
  expect(code).toBe(0);
  expect(stderr).toMatch(
    /^ginit: warning: \[init -> .*\] files cannot be locked: that two programs write to one image is not noticed/m,
  );
});

const qemu = spawnSync('qemu-io', ['--version']).status === 0;
const qemuIo = (...args: readonly string[]): string => {
  const { stdout, stderr } = spawnSync('qemu-io', ['-f', 'raw', ...args], { encoding: 'utf8' });
  return `${stdout}${stderr}`;
};

describe.skipIf(!qemu)(`QEMU${qemu ? '' : ' (skipped: there is no qemu-io)'}`, () => {
  test('cannot write to an image that we write to, and may read it', async () => {
    const first = await holding(held());
    expect(qemuIo('-c', 'write 0 512', place.path('disk.img'))).toContain('Failed to get "write" lock');
    expect(qemuIo('-r', '-U', '-c', 'read 0 512', place.path('disk.img'))).toContain('read 512/512 bytes');
    first.child.kill('SIGTERM');
    await first.finished;
    expect(qemuIo('-c', 'write 0 512', place.path('disk.img'))).toContain('wrote 512/512 bytes');
  });

  test('keeps us from an image that it writes to', async () => {
    place.write('once.xml', once());
    const other = spawn('qemu-io', ['-f', 'raw', place.path('disk.img')], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    await new Promise((resolve) => other.stdout.once('data', resolve));
    const { code, stderr } = await place.run('once.xml');
    expect(stderr).toContain(`file "disk.img" is in use by process ${other.pid} (qemu-io)`);
    expect(code).toBe(1);
    other.stdin.end('quit\n');
    await new Promise((resolve) => other.once('close', resolve));
    expect((await place.run('once.xml')).code).toBe(0);
    expect(readFileSync(place.path('disk.img')).length).toBe(65_536);
  });
});
