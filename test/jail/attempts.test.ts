/**
 * Tests things that a component must not be able to do, tried by one that breaks the one rule.
 * Inside a jail each attempt fails; outside it succeeds, which shows that the same test could fail
 * inside. Memory is bounded by `heap`: see `test/crash/bounded.test.ts`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, readdirSync, realpathSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemConfig, Workplace } from '../harness/ginit.ts';
import { JAILABLE } from '../harness/jailable.ts';

const PROBER = fileURLToPath(new URL('./prober.mjs', import.meta.url));
const CORE = fileURLToPath(new URL('../../packages/core', import.meta.url));
/**
 * Attempts whose outcome outside depends on the user: without rights over devices, or with limits
 * of its own.
 */
const MAY_FAIL_OUTSIDE: ReadonlySet<string> = new Set([
  // The user's own limit may be as low, or tracing may be allowed for ancestors only.
  'take all descriptors',
  'native: trace a process',
  // Container hosts forbid these to everybody.
  'native: io_uring',
  'native: key ring',
]);

let place: Workplace;
let victim: ChildProcess;
let servers: Server[];

async function listening(...where: readonly [number, string] | readonly [string]): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  const [first, second] = where;
  await new Promise<void>((resolve) => {
    if (typeof first === 'number') server.listen(first, second, resolve);
    else server.listen(first, resolve);
  });
  servers.push(server);
  return server;
}

beforeEach(() => {
  place = new Workplace();
  victim = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  servers = [];
});
afterEach(() => {
  victim.kill('SIGKILL');
  for (const server of servers) server.close();
  place[Symbol.dispose]();
});

/** The native part of koffi under another name, which nobody has loaded. */
function someAddon(): string {
  const store = realpathSync(join(CORE, 'node_modules/koffi'));
  const packages = join(store, '..', '@koromix');
  const [name = ''] = readdirSync(packages);
  const directory = realpathSync(join(packages, name));
  const file = readdirSync(directory, { recursive: true, encoding: 'utf8' }).find((each) =>
    each.endsWith('.node'),
  );
  const addon = place.path('other.node');
  copyFileSync(join(directory, file ?? ''), addon);
  return addon;
}

/** Runs the prober with attributes of its start node; outcomes by attempts. */
async function outcomes(attributes: string): Promise<Map<string, string>> {
  copyFileSync(PROBER, place.path('prober.mjs'));
  const socket = place.path('socket');
  const tcp = await listening(0, '127.0.0.1');
  await listening(socket);
  await listening(`\0${socket}`);
  const address = tcp.address();
  const settings = {
    file: place.write('secret', 'secret text'),
    directory: place.directory,
    device: '/dev/zero',
    victim: victim.pid,
    port: typeof address === 'object' ? address?.port : undefined,
    socket,
    addon: someAddon(),
    koffi: CORE,
  };
  const text = JSON.stringify(settings).replaceAll('"', '&quot;');
  place.write(
    'config.xml',
    systemConfig(`<start name="prober" ${attributes}> <binary name="./prober.mjs"/> <exit propagate="yes"/>
      <config settings="${text}"/> </start>`),
  );
  const { code, stderr, lines } = await place.run('config.xml');
  expect(code, stderr).toBe(0);
  const found = lines.map((line) => /^\[init -> prober\] (.+): (\S+)$/.exec(line));
  return new Map(found.flatMap((match) => (match ? [[match[1] ?? '', match[2] ?? '']] : [])));
}

describe.skipIf(!JAILABLE)('attempts (jails are for Linux on x64)', () => {
  test('succeed outside', async () => {
    const open = await outcomes('isolation="process" jail="no"');
    const failed = [...open].filter(([name, outcome]) => outcome !== 'open' && !MAY_FAIL_OUTSIDE.has(name));
    expect(failed).toEqual([]);
    expect(open.size).toBeGreaterThan(40);
  });

  test.each([
    ['by default', 'isolation="process"'],
    ['where the start node asks for it', 'isolation="jail"'],
  ])('fail in a jail, %s', async (_, attributes) => {
    const jailed = await outcomes(attributes);
    expect([...jailed].filter(([, outcome]) => outcome === 'open')).toEqual([]);
    expect(jailed.size).toBeGreaterThan(40);
  });
});
