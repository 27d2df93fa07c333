/** Faults of memory: a heap that is full, quota that is refused. */
import { HEAP_FULL } from '@ginit/core/platform';
import type { Simulation } from '../world/simulation.ts';

interface Victim {
  readonly id: number;
  readonly label: string;
}

/**
 * The component's heap is full. As on the real platform that ends its process, whoever else lives there, and everybody is
 * told whose fault it was.
 */
export function exhaustHeap({ platform }: Pick<Simulation, 'platform'>, { id, label }: Victim): string {
  platform.crashProcess(id, HEAP_FULL);
  return `the heap of [${label}] is full`;
}

/** The component's next allocation is refused; `taken` is called when it has been. */
export function refuseQuota(
  simulation: Pick<Simulation, 'denyQuota'>,
  { id, label }: Victim,
  of: 'ram' | 'caps',
  taken: () => void,
): string | undefined {
  if (!simulation.denyQuota(id, of, taken)) return undefined;
  return `the next allocation of ${of} by [${label}] will be refused`;
}
