/** Accepts connections, and serves them the exports of the config. */
import { type Env, RpcError } from '@ginit/core';
import { BlockClient } from '@ginit/core/block';
import type { ConfigOf } from '@ginit/core/config';
import type { HostConnection, HostListener } from '@ginit/core/host';
import { Condition } from '@ginit/core/async';
import { isLocal } from '../lib/address.ts';
import { BoundedLog } from '../lib/bounded-log.ts';
import { serverTls } from '../lib/tls.ts';
import type { NbdExport } from '../nbd/server/nbd-device.ts';
import { ServerConnection, type ServerRules } from '../nbd/server/server-connection.ts';
import { ExportedDevice } from './exported-device.ts';
import { NBD_SERVER_CONFIG, type NBD_EXPORT } from './schema.ts';

/** A client that has not picked an export by then is sent away. */
const HANDSHAKE_MS = 30_000;
/** How long the end of the server waits for requests under way to be answered. */
const STOP_MS = 3000;

/** The part of `env` that the server uses. */
export type NbdServerEnv = Pick<
  Env,
  'config' | 'host' | 'connect' | 'close' | 'timer' | 'log' | 'warning' | 'error'
>;

type ExportConfig = ConfigOf<typeof NBD_EXPORT>;

export class NbdServer {
  readonly #env: NbdServerEnv;
  readonly #rules: ServerRules;
  readonly #sessions: readonly BlockClient[];
  readonly #listener: HostListener;
  readonly #connectionsMax: number;
  readonly #connections = new Set<ServerConnection>();
  readonly #left = new Condition();
  /** Clients at fault; later ones are sent away without a word. */
  readonly #faults: BoundedLog;
  #stopped = false;

  /** Opens the sessions and the socket. Throws `ConfigError` where the config cannot work. */
  static async start(env: NbdServerEnv): Promise<NbdServer> {
    const config = env.config.read(NBD_SERVER_CONFIG);
    const { listen, connections, $children, $node } = config;
    const tlsConfig = $children.tls;
    checkNames($children.export);
    if (!tlsConfig && !isLocal(listen)) {
      throw $node.errorAt(
        `others can listen in at "${listen}": it needs a <tls>, or an address of loopback`,
        'listen',
      );
    }
    const tls = tlsConfig && (await serverTls(env, tlsConfig));
    const sessions: BlockClient[] = [];
    const exports: NbdExport[] = [];
    for (const wanted of $children.export) {
      const session = await openSession(env, wanted);
      sessions.push(session);
      const device = new ExportedDevice(session, wanted.detect_zeroes);
      exports.push({ name: wanted.name, description: wanted.description, device });
    }
    const listener = await openListener(env, config);
    const server = new NbdServer(env, { exports: () => exports, tls }, sessions, listener, connections);
    void server.#accept();
    return server;
  }

  private constructor(
    env: NbdServerEnv,
    rules: ServerRules,
    sessions: readonly BlockClient[],
    listener: HostListener,
    connectionsMax: number,
  ) {
    this.#env = env;
    this.#faults = new BoundedLog((text) => void env.warning(text));
    this.#rules = rules;
    this.#sessions = sessions;
    this.#listener = listener;
    this.#connectionsMax = connectionsMax;
  }

  /** The address where it listens. */
  get address(): string {
    return this.#listener.address;
  }

  /**
   * Ends the server: requests under way are answered, as far as their clients take the answers, and
   * what was written is synced.
   */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#listener.close();
    const connections = [...this.#connections];
    const ended = Promise.all(connections.map((connection) => connection.stop()));
    await Promise.race([ended, this.#env.timer.sleep(STOP_MS)]);
    await Promise.all(connections.map((connection) => connection.close()));
    for (const session of this.#sessions) {
      try {
        await session.sync();
        await session.close();
      } catch (error) {
        void this.#env.error(`the last SYNC failed: ${textOf(error)}`);
      }
    }
  }

  async #accept(): Promise<void> {
    let warned = false;
    for (;;) {
      if (this.#connections.size >= this.#connectionsMax) {
        if (!warned) {
          void this.#env.warning(`${this.#connectionsMax} clients are connected: further ones wait`);
        }
        warned = true;
        await this.#left.wait();
        continue;
      }
      let connection: HostConnection;
      try {
        connection = await this.#listener.accept();
      } catch (error) {
        if (this.#stopped) return;
        throw error;
      }
      void this.#serve(connection);
    }
  }

  async #serve(connection: HostConnection): Promise<void> {
    const served = new ServerConnection(connection, this.#rules);
    this.#connections.add(served);
    const late = this.#env.timer.after(HANDSHAKE_MS, () => {
      if (!served.transmits) void served.close();
    });
    try {
      await served.run();
    } catch (error) {
      this.#blame(connection.peer, error);
    } finally {
      late();
      this.#connections.delete(served);
      this.#left.wakeAll();
    }
  }

  #blame(peer: string, error: unknown): void {
    if (!(error instanceof RpcError)) throw error;
    // A client may leave as it likes; it is at fault only if it has said nonsense, or is not
    // trusted.
    if (error.code !== 'Protocol' && error.code !== 'Untrusted') return;
    if (this.#stopped) return;
    this.#faults.tell(`client ${peer === '' ? 'of the socket' : peer}: ${error.message}`);
  }
}

function checkNames(exports: readonly ExportConfig[]): void {
  const names = new Set<string>();
  for (const { name, $node } of exports) {
    if (names.has(name)) throw $node.errorAt(`there is another <export> with the name "${name}"`, 'name');
    names.add(name);
  }
}

async function openSession(env: NbdServerEnv, wanted: ExportConfig): Promise<BlockClient> {
  const { name, label = name, writeable, tx_buf_size: bufferBytes, $node } = wanted;
  try {
    const session = await BlockClient.connect(env, { label, args: { tx_buf_size: bufferBytes, writeable } });
    if (writeable && !session.info.writeable) {
      void env.warning(`export "${name}": the Block session "${label}" may not be written`);
    }
    return session;
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    throw $node.errorAt(`export "${name}": ${error.message}`);
  }
}

async function openListener(
  env: NbdServerEnv,
  { listen, $node }: ConfigOf<typeof NBD_SERVER_CONFIG>,
): Promise<HostListener> {
  try {
    return await env.host.listen(listen);
  } catch (error) {
    if (error instanceof RpcError) throw $node.errorAt(error.message, 'listen');
    throw error;
  }
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
