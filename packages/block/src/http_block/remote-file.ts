/** A file of an HTTP server: ranges of it, by a few connections, with patience. */
import { RpcError } from '@ginit/core';
import { Semaphore } from '@ginit/core/async';
import type { HostConnection } from '@ginit/core/host';
import { HttpError } from '../http/http-error.ts';
import { type HttpPlace, httpPlace } from '../http/http-place.ts';
import { RangeConnection, Redirected, type TakenRange } from '../http/range-connection.ts';
import { connectWithin } from '../lib/connect-within.ts';
import { pauses } from '../lib/pauses.ts';

/** Redirections that are followed when the file is opened. */
const REDIRECTIONS_MAX = 5;

/** The clock: `env.timer`, or one of a test. */
export interface RemoteFileClock {
  sleep(ms: number): Promise<void>;
  after(ms: number, handler: () => void): () => void;
}

export interface RemoteFileOptions {
  readonly uri: string;
  /** Connects to the place, secured if it is to be. */
  readonly connect: (place: HttpPlace) => Promise<HostConnection>;
  readonly clock: RemoteFileClock;
  readonly connections: number;
  readonly retries: number;
  readonly timeoutMs: number;
}

export class RemoteFile {
  readonly #options: RemoteFileOptions;
  readonly #lanes: Semaphore;
  readonly #idle: RangeConnection[] = [];
  readonly #active = new Set<RangeConnection>();
  #place: HttpPlace;
  #opened: { readonly sizeBytes: number; readonly version: string } | undefined;
  #closed = false;

  /**
   * Asks for the first byte, and learns from the answer how large the file is. Rejects with an
   * `RpcError` that says why it cannot be used.
   */
  static async open(options: RemoteFileOptions): Promise<RemoteFile> {
    let { uri } = options;
    for (let count = 0; count <= REDIRECTIONS_MAX; count++) {
      const place = placeOf(uri);
      const file = new RemoteFile(options, place);
      try {
        const { range, version } = await file.#attempts(0, new Uint8Array(1));
        file.#opened = { sizeBytes: range.total, version };
        return file;
      } catch (error) {
        await file.close();
        if (!(error instanceof Redirected)) throw error;
        uri = follow(uri, error.location);
      }
    }
    throw new HttpError('Unsuitable', `the server redirects more than ${REDIRECTIONS_MAX} times`);
  }

  private constructor(options: RemoteFileOptions, place: HttpPlace) {
    this.#options = options;
    this.#place = place;
    this.#lanes = new Semaphore(options.connections);
  }

  get sizeBytes(): number {
    return this.#opened?.sizeBytes ?? 0;
  }

  /** Fills `into` from `position` on. Rejects with `HttpError`. */
  async read(position: number, into: Uint8Array): Promise<void> {
    for (let at = 0; at < into.byteLength; ) {
      const { range, version } = await this.#lanes.run(() =>
        this.#attempts(position + at, into.subarray(at)),
      );
      if (version !== this.#opened?.version || range.total !== this.#opened.sizeBytes) {
        throw new HttpError('Gone', 'the file has changed since it was opened');
      }
      // A server may send less than it was asked for, but something it does send.
      at += range.last - range.first + 1;
    }
  }

  /** Requests under way fail. */
  async close(): Promise<void> {
    this.#closed = true;
    const all = [...this.#idle.splice(0), ...this.#active];
    await Promise.all(all.map((connection) => connection.close()));
  }

  async #attempts(first: number, into: Uint8Array): Promise<TakenRange> {
    const { clock, retries } = this.#options;
    const pauseMs = pauses();
    for (let retry = 0; ; retry++) {
      const idle = this.#idle.pop();
      try {
        return await this.#exchange(idle, first, into);
      } catch (error) {
        if (!(error instanceof RpcError) || !mayPass(error) || this.#closed) throw error;
        // A server may close a connection that is idle whenever it likes: that is no failure.
        if (idle && error.code === 'Ended') {
          retry--;
          continue;
        }
        if (retry >= retries) throw error;
      }
      await clock.sleep(pauseMs.next().value);
    }
  }

  #exchange(idle: RangeConnection | undefined, first: number, into: Uint8Array): Promise<TakenRange> {
    const { connect, clock, timeoutMs } = this.#options;
    const tooLate = (): HttpError => new HttpError('Passing', 'the server does not answer in time');
    return connectWithin(
      { clock, timeoutMs, tooLate },
      async () => idle ?? new RangeConnection(await connect(this.#place)),
      async (connection) => {
        this.#active.add(connection);
        try {
          if (this.#closed) await connection.close();
          const taken = await connection.read(this.#place, first, into);
          if (connection.reusable) this.#idle.push(connection);
          return taken;
        } finally {
          this.#active.delete(connection);
        }
      },
    );
  }
}

function placeOf(uri: string): HttpPlace {
  const place = httpPlace(uri);
  if (typeof place === 'string') throw new HttpError('Unsuitable', `"${uri}" ${place}`);
  return place;
}

/** Only what is on the same server is granted. */
function follow(uri: string, location: string): string {
  const [from, to] = [placeOf(uri), httpPlace(location, uri)];
  if (typeof to === 'string' || to.address !== from.address || to.secure !== from.secure) {
    throw new HttpError(
      'Unsuitable',
      `the server redirects to ${location.slice(0, 1000)}: name that as the uri`,
    );
  }
  return new URL(location, uri).href;
}

/** Whether another attempt may succeed. */
function mayPass({ code }: RpcError): boolean {
  return !['Gone', 'Unsuitable', 'NotGranted', 'Untrusted'].includes(code);
}
