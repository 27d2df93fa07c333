/** Makes the cache that a config describes, over the component's Block session. */
import { type Env, RpcError } from '@ginit/core';
import { attribute, type ConfigOf, element, formatBytes } from '@ginit/core/config';
import { BlockClient, BLOCK_POLICY_ELEMENTS } from '@ginit/core/block';
import type { BackendDevice } from './backend-device.ts';
import { BlockCache, WRITE_MODES } from './block-cache.ts';
import { CHUNK_BYTES } from './geometry.ts';
import { makePolicy } from './policy/make-policy.ts';
import { POLICY_NAMES } from './policy/replacement-policy.ts';
import { WatchedDevice } from './watched-device.ts';

/** The least size of a transfer buffer: it holds several requests of at least a chunk each. */
const BUFFER_BYTES_MIN = 64 * 1024;
const BUFFER_BYTES_MAX = 64 * 1024 * 1024;
const BUFFER_BYTES_DEFAULT = 1024 * 1024;
const CACHE_BYTES_MIN = 16 * CHUNK_BYTES;
/** This part of the free quota, and no less, stays for needs of sessions beyond their donations. */
const RESERVE_PART = 16;
const RESERVE_BYTES_MIN = 64 * 1024;

/** The config of `blockcache`. */
export const BLOCKCACHE_CONFIG = element('config', 'A cache over a Block session', {
  attributes: {
    policy: attribute.oneOf('Which chunk has to go when another one needs its place', POLICY_NAMES, {
      fallback: 'auto',
    }),
    mode: attribute.oneOf('When a write is answered: once it is in memory, or on the device', WRITE_MODES, {
      fallback: 'write-back',
    }),
    size: attribute.bytes('Memory for cached blocks', {
      otherwise: 'what the RAM quota has free',
      min: CACHE_BYTES_MIN,
    }),
    tx_buf_size: attribute.bytes('Buffer for transfers from and to the device', {
      otherwise: `${formatBytes(BUFFER_BYTES_DEFAULT)}, or a quarter of the free RAM quota if that is less`,
      min: BUFFER_BYTES_MIN,
      max: BUFFER_BYTES_MAX,
    }),
  },
  children: BLOCK_POLICY_ELEMENTS,
});

type CacheEnv = Pick<Env, 'config' | 'connect' | 'close' | 'quota' | 'ram' | 'error' | 'exit'>;

/** A cache in use. */
export interface OpenCache {
  readonly cache: BlockCache;
  /** Writes everything to the device, makes it last, and says in the log if that fails. */
  readonly flush: () => Promise<void>;
  /** Flushes and closes the session to the device. */
  readonly close: () => Promise<void>;
}

/**
 * Opens the session to the device and makes the cache. Throws `ConfigError` at a part of the config
 * that is impossible.
 */
export async function openCache(env: CacheEnv): Promise<OpenCache> {
  const config = env.config.read(BLOCKCACHE_CONFIG);
  const { policy: policyName, mode } = config;
  const client = await BlockClient.connect(env, { args: { tx_buf_size: await bufferBytes(env, config) } });
  checkDevice(client);
  const sizeBytes = await cacheBytes(env, config);
  const memory = (await env.ram.allocate(sizeBytes)).attach();
  const policy = makePolicy(policyName, sizeBytes / CHUNK_BYTES);
  const device = new WatchedDevice(client, () => {
    const { dirty } = cache.statistics;
    const lost =
      dirty > 0 ? `; ${dirty} chunks of ${CHUNK_BYTES} bytes that were not written to it are lost` : '';
    void env.error(`the server of the device is gone${lost}`);
    env.exit(1);
  });
  const cache = new BlockCache({ device, memory, policy, mode });
  const flush = async (): Promise<void> => {
    if (!client.info.writeable || device.gone) return;
    try {
      await cache.sync();
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      const { dirty } = cache.statistics;
      await env.error(`cannot write ${dirty} chunks of ${CHUNK_BYTES} bytes to the device: ${error.message}`);
    }
  };
  const close = async (): Promise<void> => {
    await flush();
    device.closing();
    await client.close();
  };
  return { cache, flush, close };
}

type CacheConfig = ConfigOf<typeof BLOCKCACHE_CONFIG>;

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

async function cacheBytes(env: CacheEnv, config: CacheConfig): Promise<number> {
  const free = await freeBytes(env);
  const available = wholeChunks(free - Math.max(RESERVE_BYTES_MIN, Math.floor(free / RESERVE_PART)));
  const wanted = wholeChunks(config.size ?? available);
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

async function freeBytes(env: CacheEnv): Promise<number> {
  const { ramQuota, ramUsed } = await env.quota();
  return ramQuota - ramUsed;
}

function wholeChunks(bytes: number): number {
  return Math.floor(bytes / CHUNK_BYTES) * CHUNK_BYTES;
}
