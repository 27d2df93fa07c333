/**
 * Connections to an export that are made anew when they are lost. All connections of a link live
 * and die together: only so is it known in which order changes are made again. Requests wait
 * meanwhile, for as long as the config says; then they fail with `Gone`, until there is a
 * connection again.
 */
import { assert, RpcError } from '@ginit/core';
import { type Deferred, quietDeferred } from '@ginit/core/async';
import { blockError } from '@ginit/core/block';
import type { HostConnection, HostTls } from '@ginit/core/host';
import { connectWithin } from '../lib/connect-within.ts';
import { pauses } from '../lib/pauses.ts';
import { ClientConnection, NbdRequestError } from '../nbd/client/client-connection.ts';
import type { RemoteExport } from '../nbd/client/handshake.ts';
import { NbdConnectionError } from '../nbd/nbd-error.ts';

/** An attempt that takes longer is given up. */
const ATTEMPT_MS = 10_000;

/** The clock of a link: `env.timer`, or one of a test. */
export interface LinkClock {
  sleep(ms: number): Promise<void>;
  after(ms: number, handler: () => void): () => void;
  every(ms: number, handler: () => void): () => void;
}

export interface LinkOptions {
  readonly connect: () => Promise<HostConnection>;
  readonly clock: LinkClock;
  readonly exportName: string;
  readonly tls: HostTls | undefined;
  readonly connections: number;
  readonly reconnectMs: number;
  readonly stallMs: number;
  /** Whether requests are made again whose connection was lost; otherwise they fail. */
  readonly replay: boolean;
  /** Told of losses and returns, in words for people. */
  readonly tell: (text: string) => void;
}

/**
 * What the owner of a link does whenever there are connections again, before anything else is sent.
 */
export type Renewed = (remote: RemoteExport, connection: ClientConnection) => Promise<void>;

/** Connections that live and die together. */
interface Bundle {
  readonly remote: RemoteExport;
  readonly clients: readonly ClientConnection[];
}

export class RemoteLink {
  readonly #options: LinkOptions;
  #renewed: Renewed = async () => {};
  #bundle: Bundle | undefined;
  /** Settles when requests may be sent again, or when they have waited long enough. */
  #ready: Deferred<void> = quietDeferred();
  #connecting = false;
  #closed = false;
  #endWatch: () => void = () => {};

  /**
   * Connects. A server that cannot be reached is tried again for a while; one that refuses is not.
   * Rejects with the last error.
   */
  static async open(options: LinkOptions): Promise<{ link: RemoteLink; remote: RemoteExport }> {
    const link = new RemoteLink(options);
    const bundle = await link.#connectFirst();
    link.#use(bundle);
    return { link, remote: bundle.remote };
  }

  private constructor(options: LinkOptions) {
    this.#options = options;
  }

  /** Has `renewed` called on each return. If it rejects, the connections are lost again. */
  onRenewed(renewed: Renewed): void {
    this.#renewed = renewed;
  }

  /**
   * Sends a request. Rejects with an `RpcError` of a code of Block: what the server has answered,
   * or `Gone`. `send` is called again if a connection was lost and `replay` is set.
   */
  async perform(send: (connection: ClientConnection) => Promise<void>): Promise<void> {
    for (;;) {
      const bundle = this.#bundle;
      if (bundle === undefined) {
        await this.#ready.promise;
        continue;
      }
      try {
        return await send(leastBusy(bundle.clients));
      } catch (error) {
        if (error instanceof NbdRequestError && error.code === 'Shutdown') {
          // The server says in advance that it is going to close the connection.
          this.#lose(bundle, new NbdConnectionError('Ended', error.message));
        } else if (error instanceof NbdConnectionError) this.#lose(bundle, error);
        else throw asBlockError(error);
        if (!this.#options.replay) throw blockError('Gone', 'the connection was lost');
      }
    }
  }

  /** Gives the connections up, and makes new ones: `renewed` is called then. */
  renew(reason: string): void {
    if (this.#bundle) this.#lose(this.#bundle, new NbdConnectionError('Ended', reason));
  }

  /** Takes leave of the server. Requests that wait fail with `Gone`. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#endWatch();
    const bundle = this.#bundle;
    this.#bundle = undefined;
    // Those that wait now, and those that come later.
    const gone = blockError('Gone', 'the device is closed');
    this.#ready.reject(gone);
    this.#ready = quietDeferred();
    this.#ready.reject(gone);
    await Promise.all(bundle?.clients.map((client) => client.disconnect()) ?? []);
  }

  async #connectFirst(): Promise<Bundle> {
    const { clock, reconnectMs, tell } = this.#options;
    const pause = pauses();
    let waitedMs = 0;
    for (;;) {
      try {
        return await this.#connectAll();
      } catch (error) {
        if (!canComeBack(error) || waitedMs >= reconnectMs) throw error;
        if (waitedMs === 0) tell(`no connection yet, trying again: ${textOf(error)}`);
      }
      const pauseMs = pause.next().value;
      await clock.sleep(pauseMs);
      waitedMs += pauseMs;
    }
  }

  /** Opens as many connections as are wanted and allowed, or none. */
  async #connectAll(): Promise<Bundle> {
    const first = await this.#connectOne();
    const clients = [first.client];
    try {
      const { connections } = this.#options;
      while (first.remote.multiConnection && clients.length < connections) {
        const { client, remote } = await this.#connectOne();
        clients.push(client);
        if (remote.sizeBytes !== first.remote.sizeBytes) {
          throw new NbdConnectionError('Ended', 'the export changes its size just now');
        }
      }
      this.#watch(clients);
      return { remote: first.remote, clients };
    } catch (error) {
      await Promise.all(clients.map((client) => client.disconnect()));
      throw error;
    }
  }

  #connectOne(): Promise<{ client: ClientConnection; remote: RemoteExport }> {
    const { connect, clock, exportName, tls } = this.#options;
    const tooLate = (): NbdConnectionError => new NbdConnectionError('Ended', 'the server does not answer');
    return connectWithin({ clock, timeoutMs: ATTEMPT_MS, tooLate }, connect, (connection) =>
      ClientConnection.open(connection, { exportName, tls }),
    );
  }

