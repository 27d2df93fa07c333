/**
 * Runs `nbd_block` against servers that users have, and exports what it gives by `nbd_server`, so
 * that the tools of libnbd and QEMU look at both ends of a chain that is ours in the middle.
 */
import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { GinitRun } from '../../../test/harness/ginit.ts';
import { ginitForEach, killed } from '../../../test/harness/ginit-for-each.ts';
import { JAILABLE } from '../../../test/harness/jailable.ts';
import { allLongIf, skipIfLong } from '../../../test/harness/long.ts';
import {
  freePort,
  makeCertificates,
  missingOf,
  mustRun,
  runProgram,
} from '../../../test/harness/programs.ts';

const MIB = 2 ** 20;

const it = ginitForEach();
const path = (name: string): string => it.place.path(name);

/** Starts a server, and waits for its socket or its file of a process number. */
async function serve(program: string, args: readonly string[], file: string): Promise<ChildProcess> {
  const child = it.serve(program, args);
  await expect.poll(() => existsSync(path(file)), { timeout: 20_000, interval: 20 }).toBe(true);
  return child;
}

const disk = (grants: string, config: string, attributes = ''): string =>
  `<start name="disk" ram="16M" ${attributes}> <binary name="nbd_block"/> <provides> <service name="Block"/> </provides>
      <host> ${grants} </host> ${config} </start>`;

/** An export of somebody else, through `nbd_block`, `nbd_server` and its socket `out.sock`. */
function chain(grants: string, config: string, attributes = ''): Promise<GinitRun> {
  return it.start(
    `${disk(grants, config, attributes)}
    <start name="server" ram="16M"> <binary name="nbd_server"/> <host> <unix listen="out.sock"/> </host>
      <config listen="unix:out.sock"> <export name="out" writeable="yes"/> </config>
      <route> <service name="Block"> <child name="disk"/> </service> <any-service> <parent/> </any-service> </route>
    </start>`,
    'exports at',
  );
}

const out = (): string => `nbd+unix:///out?socket=${path('out.sock')}`;

