/**
 * An open file of the host, or a block device as one. Reads and writes go through a ring of
 * io_uring where the thread can have one and the memory is shared; everything else goes to libuv's
 * pool.
 */
import { close, fdatasync, fstat, ftruncate, read, type Stats, write } from 'node:fs';
import { getSystemErrorName, promisify } from 'node:util';
import { RpcError } from '../../../errors.ts';
import type { HostErrorCode, HostFile } from '../../../runtime/host-access.ts';
import { blockDeviceBytes } from '../../host/block-device-size.ts';
import { FALLOCATE, FileCalls } from '../../host/file-calls.ts';
import { addressOf } from '../../host/memory-address.ts';
import { hostError } from '../../host/host-error.ts';
import { type IoRing, RING_OPERATION } from '../../host/io-ring.ts';
import { SizeWatch } from './size-watch.ts';
import { threadRing } from './thread-ring.ts';

const statFile = promisify(fstat);
const syncFile = promisify(fdatasync);
const closeFile = promisify(close);
const truncateFile = promisify(ftruncate);

/** The alignment of memory with which any medium takes direct I/O. */
const DIRECT_ALIGN_BYTES = 4096;
/** The alignment of positions and lengths that every medium wants at least. */
const DIRECT_SECTOR_BYTES = 512;

/** What an open file is made of. */
export interface OpenFileParts {
  readonly descriptor: number;
  /** The same file, opened for direct I/O. */
  readonly directDescriptor?: number | undefined;
  /** The name of the file in the config, for messages. */
  readonly path: string;
  readonly writeable: boolean;
  readonly stats: Stats;
  readonly closed?: () => void;
  /** Whether to use nothing but libuv's pool. */
  readonly pool?: boolean;
}

/** The operations on one file. */
export class OpenFile implements HostFile {
  readonly writeable: boolean;
  readonly sizeBytes: number;
  readonly #descriptor: number;
  readonly #directDescriptor: number | undefined;
  readonly #path: string;
  readonly #closed: () => void;
  readonly #pool: boolean;
  readonly #isDevice: boolean;
  readonly #watch: SizeWatch;
  /** The ring that this file uses, once it does. */
  #ring: IoRing | undefined;
  /** The alignment with which the medium seems to take direct I/O. */
  #directBytes = DIRECT_SECTOR_BYTES;
  #open = true;
  #underWay = 0;
  #idle: (() => void) | undefined;

  constructor(parts: OpenFileParts) {
    const { descriptor, directDescriptor, path, writeable, stats, closed = () => {}, pool = false } = parts;
    this.#closed = closed;
    this.#descriptor = descriptor;
    this.#directDescriptor = directDescriptor;
    this.#path = path;
    this.#pool = pool;
    this.#isDevice = stats.isBlockDevice();
    this.writeable = writeable;
    this.sizeBytes = this.#isDevice ? blockDeviceBytes(descriptor, stats.rdev) : stats.size;
    this.#watch = new SizeWatch(() => this.size(), this.sizeBytes);
  }

  read(into: Uint8Array, position: number): Promise<void> {
    return this.#transfer('read', into, position);
  }

  write(from: Uint8Array, position: number): Promise<void> {
    return this.#transfer('write', from, position);
  }

  size(): Promise<number> {
    return this.#during(() => this.#sizeNow());
  }

  onResized(handler: () => void): () => void {
    return this.#open ? this.#watch.add(handler) : () => {};
  }

  sync(): Promise<void> {
    return this.#during(() => syncFile(this.#descriptor));
  }

  zero(position: number, bytes: number): Promise<boolean> {
    return this.#during(async () => {
      const calls = FileCalls.load();
      if (!calls || !this.writeable) return false;
      const { zeroRange, punchHole } = FALLOCATE;
      if (await calls.allocate(this.#descriptor, zeroRange, position, bytes)) return true;
      // Some file systems have holes only. On a device that would be a discard.
      return !this.#isDevice && calls.allocate(this.#descriptor, punchHole, position, bytes);
    });
  }

  discard(position: number, bytes: number): Promise<boolean> {
    return this.#during(async () => {
      const calls = FileCalls.load();
      if (!calls || !this.writeable) return false;
      if (this.#isDevice) return calls.discardBlocks(this.#descriptor, position, bytes);
      return calls.allocate(this.#descriptor, FALLOCATE.punchHole, position, bytes);
    });
  }

