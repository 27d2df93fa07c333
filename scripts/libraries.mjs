// Tries the npm libraries that servers use most in components, and writes the table of
// docs/libraries.md: which work in a plain component, and which need what. Each is imported and
// used by a component that ginit really runs, some at a time. It installs them in a temporary
// folder (or in the one that is given, if they are there), needs a registry for that, and is no
// part of the tests.
//
//   node scripts/libraries.mjs [--folder DIRECTORY] [NAME...]
import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { ComponentImports } from '../packages/init/dist/command/component-imports.js';
import { describeAllowance, findForbidden } from '../packages/init/dist/command/imports/index.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const GINIT = join(root, 'packages/init/bin/ginit.js');
const TABLE = join(root, 'docs/libraries.md');
/** Each is a thread that loads a library: more at a time only wait for each other. */
const AT_A_TIME = 8;
const RUN_TIMEOUT_MS = 120_000;
const ALLOWANCES_MAX = 40;

/**
 * Name, version, and an expression that uses it: `lib` is its namespace, `main` its default export.
 */
const LIBRARIES = [
  ['ajv', '8.20.0', `new main.default({}).compile({ type: 'number' })(1)`],
  ['async', '3.2.6', `(await main.map([1], async (n) => n + 1))[0]`],
  ['axios', '1.21.1', `main.getUri({ url: '/a', params: { b: 1 } })`],
  ['bcryptjs', '3.0.3', `main.compareSync('a', main.hashSync('a', 4))`],
  ['cheerio', '1.2.0', `lib.load('<b>x</b>')('b').text()`],
  ['csv-parse', '7.0.3', `lib.parse && (await import('csv-parse/sync')).parse('a,b')[0][1]`],
  ['date-fns', '4.4.0', `lib.addDays(new Date(0), 1).getTime()`],
  ['dayjs', '1.11.23', `main('2020-01-01').year()`],
  ['debug', '4.4.3', `main('x').namespace`],
  ['dotenv', '18.0.10', `main.parse('A=1').A`],
  ['ejs', '7.0.2', `main.render('<%= 1 + 1 %>')`],
  ['eventemitter3', '5.0.4', `new lib.EventEmitter().on('x', () => {}).emit('x')`],
  ['express', '5.3.0', `typeof main().get`],
  ['fast-xml-parser', '5.12.1', `new lib.XMLParser().parse('<a>1</a>').a`],
  ['fastify', '5.12.8', `(await main().get('/', async () => 'hi').inject('/')).body`],
  ['graphql', '16.15.0', `lib.print(lib.parse('{a}'))`],
  ['handlebars', '4.7.10', `main.compile('{{a}}')({ a: 1 })`],
  ['hono', '4.13.19', `await (await new lib.Hono().get('/', (c) => c.text('hi')).request('/')).text()`],
  ['ioredis', '6.0.0', `typeof new lib.Redis({ lazyConnect: true }).get`],
  ['joi', '18.3.2', `main.number().validate('1').value`],
  ['jose', '6.2.18', `lib.decodeJwt('e30.eyJhIjoxfQ.').a`],
  ['js-yaml', '5.5.0', `lib.load('a: 1').a`],
  ['jsonwebtoken', '9.0.3', `main.verify(main.sign({ a: 1 }, 'k', { noTimestamp: true }), 'k').a`],
  ['koa', '3.3.0', `typeof new main().use`],
  ['lodash', '4.18.1', `main.chunk([1, 2, 3], 2).length`],
  ['lru-cache', '11.5.3', `new lib.LRUCache({ max: 2 }).set('a', 1).get('a')`],
  ['luxon', '3.7.2', `lib.DateTime.fromISO('2020-01-01').year`],
  ['marked', '18.2.1', `lib.marked.parse('# a')`],
  ['mongodb', '7.9.0', `typeof new lib.MongoClient('mongodb://localhost').db`],
  ['msgpackr', '2.1.4', `lib.unpack(lib.pack({ a: 1 })).a`],
  ['mysql2', '3.24.6', `main.format('?', [1])`],
  ['nanoid', '5.1.16', `lib.nanoid().length`],
  ['node-fetch', '3.3.2', `await new lib.Response('hi').text()`],
  ['nodemailer', '10.6.1', `typeof main.createTransport({ jsonTransport: true }).sendMail`],
  ['p-limit', '7.3.3', `await main(1)(async () => 1)`],
  ['pg', '8.23.1', `typeof new main.Pool().query`],
  ['pino', '10.4.0', `main({ enabled: false }).level`],
  [
    'protobufjs',
    '8.8.1',
    `main.parse('syntax="proto3"; message A { int32 a = 1; }').root.lookupType('A').encode({ a: 1 }).finish().length`,
  ],
  ['qs', '6.17.1', `main.parse('a[b]=1').a.b`],
  ['rxjs', '7.8.2', `await lib.firstValueFrom(lib.of(1))`],
  ['semver', '7.8.6', `main.satisfies('1.2.3', '^1.0.0')`],
  [
    'sharp',
    '0.35.5',
    `(await main({ create: { width: 1, height: 1, channels: 3, background: 'red' } }).png().toBuffer()).length`,
  ],
  ['undici', '7.30.2', `await new lib.Response('hi').text()`],
  ['uuid', '14.0.3', `lib.v4().length`],
  ['winston', '3.19.0', `main.createLogger({ silent: true }).level`],
  ['ws', '8.23.0', `new lib.WebSocketServer({ noServer: true }).options.noServer`],
  ['yaml', '2.9.1', `lib.parse('a: 1').a`],
  ['zod', '4.6.7', `lib.z.number().parse(1)`],
];

