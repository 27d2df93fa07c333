/**
 * The live config, under the real command: one system, whose config, grants and code change while
 * it runs. A service manager hears of it.
 */
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  ControlClient,
  socketPath,
  type SystemTree,
  systemTree,
} from '../../packages/init/src/command/control/index.ts';
import { DatagramReceiver, HAS_DATAGRAMS } from '../../packages/init/test/datagram-receiver.ts';
import { Output } from '../../packages/init/src/command/output.ts';
import { runningCommand } from '../../packages/init/src/command/running/main.ts';
import { CORE_URL, type GinitRun, systemConfig, Workplace } from '../harness/ginit.ts';

const SPEAKER = `import { component } from '${CORE_URL}';
import { word } from './word.mjs';
export default component(async (env) => { await env.log('says ' + word); });`;
const READER = `import { component } from '${CORE_URL}';
export default component({ host: ['file'] }, async (env) => {
  const file = await env.host.openFile('note', 'ro');
  const bytes = new Uint8Array(file.sizeBytes);
  await file.read(bytes, 0);
  await env.log('reads ' + new TextDecoder().decode(bytes));
});`;
const IDLE = `import { component } from '${CORE_URL}';
export default component(() => {});`;

const SPEAKER_START = `<start name="speaker"> <binary name="./speaker.mjs"/> </start>`;
const idle = (more: string): string => `<start name="idle" ${more}> <binary name="./idle.mjs"/> </start>`;
const READER_START = `<start name="reader"> <binary name="./reader.mjs"/> <host> <file path="note"/> </host> </start>`;

/** Room for a machine that has a lot to do besides. */
const TIMEOUT_MS = 240_000;

let place: Workplace;
let system: GinitRun;
let manager: DatagramReceiver | undefined;
/** What the service manager was told, in order, without the signs of life. */
const told: string[] = [];
let signsOfLife = 0;
let listening: NodeJS.Timeout;

function listen(): void {
  for (const message of manager?.take() ?? []) {
    if (message === 'WATCHDOG=1') signsOfLife++;
    else told.push(message);
  }
}

/** Waits until the service manager was told this, `times` times. */
async function toldOf(message: RegExp, times = 1): Promise<void> {
  if (!manager) return;
  while (told.filter((one) => message.test(one)).length < times)
    await new Promise((resolve) => setTimeout(resolve, 10));
}

beforeAll(() => {
  place = new Workplace();
  process.env['GINIT_RUNTIME_DIR'] = join(place.directory, 's');
  place.write('speaker.mjs', SPEAKER);
  place.write('word.mjs', `export const word = 'one';`);
  place.write('reader.mjs', READER);
  place.write('idle.mjs', IDLE);
  place.write('note', 'a note');
  place.write('live.xml', systemConfig(SPEAKER_START + idle('')));
  if (HAS_DATAGRAMS) {
    process.env['NOTIFY_SOCKET'] = join(place.directory, 'n');
    process.env['WATCHDOG_USEC'] = '1000000';
    manager = new DatagramReceiver(join(place.directory, 'n'));
    listening = setInterval(listen, 5);
  }
  system = place.start('dev', 'live.xml');
});
afterAll(async () => {
  system.child.kill('SIGKILL');
  await system.finished;
  for (const name of ['GINIT_RUNTIME_DIR', 'NOTIFY_SOCKET', 'WATCHDOG_USEC']) delete process.env[name];
  clearInterval(listening);
  manager?.[Symbol.dispose]();
  place[Symbol.dispose]();
});

async function tree(): Promise<SystemTree> {
  const client = await ControlClient.connect(socketPath(join(place.directory, 's'), 'live'));
  if (!(client instanceof ControlClient)) throw new Error('the system runs');
  const asked = systemTree(await client.ask('tree'), 'tree');
  client.close();
  return asked;
}

/** The threads of components, by their names. */
async function threads(): Promise<Record<string, number | undefined>> {
  const { components } = await tree();
  return Object.fromEntries(components.map(({ name, thread }) => [name, thread]));
}

async function ginit(command: 'wait' | 'plan', ...args: readonly string[]): Promise<[number, string]> {
  let written = '';
  const stream = (): Writable =>
    new Writable({
      write: (chunk, _encoding, done) => {
        written += String(chunk);
        done();
      },
    });
  return [await runningCommand(command, args, new Output(stream(), stream())), written];
}

