/**
 * What a machine has done since its component started. An engine counts from its own start; when
 * another one goes on from a state, what the one before has done stays counted.
 */
import type { MachineMetrics } from '@ginit/core/machine';
import type { RequestTotals } from '../devices/request-counts.ts';
import type { EngineMetrics } from '../engine/engine.ts';
import type { Assembly } from './assembly.ts';

/** The part of an assembly that is used. */
type Measured = Pick<Assembly, 'metrics'>;

/** The metrics, and the requests of more devices. */
export function added(
  { reads, readBytes, writes, writtenBytes, flushes, ...rest }: EngineMetrics,
  more: RequestTotals,
): EngineMetrics {
  return {
    ...rest,
    reads: reads + more.reads,
    readBytes: readBytes + more.readBytes,
    writes: writes + more.writes,
    writtenBytes: writtenBytes + more.writtenBytes,
    flushes: flushes + more.flushes,
  };
}

/** The metrics of one machine, whatever engines it has. */
export class Metrics {
  /** What the engines before this one have done. */
  #before: EngineMetrics | undefined;
  /** What this one had done when somebody looked last. */
  #last: EngineMetrics | undefined;

  /** What the machine has done; if its engine is gone, what is known of that. */
  async of(assembly: Measured | undefined, frames: number): Promise<MachineMetrics | undefined> {
    this.#last = (await assembly?.metrics()) ?? this.#last;
    const all = this.#last ? sum(this.#last, this.#before) : this.#before;
    return all && { ...all, frames };
  }

  /** An engine is given up for another one. */
  async keep(assembly: Measured): Promise<void> {
    const last = (await assembly.metrics()) ?? this.#last;
    if (last) this.#before = sum(last, this.#before);
    this.#last = undefined;
  }
}

function sum(one: EngineMetrics, other: EngineMetrics | undefined): EngineMetrics {
  if (!other) return one;
  const both = (key: 'busyUs' | 'instructions' | 'exits' | 'idles'): number | undefined =>
    one[key] === undefined ? undefined : one[key] + (other[key] ?? 0);
  return {
    ...added(one, other),
    busyUs: both('busyUs'),
    instructions: both('instructions'),
    exits: both('exits'),
    idles: both('idles'),
  };
}
