/** The report of the cache's state. */
import { type Env } from '@ginit/core';
import { ConfigNode, writeXml } from '@ginit/core/config';
import { Reporter } from '@ginit/core/report';
import type { BlockCache } from './block-cache.ts';
import { CHUNK_BYTES } from './geometry.ts';
import { Auto } from './policy/auto.ts';

/** The label of the report. */
const REPORT_LABEL = 'cache';

/**
 * The state as a tree that is written in at most `bytesMax` bytes: with thousands of clients some
 * are left out, and counted. Ratios are in percent.
 */
export function cacheReport(cache: BlockCache, bytesMax: number): ConfigNode {
  for (let shown = cache.clients.size; ; shown = Math.floor(shown / 2)) {
    const node = stateOf(cache, shown);
    if (shown === 0 || new TextEncoder().encode(writeXml(node)).byteLength <= bytesMax) return node;
  }
}

function stateOf(cache: BlockCache, clientsShown: number): ConfigNode {
  const { slots, held, dirty, failed, hits, misses, ...counts } = cache.statistics;
  const { policy, policyName } = cache.store;
  const clients = [...cache.clients].slice(0, clientsShown).map((client) =>
    ConfigNode.make('client', {
      label: client.label,
      hits: client.hits,
      misses: client.misses,
      hit_ratio: ratio(client.hits, client.misses),
    }),
  );
  return ConfigNode.make(
    'cache',
    {
      policy: policyName,
      chosen: policy instanceof Auto ? policy.chosen : policyName,
      policy_changes: policy instanceof Auto ? policy.changes : undefined,
      mode: cache.mode,
      size: slots * CHUNK_BYTES,
      held: held * CHUNK_BYTES,
      dirty: dirty * CHUNK_BYTES,
      failed: failed * CHUNK_BYTES,
      hits,
      misses,
      hit_ratio: ratio(hits, misses),
      ghost_hits: counts.ghostHits,
      evictions: counts.evictions,
      device_reads: counts.deviceReads,
      device_writes: counts.deviceWrites,
      write_errors: counts.writeErrors,
      last_error: cache.lastError?.code,
      ahead_used: counts.aheadUsed,
      ahead_wasted: counts.aheadWasted,
      clients_left_out: cache.clients.size - clientsShown || undefined,
    },
    clients,
  );
}

function ratio(hits: number, misses: number): string {
  return hits + misses === 0 ? '0' : ((100 * hits) / (hits + misses)).toFixed(2);
}

type ReportEnv = Pick<Env, 'connect' | 'close' | 'warning' | 'timer'>;

/** How the report is asked for in the config. */
export interface ReportWish {
  readonly intervalMs: number;
  readonly bufferBytes: number;
}

/** Reports the state now and then, as long as it changes. */
export class CacheReports {
  readonly #env: ReportEnv;
  readonly #cache: BlockCache;
  #wish: ReportWish | undefined;
  #stop = (): void => {};
  #reporter: Reporter | undefined;
  #last = '';

  constructor(env: ReportEnv, cache: BlockCache) {
    this.#env = env;
    this.#cache = cache;
  }

  /** Follows the config. */
  configure(wish: ReportWish | undefined): void {
    if (wish?.intervalMs === this.#wish?.intervalMs && wish?.bufferBytes === this.#wish?.bufferBytes) return;
    this.#wish = wish;
    this.close();
    if (wish === undefined) return;
    this.#reporter = new Reporter(this.#env, REPORT_LABEL, { bufferBytes: wish.bufferBytes });
    this.#stop = this.#env.timer.every(wish.intervalMs, () => this.submit());
    this.submit();
  }

  /** Reports the state as it is, if the config asks for reports. */
  submit(): void {
    const reporter = this.#reporter;
    if (!reporter) return;
    const node = cacheReport(this.#cache, reporter.bufferBytes);
    const text = JSON.stringify([...node.attributes.entries(), node.children.length]);
    if (text === this.#last) return;
    this.#last = text;
    reporter.report(node).catch((error: unknown) => {
      void this.#env.warning(`no report of the cache: ${String(error)}`);
    });
  }

  close(): void {
    this.#stop();
    void this.#reporter?.disable();
    this.#reporter = undefined;
  }
}
