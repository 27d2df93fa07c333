/** A client of a running system's control socket. */
import { createConnection, type Socket } from 'node:net';
import { isRecord } from '@ginit/core';
import {
  answerError,
  CONTROL_LIMITS,
  CONTROL_VERSION,
  ControlError,
  type Greeting,
  greeting as greetingShape,
  lineId,
  LineReader,
} from './protocol.ts';

/** A system that does not greet within this time hangs, or is stopped. */
const GREETING_TIMEOUT_MS = 10_000;

/** Why a system could not be reached. */
export type Unreached =
  /** Nobody listens, or there is no such socket. */
  { readonly kind: 'gone' } | { readonly kind: 'failed'; readonly reason: string };

interface Asked {
  readonly item: (item: unknown) => void | Promise<void>;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** How a request is made. */
export interface AskOptions {
  /** Takes the items. Until its result has settled no more is read. */
  readonly item?: (item: unknown) => void | Promise<void>;
  /** Gives the request up. */
  readonly signal?: AbortSignal;
}

/** A connection to a running system. */
export class ControlClient {
  readonly greeting: Greeting;
  readonly #socket: Socket;
  readonly #asked = new Map<number, Asked>();
  #lines: string[] = [];
  #working = false;
  #over = false;
  #nextId = 1;

  private constructor(socket: Socket, greeting: Greeting) {
    this.#socket = socket;
    this.greeting = greeting;
  }

  /** Connects, and waits for the greeting. */
  static connect(path: string): Promise<ControlClient | Unreached> {
    return new Promise((resolve) => {
      const socket = createConnection({ path });
      const reader = new LineReader(CONTROL_LIMITS.answerBytes);
      let client: ControlClient | undefined;
      const fail = (unreached: Unreached): void => {
        clearTimeout(timer);
        socket.destroy();
        resolve(unreached);
      };
      const timer = setTimeout(
        () => fail({ kind: 'failed', reason: 'it does not answer' }),
        GREETING_TIMEOUT_MS,
      );
      socket.on('error', (error) => {
        const code: unknown = Reflect.get(error, 'code');
        const isGone = code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTSOCK';
        fail(isGone ? { kind: 'gone' } : { kind: 'failed', reason: error.message });
      });
      socket.on('close', () => {
        if (client) client.#ended();
        else fail({ kind: 'gone' });
      });
      socket.on('data', (piece: Uint8Array) => {
        try {
          const lines = reader.take(piece);
          const first = client ? undefined : lines.shift();
          if (first !== undefined) {
            const greeting = greetingShape(JSON.parse(first), 'greeting');
            if (greeting.ginit !== CONTROL_VERSION) {
              const reason = `it speaks version ${greeting.ginit} of the control protocol, and this ginit ${CONTROL_VERSION}`;
              return fail({ kind: 'failed', reason });
            }
            clearTimeout(timer);
            client = new ControlClient(socket, greeting);
            resolve(client);
          }
          if (client) client.#take(lines);
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error);
          fail({ kind: 'failed', reason: `it does not speak the control protocol: ${reason}` });
        }
      });
    });
  }

  /**
   * Asks for something. Rejects with `ControlError`; the items and the result come from outside.
   */
  ask(what: string, args: object = {}, { item = () => {}, signal }: AskOptions = {}): Promise<unknown> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      if (this.#over || this.#socket.destroyed) return reject(gone());
      this.#asked.set(id, { item, resolve, reject });
      this.#socket.write(`${JSON.stringify({ id, do: what, with: args })}\n`);
      const cancel = (): void => void this.#socket.write(`${JSON.stringify({ id, cancel: true })}\n`);
      signal?.addEventListener('abort', cancel, { once: true });
    });
  }

  /** Ends the connection. Requests that run reject. */
  close(): void {
    this.#socket.destroy();
  }

  #take(lines: readonly string[]): void {
    this.#lines.push(...lines);
    void this.#work();
  }

  /** Takes one line after the other, and reads no further ones meanwhile. */
  async #work(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    this.#socket.pause();
    for (let line = this.#lines.shift(); line !== undefined; line = this.#lines.shift()) {
      try {
        await this.#answer(JSON.parse(line));
      } catch (error) {
        this.#socket.destroy(error instanceof Error ? error : undefined);
        break;
      }
    }
    this.#working = false;
    this.#socket.resume();
    if (this.#over) this.#rejectAll();
  }

  async #answer(line: unknown): Promise<void> {
    if (!isRecord(line)) throw new TypeError('an answer is an object');
    const { id } = lineId(line, 'answer');
    const asked = this.#asked.get(id);
    if (!asked) return;
    if ('item' in line) {
      await asked.item(line['item']);
      return;
    }
    this.#asked.delete(id);
    if ('error' in line) {
      const { code, message } = answerError(line['error'], 'error');
      asked.reject(new ControlError(code, message));
    } else asked.resolve(line['result']);
  }

  /** Lines that have come before the end are still taken. */
  #ended(): void {
    this.#over = true;
    if (!this.#working) this.#rejectAll();
  }

  #rejectAll(): void {
    for (const { reject } of this.#asked.values()) reject(gone());
    this.#asked.clear();
  }
}

function gone(): ControlError {
  return new ControlError('REFUSED', 'the system has ended');
}
