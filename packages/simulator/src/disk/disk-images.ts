/** The disks of a simulated system, each filled from a file of the host when it is first opened. */
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { RpcError } from '@ginit/core';
import type { HostErrorCode } from '@ginit/core/host';
import { hostError } from '@ginit/core/platform';
import type { Digest } from '../order/digest.ts';
import { type DiskWatch, SimulatedDisk } from './simulated-disk.ts';

/** The largest image. A file is kept in memory as a whole. */
const IMAGE_BYTES_MAX = 2 ** 31 - 1;

interface Loaded {
  readonly version: string;
  readonly bytes: Uint8Array;
}

/**
 * The files that were read. Many runs start from one image, so an image is kept as long as its file
 * stays the same.
 */
const loaded = new Map<string, Loaded>();

function load(target: string, path: string, access: 'ro' | 'rw'): Uint8Array {
  try {
    accessSync(target, access === 'rw' ? constants.R_OK | constants.W_OK : constants.R_OK);
    const stats = statSync(target);
    if (!stats.isFile()) throw unsupported(`"${path}" is no regular file: it cannot be simulated`);
    if (stats.size > IMAGE_BYTES_MAX) throw unsupported(`file "${path}" is too large to be simulated`);
    const version = `${stats.mtimeMs} ${stats.size}`;
    const known = loaded.get(target);
    if (known?.version === version) return known.bytes;
    const bytes = new Uint8Array(readFileSync(target));
    loaded.set(target, { version, bytes });
    return bytes;
  } catch (error) {
    throw error instanceof RpcError ? error : hostError(error, path);
  }
}

function unsupported(text: string): RpcError<HostErrorCode> {
  return new RpcError<HostErrorCode>('Unsupported', text);
}

/** The disks of one run. */
export class DiskImages {
  readonly #disks = new Map<string, SimulatedDisk>();
  readonly #watch: ((path: string) => DiskWatch) | undefined;

  /** `watch` makes the watcher of a file's disk. */
  constructor(watch?: (path: string) => DiskWatch) {
    this.#watch = watch;
  }

  /** The disk for a file; `path` is the file's name in errors. Throws `HostError`. */
  open(target: string, path: string, access: 'ro' | 'rw'): SimulatedDisk {
    const bytes = load(target, path, access);
    const disk = this.#disks.get(target) ?? new SimulatedDisk(bytes, this.#watch?.(target));
    this.#disks.set(target, disk);
    return disk;
  }

  /** Every disk that was opened, by the path of its file. */
  get all(): ReadonlyMap<string, SimulatedDisk> {
    return this.#disks;
  }

  /** Adds the contents of all disks to a digest. */
  addTo(digest: Digest): void {
    for (const disk of this.#disks.values()) disk.addTo(digest);
  }
}
