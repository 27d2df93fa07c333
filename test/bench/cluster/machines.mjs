/**
 * A whole cluster on this machine for one run of a benchmark: a nats-server, `ginit node` processes,
 * and heads that are started with a config. Everything ends with this process.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../harness/environment.mjs';
import { startServer } from './nats-server.mjs';

const GINIT = join(ROOT, 'packages/init/bin/ginit.js');
const CLUSTER = 'bench';

/** Starts a cluster with these nodes, which are waited for. */
export async function startMachines(names) {
  const directory = mkdtempSync(join(tmpdir(), 'ginit-bench-cluster-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  mkdirSync(join(directory, 'node_modules/@ginit'), { recursive: true });
  symlinkSync(join(ROOT, 'packages/core'), join(directory, 'node_modules/@ginit/core'));
  const run = (...args) => {
    const made = spawnSync(process.execPath, [GINIT, ...args], { cwd: directory, encoding: 'utf8' });
    if (made.status !== 0) throw new Error(`ginit ${args.join(' ')}: ${made.stderr}`);
    return made.stdout.trim();
  };
  const keys = ['head', ...names].map((name) => `${name} ${run('key', 'new', `${name}.key`)}\n`);
  writeFileSync(join(directory, 'keys'), keys.join(''));
  run('bus', 'config', '--cluster', CLUSTER, '--keys', 'keys', '--out', 'server.conf');
  const configuration = readFileSync(join(directory, 'server.conf'), 'utf8').replace(/^listen.*$/m, '');
  const { url } = await startServer(configuration);

  /** Starts a command on the bus; `said` is called with what it has written so far. */
  const start = (args, said) => {
    const onBus = ['--bus', url, '--cluster', CLUSTER];
    const child = spawn(process.execPath, [GINIT, ...args, ...onBus], {
      cwd: directory,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    process.on('exit', () => child.kill('SIGKILL'));
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (more) => {
        text += more;
        said(text);
      });
    }
    return child;
  };
  const nodes = names.map(
    (name) =>
      new Promise((resolve) => {
        const args = ['node', '--name', name, '--cache', join(directory, `cache-${name}`)];
        const child = start(args, (text) => text.includes('on the bus') && resolve(child));
      }),
  );
  return { directory, start, nodes: await Promise.all(nodes) };
}

/** Ends a command in order. */
export function stop(child) {
  return new Promise((resolve) => {
    child.once('exit', resolve);
    child.kill('SIGTERM');
  });
}
