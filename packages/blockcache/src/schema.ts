import { attribute, type ConfigOf, element, formatBytes } from '@ginit/core/config';
import { BLOCK_POLICY_ELEMENTS } from '@ginit/core/block';
import { WRITE_MODES } from './block-cache.ts';
import { GRANULE_CHUNKS_MIN } from './cache-memory.ts';
import { CHUNK_BYTES } from './geometry.ts';
import { POLICY_NAMES } from './policy/replacement-policy.ts';

/** The least size of a transfer buffer: it holds several requests of at least a chunk each. */
export const BUFFER_BYTES_MIN = 64 * 1024;
const BUFFER_BYTES_MAX = 64 * 1024 * 1024;
export const BUFFER_BYTES_DEFAULT = 1024 * 1024;
export const CACHE_BYTES_MIN = GRANULE_CHUNKS_MIN * CHUNK_BYTES;
const REPORT_BYTES = 16 * 1024;
const REPORT_BYTES_MIN = 4096;

/** The config of `blockcache`. */
export const BLOCKCACHE_CONFIG = element('config', 'A cache over a Block session', {
  attributes: {
    policy: attribute.oneOf('Which chunk has to go when another one needs its place', POLICY_NAMES, {
      fallback: 'auto',
    }),
    mode: attribute.oneOf('When a write is answered, and whether what it writes stays', WRITE_MODES, {
      fallback: 'write-back',
    }),
    size: attribute.bytes('Memory for cached blocks', {
      otherwise: 'what the RAM quota has free, and what the parent grants',
      min: CACHE_BYTES_MIN,
    }),
    grow: attribute.boolean('Whether the parent is asked for more RAM when the cache is full', {
      fallback: true,
    }),
    dirty_percent: attribute.integer('The part of the cache that may wait to be written', {
      fallback: 50,
      min: 1,
      max: 90,
    }),
    dirty_age_ms: attribute.integer('How long something may wait to be written', {
      fallback: 5000,
      min: 100,
      max: 3_600_000,
    }),
    tx_buf_size: attribute.bytes('Buffer for transfers from and to the device', {
      otherwise: `${formatBytes(BUFFER_BYTES_DEFAULT)}, or a quarter of the free RAM quota if that is less`,
      min: BUFFER_BYTES_MIN,
      max: BUFFER_BYTES_MAX,
    }),
  },
  children: [
    element('report', 'What is reported', {
      attributes: {
        cache: attribute.boolean('Whether the state of the cache is', { fallback: false }),
        interval_ms: attribute.integer('How often, if it has changed', {
          fallback: 1000,
          min: 10,
          max: 3_600_000,
        }),
        buffer: attribute.bytes('Bytes of the largest report, out of the RAM quota', {
          fallback: REPORT_BYTES,
          min: REPORT_BYTES_MIN,
          max: 1024 * 1024,
        }),
      },
      max: 1,
    }),
    ...BLOCK_POLICY_ELEMENTS,
  ],
});

export type CacheConfig = ConfigOf<typeof BLOCKCACHE_CONFIG>;
