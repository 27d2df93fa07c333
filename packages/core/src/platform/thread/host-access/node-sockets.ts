/** Granted sockets of the host, over Node's `net`. */
import type { Server, Socket } from 'node:net';
import { dirname } from 'node:path';
import { RpcError } from '../../../errors.ts';
import { LIMITS } from '../../../limits.ts';
import type {
  HostConnection,
  HostErrorCode,
  HostListener,
  HostPlace,
  HostTls,
} from '../../../runtime/host-access.ts';
import { atPlace } from '../../host/granted-place.ts';
import { hostError } from '../../host/host-error.ts';
import { removeLeftOver } from '../../host/left-over-socket.ts';
import type { MemoryPins } from '../memory/memory-pins.ts';
import { NodeSink, NodeSource, type StreamName } from './node-streams.ts';
import { secured } from './node-tls.ts';
import type { OpenThings } from './open-things.ts';

/**
 * Taken when it is used, because few threads need the module. This file is loaded in every thread,
 * because a jailed one cannot load it later.
 */
const net = (): typeof import('node:net') => process.getBuiltinModule('node:net');

const WHAT = 'socket';
/** The longest path of a socket in the file system, in bytes: the kernel has room for no more. */
const UNIX_PATH_BYTES = 107;

/** Where a socket is, in the form that Node takes. */
type Address = { readonly path: string } | { readonly host: string | undefined; readonly port: number };

/**
 * The address of a grant: HOST:PORT in the config's spelling, or a path. `*` listens on every
 * address.
 */
function addressOf(kind: 'tcp' | 'unix', { target, path }: HostPlace): Address {
  if (kind === 'unix') {
    if (Buffer.byteLength(target) > UNIX_PATH_BYTES) {
      const code: HostErrorCode = 'Unsupported';
      throw new RpcError(code, `${WHAT} "${path}": its path has more than ${UNIX_PATH_BYTES} bytes`);
    }
    return { path: target };
  }
  const colon = target.lastIndexOf(':');
  const host = target.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  return { host: host === '*' ? undefined : host, port: Number(target.slice(colon + 1)) };
}

/** Connects to a granted address. */
export async function connectSocket(
  kind: 'tcp' | 'unix',
  place: HostPlace,
  things: OpenThings,
  pins: MemoryPins | undefined,
): Promise<HostConnection> {
  const address = addressOf(kind, place);
  if (!('path' in address)) {
    return connectTo({ port: address.port, host: address.host ?? 'localhost' }, place, things, pins);
  }
  try {
    return await atPlace(place, WHAT, (path) => connectTo({ path }, place, things, pins));
  } catch (error) {
    throw error instanceof RpcError ? error : hostError(error, place.path, WHAT);
  }
}

async function connectTo(
  options: { readonly path: string } | { readonly host: string; readonly port: number },
  place: HostPlace,
  things: OpenThings,
  pins: MemoryPins | undefined,
): Promise<HostConnection> {
  const closed = things.add();
  const socket = net().createConnection({ ...options, noDelay: true, allowHalfOpen: true });
  socket.on('close', closed);
  await new Promise<void>((resolve, reject) => {
    const failed = (error: Error): void => reject(hostError(error, place.path, WHAT));
    socket.once('error', failed);
    socket.once('connect', () => {
      socket.off('error', failed);
      resolve();
    });
  });
  return new NodeConnection(socket, { what: WHAT, path: place.path }, pins);
}

class NodeConnection implements HostConnection {
  readonly peer: string;
  readonly #socket: Socket;
  readonly #name: StreamName;
  readonly #pins: MemoryPins | undefined;
  #source: NodeSource;
  #sink: NodeSink;
  #secured = false;

  constructor(socket: Socket, name: StreamName, pins: MemoryPins | undefined) {
    const { remoteAddress, remotePort } = socket;
    this.peer = remoteAddress === undefined ? '' : tcpAddress(remoteAddress, remotePort ?? 0);
    this.#socket = socket;
    this.#name = name;
    this.#pins = pins;
    this.#source = new NodeSource(socket, name);
    this.#sink = new NodeSink(socket, name, pins);
  }

