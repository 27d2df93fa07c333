/** Makes the cache that a config describes, over the component's Block session. */
import { type Env, RpcError } from '@ginit/core';
import { BlockClient } from '@ginit/core/block';
import { BlockCache } from './block-cache.ts';
import type { BackendDevice } from './backend-device.ts';
import { CacheMemory, granuleChunksOf } from './cache-memory.ts';
import { CacheReports } from './cache-report.ts';
import { ChunkStore } from './chunk-store.ts';
import { CHUNK_BYTES, Geometry } from './geometry.ts';
import { freeBytes, Growth, usable } from './growth.ts';
import {
  BLOCKCACHE_CONFIG,
  BUFFER_BYTES_DEFAULT,
  BUFFER_BYTES_MIN,
  CACHE_BYTES_MIN,
  type CacheConfig,
} from './schema.ts';
import { WatchedDevice } from './watched-device.ts';

type CacheEnv = Pick<
  Env,
  | 'config'
  | 'connect'
  | 'close'
  | 'quota'
  | 'ram'
  | 'timer'
  | 'error'
  | 'warning'
  | 'exit'
  | 'onYield'
  | 'requestResources'
>;

/** Something becomes old in so many ticks: `WriteBack.tick`. */
const TICKS_TO_AGE = 4;

/** A cache in use. */
export interface OpenCache {
  readonly cache: BlockCache;
  /** Writes everything to the device, makes it last, and says in the log if that fails. */
  readonly flush: (sync?: () => Promise<void>) => Promise<void>;
  /** Flushes and closes the session to the device. */
  readonly close: () => Promise<void>;
}

/**
 * Opens the session to the device and makes the cache. Throws `ConfigError` at a part of the config
 * that is impossible.
 */
export async function openCache(env: CacheEnv): Promise<OpenCache> {
  const config = env.config.read(BLOCKCACHE_CONFIG);
  const client = await BlockClient.connect(env, { args: { tx_buf_size: await bufferBytes(env, config) } });
  checkDevice(client);
  const bytes = await cacheBytes(env, config);
  const { blockSize, blockCount } = client.info;
  const granuleChunks = granuleChunksOf(bytes);
  const store = new ChunkStore(new Geometry(blockSize, blockCount), config.policy, granuleChunks);
  const device = new WatchedDevice(client, () => {
    const { dirty } = cache.statistics;
    const lost =
      dirty > 0 ? `; ${dirty} chunks of ${CHUNK_BYTES} bytes that were not written to it are lost` : '';
    void env.error(`the server of the device is gone${lost}`);
    env.exit(1);
  });
  const cache = new BlockCache({ device, store, mode: config.mode, dirtyShare: config.dirty_percent / 100 });
  const memory = new CacheMemory(env, cache, granuleChunks);
  await memory.grow(bytes);
  const growth = new Growth(env, memory, blockSize * blockCount, config.grow && config.size === undefined);
  store.onFull = () => growth.full();
  env.onYield((wanted) => growth.yield(wanted));
  const reports = new CacheReports(env, cache);
  const timer = new DirtyTimer(env, cache, config.dirty_age_ms);
  reports.configure(reportWish(config));
  env.config.onUpdate(async () => {
    const now = env.config.read(BLOCKCACHE_CONFIG);
    timer.ageMs = now.dirty_age_ms;
    reports.configure(reportWish(now));
    await follow(env, { cache, memory, growth }, now);
  });
  const flush = async (sync = (): Promise<void> => cache.sync()): Promise<void> => {
    if (!cache.info.writeable || device.gone) return;
    try {
      await sync();
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      const { dirty } = cache.statistics;
      await env.error(`cannot write ${dirty} chunks of ${CHUNK_BYTES} bytes to the device: ${error.message}`);
    }
  };
  const close = async (): Promise<void> => {
    timer.close();
    await flush();
    reports.close();
    device.closing();
    await client.close();
  };
  return { cache, flush, close };
}

