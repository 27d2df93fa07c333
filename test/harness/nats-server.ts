/** A real nats-server for tests, with the users of a cluster. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { natsServerConfig, type ServerConfigParts } from '@ginit/core/nats';
import { freePort, missingOf, PATH } from './programs.ts';

/** What to say of tests that are skipped because there is no nats-server; `undefined` if there is. */
export const noNatsServer = missingOf('nats-server');

const LOOK_MS = 20;
const LOOKS_MAX = 500;

/** What a configuration has beside its keys and its address. */
export type ServerSettings = Omit<Partial<ServerConfigParts>, 'cluster' | 'listen' | 'keys'>;

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('data', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });

/** A nats-server, which may be stopped and started again at the same port. */
export class NatsServer implements AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly #host: string;
  readonly #directory = mkdtempSync(join(tmpdir(), 'ginit-nats-'));
  #process: ChildProcess | undefined;

  private constructor(port: number, host: string) {
    this.port = port;
    this.#host = host;
    this.url = `nats://127.0.0.1:${port}`;
  }

  /** A server that is not started yet. `keys` are the public keys of those whom it lets in. */
  static async prepare(
    cluster: string,
    keys: readonly string[],
    settings: ServerSettings = {},
    host = '127.0.0.1',
  ): Promise<NatsServer> {
    const server = new NatsServer(await freePort(), host);
    server.configure(cluster, keys, settings);
    return server;
  }

  static async start(
    cluster: string,
    keys: readonly string[],
    settings: ServerSettings = {},
    host = '127.0.0.1',
  ): Promise<NatsServer> {
    const server = await NatsServer.prepare(cluster, keys, settings, host);
    await server.start();
    return server;
  }

  /** Writes a configuration, which counts from the next start or `reload` on. */
  configure(cluster: string, keys: readonly string[], settings: ServerSettings = {}): void {
    const text = natsServerConfig({ ...settings, cluster, listen: `${this.#host}:${this.port}`, keys });
    writeFileSync(join(this.#directory, 'server.conf'), text);
  }

  async start(): Promise<void> {
    const args = ['-c', join(this.#directory, 'server.conf')];
    this.#process = spawn('nats-server', args, { stdio: 'ignore', env: { ...process.env, PATH } });
    for (let look = 0; look < LOOKS_MAX; look++) {
      if (await answers(this.port)) return;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    throw new Error('the nats-server does not answer');
  }

  /** Has the server read its configuration again. */
  reload(): void {
    this.#process?.kill('SIGHUP');
  }

  /** Has the server stand still, or go on. */
  hold(held: boolean): void {
    this.#process?.kill(held ? 'SIGSTOP' : 'SIGCONT');
  }

  async stop(): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    if (!running || running.exitCode !== null) return;
    const ended = new Promise((resolve) => running.once('exit', resolve));
    running.kill('SIGKILL');
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
