/**
 * What a machine on QEMU has done: the requests of its disks by the command `query-blockstats`, and
 * the time of the CPUs that its process has used. With tcg QEMU counts neither instructions nor the
 * ends of their turns. Whatever a guest that has broken into QEMU answers is a number or nothing.
 */
import { isRecord } from '@ginit/core';
import { RequestCounts } from '../../devices/request-counts.ts';
import type { EngineMetrics } from '../engine.ts';
import { QmpError, type QmpClient } from './qmp-client.ts';

/** Asks for them; nothing if QEMU is gone. */
export async function metricsOf(
  control: Pick<QmpClient, 'execute'>,
  cpuUs: () => Promise<number | undefined>,
): Promise<EngineMetrics | undefined> {
  try {
    const [busyUs, answer] = await Promise.all([cpuUs(), control.execute('query-blockstats')]);
    return { busyUs, instructions: undefined, exits: undefined, idles: undefined, ...requestsOf(answer) };
  } catch (error) {
    if (error instanceof QmpError) return undefined;
    throw error;
  }
}

/** The requests of all devices together. */
function requestsOf(answer: unknown): RequestCounts {
  const counts = new RequestCounts();
  for (const device of Array.isArray(answer) ? answer : []) {
    const stats: unknown = isRecord(device) ? device['stats'] : undefined;
    if (!isRecord(stats)) continue;
    counts.reads += numberOf(stats['rd_operations']);
    counts.readBytes += numberOf(stats['rd_bytes']);
    counts.writes += numberOf(stats['wr_operations']);
    counts.writtenBytes += numberOf(stats['wr_bytes']);
    counts.flushes += numberOf(stats['flush_operations']);
  }
  return counts;
}

/** A sum of so many of them is still exact. */
const COUNT_MAX = 2 ** 48;

function numberOf(value: unknown): number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= COUNT_MAX ? value : 0;
}