  async startTls(tls: HostTls): Promise<void> {
    if (this.#secured || this.#source.reading) {
      const why = this.#secured ? 'is secured already' : 'is being read';
      throw new RpcError<HostErrorCode>('Unsupported', `${this.#name.what} "${this.#name.path}" ${why}`);
    }
    this.#secured = true;
    this.#source.leave();
    const stream = await secured(this.#socket, tls, this.#name);
    this.#source = new NodeSource(stream, this.#name);
    this.#sink = new NodeSink(stream, this.#name, this.#pins);
  }

  read(): Promise<Uint8Array | undefined> {
    return this.#source.read();
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#sink.write(bytes);
  }

  end(): Promise<void> {
    return this.#sink.end();
  }

  async close(): Promise<void> {
    if (this.#socket.closed) return;
    await new Promise<void>((resolve) => this.#socket.once('close', () => resolve()).destroy());
  }
}

function tcpAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Listens at a granted address. */
export async function listenSocket(
  kind: 'tcp' | 'unix',
  place: HostPlace,
  things: OpenThings,
  pins: MemoryPins | undefined,
): Promise<HostListener> {
  const address = addressOf(kind, place);
  try {
    if ('path' in address) await mustBeIn(place);
    return await listenAt(address, place, things, pins);
  } catch (error) {
    // When a component is killed, the name of its socket stays although nobody listens there any
    // more.
    if (!('path' in address) || !isInUse(error) || !(await removeLeftOver(address.path))) throw error;
    return listenAt(address, place, things, pins);
  }
}

/** Throws unless the directory in which a name is going to be made is still the granted one. */
async function mustBeIn({ target, path }: HostPlace): Promise<void> {
  try {
    await atPlace({ target: dirname(target), path }, WHAT, async () => {});
  } catch (error) {
    throw error instanceof RpcError ? error : hostError(error, path, WHAT);
  }
}

function isInUse(error: unknown): boolean {
  return error instanceof RpcError && error.code === 'InUse';
}

async function listenAt(
  address: Address,
  place: HostPlace,
  things: OpenThings,
  pins: MemoryPins | undefined,
): Promise<HostListener> {
  const closed = things.add();
  const server = net().createServer({ allowHalfOpen: true, pauseOnConnect: false, noDelay: true });
  const listener = new NodeListener(server, place, things, pins);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      closed();
      reject(hostError(error, place.path, WHAT));
    });
    server.listen(address, resolve);
  });
  server.on('close', closed);
  return listener;
}

interface Acceptor {
  readonly resolve: (connection: HostConnection) => void;
  readonly reject: (error: RpcError) => void;
}

class NodeListener implements HostListener {
  readonly #server: Server;
  readonly #place: HostPlace;
  readonly #things: OpenThings;
  readonly #pins: MemoryPins | undefined;
  readonly #waiting: Socket[] = [];
  readonly #acceptors: Acceptor[] = [];
  #closed = false;

  constructor(server: Server, place: HostPlace, things: OpenThings, pins: MemoryPins | undefined) {
    this.#server = server;
    this.#place = place;
    this.#things = things;
    this.#pins = pins;
    server.on('connection', (socket) => this.#came(socket));
    // An error of a connection that could not be accepted: the next connections may work.
    server.on('error', () => {});
  }

  get address(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') return this.#place.path;
    return tcpAddress(address.address, address.port);
  }

  accept(): Promise<HostConnection> {
    if (this.#closed) return Promise.reject(this.#isClosed());
    const socket = this.#waiting.shift();
    if (socket) return Promise.resolve(this.#connection(socket));
    if (this.#acceptors.length >= LIMITS.hostConnectionsWaiting) {
      const code: HostErrorCode = 'LimitExceeded';
      return Promise.reject(new RpcError(code, 'too many wait for a connection'));
    }
    return new Promise((resolve, reject) => this.#acceptors.push({ resolve, reject }));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const { reject } of this.#acceptors.splice(0)) reject(this.#isClosed());
    for (const socket of this.#waiting.splice(0)) socket.destroy();
    // The callback comes when the last accepted connection has ended. That is not waited for,
    // because the name is gone at once.
    this.#server.close();
  }

  #came(socket: Socket): void {
    if (this.#things.full || this.#waiting.length >= LIMITS.hostConnectionsWaiting) {
      socket.destroy();
      return;
    }
    socket.on('close', this.#things.add());
    const acceptor = this.#acceptors.shift();
    if (acceptor) return acceptor.resolve(this.#connection(socket));
    this.#waiting.push(socket);
    const forget = (): void => {
      const at = this.#waiting.indexOf(socket);
      if (at !== -1) this.#waiting.splice(at, 1);
    };
    socket.on('error', forget).on('close', forget);
  }

  #connection(socket: Socket): HostConnection {
    return new NodeConnection(socket, { what: WHAT, path: this.#place.path }, this.#pins);
  }

  #isClosed(): RpcError<HostErrorCode> {
    return new RpcError('Closed', `${WHAT} "${this.#place.path}" is closed`);
  }
}
