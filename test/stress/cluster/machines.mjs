/**
 * The machines of a stress run with nodes: a nats-server, and `ginit node` processes that lend this
 * machine under several names. Each can be ended, and is there again when it is told to.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Identity, natsServerConfig, newSeed } from '@ginit/core/nats';
import { ProcessGroup } from '../watch/group.mjs';
import { leftOver } from '../watch/processes.mjs';

const CLUSTER = 'stress';
const HEAD = 'head';
/** Two leases and a quarter are the longest that a call to a lost node may take. */
const LEASE = '4s';
const START_MS = 60_000;
const END_MS = 60_000;
/** A process notices within this time that whoever it works for is gone. */
const LEFT_OVER_MS = 5000;
const RAM = '4G';

/** A port that nobody uses just now. */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** One machine. */
class Machine {
  name;
  #args;
  #parts;
  #group;
  #groups = [];

  /** `parts`: `directory`, and `onLine` for all that it writes. */
  constructor(name, args, parts) {
    this.name = name;
    this.#args = args;
    this.#parts = parts;
  }

  /** Starts it; settles when it is on the bus. */
  async start() {
    const { directory, onLine } = this.#parts;
    let isThere = false;
    this.#group = new ProcessGroup(this.#args, {
      cwd: directory,
      onLine: (line) => {
        isThere ||= line.includes('on the bus');
        onLine(line, this.name);
      },
    });
    this.#groups.push(this.#group);
    await this.#group.until(() => isThere, START_MS, `node "${this.name}"`);
  }

  get processes() {
    return this.#group.processes();
  }

  /** Ends it by a signal to its first process; settles with what is left of it. */
  async end(signal) {
    this.#group.signal(signal);
    await this.#group.finished;
    return leftOver(this.#group.group, LEFT_OVER_MS);
  }

  /** Ends all of its processes at once, as a machine that loses its power. */
  async cutPower() {
    this.#group.killAll();
    await this.#group.finished;
  }

  /** Has all of its processes stand still, or go on. */
  hold(held) {
    for (const { pid } of this.processes) {
      try {
        process.kill(pid, held ? 'SIGSTOP' : 'SIGCONT');
      } catch {
        // It has ended in between.
      }
    }
  }

  /** Ends it in order; settles with its exit code. */
  async stop() {
    this.#group.signal('SIGTERM');
    const late = new Promise((resolve) => setTimeout(resolve, END_MS, { code: 'no end within its bound' }));
    return (await Promise.race([this.#group.finished, late])).code;
  }

  killAll() {
    for (const group of this.#groups) group.killAll();
  }
}

/** All of them. */
export class Machines {
  list;
  /** What the head is told of its bus. */
  headArgs;
  #directory;
  #server;

  /** Prepares so many nodes in a directory. `onLine` takes the lines of nodes, with their names. */
  static async prepare(names, directory, log, onLine) {
    const machines = new Machines();
    machines.#directory = directory;
    const seeds = [HEAD, ...names].map((name) => [name, newSeed(randomBytes(32))]);
    const keys = seeds.map(([name, seed]) => [name, new Identity(seed).publicKey]);
    for (const [name, seed] of seeds)
      writeFileSync(join(directory, `${name}.key`), `${seed}\n`, { mode: 0o600 });
    writeFileSync(join(directory, 'keys'), keys.map(([name, key]) => `${name} ${key}\n`).join(''));
    const port = await freePort();
    const listen = `127.0.0.1:${port}`;
    const configuration = natsServerConfig({ cluster: CLUSTER, listen, keys: keys.map(([, key]) => key) });
    writeFileSync(join(directory, 'server.conf'), configuration);
    const bus = ['--bus', `nats://${listen}`, '--cluster', CLUSTER, '--lease', LEASE];
    const parts = {
      directory,
      onLine: (line, name) => {
        if (log !== undefined) appendFileSync(log, `${name}: ${line}\n`);
        onLine(line, name);
      },
    };
    machines.list = names.map((name) => {
      const args = [
        'node',
        '--name',
        name,
        '--ram',
        RAM,
        '--cache',
        join(directory, `cache-${name}`),
        ...bus,
      ];
      return new Machine(name, args, parts);
    });
    const keyFiles = ['--keys', join(directory, 'keys'), '--key', join(directory, `${HEAD}.key`)];
    machines.headArgs = [...bus, ...keyFiles];
    return machines;
  }

  async start() {
    this.startBus();
    await Promise.all(this.list.map((machine) => machine.start()));
  }

  startBus() {
    this.#server = spawn('nats-server', ['-c', join(this.#directory, 'server.conf')], { stdio: 'ignore' });
    this.#server.once('error', (error) => {
      throw new Error(`a stress with nodes needs nats-server (Debian: nats-server): ${error.message}`);
    });
  }

  /** Ends the nats-server at once. */
  killBus() {
    const server = this.#server;
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGKILL');
    return ended;
  }

  killAll() {
    for (const machine of this.list) machine.killAll();
    this.#server?.kill('SIGKILL');
  }
}
