/** Programs of the host on a tree of vfs that is mounted there. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cannotMount, FuseMount, mountOf } from '../harness/fuse-mount.ts';
import { systemConfig, Workplace } from '../harness/ginit.ts';
import { runProgram } from '../harness/programs.ts';

const NO_MOUNT = cannotMount();

const CONFIG = systemConfig(`
  <start name="disk" ram="8M"> <binary name="ram_block"/>
    <provides> <service name="Block"/> </provides> <config size="1M" block_size="512"/> </start>
  <start name="archive" ram="40M"> <binary name="host_rom"/>
    <provides> <service name="ROM"/> </provides>
    <host> <file path="tree.tar" access="ro"/> </host>
    <config> <rom name="tree.tar"/> </config> </start>
  <start name="link" ram="4M"> <binary name="terminal_crosslink"/>
    <provides> <service name="Terminal"/> </provides> </start>
  <start name="vfs" ram="64M" isolation="process"> <binary name="vfs"/>
    <provides> <service name="File_system"/> </provides>
    <config> <vfs>
        <dir name="dev"> <null/> <zero/> <random/> <log/> <block name="disk"/>
          <terminal name="tty1" label="one"/> <terminal name="tty2" label="two"/> </dir>
        <dir name="top"> <ram/> <tar name="tree.tar"/> </dir>
      </vfs> <policy label_prefix="mount" writeable="yes"/> </config>
    <route> <service name="ROM" label="tree.tar"> <child name="archive"/> </service>
      <any-service> <parent/> <any-child/> </any-service> </route> </start>
  ${mountOf()}`);

async function succeeds(program: string, ...args: readonly string[]): Promise<string> {
  const { status, text, stdout } = await runProgram(program, args, { timeoutMs: 60_000 });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${status}\n${text}`);
  return stdout;
}

describe.skipIf(NO_MOUNT !== undefined)(`programs on a mounted tree ${NO_MOUNT ?? ''}`, () => {
  let place: Workplace;
  let mount: FuseMount;
  let at: (name: string) => string;
  beforeAll(async () => {
    place = new Workplace();
    const tree = place.path('tree');
    mkdirSync(join(tree, 'd'), { recursive: true });
    writeFileSync(join(tree, 'd', 'file'), 'x'.repeat(100_000));
    symlinkSync('d/file', join(tree, 'link'));
    execFileSync('tar', ['-C', tree, '-cf', place.path('tree.tar'), '.']);
    mount = await FuseMount.start(place, CONFIG, 300_000);
    at = (name) => join(mount.path, name);
  }, 60_000);
  afterAll(async () => {
    try {
      const { code, stderr } = await mount.stop();
      expect([code, stderr]).toEqual([0, '']);
    } finally {
      await mount[Symbol.asyncDispose]();
      place[Symbol.dispose]();
    }
  }, 60_000);

  test('an archive, and memory over it', async () => {
    await succeeds('cmp', at('top/link'), place.path('tree/d/file'));
    await succeeds('cp', '-r', at('top/d'), at('top/copy'));
    await succeeds('diff', '-r', at('top/copy'), place.path('tree/d'));
    writeFileSync(at('top/new'), 'new');
    expect((await succeeds('ls', at('top'))).split('\n').filter(Boolean)).toEqual([
      'copy',
      'd',
      'link',
      'new',
    ]);
    await succeeds('tar', '-C', at('top'), '-cf', place.path('again.tar'), 'd', 'link');
    expect(await succeeds('tar', '-tf', place.path('again.tar'))).toBe('d/\nd/file\nlink\n');
    // From memory into the archive's part there is no way: mv copies, and may not.
    expect((await runProgram('mv', [at('top/new'), at('top/d/new')])).status).not.toBe(0);
    expect(readFileSync(at('top/new'), 'utf8')).toBe('new');
  });

  test('devices without an end', async () => {
    expect((await succeeds('dd', `if=${at('dev/zero')}`, 'bs=1M', 'count=3', 'status=none')).length).toBe(
      3 * 2 ** 20,
    );
    await succeeds('cmp', '-n', '100000', at('dev/zero'), '/dev/zero');
    expect((await succeeds('head', '-c', '1000', at('dev/random'))).length).toBeGreaterThan(400);
    expect(await succeeds('cat', at('dev/null'))).toBe('');
    await succeeds('dd', 'if=/dev/zero', `of=${at('dev/null')}`, 'bs=64K', 'count=4', 'status=none');
    await succeeds('sh', '-c', `echo from the host > ${at('dev/log')}`);
    await mount.run.until('from the host');
  });

  test('a block device by bytes', async () => {
    await succeeds(
      'sh',
      '-c',
      `printf hello | dd of=${at('dev/disk')} bs=1 seek=510 conv=notrunc status=none`,
    );
    expect(await succeeds('dd', `if=${at('dev/disk')}`, 'bs=1', 'skip=509', 'count=7', 'status=none')).toBe(
      '\0hello\0',
    );
    expect(await succeeds('stat', '-c', '%s', at('dev/disk'))).toBe('1048576\n');
  });

  test('who reads a terminal waits for what is typed, and can be ended', async () => {
    const reader = spawn('head', ['-n', '1', at('dev/tty1')]);
    let seen = '';
    reader.stdout.on('data', (bytes: Buffer) => {
      seen += bytes.toString();
    });
    const ended = new Promise((resolve) => reader.on('close', resolve));
    await succeeds('ls', at('dev'));
    expect(seen).toBe('');
    await succeeds('sh', '-c', `echo typed > ${at('dev/tty2')}`);
    expect([await ended, seen]).toEqual([0, 'typed\n']);
    const stuck = spawn('cat', [at('dev/tty1')]);
    const gone = new Promise((resolve) => stuck.on('close', (_, signal) => resolve(signal)));
    await succeeds('ls', at('dev'));
    stuck.kill('SIGTERM');
    expect(await gone).toBe('SIGTERM');
  });
});
