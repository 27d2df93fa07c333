/** A granted device of the host, over Node's asynchronous file API. */
import { close, constants, open, read, write } from 'node:fs';
import { promisify } from 'node:util';
import { RpcError } from '../../../errors.ts';
import type { HostDevice, HostErrorCode, HostPlace } from '../../../runtime/host-access.ts';
import { atPlace } from '../../host/granted-place.ts';
import { hostError } from '../../host/host-error.ts';

const openFile = promisify(open);
const closeFile = promisify(close);

/** Opens a granted device. */
export async function openNodeDevice(
  { target, path }: HostPlace,
  access: 'ro' | 'rw',
  closed: () => void,
): Promise<HostDevice> {
  try {
    // A terminal must not become the controlling terminal of the process.
    const flags = (access === 'rw' ? constants.O_RDWR : constants.O_RDONLY) | constants.O_NOCTTY;
    const descriptor = await atPlace({ target, path }, 'device', (place) => openFile(place, flags));
    return new NodeDevice(descriptor, path, access === 'rw', closed);
  } catch (error) {
    closed();
    throw error instanceof RpcError ? error : hostError(error, path, 'device');
  }
}

class NodeDevice implements HostDevice {
  readonly writeable: boolean;
  readonly #descriptor: number;
  readonly #path: string;
  readonly #closed: () => void;
  #open = true;

  constructor(descriptor: number, path: string, writeable: boolean, closed: () => void) {
    this.#descriptor = descriptor;
    this.#path = path;
    this.writeable = writeable;
    this.#closed = closed;
  }

  read(into: Uint8Array, position?: number): Promise<number> {
    return this.#transfer((done) => read(this.#descriptor, into, 0, into.byteLength, position ?? null, done));
  }

  write(from: Uint8Array, position?: number): Promise<number> {
    return this.#transfer((done) =>
      write(this.#descriptor, from, 0, from.byteLength, position ?? null, done),
    );
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    // From now on the number may belong to another file.
    this.#open = false;
    await closeFile(this.#descriptor).catch(() => {});
    this.#closed();
  }

  #transfer(begin: (done: (error: Error | null, count: number) => void) => void): Promise<number> {
    return new Promise((resolve, reject) => {
      if (!this.#open) return reject(new RpcError<HostErrorCode>('Closed', `device "${this.#path}": Closed`));
      begin((error, count) => (error ? reject(hostError(error, this.#path, 'device')) : resolve(count)));
    });
  }
}
