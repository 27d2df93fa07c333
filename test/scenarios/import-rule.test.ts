/**
 * Tests the import rule as users meet it: which imports a component may have, which are refused,
 * and how a package is trusted.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { skipIfLong } from '../harness/long.ts';
import { CORE_URL, systemConfig, Workplace } from '../harness/ginit.ts';

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
});
afterEach(() => place[Symbol.dispose]());

const start = (name: string, more = ''): string =>
  systemConfig(`<start name="a"> <binary name="./${name}"/> <exit propagate="yes"/> ${more} </start>`);

async function outcome(
  config: string,
): Promise<{ code: number | null; errors: string[]; lines: readonly string[] }> {
  place.write('config.xml', config);
  const { code, stderr, lines } = await place.run('config.xml');
  return {
    code,
    errors: stderr
      .trim()
      .split('\n')
      .filter((line) => line.startsWith('config.xml:')),
    lines,
  };
}

const DRIVER =
  'a component reaches the world through env only \\(a driver says what it needs in its manifest, and its start node grants it in <host>';

test('a component may use packages, CommonJS too, and the modules of Node that give no authority', async () => {
  place.write('node_modules/tool/package.json', JSON.stringify({ name: 'tool', main: './lib/main' }));
  place.write(
    'node_modules/tool/lib/main.js',
    `// not require('node:fs')\nconst { inspect } = require('util');\nexports.show = (it) => inspect(it) + require('./more');`,
  );
  place.write('node_modules/tool/lib/more.json', '"!"');
  place.write(
    'good.mjs',
    `import { EventEmitter } from 'node:events';
import { component } from '${CORE_URL}';
import tool from 'tool';
export default component(async (env) => {
  const events = new EventEmitter();
  events.once('go', (it) => env.log(tool.show(it)).then(() => env.exit(0)));
  events.emit('go', { a: 1 });
});`,
  );
  expect(await outcome(start('good.mjs'))).toEqual({
    code: 0,
    errors: [],
    lines: expect.arrayContaining(['[init -> a] { a: 1 }!']),
  });
});

test('a package that listens, behind a require without extension and exports for import only, is refused', async () => {
  place.write(
    'node_modules/web/package.json',
    JSON.stringify({ name: 'web', exports: { import: './web.mjs' } }),
  );
  place.write('node_modules/web/web.mjs', `import './lib/application.cjs';`);
  place.write('node_modules/web/lib/application.cjs', `require('./listen');`);
  place.write(
    'node_modules/web/lib/listen.js',
    `const http = require('http');\nconst net = process.getBuiltinModule('net');`,
  );
  place.write(
    'server.mjs',
    `import { component } from '${CORE_URL}';\nimport 'web';\nexport default component((env) => env.exit(0));`,
  );
  const { code, errors } = await outcome(start('server.mjs'));
  expect(code).toBe(2);
  const trust = '; <allow module="web" uses="http net"/> would trust the package with it\\)$';
  expect(errors).toEqual([
    expect.stringMatching(
      new RegExp(
        `^config\\.xml:7:\\d+: component "\\./server\\.mjs" imports http at .*/listen\\.js:1:14: ${DRIVER}${trust}`,
      ),
    ),
  ]);
  expect((await outcome(start('server.mjs', '<allow module="web" uses="http node:net"/>'))).code).toBe(0);
  const half = await outcome(start('server.mjs', '<allow module="web" uses="http"/>'));
  expect(half.errors).toEqual([expect.stringMatching(/imports net at .*listen\.js:2:13: /)]);
});

test('allowances that have no effect are errors or warnings', async () => {
  place.write(
    'plain.mjs',
    `import { component } from '${CORE_URL}';\nexport default component((env) => env.exit(0));`,
  );
  const errors = async (allow: string): Promise<string[]> =>
    (await outcome(start('plain.mjs', allow))).errors;
  expect(await errors('<allow module="undici" uses="nett"/>')).toEqual([
    expect.stringMatching(
      /^config\.xml:7:\d+: warning: component "\.\/plain\.mjs" imports no package "undici"/,
    ),
    expect.stringMatching(
      /^config\.xml:7:\d+: attribute "uses" of <allow>: "nett" is no module of Node that needs/,
    ),
  ]);
  expect(await errors('<allow module="../x" uses="net"/>')).toEqual([
    expect.stringMatching(
      /^config\.xml:7:\d+: attribute "module" of <allow> is "\.\.\/x", which is no package$/,
    ),
  ]);
  expect(await errors('<allow module="x"/>')).toEqual([
    expect.stringMatching(/imports no package "x"$/),
    expect.stringMatching(/^config\.xml:7:\d+: <allow> needs an attribute "uses" or anything="yes"$/),
  ]);
});

test('the rooms of the runtime that reach the host are not open to components', async () => {
  place.write(
    'inside.mjs',
    `import { NodePlatform } from '${CORE_URL}/supervisor';\nexport { default } from './plain.mjs'; NodePlatform;`,
  );
  place.write(
    'plain.mjs',
    `import { component } from '${CORE_URL}';\nexport default component((env) => env.exit(0));`,
  );
  const { code, errors } = await outcome(start('inside.mjs'));
  expect(code).toBe(2);
  expect(errors).toEqual([
    expect.stringMatching(
      /component "\.\/inside\.mjs" imports @ginit\/core\/supervisor, which is an inner module/,
    ),
  ]);
});

test('a file that cannot be parsed is named with its place before any of it runs', async () => {
  place.write('broken.mjs', `console.log('it ran');\nconst a = ;`);
  expect((await outcome(start('broken.mjs'))).errors).toEqual([
    expect.stringMatching(/^config\.xml:7:\d+: component "\.\/broken\.mjs" cannot be used: .*/),
  ]);
});

test.each(['platform', 'supervisor', 'bundle/chunks/component'])(
  'an inner module of the runtime is refused, also one that needs nothing of Node: %s',
  async (inner) => {
    const source = `import { component } from '${CORE_URL}';\nimport '${CORE_URL}/${inner}';\n`;
    place.write('a.mjs', `${source}export default component((env) => env.exit(0));`);
    const { code, errors } = await outcome(start('a.mjs'));
    expect(code).toBe(2);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toContain(
      `imports ${CORE_URL}/${inner}, which is an inner module of @ginit/core, at ${place.path('a.mjs')}:2:9`,
    );
  },
);

test.for(['runtime/entrypoint', 'log-text', 'platform/bus'])(
  'an inner module of the runtime can be imported neither by a name nor by its path: %s',
  async (inner, context) => {
    skipIfLong(context, inner !== 'log-text');
    const source = (name: string): string =>
      `import { component } from '${CORE_URL}';\nimport '${name}';\nexport default component((env) => env.exit(0));`;
    place.write('a.mjs', source(`${CORE_URL}/${inner}`));
    const byName = await outcome(start('a.mjs'));
    expect(byName.code).toBe(2);
    expect(byName.errors).toEqual([expect.stringContaining(`'./${inner}' is not defined by "exports"`)]);
    const path = `./node_modules/@ginit/core/dist/${inner}.js`;
    place.write('a.mjs', source(path));
    const byPath = await outcome(start('a.mjs'));
    expect(byPath.code).toBe(2);
    expect(byPath.errors).toEqual([
      expect.stringContaining(`imports ${path}, which is outside of the config's directory`),
    ]);
  },
);

