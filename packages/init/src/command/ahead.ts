/** Which processes a config is going to need: they can be started while it is still being checked. */
import { availableParallelism } from 'node:os';
import type { SpareKind } from '@ginit/core/supervisor';
import { hasOwnProcess, type InitConfig } from '../model/index.ts';

/** In the order in which they will be used: one for init, then those of its children, as many as can start side by side. */
export function processesAhead({ starts }: InitConfig): readonly SpareKind[] {
  const kinds: SpareKind[] = ['own'];
  for (const start of starts) {
    const { hostDepth } = start;
    if (kinds.length > availableParallelism()) break;
    const own = hasOwnProcess(start);
    if (own && hostDepth === undefined) kinds.push('own');
    if (!own && !kinds.includes('shared')) kinds.push('shared');
  }
  return kinds;
}
