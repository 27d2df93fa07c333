/**
 * Terminals at sockets: each session has one, and everybody who connects to it looks at the same
 * terminal. (Reference: Genode's tcp_terminal.)
 */
import {
  type Env,
  hasCode,
  type Implementation,
  RpcError,
  requiredPolicy,
  type SessionContext,
  SessionError,
} from '@ginit/core';
import { attribute, element, policyElements } from '@ginit/core/config';
import type { HostConnection, HostListener } from '@ginit/core/host';
import { type Terminal, type TerminalWatcher, WatchedTerminal } from '@ginit/core/terminal';

/** The most that one write to a connection carries. */
const PIECE_BYTES = 16 * 1024;

/** The config of `socket_terminal`. */
export const SOCKET_TERMINAL_CONFIG = element('config', 'The socket of each terminal', {
  children: policyElements({
    listen: attribute.text('The socket of these sessions, as a grant has it: unix:PATH or HOST:PORT', {
      required: true,
    }),
  }),
});

/** The terminals that are open. */
export class SocketTerminals {
  readonly #env: Pick<Env, 'config' | 'host' | 'warning'>;

  constructor(env: Pick<Env, 'config' | 'host' | 'warning'>) {
    this.#env = env;
  }

  /**
   * Answers a session request: listens at the socket that the policy for its label names. Throws
   * `DENIED` if there is none, or if nobody can listen there.
   */
  async open({ label, args }: SessionContext<typeof Terminal>): Promise<Implementation<typeof Terminal>> {
    const { listen } = requiredPolicy(this.#env.config.read(SOCKET_TERMINAL_CONFIG), label);
    const listener = await this.#env.host.listen(listen).catch((error: unknown) => {
      const why = error instanceof RpcError ? `${error.code}: ${error.message}` : 'it failed';
      throw new SessionError('DENIED', `cannot listen at "${listen}" (${why})`);
    });
    const connections = new Set<HostConnection>();
    const terminal = new WatchedTerminal({ args }, async () => {
      await listener.close();
      await Promise.all([...connections].map((connection) => connection.close()));
    });
    void this.#accept(listener, terminal, connections);
    return terminal.session;
  }

  /** Goes on until the listener is closed. */
  async #accept(
    listener: HostListener,
    terminal: WatchedTerminal,
    connections: Set<HostConnection>,
  ): Promise<void> {
    try {
      while (!terminal.closed) {
        const connection = await listener.accept();
        connections.add(connection);
        void serve(connection, terminal).finally(() => connections.delete(connection));
      }
    } catch (error) {
      if (terminal.closed || hasCode(error, 'Closed')) return;
      this.#env.warning(`nobody can connect any more: ${error instanceof Error ? error.message : error}`);
    }
  }
}

/** Serves one connection to its end, from whichever side that comes. */
async function serve(connection: HostConnection, terminal: WatchedTerminal): Promise<void> {
  let watcher: TerminalWatcher | undefined;
  try {
    watcher = terminal.watch();
    await Promise.race([show(watcher, connection), type(watcher, connection)]);
  } catch {
    // The connection is broken, the terminal is closed, or too many look at it: it ends.
  } finally {
    watcher?.leave();
    await connection.close().catch(() => {});
  }
}

async function show(watcher: TerminalWatcher, connection: HostConnection): Promise<void> {
  for (let part = await watcher.next(PIECE_BYTES); part; part = await watcher.next(PIECE_BYTES)) {
    if (part.lostBytes > 0) await connection.write(lossText(part.lostBytes));
    await connection.write(part.bytes);
  }
  await connection.end();
}

async function type(watcher: TerminalWatcher, connection: HostConnection): Promise<void> {
  for (let bytes = await connection.read(); bytes; bytes = await connection.read()) await watcher.type(bytes);
}

function lossText(bytes: number): Uint8Array {
  return new TextEncoder().encode(`\r\n[${bytes} bytes are lost: they came faster than they were taken]\r\n`);
}