function image(name: string, sizeBytes: number): string {
  const bytes = Buffer.alloc(sizeBytes);
  let state = 9;
  for (let i = 0; i < sizeBytes; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  writeFileSync(path(name), bytes);
  return path(name);
}

const equal = (one: string, other: string): boolean =>
  readFileSync(path(one)).equals(readFileSync(path(other)));

const lacksTools = missingOf('nbdkit', 'qemu-nbd', 'nbdcopy', 'qemu-io');
describe.skipIf(lacksTools)(`foreign servers${lacksTools ? ` (skipped: ${lacksTools})` : ''}`, () => {
  const unix = '<unix connect="in.sock"/>';
  const writeable = '<config connect="unix:in.sock" writeable="yes" connections="4"/>';
  const nbdkit = (...args: readonly string[]): Promise<ChildProcess> =>
    serve('nbdkit', ['-f', '-U', 'in.sock', '-P', 'in.pid', ...args], 'in.pid');

  test.for<[string, () => Promise<ChildProcess>]>([
    ['nbdkit', () => nbdkit('file', 'back.img')],
    ['nbdkit without structured replies', () => nbdkit('--no-sr', 'file', 'back.img')],
    [
      'qemu-nbd',
      () => serve('qemu-nbd', ['-f', 'raw', '-e', '4', '-t', '-k', path('in.sock'), 'back.img'], 'in.sock'),
    ],
  ])('%s: what goes in comes out, at both ends', async ([name, start], context) => {
    skipIfLong(context, name.startsWith('nbdkit without'));
    writeFileSync(path('back.img'), Buffer.alloc(8 * MIB));
    await start();
    await chain(unix, writeable);
    await mustRun('nbdcopy', ['--flush', image('source.img', 8 * MIB), out()]);
    expect(equal('source.img', 'back.img')).toBe(true);
    await mustRun('nbdcopy', [out(), path('copy.img')]);
    expect(equal('source.img', 'copy.img')).toBe(true);
    await mustRun('qemu-io', [
      '-f',
      'raw',
      '-c',
      'write -z 1M 2M',
      '-c',
      'discard 4M 1M',
      '-c',
      'write -P 8 -f 7M 4k',
      '-c',
      'read -P 0 1M 2M',
      '-c',
      'read -P 8 7M 4k',
      out(),
    ]);
    const back = readFileSync(path('back.img'));
    expect(back.subarray(MIB, 3 * MIB).every((byte) => byte === 0)).toBe(true);
    expect(back.subarray(7 * MIB, 7 * MIB + 4096).every((byte) => byte === 8)).toBe(true);
  });

  test('one that is killed and started again in the middle of a copy delays it, and nothing else', async () => {
    const blocks = (): number => statSync(path('back.img')).blocks;
    writeFileSync(path('back.img'), '');
    truncateSync(path('back.img'), 16 * MIB);
    // Two writes of 256 KiB at a time: the copy takes seconds, so a kill comes in its middle.
    const slow = ['--threads=2', '--filter=delay', 'file', 'back.img', 'wdelay=100ms'];
    let server = await nbdkit(...slow);
    const run = await chain(unix, '<config connect="unix:in.sock" writeable="yes"/>');
    let ended = false;
    const source = image('source.img', 16 * MIB);
    const copy = runProgram('nbdcopy', ['--flush', source, out()], { timeoutMs: 90_000 });
    void copy.then(() => (ended = true));
    for (let time = 0; time < 3; time++) {
      // Another part of the image has come.
      const before = blocks();
      await expect.poll(blocks, { timeout: 40_000, interval: 5 }).toBeGreaterThan(before);
      expect(ended).toBe(false);
      await killed(server);
      for (const name of ['in.sock', 'in.pid']) rmSync(path(name), { force: true });
      server = await nbdkit(...slow);
    }
    expect(blocks() * 512).toBeLessThan(16 * MIB);
    const { status, text } = await copy;
    expect(status, `${text}${run.stdout}`).toBe(0);
    expect(equal('source.img', 'back.img')).toBe(true);
    expect(run.stdout).toContain('connected again');
  });

  test('one whose export ends in the middle of a block loses that end, with a warning', async () => {
    writeFileSync(path('back.img'), Buffer.alloc(10_000, 7));
    await nbdkit('-r', 'file', 'back.img');
    const run = await chain(unix, '<config connect="unix:in.sock"/>');
    expect(await mustRun('nbdinfo', ['--size', out()])).toBe('9728\n');
    expect(run.stdout).toContain('the export has 10000 bytes: the last 272 are no whole block of 512');
  });
});

const lacksTls = missingOf('openssl', 'nbdkit', 'nbdcopy');
describe.skipIf(lacksTls)(`TLS${lacksTls ? ` (skipped: ${lacksTls})` : ''}`, () => {
  async function secured(): Promise<number> {
    makeCertificates(it.place.directory);
    const port = await freePort();
    image('back.img', MIB);
    const tls = ['--tls=require', '--tls-verify-peer', `--tls-certificates=${it.place.directory}`];
    const where = ['-i', '127.0.0.1', '-p', `${port}`, '-P', 'in.pid'];
    await serve('nbdkit', ['-f', ...tls, ...where, 'file', 'back.img'], 'in.pid');
    return port;
  }
  const files = ['ca', 'client', 'client-key']
    .map((name) => (name.endsWith('key') ? name : `${name}-cert`))
    .map((name) => `<file path="${name}.pem"/>`)
    .join(' ');
  const material = 'authority="ca-cert.pem" certificate="client-cert.pem" key="client-key.pem"';

  async function certified(attributes: string): Promise<void> {
    const port = await secured();
    const config = `<config connect="127.0.0.1:${port}"> <tls ${material}/> </config>`;
    await chain(`<tcp connect="127.0.0.1:${port}"/> ${files}`, config, attributes);
    await mustRun('nbdcopy', [out(), path('copy.img')]);
    expect(equal('back.img', 'copy.img')).toBe(true);
  }

  test('with certificates of both ends', () => certified(''));
  test.skipIf(!JAILABLE)(
    'with certificates of both ends, in a jail (jails are for Linux on x64)',
    async (context) => {
      skipIfLong(context);
      await certified('isolation="jail"');
    },
  );

  test.for<[string, (port: number) => string, RegExp]>([
    [
      'a server that is somebody else',
      (port) => `<config connect="127.0.0.1:${port}"> <tls ${material} name="store.example"/> </config>`,
      /config\.xml:\d+:\d+: socket "127\.0\.0\.1:\d+": TLS: .*store\.example/,
    ],
    [
      'an authority that nobody knows',
      (port) => `<config connect="127.0.0.1:${port}"> <tls/> </config>`,
      /config\.xml:\d+:\d+: socket "127\.0\.0\.1:\d+": TLS: (self-signed certificate|unable to)/,
    ],
    [
      'a server that speaks TLS only',
      (port) => `<config connect="127.0.0.1:${port}"/>`,
      /config\.xml:\d+:\d+: the server refuses export "": it speaks TLS only/,
    ],
  ])('refuses %s', async ([name, config, message], context) => {
    skipIfLong(context, name.startsWith('an authority'));
    const port = await secured();
    expect(await it.crashOf(disk(`<tcp connect="127.0.0.1:${port}"/> ${files}`, config(port)))).toMatch(
      message,
    );
  });
});

describe('a config that cannot work gives one clear error', () => {
  allLongIf(true);

  test.each<[string, string, RegExp]>([
    [
      'an address that is not granted',
      '<config connect="127.0.0.1:9"/>',
      /config\.xml:\d+:\d+: <host> grants no such tcp connect \(add <tcp connect="127\.0\.0\.1:9"\/>\)/,
    ],
    [
      'a block that is no power of two',
      '<config connect="unix:in.sock" block_size="1000"/>',
      /config\.xml:\d+:\d+: block_size is 1000, which is no power of two/,
    ],
    [
      'nobody who listens',
      '<config connect="unix:in.sock" reconnect_seconds="0"/>',
      /config\.xml:\d+:\d+: socket "in\.sock": NotFound/,
    ],
    [
      'TLS on a socket without a name',
      '<config connect="unix:in.sock"> <tls/> </config>',
      /config\.xml:\d+:\d+: <tls> needs an attribute "name"/,
    ],
  ])('%s', async (_, config, message) => {
    expect(await it.crashOf(disk('<unix connect="in.sock"/>', config))).toMatch(message);
  });
});
