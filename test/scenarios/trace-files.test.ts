/**
 * Tracing with the host's own tools: trace_fs is mounted, and a slow disk behind a running cache is
 * found with ls, echo, cat and grep.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CORE_URL, type GinitRun, Workplace } from '../harness/ginit.ts';

/** Mounting takes root and the kernel's FUSE. */
const canMount = process.getuid?.() === 0 && existsSync('/dev/fuse');

const READER = `import { component } from '${CORE_URL}';
import { Block, BlockClient } from '${CORE_URL}/block';
export default component({ requires: [Block] }, async (env) => {
  const client = await BlockClient.connect(env);
  const into = new Uint8Array(4096);
  await env.log('reading');
  // A round takes longer than the test: what the cache holds would reach the wire no more.
  for (let block = 0; ; block = (block + 64) % 65_536) {
    await client.read(block, 8, into);
    await env.timer.sleep(5);
  }
});`;

const config = (mount: string): string => `<config>
  <parent-provides>
    <service name="ROM"/> <service name="LOG"/> <service name="PD"/> <service name="CPU"/>
    <service name="Timer"/> <service name="TRACE"/>
  </parent-provides>
  <default-route> <any-service> <parent/> <any-child/> </any-service> </default-route>
  <default caps="200" ram="8M"/>
  <start name="disk" ram="48M">
    <binary name="ram_block"/> <provides> <service name="Block"/> </provides>
    <config size="32M" block_size="512"/>
  </start>
  <start name="wire">
    <binary name="fault_block"/> <provides> <service name="Block"/> </provides>
    <config> <delay one_in="1" min_ms="30" max_ms="40"/> </config>
    <route> <service name="Block"> <child name="disk"/> </service> <any-service> <parent/> </any-service> </route>
  </start>
  <start name="cache" ram="16M" isolation="process">
    <binary name="blockcache"/> <provides> <service name="Block"/> </provides>
    <config policy="auto"/>
    <route> <service name="Block"> <child name="wire"/> </service> <any-service> <parent/> </any-service> </route>
  </start>
  <start name="reader">
    <binary name="./reader.mjs"/>
    <route> <service name="Block"> <child name="cache"/> </service> <any-service> <parent/> </any-service> </route>
  </start>
  <start name="trace_fs" ram="48M" caps="500">
    <binary name="trace_fs"/> <provides> <service name="File_system"/> </provides>
    <config> <default-policy root="/" interval="100"/> </config>
    <route> <service name="TRACE"> <parent label=""/> </service> <any-service> <parent/> </any-service> </route>
  </start>
  <start name="mount" ram="16M">
    <binary name="fuse"/>
    <host> <mount path="${mount}"/> </host>
    <config mount="${mount}"/>
    <route> <service name="File_system"> <child name="trace_fs"/> </service> <any-service> <parent/> </any-service> </route>
  </start>
</config>`;

describe.skipIf(!canMount)('trace_fs through FUSE', () => {
  let place: Workplace;
  let system: GinitRun;
  let mount: string;
  /** Runs a line in the shell, in the mounted directory; its output. */
  const sh = (line: string): string =>
    execFileSync('sh', ['-c', line], { cwd: mount, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  const failed = (line: string): string => {
    try {
      return `succeeded: ${sh(line)}`;
    } catch (error) {
      return String(Reflect.get(Object(error), 'stderr'));
    }
  };
  const until = async (line: string, wanted: RegExp): Promise<string> => {
    let seen = '';
    for (let tries = 0; tries < 100; tries++) {
      seen = sh(line);
      if (wanted.test(seen)) return seen;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`${line}: ${seen}`);
  };

  beforeAll(async () => {
    place = new Workplace();
    mount = place.path('trace');
    mkdirSync(mount);
    place.write('reader.mjs', READER);
    place.write('slow.xml', config(mount));
    system = place.start('slow.xml');
    await system.until('reading');
    for (let tries = 0; tries < 100 && !existsSync(`${mount}/init`); tries++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  });
  afterAll(async () => {
    system.child.kill('SIGTERM');
    await system.finished;
    place[Symbol.dispose]();
  });

  test('a person finds the slow component with ls, echo, cat and grep', async () => {
    expect(
      sh('ls init')
        .trim()
        .split('\n')
        .map((name) => name.replace(/\.\d+$/, '')),
    ).toEqual(['cache', 'disk', 'mount', 'reader', 'trace_fs', 'wire']);
    expect(sh('cat init/cache.*/enable init/cache.*/active init/cache.*/buffer_size')).toBe('0\n0\n32768\n');
    sh(
      'for name in init/reader.* init/cache.* init/wire.*; do echo block > $name/policy; echo 1 > $name/enable; done',
    );
    expect(await until('cat init/cache.*/active', /^1$/m)).toBe('1\n');
    const seen = await until(
      'cat init/wire.*/events',
      /packet_acknowledge @\d+ read \d+\+\d+ tag \d+ status 1\n/,
    );
    expect(seen).toMatch(/^\d+\.\d{3} packet_submit @\d+ read /m);
    // How long a request takes at the wire: it submits to the disk late, the disk answers at once.
    const times = (name: string, hook: string): number[] =>
      sh(`grep ${hook} init/${name}.*/events`)
        .trim()
        .split('\n')
        .map((line) => Number.parseFloat(line));
    const [asked = 0] = times('cache', 'packet_submit').slice(-3);
    // What a subject has recorded reaches its file some time later, and not in step with another's.
    let passedOn: number | undefined;
    for (let tries = 0; passedOn === undefined && tries < 100; tries++) {
      if (tries > 0) await new Promise((resolve) => setTimeout(resolve, 100));
      passedOn = times('wire', 'packet_submit').find((time) => time > asked);
    }
    assert(passedOn !== undefined, 'the wire has passed on no request since');
    expect(passedOn - asked).toBeGreaterThan(25_000);
    expect(sh('grep -c status init/cache.*/events')).toMatch(/^[1-9]/);
    expect(failed('echo 2 | tee init/wire.*/enable')).toContain('Invalid argument');
    expect(failed('echo 1 | tee init/wire.*/active')).toMatch(/Permission denied|Operation not permitted/);
    expect(failed('rm init/wire.*/events')).toMatch(/Permission denied|Operation not permitted/);
  });

  test('events go on in a file that is open, and end when tracing does', async () => {
    const before = sh('cat init/wire.*/events').length;
    await until(
      `test $(cat init/wire.*/events | wc -c) -gt ${before} && echo more`.concat(' || true'),
      /more/,
    );
    expect(JSON.parse(sh('cat init/wire.*/events.json'))).toHaveProperty('traceEvents');
    sh('echo 0 > $(echo init/wire.*)/enable');
    const after = await until('cat init/wire.*/active', /^0$/m);
    expect(after).toBe('0\n');
    const size = sh('cat init/wire.*/events').length;
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(sh('cat init/wire.*/events').length).toBe(size);
    sh('echo 1 > $(echo init/wire.*)/cleanup');
    await until('cat init/wire.*/events | wc -c', /^0$/m);
  });
});
