/**
 * Tests reading manifests, which runs the code of components: a component that misbehaves is named,
 * and no other one suffers.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
// The components that it starts are compiled.
import {
  type ManifestAnswer,
  ManifestReader,
  type ModuleToRead,
} from '../../packages/core/dist/supervisor.js';
import { ComponentImports } from '../../packages/init/dist/command/component-imports.js';
import { STOCK_NAMES, stockModule } from '../../packages/init/dist/command/stock.js';
import { CORE_URL, systemConfig, Workplace } from '../harness/ginit.ts';

const IDLE = `import { component } from '${CORE_URL}';\nexport default component(() => {});\n`;
/**
 * A thread whose globals were changed cannot tell its own manifest; any answer is allowed, and only
 * the component itself is affected.
 */
const HOSTILE: Readonly<Record<string, readonly [source: string, problem: RegExp]>> = {
  'poison.mjs': [
    `${IDLE}for (const name of Object.getOwnPropertyNames(Array.prototype)) Array.prototype[name] = () => { throw 1; };
JSON.stringify = () => { throw new Error('poisoned'); };
Object.prototype.toJSON = () => 'poisoned';
process.send = process.exit = process.on = () => { throw 1; };`,
    /^(?!no problem)/,
  ],
  'exits.mjs': ['process.exit(3);', /its module ends its thread/],
  'waits.mjs': [`await new Promise(() => {});\n${IDLE}`, /its module does not finish loading/],
  'kills.mjs': [`process.kill(process.pid, 'SIGKILL');\n${IDLE}`, /its module ends or stops its process/],
  'throws.mjs': ['throw new Error("no wish");', /Error: no wish/],
  'huge.mjs': [
    `import { component } from '${CORE_URL}';
export default component({ config: { type: 'config', doc: 'x'.repeat(2 ** 21) } }, () => {});`,
    /its manifest is too large/,
  ],
  'none.mjs': ['export default 42;', /no default export made by component/],
};

let place: Workplace;
const url = (file: string): string => pathToFileURL(join(place.directory, file)).href;
const module = (file: string): ModuleToRead => ({
  moduleUrl: url(file),
  files: new ComponentImports(place.directory).readable(url(file)),
});
const problemOf = (answer: ManifestAnswer | undefined): string =>
  answer && 'problem' in answer ? answer.problem : 'no problem';

beforeEach(() => {
  place = new Workplace();
  for (const name of ['first.mjs', 'last.mjs']) place.write(name, IDLE);
});
afterEach(() => place[Symbol.dispose]());

test('each component that misbehaves while its manifest is read is named, and the others are read', async () => {
  const names = ['first.mjs', ...Object.keys(HOSTILE), 'last.mjs'];
  for (const [name, [source]] of Object.entries(HOSTILE)) place.write(name, source);
  const answers = await new ManifestReader(names.length).read(names.map(module));
  for (const name of ['first.mjs', 'last.mjs']) {
    const answer = answers.get(url(name));
    expect(problemOf(answer), name).toBe('no problem');
    expect(answer).toMatchObject({ manifest: { provides: [], host: [] } });
  }
  for (const [name, [, problem]] of Object.entries(HOSTILE))
    expect(problemOf(answers.get(url(name))), name).toMatch(problem);
});

test('output that a component writes to descriptors while its manifest is read reaches nobody', async () => {
  place.write(
    'writes.mjs',
    `const { writeSync } = process.getBuiltinModule('node:fs');
try { writeSync(4, '{"cmd":"NODE_HANDLE","type":"nope"}\\n'); writeSync(4, '{{{{nonsense\\n'); } catch {}\n${IDLE}`,
  );
  const answers = await new ManifestReader(2).read(['writes.mjs', 'last.mjs'].map(module));
  for (const name of ['writes.mjs', 'last.mjs'])
    expect(problemOf(answers.get(url(name))), name).toBe('no problem');
});

test('a component that never ends while its manifest is read is given up, and the others are read', async () => {
  place.write('loops.mjs', 'for (;;);');
  const answers = await new ManifestReader(3, 5000).read(['first.mjs', 'loops.mjs', 'last.mjs'].map(module));
  expect(problemOf(answers.get(url('loops.mjs')))).toBe('its module does not finish loading');
  expect(problemOf(answers.get(url('first.mjs')))).toBe('no problem');
  expect(problemOf(answers.get(url('last.mjs')))).toBe('no problem');
});

test('a check does not run code that the import rule refuses, unless the config trusts it with the host', async () => {
  const writes = (file: string): string =>
    `import { writeFileSync } from 'node:fs';\nwriteFileSync('${join(place.directory, file)}', '');\n${IDLE}`;
  place.write('sneaky.mjs', writes('sneaky.txt'));
  place.write('driver.mjs', writes('driver.txt'));
  const host = '<host> <file path="driver.txt" access="rw"/> </host>';
  place.write(
    'config.xml',
    systemConfig(`<start name="a"> <binary name="./sneaky.mjs"/> </start>
      <start name="b"> <binary name="./driver.mjs"/> ${host} </start>`),
  );
  const { code, stderr } = await place.run('check', 'config.xml');
  expect(stderr.trim().split('\n')).toEqual([
    expect.stringMatching(/^config\.xml:8:\d+: warning: component "\.\/driver\.mjs" does not ask for <file/),
    expect.stringMatching(
      /^config\.xml:7:\d+: component "\.\/sneaky\.mjs" imports node:fs at .*sneaky\.mjs:1:32: /,
    ),
    expect.stringMatching(
      /^config\.xml:8:\d+: component "\.\/driver\.mjs" imports node:fs at .*driver\.mjs:1:32: /,
    ),
  ]);
  expect(code).toBe(2);
  expect(existsSync(join(place.directory, 'sneaky.txt'))).toBe(false);
  expect(existsSync(join(place.directory, 'driver.txt'))).toBe(true);
});

test('the manifests of stock components that the build has stored are those of their modules', async () => {
  const file = fileURLToPath(new URL('../../packages/init/bundle/stock-manifests.json', import.meta.url));
  const built: unknown = JSON.parse(readFileSync(file, 'utf8'));
  const modules = STOCK_NAMES.map((name) => stockModule(name) ?? '');
  const answers = await new ManifestReader(modules.length).read(
    modules.map((moduleUrl) => ({ moduleUrl, files: undefined })),
  );
  const read = STOCK_NAMES.map((name, index) => {
    const answer = answers.get(modules[index] ?? '');
    return [name, answer && 'manifest' in answer ? answer.manifest : answer];
  });
  expect(built).toEqual(Object.fromEntries(read));
});
