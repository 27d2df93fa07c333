/** The answer of an init to `ginit plan`. */
import { readNode } from '@ginit/core/config';
import type { PlannedLine } from '@ginit/core/system';
import { type InitConfig, readInitConfig } from '../model/index.ts';
import { describePlan, type ExistingChild, planChanges } from '../plan/index.ts';

/**
 * The changes that a config would bring, in lines for people; `completed` adds to it what its
 * sandbox does. Throws the first error that is in the config.
 */
export function planLines(
  existing: readonly ExistingChild[],
  content: Uint8Array,
  completed: (config: InitConfig) => InitConfig,
): PlannedLine[] {
  const { config, errors } = readInitConfig(readNode(content, { name: 'config' }));
  const [first] = errors;
  if (first) throw first;
  return describePlan(planChanges(existing, completed(config)));
}
