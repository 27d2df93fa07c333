/** Mounts a device and gives it the shape of `fs.promises`. */
import { mountFileSystem } from '../file-systems.ts';
import { messageOf } from '../errors.ts';
import type { BlockIo, Hypercalls } from '../hypercall/hypercalls.ts';
import type { MountOptions } from '../vnode/mount-options.ts';
import { PeriodicSync } from '../vnode/periodic-sync.ts';
import { LocalOperations } from './local-operations.ts';
import { MountedFs } from './mounted-fs.ts';
import type { FsOperations } from './operations.ts';

/** The memory that buffers and indexes take at most. */
const MEMORY_BYTES = 64 * 1024 * 1024;
const SYNC_INTERVAL_MS = 1000;
const UMASK = 0o022;

/** The wishes of whoever mounts. All of it is plain data. */
export interface PromisesMountOptions extends Partial<Omit<MountOptions, 'writeable'>> {
  /** The format, as `rumpfs` calls it; `auto` (the default) finds out. */
  readonly type?: string;
  /** Whether nothing may be written, to the device neither; false if it is missing. */
  readonly readOnly?: boolean;
  /** The bytes that buffers and indexes take at most; 64 MiB if it is missing. */
  readonly memoryBytes?: number;
  /** The longest time from a change to its sync; 1000 if it is missing, 0: only when asked. */
  readonly syncIntervalMs?: number;
  /** The owner of what is made; 0 if it is missing. */
  readonly uid?: number;
  readonly gid?: number;
  /** The permissions that new nodes do not get; 0o022 if it is missing. */
  readonly umask?: number;
}

/** The world as such a mount needs it. */
export interface MountWorld extends Pick<Hypercalls, 'now' | 'random' | 'console'> {
  /** Calls `handler` later. That keeps nothing awake. */
  after(ms: number, handler: () => void): void;
}

/** A device, and how it is given up. */
export interface MountDevice {
  readonly bio: BlockIo;
  release(): Promise<void>;
}

/** Mounts a device; it is given up if that fails. */
export async function startOperations(
  device: MountDevice,
  world: MountWorld,
  options: PromisesMountOptions,
): Promise<LocalOperations> {
  const { memoryBytes = MEMORY_BYTES, syncIntervalMs = SYNC_INTERVAL_MS } = options;
  const { type = 'auto', readOnly = false, uid = 0, gid = 0, umask = UMASK, zone, recovery } = options;
  const { now, random, console } = world;
  try {
    const mount = await mountFileSystem({ bio: device.bio, memoryBytes, now, random, console }, type, {
      writeable: !readOnly,
      ...(zone === undefined ? {} : { zone }),
      ...(recovery === undefined ? {} : { recovery }),
    });
    const sync = new PeriodicSync(syncIntervalMs, {
      // Behind the end there is nothing to do.
      sync: () => mount.sync(),
      after: world.after,
      failed: (error) => world.console(`sync: ${messageOf(error)}`),
    });
    return new LocalOperations({
      mount,
      maker: { uid, gid, umask },
      changed: syncIntervalMs === 0 ? () => {} : () => sync.changed(),
      release: () => device.release(),
    });
  } catch (error) {
    await device.release().catch(() => {});
    throw error;
  }
}

/** The object over operations. */
export async function mountedFs(
  operations: FsOperations,
  random: (into: Uint8Array) => void,
): Promise<MountedFs> {
  return new MountedFs({ operations, facts: await operations.volume(), random });
}
