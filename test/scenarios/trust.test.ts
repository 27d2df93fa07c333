/**
 * Tests that modules of Node which reach the host belong to a start node: by `<allow>`, or by
 * `<host>` of a driver. A component that starts others by their label gets no module for them that
 * no start node of its own was allowed, whatever else it has of the host.
 */
import { copyFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CORE_URL, type FinishedRun, systemConfig, Workplace } from '../harness/ginit.ts';
import { JAILABLE } from '../harness/jailable.ts';

/** Starts components as init does. */
const OFFSPRING = fileURLToPath(new URL('../stress/activity/offspring.mjs', import.meta.url));

let place: Workplace;

/** Has a package that is trusted with a module of Node, and reports what it gets of that. */
const API = `import { component } from '${CORE_URL}';
import files from 'files';
import { Offspring } from './offspring.mjs';
export default component(async (env) => {
  await env.log('api reads ' + files.read(env.config.node.value('file')));
  if (env.config.node.value('again') === 'yes') {
    const config = { type: 'config', at: [1, 1], attributes: [['file', env.config.node.value('file'), 1, 1]] };
    const options = { name: 'again', binary: './api.mjs', config, isolation: 'thread', ram: 2 ** 20, caps: 100 };
    const kid = new Offspring(env, options);
    await kid.start();
    await kid.over;
    await kid.end();
  }
  env.exit(0);
});`;
/** A driver that does without \`env.host\`. */
const DRIVER = `import { readFileSync } from 'node:fs';
import { component } from '${CORE_URL}';
export default component({ host: ['file'] }, async (env) => {
  for (const file of env.config.node.value('file').split(' ')) {
    let text;
    try { text = readFileSync(file, 'utf8'); } catch (error) { text = error.code; }
    await env.log('driver reads ' + text);
  }
  env.exit(0);
});`;
/** Starts either component by its label, with and without the grants that it has itself. */
const STARTER = `import { component } from '${CORE_URL}';
import { Offspring } from './offspring.mjs';
export default component({ mayHost: ['file'] }, async (env) => {
  const file = env.config.node.value('file');
  const config = { type: 'config', at: [1, 1], attributes: [['file', file, 1, 1]] };
  let count = 0;
  const attempt = async (binary, isolation, granted) => {
    const grants = granted ? [await env.host.grant({ kind: 'file', path: 'data.txt', access: 'ro' })] : [];
    const options = { name: 'kid' + count++, binary, config, isolation, grants, ram: 2 ** 20, caps: 100 };
    const kid = new Offspring(env, options);
    const outcome = await kid.start().then(() => kid.over.then(() => 'ran'), (error) => error.code);
    await env.log([binary, isolation, granted ? 'granted' : 'bare', outcome].join(' '));
    await kid.end();
  };
  for (const [binary, isolation, granted] of JSON.parse(env.config.node.value('attempts')))
    await attempt(binary, isolation, granted);
  env.exit(0);
});`;

beforeEach(() => {
  place = new Workplace();
  copyFileSync(OFFSPRING, place.path('offspring.mjs'));
  place.write('data.txt', 'data');
  place.write('secret.txt', 'secret');
  place.write('node_modules/files/package.json', JSON.stringify({ name: 'files', main: './main.js' }));
  place.write(
    'node_modules/files/main.js',
    `const fs = require('node:fs');\nexports.read = (file) => fs.readFileSync(file, 'utf8');`,
  );
  place.write('api.mjs', API);
  place.write('driver.mjs', DRIVER);
  place.write('starter.mjs', STARTER);
});
afterEach(() => place[Symbol.dispose]());

const ALLOW = '<allow module="files" uses="fs"/>';
const HOST = '<host> <file path="data.txt"/> </host>';
const api = (more = ''): string =>
  `<start name="api"> <binary name="./api.mjs"/> ${ALLOW} <config file="${place.path('data.txt')}"/> ${more} </start>`;
const driver = (): string =>
  `<start name="driver"> <binary name="./driver.mjs"/> ${HOST} <config file="${place.path('data.txt')}"/> </start>`;

function starter(
  attempts: readonly (readonly [binary: string, isolation: string, granted: boolean])[],
  host = '',
): string {
  const files = [place.path('secret.txt'), place.path('data.txt')].join(' ');
  const text = JSON.stringify(attempts).replaceAll('"', '&quot;');
  return `<start name="starter" ram="16M" caps="800" isolation="thread"> <binary name="./starter.mjs"/> ${host}
    <exit propagate="yes"/> <config file="${files}" attempts="${text}"/> </start>`;
}

async function run(starts: string): Promise<FinishedRun> {
  place.write('config.xml', systemConfig(starts));
  const finished = await place.run('config.xml');
  expect(finished.code, finished.stderr).toBe(0);
  return finished;
}

const said = ({ lines }: FinishedRun, label: string): string[] =>
  lines.filter((line) => line.startsWith(`[${label}] `)).map((line) => line.slice(label.length + 3));

test('a module that one start node allows is not available when its binary is started from elsewhere', async () => {
  const attempts = (['thread', 'process'] as const).map(
    (isolation) => ['./api.mjs', isolation, false] as const,
  );
  const finished = await run(`${api()} ${starter(attempts)}`);
  expect(said(finished, 'init -> starter')).toEqual([
    './api.mjs thread bare DENIED',
    './api.mjs process bare DENIED',
  ]);
  expect(finished.stdout).not.toContain('secret');
});

test('a component has the module that it was allowed, under a nested init too, and when it starts itself again', async () => {
  const again = `<start name="api" ram="16M" caps="800"> <binary name="./api.mjs"/> ${ALLOW} <exit propagate="yes"/>
    <config file="${place.path('data.txt')}" again="yes"/> </start>`;
  const finished = await run(
    `<start name="sub" ram="32M" caps="2000"> <binary name="init"/> <exit propagate="yes"/> ${systemConfig(again)} </start>`,
  );
  expect(said(finished, 'init -> sub -> api')).toEqual(['api reads data']);
  expect(said(finished, 'init -> sub -> api -> again')).toEqual(['api reads data']);
});

test('a component without trust cannot start a driver in a thread, whichever grants it hands on', async () => {
  const attempts = ['./api.mjs', './driver.mjs'].map((binary) => [binary, 'thread', true] as const);
  const finished = await run(`${api()} ${driver()} ${starter(attempts, HOST)}`);
  expect(said(finished, 'init -> starter')).toEqual([
    './api.mjs thread granted DENIED',
    './driver.mjs thread granted DENIED',
  ]);
  expect(finished.stdout).not.toContain('secret');
});

describe.skipIf(!JAILABLE)('by its label (jails are for Linux on x64)', () => {
  test('a driver is started in a jail with the grants handed on to it, and has no others', async () => {
    const attempts = [['./driver.mjs', 'process', true]] as const;
    const finished = await run(`${driver()} ${starter(attempts, HOST)}`);
    expect(said(finished, 'init -> starter')).toEqual(['./driver.mjs process granted ran']);
    expect(said(finished, 'init -> starter -> kid0')).toEqual(['driver reads EACCES', 'driver reads data']);
  });
});
