/** The server of the control socket of a running system. */
import { chmodSync, linkSync, lstatSync, unlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { isRecord, ShapeError } from '@ginit/core';
import { removeIfDead } from './dead.ts';
import { directoryProblem, socketPath } from './place.ts';
import {
  CONTROL_LIMITS,
  CONTROL_VERSION,
  ControlError,
  type Greeting,
  lineId,
  LineReader,
  request as requestShape,
} from './protocol.ts';

const PRIVATE_SOCKET = 0o600;
/** A name whose holder has just died is tried again: somebody else may have taken it meanwhile. */
const TRIES = 3;

/** A request that runs. */
export interface ControlCall {
  /** Aborted when the client has given the request up, or is gone. */
  readonly signal: AbortSignal;
  /** Sends an item. Settles when there is room for more, or when nobody will read it any more. */
  send(item: unknown): Promise<void>;
}

/**
 * Answers one kind of request: its result, or a `ControlError`. `args` come from outside. It is
 * expected to end soon after the signal of the call.
 */
export type ControlHandler = (args: unknown, call: ControlCall) => unknown;

/** The kinds of requests. */
export type ControlHandlers = Readonly<Record<string, ControlHandler>>;

/** Why a system has no control socket. */
export type NoControl =
  /** A running system has the name. */
  | { readonly kind: 'taken'; readonly name: string }
  | { readonly kind: 'impossible'; readonly reason: string };

/** A control socket that somebody listens on. */
export class ControlServer {
  readonly name: string;
  readonly path: string;
  readonly #server: Server;
  readonly #inode: number;
  readonly #connections: Set<Connection>;
  readonly #removeAtExit = (): void => this.#remove();

  private constructor(name: string, path: string, server: Server, connections: Set<Connection>) {
    this.name = name;
    this.path = path;
    this.#server = server;
    this.#inode = lstatSync(path).ino;
    this.#connections = connections;
    process.on('exit', this.#removeAtExit);
  }

  /**
   * Makes the socket and listens, or says why there can be none. `greeting` lacks the name only.
   */
  static async listen(
    directory: string,
    name: string,
    greeting: Omit<Greeting, 'ginit' | 'system'>,
    handlers: ControlHandlers,
  ): Promise<ControlServer | NoControl> {
    const problem = directoryProblem(directory, true);
    if (problem !== undefined) return { kind: 'impossible', reason: problem };
    const connections = new Set<Connection>();
    const first = { ginit: CONTROL_VERSION, system: name, ...greeting };
    const server = createServer((socket) => {
      if (connections.size >= CONTROL_LIMITS.connections) return void socket.destroy();
      const connection: Connection = new Connection(socket, first, handlers, () =>
        connections.delete(connection),
      );
      connections.add(connection);
    });
    const path = socketPath(directory, name);
    // A name of its own, so that nobody sees a socket that is not private or not listened on yet.
    const made = `${path}.${process.pid}`;
    try {
      await listening(server, made);
      chmodSync(made, PRIVATE_SOCKET);
      if (!(await takeName(made, path))) {
        server.close();
        return { kind: 'taken', name };
      }
    } catch (error) {
      server.close();
      return { kind: 'impossible', reason: error instanceof Error ? error.message : String(error) };
    }
    server.unref();
    return new ControlServer(name, path, server, connections);
  }

  /** Ends all connections, and removes the socket. */
  close(): void {
    process.off('exit', this.#removeAtExit);
    this.#server.close();
    for (const connection of this.#connections) connection.end();
    this.#remove();
  }

  /** Removes the name, unless it is that of another socket by now. */
  #remove(): void {
    try {
      if (lstatSync(this.path).ino === this.#inode) unlinkSync(this.path);
    } catch {
      // Somebody has removed it already.
    }
  }
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Gives the socket its name. Of several systems that want it one succeeds. */
async function takeName(made: string, path: string): Promise<boolean> {
  try {
    for (let tries = 0; tries < TRIES; tries++) {
      try {
        linkSync(made, path);
        return true;
      } catch (error) {
        if (!(error instanceof Error) || Reflect.get(error, 'code') !== 'EEXIST') throw error;
      }
      if (!(await removeIfDead(path))) return false;
    }
    return false;
  } finally {
    unlinkSync(made);
  }
}

/** One client. */
class Connection {
  readonly #socket: Socket;
  readonly #handlers: ControlHandlers;
  readonly #lines = new LineReader(CONTROL_LIMITS.requestBytes);
  readonly #running = new Map<number, AbortController>();

  constructor(socket: Socket, greeting: Greeting, handlers: ControlHandlers, ended: () => void) {
    this.#socket = socket;
    this.#handlers = handlers;
    socket.on('data', (piece: Uint8Array) => this.#take(piece));
    socket.on('error', () => {});
    // Who reads no answers is not read from either.
    socket.on('drain', () => socket.resume());
    socket.on('close', () => {
      for (const call of this.#running.values()) call.abort();
      ended();
    });
    this.#write(greeting);
  }

  end(): void {
    for (const call of this.#running.values()) call.abort();
    this.#socket.end();
    this.#socket.unref();
  }

  #take(piece: Uint8Array): void {
    try {
      for (const line of this.#lines.take(piece)) if (line !== '') this.#line(line);
    } catch (error) {
      // It does not speak the protocol: nothing that it sends can be answered.
      const message = error instanceof Error ? error.message : String(error);
      this.#write({ error: { code: 'BAD_REQUEST', message } });
      this.#socket.end();
    }
  }

  #line(line: string): void {
    const asked: unknown = JSON.parse(line);
    const { id } = lineId(asked, 'request');
    if (isRecord(asked) && asked['cancel'] === true) {
      this.#running.get(id)?.abort();
      return;
    }
    const name = requestShape(asked, 'request').do;
    const args = isRecord(asked) ? asked['with'] : undefined;
    if (this.#running.has(id)) throw new TypeError(`request ${id} runs already`);
    if (this.#running.size >= CONTROL_LIMITS.requestsPerConnection) {
      return this.#fail(id, new ControlError('LIMIT', 'too many requests of this connection run already'));
    }
    const handler = Object.hasOwn(this.#handlers, name) ? this.#handlers[name] : undefined;
    if (!handler) return this.#fail(id, new ControlError('UNKNOWN_REQUEST', `unknown request "${name}"`));
    const call = new AbortController();
    this.#running.set(id, call);
    void this.#run(id, handler, args ?? {}, call.signal);
  }

  async #run(id: number, handler: ControlHandler, args: unknown, signal: AbortSignal): Promise<void> {
    try {
      const result: unknown = await handler(args, { signal, send: (item) => this.#send(id, item) });
      if (signal.aborted) throw new ControlError('CANCELLED', 'the request was given up');
      this.#write({ id, result: result ?? null });
    } catch (error) {
      this.#fail(id, error);
    } finally {
      this.#running.delete(id);
    }
  }

  #fail(id: number, error: unknown): void {
    const message = (error instanceof Error ? error.message : String(error)).slice(
      0,
      CONTROL_LIMITS.messageCharacters,
    );
    const code =
      error instanceof ControlError ? error.code : error instanceof ShapeError ? 'BAD_REQUEST' : 'FAILED';
    this.#write({ id, error: { code, message } });
  }

  async #send(id: number, item: unknown): Promise<void> {
    if (this.#write({ id, item })) return;
    await new Promise<void>((resolve) => {
      this.#socket.once('drain', resolve);
      this.#socket.once('close', resolve);
    });
  }

  /** Writes a line; true if there is room for more. */
  #write(line: unknown): boolean {
    if (this.#socket.destroyed || this.#socket.writableEnded) return true;
    const hasRoom = this.#socket.write(`${JSON.stringify(line)}\n`);
    if (!hasRoom) this.#socket.pause();
    return hasRoom;
  }
}
