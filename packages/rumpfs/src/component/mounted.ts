/**
 * The component's file system: mounted on a Block session, with memory of its account, a clock and
 * a periodic sync.
 */
import { type Env } from '@ginit/core';
import { attribute, type ConfigOf, element } from '@ginit/core/config';
import { BlockClient } from '@ginit/core/block';
import { FILE_SYSTEM_POLICY_ELEMENTS } from '@ginit/core/file_system';
import {
  FsError,
  fileSystemTypes,
  type Hypercalls,
  type Mount,
  mountFileSystem,
  RECOVERIES,
} from '../library.ts';
import { CoarseClock } from './clock.ts';
import { MountBackend } from './mount-backend.ts';
import { PeriodicSync } from '../vnode/periodic-sync.ts';
import { pseudoRandom } from './random.ts';

/** The part of the account that is left for needs of sessions beyond their donations. */
const KEPT_BYTES = 256 * 1024;
/** The least memory with which a file system can work. */
const MEMORY_BYTES_MIN = 256 * 1024;

/** The config of `rumpfs`. */
export const RUMPFS_CONFIG = element('config', 'Which file system, and who may see which part of it', {
  attributes: {
    fs: attribute.oneOf('The format; auto: whichever is found on the device', ['auto', ...fileSystemTypes], {
      fallback: 'auto',
    }),
    zone: attribute.text('The time zone of the times on a FAT, such as Europe/Berlin', { fallback: 'UTC' }),
    tx_buf_size: attribute.bytes('Bulk buffer of the Block session', {
      fallback: 1024 * 1024,
      min: 64 * 1024,
    }),
    recovery: attribute.oneOf(
      'What to do with a journal that has to be replayed; a read-only mount replays it in memory',
      [...RECOVERIES],
      { fallback: 'replay' },
    ),
    sync_interval_ms: attribute.integer('Longest time from a change to its sync; 0: only when asked', {
      fallback: 1000,
      min: 0,
    }),
  },
  children: FILE_SYSTEM_POLICY_ELEMENTS,
});

type MountingEnv = Pick<Env, 'config' | 'connect' | 'close' | 'timer' | 'pd' | 'quota' | 'log' | 'error'>;

/**
 * Mounts what the config says. Rejects with an error that names the config's place if that cannot
 * be.
 */
export async function mountFromConfig(env: MountingEnv): Promise<MountedFileSystem> {
  const config = env.config.read(RUMPFS_CONFIG);
  const args = { tx_buf_size: config.tx_buf_size };
  const disk = await BlockClient.connect(env, { args });
  const hypercalls = await hypercallsOver(env, disk);
  try {
    const mount = await mountFileSystem(hypercalls, config.fs, {
      writeable: mayWrite(config),
      recovery: config.recovery,
      zone: config.zone,
    });
    return new MountedFileSystem(env, disk, mount, config.sync_interval_ms);
  } catch (error) {
    await disk.close().catch(() => {});
    throw error instanceof FsError ? config.$node.errorAt(`cannot mount: ${error.message}`) : error;
  }
}

/**
 * A file system with no writeable policy is mounted read-only: not even its superblock is touched.
 */
function mayWrite(config: ConfigOf<typeof RUMPFS_CONFIG>): boolean {
  return config.$content.some(({ writeable }) => writeable);
}

async function hypercallsOver(env: MountingEnv, disk: BlockClient): Promise<Hypercalls> {
  const { blockSize, blockCount, writeable } = disk.info;
  const { ramQuota, ramUsed } = await env.quota();
  const memoryBytes = Math.max(ramQuota - ramUsed - KEPT_BYTES, 0);
  if (memoryBytes < MEMORY_BYTES_MIN) {
    const needed = `${MEMORY_BYTES_MIN + KEPT_BYTES} bytes of free RAM quota`;
    throw env.config.node.errorAt(`a file system needs at least ${needed}, there are ${ramQuota - ramUsed}`);
  }
  // Buffers are memory of this thread, not dataspaces; the account shows them all the same.
  await env.pd.allocate({ ram: memoryBytes, caps: 1 });
  const clock = new CoarseClock({
    currentTimeMs: () => env.timer.currentTimeMs(),
    after: (ms, handler) => void env.timer.after(ms, handler),
  });
  return {
    bio: {
      sectorSizeBytes: blockSize,
      sectorCount: blockCount,
      writeable,
      read: (sector, into) => disk.read(sector, into.byteLength / blockSize, into),
      write: (sector, from) => disk.write(sector, from.byteLength / blockSize, from),
      sync: () => disk.sync(),
    },
    memoryBytes,
    now: () => clock.now(),
    random: pseudoRandom(await env.timer.currentTimeMs()),
    console: (line) => void env.log(line),
  };
}

/** A mounted file system and what belongs to it. */
export class MountedFileSystem {
  readonly backend: MountBackend;
  readonly #mount: Mount;
  readonly #disk: BlockClient;

  constructor(env: MountingEnv, disk: BlockClient, mount: Mount, intervalMs: number) {
    this.#mount = mount;
    this.#disk = disk;
    const sync = new PeriodicSync(intervalMs, {
      sync: () => mount.sync(),
      after: (ms, handler) => void env.timer.after(ms, handler),
      failed: (error) => void env.error(`sync: ${error instanceof Error ? error.message : String(error)}`),
    });
    this.backend = new MountBackend(mount, intervalMs === 0 ? () => {} : () => sync.changed());
  }

  /** Leaves a clean file system on the device. */
  async unmount(): Promise<void> {
    await this.#mount.unmount();
    await this.#disk.close();
  }
}
