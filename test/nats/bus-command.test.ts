/** Tests `ginit bus start` and what `ginit bus config` writes with a real nats-server. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Identity, NatsBus } from '@ginit/core/nats';
import { type GinitRun, Workplace } from '../harness/ginit.ts';
import { noNatsServer } from '../harness/nats-server.ts';
import { makeCertificates, missingOf, mustRun } from '../harness/programs.ts';

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
});
afterEach(() => place[Symbol.dispose]());

async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** The processes that a process has started, and those that these have. */
function descendants(pid: number): number[] {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => parentOf(name) === pid)
    .map(Number);
  return children.concat(children.flatMap(descendants));
}

function parentOf(pid: string): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}

const isRunning = (pid: number): boolean => existsSync(`/proc/${pid}/exe`);
const directories = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('ginit-bus-'));

/** A key of the workplace. */
async function newKey(name: string): Promise<Identity> {
  const { code } = await place.run('key', 'new', name);
  expect(code).toBe(0);
  return new Identity(place.read(name).trim());
}

async function urlOf(run: GinitRun): Promise<string> {
  await run.until('cluster ');
  return /(?:nats|tls):\/\/\S+(?=,)/.exec(run.stderr)?.[0] ?? '';
}

describe.skipIf(noNatsServer !== undefined)(`ginit bus (${noNatsServer ?? 'installed'})`, () => {
  test('start lets in who is in the list, takes a new list while it runs, and leaves nothing', async () => {
    const before = directories();
    const [a, b] = [await newKey('a.key'), await newKey('b.key')];
    place.write('keys', `a ${a.publicKey}\n`);
    const run = place.start('bus', 'start', '--cluster', 'home', '--listen', '127.0.0.1:0', '--keys', 'keys');
    const url = await urlOf(run);
    const complaints: string[] = [];
    const options = { servers: [url], complain: (text: string) => void complaints.push(text) };
    const first = await NatsBus.connect({ ...options, identity: a });
    const second = NatsBus.connect({ ...options, identity: b });
    await until(() => complaints.length > 0);
    expect(complaints.join()).toMatch(/Authorization/i);
    place.write('keys', `a ${a.publicKey}\nb\n`);
    await run.until('everything stays as it was');
    place.write('keys', `a ${a.publicKey}\nb ${b.publicKey}\n`);
    await run.until('reloaded, 2 keys');
    (await second).close();
    expect(first.connected).toBe(true);
    first.close();
    const processes = descendants(run.child.pid ?? 0);
    expect(processes.length).toBeGreaterThanOrEqual(2);
    run.child.kill('SIGINT');
    expect((await run.finished).code).toBe(0);
    expect(processes.filter(isRunning)).toEqual([]);
    expect(directories()).toEqual(before);
  });

  test('after kill -9 of ginit nothing of it is left', async () => {
    const before = directories();
    const { publicKey } = await newKey('a.key');
    const run = place.start('bus', 'start', '--cluster', 'home', '--listen', '127.0.0.1:0', publicKey);
    await urlOf(run);
    const processes = descendants(run.child.pid ?? 0);
    expect(processes.length).toBeGreaterThanOrEqual(2);
    run.child.kill('SIGKILL');
    await until(() => !processes.some(isRunning) && directories().length === before.length);
  });

  test('a port that is taken is told, with exit code 1', async () => {
    const { publicKey } = await newKey('a.key');
    const first = place.start('bus', 'start', '--cluster', 'home', '--listen', '127.0.0.1:0', publicKey);
    const listen = new URL(await urlOf(first)).host;
    const { code, stderr } = await place.run('bus', 'start', '--cluster', 'x', '--listen', listen, publicKey);
    expect(code).toBe(1);
    expect(stderr).toMatch(/nats-server: .*address already in use/);
    expect(stderr).toContain('ginit: bus: nats-server has ended');
    first.child.kill('SIGTERM');
    expect((await first.finished).code).toBe(0);
  });

  test.skipIf(missingOf('openssl'))(
    'what config writes is sound for nats-server, with all options',
    async () => {
      const { publicKey } = await newKey('a.key');
      makeCertificates(place.directory);
      const tls = ['--tls-cert', 'server-cert.pem', '--tls-key', 'server-key.pem', '--tls-ca', 'ca-cert.pem'];
      const routes = ['--route-listen', '0.0.0.0:6222', '--route', 'other:6222', '--max-payload', '1M'];
      const words = [
        '--cluster',
        'home',
        '--listen',
        '0.0.0.0:4222',
        ...tls,
        ...routes,
        '--out',
        'server.conf',
      ];
      const { code } = await place.run('bus', 'config', ...words, `store=${publicKey}`);
      expect(code).toBe(0);
      await mustRun('nats-server', ['-t', '-c', place.path('server.conf')]);
    },
  );
});