  #use(bundle: Bundle): void {
    this.#bundle = bundle;
    this.#ready.resolve();
    for (const client of bundle.clients) void client.ended.then((reason) => this.#lose(bundle, reason));
  }

  /** Gives connections up whose server sends nothing, and takes nothing, while it is asked. */
  #watch(clients: readonly ClientConnection[]): void {
    const { clock, stallMs } = this.#options;
    const seen = new Map<ClientConnection, number>();
    this.#endWatch();
    this.#endWatch = clock.every(stallMs, () => {
      for (const client of clients) {
        const stalls = client.pending > 0 && seen.get(client) === client.progress;
        if (stalls) void client.close(new NbdConnectionError('Ended', 'the server answers nothing'));
        if (client.pending > 0) seen.set(client, client.progress);
        else seen.delete(client);
      }
    });
  }

  #lose(bundle: Bundle, reason: NbdConnectionError): void {
    if (this.#bundle !== bundle) return;
    this.#bundle = undefined;
    this.#ready = quietDeferred();
    this.#endWatch();
    for (const client of bundle.clients) void client.close(reason);
    if (this.#closed) return;
    this.#options.tell(`connection lost, trying again: ${reason.message}`);
    if (!this.#connecting) void this.#reconnect();
  }

  async #reconnect(): Promise<void> {
    const { clock, reconnectMs, tell } = this.#options;
    this.#connecting = true;
    const giveUp = (): void => {
      tell('no connection: requests fail until there is one');
      this.#ready.reject(blockError('Gone', 'there is no connection to the server'));
    };
    let told = '';
    const cancel = clock.after(reconnectMs, giveUp);
    for (const pauseMs of pauses()) {
      if (this.#closed) break;
      try {
        const bundle = await this.#connectAll();
        const [first] = bundle.clients;
        try {
          if (first) await this.#renewed(bundle.remote, first);
        } catch (error) {
          this.#endWatch();
          await Promise.all(bundle.clients.map((client) => client.disconnect()));
          throw error;
        }
        if (this.#closed) await Promise.all(bundle.clients.map((client) => client.disconnect()));
        else this.#return(bundle);
        break;
      } catch (error) {
        const text = textOf(error);
        if (!(error instanceof RpcError)) throw error;
        if (text !== told) tell(`still no connection: ${text}`);
        told = text;
      }
      await clock.sleep(pauseMs);
    }
    cancel();
    this.#connecting = false;
  }

  /** Those that wait go on. After they were told that there is none, later ones do. */
  #return(bundle: Bundle): void {
    this.#connecting = false;
    this.#options.tell('connected again');
    this.#use(bundle);
  }
}

function leastBusy(clients: readonly ClientConnection[]): ClientConnection {
  let [found] = clients;
  for (const client of clients) if (!found || client.pending < found.pending) found = client;
  assert(found !== undefined, 'a bundle has connections');
  return found;
}

/** Whether another attempt may succeed without anybody changing the config. */
function canComeBack(error: unknown): boolean {
  if (!(error instanceof RpcError)) return false;
  return (
    error.code !== 'Refused' &&
    error.code !== 'Protocol' &&
    error.code !== 'NotGranted' &&
    error.code !== 'Untrusted'
  );
}

function asBlockError(error: unknown): unknown {
  if (!(error instanceof NbdRequestError)) return error;
  switch (error.code) {
    case 'ReadOnly':
    case 'NoSpace':
    case 'Invalid':
    case 'InputOutput':
      return blockError(error.code, error.message);
    case 'Shutdown':
      return blockError('Gone', error.message);
  }
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