const { values, positionals } = parseArgs({
  options: { folder: { type: 'string' } },
  allowPositionals: true,
});
const folder = values.folder ?? mkdtempSync(join(tmpdir(), 'ginit-libraries-'));

function install() {
  if (existsSync(join(folder, 'node_modules', 'zod'))) return;
  writeFileSync(join(folder, 'package.json'), '{ "private": true }');
  const names = LIBRARIES.map(([name, version]) => `${name}@${version}`);
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status } = spawnSync('npm', ['install', ...flags, ...names], { cwd: folder, stdio: 'inherit' });
  if (status !== 0) throw new Error('the libraries could not be installed');
}

function write(file, content) {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), content);
}

/** Every `<allow>` that the import rule asks for. */
function allowancesFor(file) {
  const graph = new ComponentImports(folder).of(pathToFileURL(join(folder, file)).href);
  const allowances = [];
  while (allowances.length < ALLOWANCES_MAX) {
    const found = findForbidden(graph, { allowances });
    if (!found) return { allowances };
    if (!found.allowance) return { allowances, problem: `${found.what} at ${found.file}:${found.line}` };
    allowances.push(found.allowance);
  }
  return { allowances, problem: 'it wants too much' };
}

/** A start node of a component that uses the library. */
function startNode({ name, use, allowances }, loop) {
  const manifest = loop ? `{ loop: 'live' }, ` : '';
  write(
    `use-${name}.mjs`,
    `import { component } from '@ginit/core';\nimport * as lib from '${name}';\nconst main = lib.default;
export default component(${manifest}async (env) => { await env.log('works: ' + (${use})); });\n`,
  );
  const allowed = allowances.map(describeAllowance).join(' ');
  return `<start name="${name}"> <binary name="./use-${name}.mjs"/> ${allowed} </start>`;
}

/**
 * Runs all, each in a thread of its own; the answer is who said that it works, and what was said of
 * others.
 */
async function run(uses, loop) {
  const heard = new Map();
  for (let first = 0; first < uses.length; first += AT_A_TIME) {
    const some = await runSome(uses.slice(first, first + AT_A_TIME), loop);
    for (const [name, said] of some) heard.set(name, said);
  }
  return heard;
}

