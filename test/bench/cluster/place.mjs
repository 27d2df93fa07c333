/**
 * 20 components placed on 3 nodes: the time from the start of the head, with the nodes waiting, to
 * the moment when all 20 have said a word; once with their code still to come, once with it there.
 * Everything runs on this machine: a nats-server, three `ginit node` and one head.
 *
 * Prints {"placeColdMs": …, "place20Ms": …}.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../harness/environment.mjs';
import { startServer } from './nats-server.mjs';

const [count = 20] = process.argv.slice(2).map(Number);
const NODES = ['a', 'b', 'c'];
const GINIT = join(ROOT, 'packages/init/bin/ginit.js');
const CLUSTER = 'bench';

const directory = mkdtempSync(join(tmpdir(), 'ginit-bench-place-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
mkdirSync(join(directory, 'node_modules/@ginit'), { recursive: true });
symlinkSync(join(ROOT, 'packages/core'), join(directory, 'node_modules/@ginit/core'));

const ginit = (...args) => [GINIT, ...args];
const keys = ['head', ...NODES].map((name) => {
  const made = spawnSync(process.execPath, ginit('key', 'new', `${name}.key`), {
    cwd: directory,
    encoding: 'utf8',
  });
  return `${name} ${made.stdout.trim()}`;
});
writeFileSync(join(directory, 'keys'), `${keys.join('\n')}\n`);
spawnSync(
  process.execPath,
  ginit('bus', 'config', '--cluster', CLUSTER, '--keys', 'keys', '--out', 'server.conf'),
  {
    cwd: directory,
  },
);
const configuration = readFileSync(join(directory, 'server.conf'), 'utf8').replace(/^listen.*$/m, '');
const url = await startServer(configuration);
const onBus = ['--bus', url, '--cluster', CLUSTER];

writeFileSync(
  join(directory, 'word.js'),
  "import { component } from '@ginit/core';\nexport default component({}, (env) => env.log('is there'));\n",
);
const starts = Array.from(
  { length: count },
  (_, at) => `<start name="one-${at}" node="any"> <binary name="./word.js"/> </start>`,
);
writeFileSync(
  join(directory, 'place.xml'),
  `<config>
  <parent-provides>
    <service name="ROM"/> <service name="LOG"/> <service name="PD"/> <service name="CPU"/> <service name="Timer"/>
  </parent-provides>
  <default-route> <any-service> <parent/> </any-service> </default-route>
  <default caps="100" ram="1M"/>
  ${starts.join('\n  ')}
</config>
`,
);

/** Starts a command; `said` is called with what it has written so far. */
function start(args, said) {
  const child = spawn(process.execPath, ginit(...args), {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (more) => {
      text += more;
      said(text);
    });
  }
  return child;
}

const ended = (child) =>
  new Promise((resolve) => {
    child.once('exit', resolve);
    child.kill('SIGTERM');
  });

const nodes = await Promise.all(
  NODES.map(
    (name) =>
      new Promise((resolve) => {
        const args = ['node', '--name', name, '--cache', join(directory, `cache-${name}`), ...onBus];
        const child = start(args, (text) => text.includes('on the bus') && resolve(child));
      }),
  ),
);

async function placed() {
  const beganMs = performance.now();
  let all;
  const head = await new Promise((resolve) => {
    const child = start(['place.xml', ...onBus], (text) => {
      if (all !== undefined || text.split('is there').length <= count + NODES.length) return;
      all = performance.now() - beganMs;
      resolve(child);
    });
  });
  await ended(head);
  return all;
}

const placeColdMs = await placed();
const place20Ms = await placed();
await Promise.all(nodes.map(ended));
console.log(JSON.stringify({ placeColdMs, place20Ms }));
process.exit(0);