/** Lets the cache know that time passes, as long as something in it is dirty. */
class DirtyTimer {
  ageMs: number;
  readonly #env: Pick<Env, 'timer'>;
  readonly #cache: BlockCache;
  #cancel = (): void => {};
  #running = false;

  constructor(env: Pick<Env, 'timer'>, cache: BlockCache, ageMs: number) {
    this.#env = env;
    this.#cache = cache;
    this.ageMs = ageMs;
    cache.onDirty = () => this.#run();
  }

  close(): void {
    this.#running = true;
    this.#cancel();
  }

  #run(): void {
    if (this.#running) return;
    this.#running = true;
    this.#cancel = this.#env.timer.after(this.ageMs / TICKS_TO_AGE, () => {
      this.#running = false;
      this.#cache.tick();
      if (this.#cache.statistics.dirty > 0) this.#run();
    });
  }
}

interface Parts {
  readonly cache: BlockCache;
  readonly memory: { readonly bytes: number; resize(bytes: number): Promise<void> };
  readonly growth: Growth;
}

/** Does what a newer config says. */
async function follow(env: CacheEnv, { cache, memory, growth }: Parts, config: CacheConfig): Promise<void> {
  if (config.policy !== cache.store.policyName) cache.store.changePolicy(config.policy);
  cache.dirtyShare = config.dirty_percent / 100;
  if ((config.mode === 'read-only') === (cache.mode === 'read-only')) cache.mode = config.mode;
  else void env.warning(`the mode "${config.mode}" counts only when the cache is started again`);
  growth.wanted = config.grow && config.size === undefined;
  if (config.size === undefined) return;
  const free = (await freeBytes(env)) + memory.bytes;
  if (config.size > free) {
    throw config.$node.errorAt(
      `size is ${config.size} bytes, but the RAM quota has only ${free} free`,
      'size',
    );
  }
  await memory.resize(config.size);
}

function reportWish(config: CacheConfig): { intervalMs: number; bufferBytes: number } | undefined {
  const { report } = config.$children;
  if (report?.cache !== true) return undefined;
  return { intervalMs: report.interval_ms, bufferBytes: report.buffer };
}

async function bufferBytes(env: CacheEnv, config: CacheConfig): Promise<number> {
  const quarter = Math.floor((await freeBytes(env)) / 4);
  const fallback = Math.max(BUFFER_BYTES_MIN, Math.min(BUFFER_BYTES_DEFAULT, quarter));
  return wholeChunks(config.tx_buf_size ?? fallback);
}

function checkDevice({ info, requestBlocksMax }: BackendDevice): void {
  if (CHUNK_BYTES % info.blockSize !== 0) {
    throw new RpcError(
      'Unsupported',
      `the device has blocks of ${info.blockSize} bytes, more than ${CHUNK_BYTES}`,
    );
  }
  if (requestBlocksMax * info.blockSize < CHUNK_BYTES) {
    throw new RpcError('Unsupported', `the device takes requests of ${requestBlocksMax} blocks only`);
  }
}

/** The size at the start. Its multiple of the least granule is what the cache takes in the end. */
async function cacheBytes(env: CacheEnv, config: CacheConfig): Promise<number> {
  const free = await freeBytes(env);
  const wanted = wholeGranules(config.size ?? usable(free));
  if (wanted > free) {
    throw config.$node.errorAt(`size is ${wanted} bytes, but the RAM quota has only ${free} free`, 'size');
  }
  if (wanted < CACHE_BYTES_MIN) {
    throw config.$node.errorAt(
      `the RAM quota has ${free} bytes free, too few for a cache of ${CACHE_BYTES_MIN}`,
    );
  }
  return wanted;
}

function wholeChunks(bytes: number): number {
  return Math.floor(bytes / CHUNK_BYTES) * CHUNK_BYTES;
}

function wholeGranules(bytes: number): number {
  return Math.floor(bytes / CACHE_BYTES_MIN) * CACHE_BYTES_MIN;
}
