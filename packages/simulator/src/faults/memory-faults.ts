/** Faults of memory: a full heap, and a refused allocation of quota. */
import { HEAP_FULL } from '@ginit/core/platform';
import type { Simulation } from '../world/simulation.ts';

interface Victim {
  readonly id: number;
  readonly label: string;
}

/**
 * Fills the component's heap. As on the real platform that ends its process with every component in
 * it, and everybody is told which component was at fault.
 */
export function exhaustHeap({ platform }: Pick<Simulation, 'platform'>, { id, label }: Victim): string {
  platform.crashProcess(id, HEAP_FULL);
  return `the heap of [${label}] is full`;
}

/** Refuses the component's next allocation. `taken` is called when that has happened. */
export function refuseQuota(
  simulation: Pick<Simulation, 'denyQuota'>,
  { id, label }: Victim,
  of: 'ram' | 'caps',
  taken: () => void,
): string | undefined {
  if (!simulation.denyQuota(id, of, taken)) return undefined;
  return `the next allocation of ${of} by [${label}] will be refused`;
}