  resize(sizeBytes: number): Promise<void> {
    return this.#during(async () => {
      if (this.#isDevice)
        throw new RpcError<HostErrorCode>('Unsupported', `"${this.#path}" is a device, whose size is fixed`);
      await truncateFile(this.#descriptor, sizeBytes);
    });
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    // From now on nothing begins. What is under way must end before its descriptor is another file.
    this.#open = false;
    this.#watch.close();
    if (this.#underWay > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    this.#ring?.release();
    for (const descriptor of [this.#directDescriptor, this.#descriptor]) {
      if (descriptor !== undefined) await closeFile(descriptor).catch(() => {});
    }
    this.#closed();
  }

  #transfer(way: 'read' | 'write', memory: Uint8Array, position: number): Promise<void> {
    const ring = this.#ringFor(memory);
    let descriptor = this.#descriptorFor(memory, position);
    return new Promise((resolve, reject) => {
      let done = 0;
      const ended = (result: number | Error): void => {
        this.#ended();
        if (typeof result !== 'number') {
          if (descriptor === this.#descriptor || !isInvalid(result))
            return reject(hostError(result, this.#path));
          // The medium has larger sectors, and does not take this directly; nor will it the next.
          this.#directBytes = DIRECT_ALIGN_BYTES;
          descriptor = this.#descriptor;
          return next();
        }
        done += result;
        if (done === memory.byteLength) return resolve();
        if (result === 0) return reject(this.#endOfFile(position + done));
        return next();
      };
      const next = (): void => {
        if (!this.#open) return reject(this.#isClosed());
        this.#underWay++;
        const rest = done === 0 ? memory : memory.subarray(done);
        if (ring) {
          ring.submit({
            operation: RING_OPERATION[way],
            descriptor,
            position: position + done,
            memory: rest,
            done: (result) => ended(result < 0 ? systemError(result) : result),
          });
        } else {
          const counted = (error: Error | null, count: number): void => ended(error ?? count);
          if (way === 'read') read(descriptor, rest, 0, rest.byteLength, position + done, counted);
          else write(descriptor, rest, 0, rest.byteLength, position + done, counted);
        }
      };
      next();
    });
  }

  #ringFor(memory: Uint8Array): IoRing | undefined {
    if (this.#pool || !this.#open || !(memory.buffer instanceof SharedArrayBuffer)) return undefined;
    this.#ring ??= threadRing()?.use();
    return this.#ring;
  }

  #descriptorFor(memory: Uint8Array, position: number): number {
    const direct = this.#directDescriptor;
    if (direct === undefined || (position | memory.byteLength) % this.#directBytes !== 0) {
      return this.#descriptor;
    }
    // What is not aligned goes through the host's cache. The host keeps both the same.
    const address = addressOf(memory);
    return address !== undefined && address % DIRECT_ALIGN_BYTES === 0 ? direct : this.#descriptor;
  }

  async #during<Result>(operation: () => Promise<Result>): Promise<Result> {
    if (!this.#open) throw this.#isClosed();
    this.#underWay++;
    try {
      return await operation();
    } catch (error) {
      throw error instanceof RpcError ? error : hostError(error, this.#path);
    } finally {
      this.#ended();
    }
  }

  async #sizeNow(): Promise<number> {
    const stats = await statFile(this.#descriptor);
    return this.#isDevice ? blockDeviceBytes(this.#descriptor, stats.rdev) : stats.size;
  }

  #ended(): void {
    this.#underWay--;
    if (this.#underWay === 0) this.#idle?.();
  }

  #isClosed(): RpcError<HostErrorCode> {
    return new RpcError<HostErrorCode>('Closed', `file "${this.#path}" is closed`);
  }

  #endOfFile(position: number): RpcError<HostErrorCode> {
    return new RpcError<HostErrorCode>('InputOutput', `file "${this.#path}" ends at byte ${position}`);
  }
}

const isInvalid = (error: Error): boolean => Reflect.get(error, 'code') === 'EINVAL';

/** An error of the kernel as Node would make it. */
function systemError(result: number): Error {
  const code = getSystemErrorName(result);
  return Object.assign(new Error(code), { code });
}