async function runSome(uses, loop) {
  write(
    'config.xml',
    `<config>
  <parent-provides> <service name="ROM"/> <service name="LOG"/> <service name="PD"/> <service name="CPU"/> </parent-provides>
  <default-route> <any-service> <parent/> </any-service> </default-route>
  <default ram="2M" caps="100"/>
  ${uses.map((one) => startNode(one, loop)).join('\n  ')}
</config>\n`,
  );
  const child = spawn(process.execPath, [GINIT, 'config.xml'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const heard = new Map();
  const timer = setTimeout(() => child.kill('SIGINT'), RUN_TIMEOUT_MS);
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      output += text;
      for (const [, name] of output.matchAll(/^\[init -> ([^\]]+)\] works: (?!undefined)/gm))
        heard.set(name, 'works');
      for (const [, name, why] of output.matchAll(/^ginit: \[init -> ([^\]]+)\] (crashed: .*)$/gm))
        heard.set(name, why);
      if (uses.every(({ name }) => heard.has(name))) child.kill('SIGINT');
    });
  }
  await new Promise((resolve) => child.on('close', resolve));
  clearTimeout(timer);
  if (heard.size === 0) console.error(output);
  return heard;
}

/** Rows of the table. */
async function outcomes(libraries) {
  const uses = libraries.map(([name, version, use]) => {
    write(`${name}.mjs`, `import '${name}';\n`);
    return { name, version, use, ...allowancesFor(`${name}.mjs`) };
  });
  const checked = uses.filter(({ problem }) => !problem);
  const parked = await run(checked, false);
  const left = checked.filter(({ name }) => parked.get(name) !== 'works');
  const live = left.length > 0 ? await run(left, true) : new Map();
  return uses.map(({ name, version, allowances, problem }) => {
    const needs = allowances.map(describeAllowance);
    const ran = parked.get(name) === 'works' || live.get(name) === 'works';
    const plain = parked.get(name) === 'works' && needs.length === 0 ? 'yes' : 'no';
    if (problem) needs.push(`it ${problem}`);
    else if (!ran) {
      const why = live.get(name) ?? parked.get(name) ?? 'it says nothing';
      needs.push(`it does not run: ${why.replaceAll(folder, '…').slice(0, 160)}`);
    } else if (parked.get(name) !== 'works') needs.push(`loop: 'live'`);
    return { name, version, plain, needs, ran };
  });
}

function tableOf(rows) {
  const cell = (needs) =>
    needs.map((one) => (one.startsWith('it ') ? one : `\`${one.replaceAll('|', '\\|')}\``)).join(' ');
  return [
    '| library | in a plain component | what it needs | run |',
    '| --- | --- | --- | --- |',
    ...rows.map(
      ({ name, version, plain, needs, ran }) =>
        `| ${name} ${version} | ${plain} | ${cell(needs)} | ${ran ? 'yes' : 'no'} |`,
    ),
  ].join('\n');
}

install();
mkdirSync(join(folder, 'node_modules', '@ginit'), { recursive: true });
const core = join(folder, 'node_modules', '@ginit', 'core');
if (!existsSync(core)) symlinkSync(join(root, 'packages/core'), core);
const chosen = LIBRARIES.filter(([name]) => positionals.length === 0 || positionals.includes(name));
const rows = await outcomes(chosen);
for (const { name, version, plain, needs, ran } of rows)
  console.error([name, version, plain, ...needs, ran ? 'ran' : 'did not run'].join('  '));
if (positionals.length === 0) {
  const page = readFileSync(TABLE, 'utf8');
  const marked = /(<!-- table -->\n)[^]*(<!-- end -->)/;
  writeFileSync(
    TABLE,
    page.replace(marked, (_, before, after) => `${before}${tableOf(rows)}\n${after}`),
  );
}
if (values.folder === undefined) rmSync(folder, { recursive: true, force: true });