test('a second copy of the runtime is reported as such', async () => {
  const copy = 'app/node_modules/@ginit/core';
  place.write(`${copy}/package.json`, JSON.stringify({ name: '@ginit/core', main: './index.mjs' }));
  place.write(`${copy}/index.mjs`, `import 'node:fs';\nexport const component = () => {};`);
  place.write('app/a.mjs', `import { component } from '@ginit/core';\nexport default component(() => {});`);
  const { code, errors } = await outcome(start('app/a.mjs'));
  expect(code).toBe(2);
  expect(errors).toHaveLength(1);
  expect(errors[0]).toContain(`imports node:fs at ${place.path(`${copy}/index.mjs`)}:1:9: `);
  expect(errors[0]).toContain('that file is of a second copy of @ginit/core');
});

test('ginit help shows the control characters of a manifest instead of sending them', async () => {
  place.write(
    'a.mjs',
    `import { component } from '${CORE_URL}';
import { attribute, element } from '${CORE_URL}/config';
const config = element('config', 'clears \\x1b[2J the screen', { attributes: { a: attribute.text('b\\x07ell') } });
export default component({ config }, () => {});`,
  );
  const { code, stdout } = await place.run('help', './a.mjs');
  expect(code).toBe(0);
  expect(stdout).toContain('clears \\x1b[2J the screen');
  expect(stdout).toContain('b\\x07ell');
});

test.each(['thread', 'process'])(
  'no component gets modules through NODE_PATH, which the check does not look into: %s',
  async (isolation) => {
    place.write('elsewhere/hidden/index.js', `exports.found = 'found';`);
    place.write('a.cjs', `try { exports.it = require('hidden').found; } catch { exports.it = 'none'; }`);
    place.write(
      'a.mjs',
      `import { component } from '${CORE_URL}';\nimport a from './a.cjs';
export default component(async (env) => {\n  await env.log(a.it);\n  await env.exit(0);\n});`,
    );
    const attributes = `isolation="${isolation}" jail="no"`;
    place.write(
      'config.xml',
      systemConfig(
        `<start name="a" ${isolation === 'process' ? attributes : ''}> <binary name="./a.mjs"/> <exit propagate="yes"/> </start>`,
      ),
    );
    const path = `export NODE_PATH="$PWD/elsewhere"`;
    const { code, lines } = await place.startLimited(path, 'config.xml').finished;
    expect({ code, lines }).toEqual({ code: 0, lines: expect.arrayContaining(['[init -> a] none']) });
  },
);

test('a package is checked as the component will find it, whatever options ginit itself was started with', async () => {
  place.write(
    'node_modules/p/package.json',
    '{"exports":{"module-sync":"./host.cjs","default":"./index.cjs"}}',
  );
  place.write('node_modules/p/host.cjs', `require('node:net');`);
  place.write('node_modules/p/index.cjs', '');
  place.write('a.mjs', `import 'p';`);
  place.write('config.xml', start('a.mjs'));
  const options = 'export NODE_OPTIONS=--no-experimental-require-module';
  const { code, stderr } = await place.startLimited(options, 'check', 'config.xml').finished;
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('imports node:net at') });
});
