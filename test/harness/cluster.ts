/** A cluster for tests: a real nats-server, keys, and ginit processes as its head and its nodes. */
import { randomBytes } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { Identity, newSeed } from '@ginit/core/nats';
import { type FinishedRun, type GinitRun, systemConfig, Workplace } from './ginit.ts';
import { JAILABLE } from './jailable.ts';
import { NatsServer, noNatsServer } from './nats-server.ts';

/** The name of the cluster. */
export const CLUSTER = 'test';
/** What to say of tests of clusters that are skipped; `undefined` if there is no need to. */
export const noCluster =
  noNatsServer ?? (JAILABLE ? undefined : 'needs Linux on x64: nodes jail what they run');
/** Each look at a system starts a process, which takes a while. */
const LOOKS_MAX = 40;

/** A cluster in a directory of its own. */
export class TestCluster implements AsyncDisposable {
  readonly place = new Workplace();
  readonly server: NatsServer;
  /** How long a machine may be unreachable before it is lost. */
  lease = '1s';
  readonly #keys: ReadonlyMap<string, string>;
  /** No other test has a system of this name. */
  readonly #system = `cluster-${randomBytes(6).toString('hex')}`;
  readonly #running: GinitRun[] = [];

  private constructor(
    server: NatsServer,
    keys: ReadonlyMap<string, string>,
    seeds: ReadonlyMap<string, string>,
  ) {
    this.server = server;
    this.#keys = keys;
    for (const [name, seed] of seeds) chmodSync(this.place.write(`${name}.key`, `${seed}\n`), 0o600);
    this.place.write('keys', [...keys].map(([name, key]) => `${name} ${key}\n`).join(''));
  }

  /** A cluster whose bus knows these names, and `head`. */
  static async start(...names: readonly string[]): Promise<TestCluster> {
    const seeds = new Map(['head', ...names].map((name) => [name, newSeed(randomBytes(32))]));
    const keys = new Map(Array.from(seeds, ([name, seed]) => [name, new Identity(seed).publicKey]));
    return new TestCluster(await NatsServer.start(CLUSTER, [...keys.values()]), keys, seeds);
  }

  keyOf(name: string): string {
    return this.#keys.get(name) ?? '';
  }

  /** Runs a command of ginit on the bus. */
  run(...args: readonly string[]): GinitRun {
    return this.#runAt(this.server.url, args);
  }

  #runAt(url: string, args: readonly string[]): GinitRun {
    const run = this.place.start(...args, '--bus', url, '--cluster', CLUSTER, '--lease', this.lease);
    this.#running.push(run);
    return run;
  }

  /** Starts a node. */
  node(name: string, ...args: readonly string[]): GinitRun {
    return this.nodeAt(this.server.url, name, ...args);
  }

  /** Starts a node that reaches the bus by this URL. */
  nodeAt(url: string, name: string, ...args: readonly string[]): GinitRun {
    const cache = this.place.path(`cache-${name}`);
    return this.#runAt(url, ['node', '--name', name, '--cache', cache, ...args]);
  }

  /** Attaches a component. */
  attach(name: string, file: string, ...args: readonly string[]): GinitRun {
    return this.run('attach', '--name', name, ...args, file);
  }

  /** Starts a head with these start nodes. */
  head(starts: string): GinitRun {
    this.place.write('cluster.xml', systemConfig(starts));
    return this.runHead('cluster.xml');
  }

  /** Starts a head with this config. */
  runHead(file: string): GinitRun {
    return this.run(file, '--system', this.#system);
  }

  /** Asks the head. */
  async ask(...args: readonly string[]): Promise<FinishedRun> {
    return this.place.run(...args, '--system', this.#system);
  }

  /** Asks the head again and again until its answer has this; an answer that never has is thrown. */
  async untilSays(what: RegExp, ...args: readonly string[]): Promise<void> {
    for (let looks = 1; ; looks++) {
      const { stdout } = await this.ask(...args);
      if (what.test(stdout)) return;
      if (looks >= LOOKS_MAX) throw new Error(`"ginit ${args.join(' ')}" never said ${what}:\n${stdout}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const run of this.#running) run.killGroup();
    await Promise.all(this.#running.map(({ finished }) => finished));
    await this.server[Symbol.asyncDispose]();
    this.place[Symbol.dispose]();
  }
}
