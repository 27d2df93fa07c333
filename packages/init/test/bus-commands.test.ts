/** Tests `ginit key` and `ginit bus config` as the command calls them, with files. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isPublicKey } from '@ginit/core/nats';
import { key } from '../src/command/bus/key-command.ts';
import { bus } from '../src/command/bus/main.ts';
import { Output } from '../src/command/output.ts';

let directory = '';
const path = (name: string): string => join(directory, name);
const put = (name: string, text: string): string => {
  writeFileSync(path(name), text);
  return path(name);
};
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ginit-keys-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Runs a command; paths of the directory are left out of what it said. */
async function run(
  command: typeof key,
  ...args: string[]
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const texts = { out: '', err: '' };
  const stream = (name: 'out' | 'err'): Writable =>
    new Writable({
      write: (chunk: unknown, _encoding, done) => {
        texts[name] += String(chunk);
        done();
      },
    });
  const output = new Output(stream('out'), stream('err'));
  const code = await command(args, output);
  await output.end();
  return { code, out: texts.out, err: texts.err.replaceAll(`${directory}/`, '') };
}

async function newKey(name: string): Promise<string> {
  return (await run(key, 'new', path(name))).out.trim();
}

describe('ginit key', () => {
  test('makes a key that only its owner can read, and says its public half', async () => {
    const { code, out, err } = await run(key, 'new', path('a.key'));
    expect([code, err]).toEqual([0, '']);
    expect(isPublicKey(out.trim())).toBe(true);
    expect(statSync(path('a.key')).mode & 0o777).toBe(0o600);
    expect(readFileSync(path('a.key'), 'utf8')).toMatch(/^SU[A-Z2-7]{56}\n$/);
    expect(await run(key, 'show', path('a.key'))).toEqual({ code: 0, out, err: '' });
    expect(await newKey('b.key')).not.toBe(out.trim());
  });

  test('writes over nothing', async () => {
    put('a.key', 'mine\n');
    const { code, err } = await run(key, 'new', path('a.key'));
    expect([code, err]).toEqual([1, 'ginit: key: cannot write a.key: it is there already\n']);
    expect(readFileSync(path('a.key'), 'utf8')).toBe('mine\n');
    expect((await run(key, 'new', path('none/a.key'))).err).toContain('its directory is not there');
  });

  test('uses no key that others may read, and no file that is no key', async () => {
    await newKey('a.key');
    for (const [mode, told] of [
      [0o604, '0604'],
      [0o620, '0620'],
    ] as const) {
      chmodSync(path('a.key'), mode);
      const { code, err } = await run(key, 'show', path('a.key'));
      expect([code, err]).toEqual([
        1,
        `ginit: key: a.key: others may use this key (mode ${told}): chmod 600 a.key\n`,
      ]);
    }
    chmodSync(path('a.key'), 0o640);
    expect((await run(key, 'show', path('a.key'))).code).toBe(0);
    const seed = readFileSync(path('a.key'), 'utf8');
    const wrong = put(
      'wrong.key',
      seed.replace(/.\n/, (end) => (end === 'A\n' ? 'B\n' : 'A\n')),
    );
    chmodSync(wrong, 0o600);
    const { err } = await run(key, 'show', wrong);
    expect(err).toMatch(/^ginit: key: wrong\.key is no key file: not the seed of a user/);
    expect(err).not.toContain(seed.slice(2, 30));
    chmodSync(put('long', 'S'.repeat(5000)), 0o600);
    expect((await run(key, 'show', path('long'))).err).toContain('it is too long');
    expect((await run(key, 'show', path('none'))).err).toContain('there is no such file');
  });

  test.each([
    [[], 'key: say "new FILE" or "show FILE"'],
    [['make', 'x'], 'key: "make" is not one of new, show'],
    [['new'], 'key new: no file given'],
    [['show', 'a', 'b'], 'key show: one file at a time, not also "b"'],
  ])('a wrong command line is told: %j', async (args, message) => {
    const { code, err } = await run(key, ...args);
    expect([code, err]).toEqual([2, `ginit: ${message}\nginit: try "ginit key --help"\n`]);
  });
});