/** Replaces a file by another one, as editors do. */
function put(name: string, content: string): void {
  renameSync(place.write(`${name}.new`, content), place.path(name));
}

const said = (text: string): number => system.stderr.split(text).length - 1;

test('a running system takes new versions of its config and of its code, and is planned for before', {
  timeout: TIMEOUT_MS,
}, async () => {
  expect(await ginit('wait', '--timeout', '50s')).toEqual([0, '']);
  await system.until('[init -> speaker] says one');
  await toldOf(/^READY=1\nSTATUS=complete$/);
  const first = await threads();

  // A plan changes nothing, and is what then happens.
  const next = place.write('next.xml', systemConfig(idle('ram="5M"') + READER_START));
  const [code, plan] = await ginit('plan', next);
  expect([
    code,
    plan
      .split('\n')
      .map((line) => line.replace(/:.*/, ''))
      .filter((line) => line !== '')
      .toSorted(),
  ]).toEqual([0, ['re-budget "idle"', 'start "reader"', 'stop "speaker"']]);
  expect(await ginit('plan', place.path('live.xml'))).toEqual([0, 'ginit: nothing would change\n']);
  expect(await threads()).toEqual(first);
  const between = await place.run('plan', 'live.xml', 'next.xml');
  expect([between.code, between.stdout]).toEqual([0, plan]);
  const [wrong, errors] = await ginit('plan', place.write('wrong.xml', systemConfig(idle('rma="1M"'))));
  expect([wrong, errors]).toEqual([2, expect.stringMatching(/wrong\.xml:7:20: unknown attribute "rma"/)]);

  // A component with a grant that the first version did not have.
  put('live.xml', systemConfig(idle('ram="5M"') + READER_START));
  await system.until('live.xml: the new version is applied');
  await system.until('[init -> reader] reads a note');
  expect(await ginit('wait', '--timeout', '50s')).toEqual([0, '']);
  const second = await threads();
  expect(Object.keys(second).toSorted()).toEqual(['idle', 'init', 'reader']);
  expect([second['idle'], second['init']]).toEqual([first['idle'], first['init']]);

  put('live.xml', systemConfig(idle('rma="5M"')));
  await system.until('this version is refused; the system runs on as it is');
  await toldOf(/^READY=1$/, 2);
  expect(system.stderr).toMatch(
    /^live\.xml:7:20: unknown attribute "rma" of <start> \(did you mean "ram"\?\)$/m,
  );
  expect(await threads()).toEqual(second);

  put('live.xml', systemConfig(SPEAKER_START + idle('ram="5M"')));
  while (system.stdout.split('says one').length < 3) await new Promise((resolve) => setTimeout(resolve, 10));
  await ginit('wait', '--timeout', '50s');
  const third = await threads();
  expect(Object.keys(third).toSorted()).toEqual(['idle', 'init', 'speaker']);

  // Code that a component imports: the component is started again, with the new code, and no other.
  put('word.mjs', `export const word = 'two';`);
  await system.until('[init -> speaker] says two');
  await ginit('wait', '--timeout', '50s');
  const fourth = await threads();
  expect([fourth['idle'], fourth['init']]).toEqual([third['idle'], third['init']]);
  expect(fourth['speaker']).not.toBe(third['speaker']);

  // There is no terminal that could be lost: this asks for a reload, and nothing has changed.
  system.child.kill('SIGHUP');
  system.child.kill('SIGTERM');
  expect((await system.finished).code).toBe(0);
  expect([said('the new version is applied'), said('is refused'), said('its code has changed')]).toEqual([
    2, 1, 1,
  ]);
  if (!manager) return;
  listen();
  expect(signsOfLife).toBeGreaterThan(0);
  const phases = told.map((message) => message.split('=', 1)[0]).filter((phase) => phase !== 'STATUS');
  // A new version, one that is refused, the one after, new code; the hang-up may come too late.
  expect(phases.slice(0, 9).join(' ')).toBe(`READY ${'RELOADING READY '.repeat(4)}`.trim());
  expect(phases.at(-1)).toBe('STOPPING');
  expect(told.find((message) => message.startsWith('RELOADING'))).toMatch(
    /^RELOADING=1\nMONOTONIC_USEC=\d+\nSTATUS=/,
  );
});
