/**
 * Predicts which processes a config is going to need, so that they can be started while it is still
 * being checked.
 */
import { availableParallelism } from 'node:os';
import type { SpareKind } from '@ginit/core/supervisor';
import { hasOwnProcess, type InitConfig, isDriver } from '../model/index.ts';

/**
 * The processes in the order in which they will be used: one for init, then those of its children,
 * as many as can start side by side.
 */
export function processesAhead({ starts }: InitConfig): readonly SpareKind[] {
  const kinds: SpareKind[] = ['jailed'];
  for (const start of starts) {
    const { hostDepth, jail } = start;
    if (kinds.length > availableParallelism()) break;
    if (start.place) continue;
    const own = hasOwnProcess(start);
    if (own && hostDepth === undefined && jail === 'no') kinds.push('own');
    if (own && hostDepth === undefined && jail !== 'no' && !isDriver(start)) kinds.push('jailed');
    if (!own && !kinds.includes('shared')) kinds.push('shared');
  }
  return kinds;
}