describe('ginit bus config', () => {
  test('each key gets its own subjects, and no others', async () => {
    const [a, b] = [await newKey('a.key'), await newKey('b.key')];
    put('keys', `# our nodes\n\n  store ${a} # in the cellar\n`);
    const { code, out } = await run(bus, 'config', '--cluster', 'home', '--keys', path('keys'), `cam=${b}`);
    expect(code).toBe(0);
    for (const [name, own] of [
      ['store', a],
      ['cam', b],
    ]) {
      const permissions = `publish: ["ginit.home.to.*.${own}"], subscribe: ["ginit.home.to.${own}.*"]`;
      expect(out).toContain(`# ${name}\n    { nkey: ${own}, permissions: { ${permissions} } }\n`);
    }
    expect(out.match(/nkey:/g)).toHaveLength(2);
    expect(out).toContain('listen: "127.0.0.1:4222"\n');
    expect(out).toContain('max_payload: 262144\n');
    expect(out).not.toMatch(/password|token|SU[A-Z2-7]{20}/);
  });

  test('everything that is wrong with the keys is told with its place, and nothing is written', async () => {
    const own = await newKey('a.key');
    const secret = readFileSync(path('a.key'), 'utf8').trim();
    put('keys', `${own}\nstore ${own}\n  x/y ${await newKey('b.key')}\nU123\n${secret}\na b c\n`);
    const args = ['config', '--cluster', 'home', '--keys', path('keys'), '--keys', path('none'), '--out'];
    const { code, err } = await run(bus, ...args, path('server.conf'));
    expect(code).toBe(2);
    expect(err.trimEnd().split('\n')).toEqual([
      'ginit: bus: keys:2:1: this key is there already, at keys:1:1',
      'ginit: bus: keys:3:3: a name has up to 64 letters, digits, ".", "_" and "-"',
      'ginit: bus: keys:4:1: "U123" is not the public key of a node (U..., "ginit key show")',
      'ginit: bus: keys:5:1: this is a secret key; the list takes its public half (U...)',
      'ginit: bus: keys:6:1: more than a name and a key',
      'ginit: bus: cannot read none: there is no such file',
    ]);
    expect(existsSync(path('server.conf'))).toBe(false);
  });

  test.each([
    [['config', 'U1'], '--cluster NAME is missing'],
    [['config', '--cluster', 'a.b', 'U1'], '--cluster "a.b": up to 32 letters, digits, "_" and "-"'],
    [
      ['config', '--cluster', 'a'],
      'no keys: give some, or a list of them by --keys FILE ("ginit key new" makes a key)',
    ],
    [
      ['config', '--cluster', 'a', '--tls-cert', 'x', 'U1'],
      'TLS needs both --tls-cert FILE and --tls-key FILE',
    ],
    [['config', '--cluster', 'a', '--listen', '4222', 'U1'], '--listen 4222: not HOST:PORT'],
    [
      ['config', '--cluster', 'a', '--listen', '[::1]:0', 'U1'],
      '--listen [::1]:0: a port is from 1 to 65535',
    ],
    [['config', '--cluster', 'a', '--max-payload', '8K', 'U1'], '--max-payload 8K: from 16K to 64M'],
    [['config', '--cluster', 'a', '--route', 'b:1', 'U1'], '--route needs --route-listen HOST:PORT'],
    [
      ['config', '--cluster', 'a', '--route-listen', '0.0.0.0:6222', 'U1'],
      '--route-listen 0.0.0.0:6222: other machines only with certificates (--tls-ca FILE)',
    ],
    [['config', '--cluster', 'a', '--verbose', 'U1'], 'config: --verbose is for "ginit bus start"'],
    [['start', '--cluster', 'a', '--out', 'x', 'U1'], 'start: --out is for "ginit bus config"'],
    [['stop'], '"stop" is not one of config, start'],
    [[], 'say "config" or "start"'],
  ])('a wrong command line is told: %j', async (args, message) => {
    const { code, err } = await run(bus, ...args);
    expect([code, err]).toEqual([2, `ginit: bus: ${message}\nginit: try "ginit bus --help"\n`]);
  });

  test('start says what is missing, or will not do', async () => {
    const words = ['start', '--cluster', 'a', await newKey('a.key'), '--server'];
    expect(await run(bus, ...words, path('none'))).toMatchObject({
      code: 1,
      err: 'ginit: bus: none is no nats-server\n',
    });
    chmodSync(put('old', '#!/bin/sh\necho "nats-server: v2.8.4"\n'), 0o755);
    const told = 'ginit: bus: old is nats-server 2.8.4; ginit needs 2.9 or later\n';
    expect(await run(bus, ...words, path('old'))).toMatchObject({ code: 1, err: told });
  });
});
