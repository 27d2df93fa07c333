/**
 * The host of a simulated driver. Each file is a simulated disk that starts with the content of the
 * real file, which is never written to. Directories, devices, sockets and programs are not
 * simulated. Requests take virtual time by the seed, end in any order, and never end for a driver
 * that is dead; a write that was under way then may still reach the disk.
 */
import { RpcError } from '@ginit/core';
import type { HostErrorCode, HostFile } from '@ginit/core/host';
import type { HostPlace, HostPlatform } from '@ginit/core/platform';
import type { Random } from '../order/random.ts';
import type { Scheduler } from '../order/scheduler.ts';
import type { SimulatedDisk } from '../disk/simulated-disk.ts';

/** The parts that simulated hosts share. */
export interface HostWorld {
  readonly scheduler: Scheduler;
  readonly random: Random;
  /**
   * The disk that stands for a file of the host; `path` is the file's name in errors. Throws
   * `HostError`.
   */
  readonly disk: (target: string, path: string, access: 'ro' | 'rw') => SimulatedDisk;
}

/**
 * The usual time of a request in microseconds: the least time, and the range above it. One request
 * in 64 takes longer.
 */
const REQUEST_US = { least: 20, range: 180, longRange: 20_000 };
const SYNC_US = { least: 200, range: 5000, longRange: 100_000 };

interface Request {
  /** Does the request's work on the disk. Throws the error that the driver is told. */
  readonly perform: () => void;
  readonly writes: boolean;
}

/** The host of one component. */
export class SimulatedHost implements HostPlatform {
  readonly #world: HostWorld;
  readonly #owner: number;
  readonly #pending = new Set<Request>();
  /** The targets of the files that it has opened. */
  readonly opened = new Set<string>();
  #dead = false;

  constructor(world: HostWorld, owner: number) {
    this.#world = world;
    this.#owner = owner;
  }

  async openFile({ target, path }: HostPlace, access: 'ro' | 'rw'): Promise<HostFile> {
    let disk: SimulatedDisk | undefined;
    const open = (): void => {
      disk = this.#world.disk(target, path, access);
    };
    await this.request(`open ${path}`, REQUEST_US, { perform: open, writes: false });
    if (!disk) throw hostError('Closed', `file "${path}" is not open`);
    this.opened.add(target);
    return new SimulatedFile(this, disk, path, access === 'rw');
  }

  openDirectory(place: HostPlace): Promise<never> {
    return notSimulated('directory', place);
  }

  openDevice(place: HostPlace): Promise<never> {
    return notSimulated('device', place);
  }

  listen(_: 'tcp' | 'unix', place: HostPlace): Promise<never> {
    return notSimulated('socket', place);
  }

  connect(_: 'tcp' | 'unix', place: HostPlace): Promise<never> {
    return notSimulated('socket', place);
  }

  run(place: HostPlace): Promise<never> {
    return notSimulated('program', place);
  }

  mount(place: HostPlace): Promise<never> {
    return notSimulated('mount', place);
  }

  workplace(place: HostPlace): Promise<never> {
    return notSimulated('program', place);
  }

  /**
   * Ends the host of a dead component: nothing that it has asked for ends any more, and each write
   * under way is carried out or not.
   */
  die(fate: Random): void {
    this.#dead = true;
    for (const { perform, writes } of this.#pending) {
      if (writes && fate.once(2)) unlessRefused(perform);
    }
    this.#pending.clear();
  }

  /** Performs a request after some time. */
  request(what: string, time: typeof REQUEST_US, request: Request): Promise<void> {
    const { scheduler, random } = this.#world;
    return new Promise((resolve, reject) => {
      if (this.#dead) return;
      this.#pending.add(request);
      const us = time.least + random.below(random.once(64) ? time.longRange : time.range);
      scheduler.after(us, {
        owner: this.#owner,
        describe: () => `host: ${what}`,
        run: () => {
          if (!this.#pending.delete(request)) return;
          try {
            request.perform();
            resolve();
          } catch (error) {
            reject(error);
          }
        },
      });
    });
  }
}

async function notSimulated(what: string, { path }: HostPlace): Promise<never> {
  throw hostError('NotSimulated', `the simulator has nothing that stands for the ${what} "${path}"`);
}

/**
 * Carries out a request of a component that is dead. A refusal is ignored, because nobody waits for
 * it.
 */
function unlessRefused(perform: () => void): void {
  try {
    perform();
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
  }
}

function hostError(code: HostErrorCode, text: string): RpcError<HostErrorCode> {
  return new RpcError(code, text);
}

class SimulatedFile implements HostFile {
  readonly writeable: boolean;
  readonly sizeBytes: number;
  readonly #host: SimulatedHost;
  readonly #disk: SimulatedDisk;
  readonly #path: string;
  #closed = false;

  constructor(host: SimulatedHost, disk: SimulatedDisk, path: string, writeable: boolean) {
    this.#host = host;
    this.#disk = disk;
    this.#path = path;
    this.writeable = writeable;
    this.sizeBytes = disk.sizeBytes;
  }

  read(into: Uint8Array, position: number): Promise<void> {
    const perform = (): void => {
      this.#check('InputOutput', position + into.byteLength);
      this.#disk.ailing.read(into, position);
    };
    return this.#host.request(`read ${this.#path} ${position} +${into.byteLength}`, REQUEST_US, {
      perform,
      writes: false,
    });
  }

  /** A simulated disk has a fixed size: it does not grow. */
  write(from: Uint8Array, position: number): Promise<void> {
    const perform = (): void => {
      this.#check('NoSpace', position + from.byteLength);
      if (!this.writeable) throw hostError('Closed', `file "${this.#path}" is open for reading`);
      this.#disk.ailing.write(from, position);
    };
    return this.#host.request(`write ${this.#path} ${position} +${from.byteLength}`, REQUEST_US, {
      perform,
      writes: !this.#closed && this.writeable && position + from.byteLength <= this.sizeBytes,
    });
  }

  async size(): Promise<number> {
    return this.sizeBytes;
  }

  /** It never is. */
  onResized(): () => void {
    return () => {};
  }

  async zero(position: number, bytes: number): Promise<boolean> {
    await this.write(new Uint8Array(bytes), position);
    return true;
  }

  /** What was discarded is undefined; here it stays. */
  async discard(): Promise<boolean> {
    return true;
  }

  async resize(): Promise<never> {
    throw hostError('Unsupported', `file "${this.#path}" is a simulated disk, whose size is fixed`);
  }

  sync(): Promise<void> {
    const { mark } = this.#disk;
    const perform = (): void => {
      this.#check('InputOutput', 0);
      this.#disk.ailing.sync(mark);
    };
    return this.#host.request(`sync ${this.#path}`, SYNC_US, { perform, writes: false });
  }

  async close(): Promise<void> {
    const perform = (): void => {
      this.#closed = true;
    };
    await this.#host.request(`close ${this.#path}`, REQUEST_US, { perform, writes: false });
  }

  #check(code: HostErrorCode, end: number): void {
    if (this.#closed) throw hostError('Closed', `file "${this.#path}": Closed`);
    if (end > this.sizeBytes) throw hostError(code, `file "${this.#path}" ends at byte ${this.sizeBytes}`);
  }
}
