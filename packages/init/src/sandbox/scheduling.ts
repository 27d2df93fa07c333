/**
 * Limits the CPU sessions of a child to its start node's part of the CPUs and of the priorities
 * that init has.
 */
import {
  type CpuAffinity,
  narrowScheduling,
  PRIORITY_LIMIT,
  type Scheduling,
  schedulingOf,
  type SessionArguments,
  withScheduling,
} from '@ginit/core/system';
import type { InitConfig, StartNode } from '../model/index.ts';

type Surroundings = Pick<InitConfig, 'affinitySpace' | 'prioLevels'>;
type Placed = Pick<StartNode, 'affinity' | 'priority'>;

/** The part of the affinity grid; empty for a child that may use all of it. */
function affinityOf({ affinity }: Placed, { affinitySpace }: Surroundings): CpuAffinity[] {
  if (!affinity) return [];
  const { width, height } = affinitySpace;
  if (affinity.width === width && affinity.height === height) return [];
  return [{ ...affinity, spaceWidth: width, spaceHeight: height }];
}

/**
 * The arguments of a CPU session as they go on to the supervisor; `args` are those that the child,
 * or init for it, asked with.
 */
export function schedulingArguments(
  args: SessionArguments,
  start: Placed,
  around: Surroundings,
): SessionArguments {
  const given: Scheduling = {
    affinity: affinityOf(start, around),
    priority: (start.priority * PRIORITY_LIMIT) / around.prioLevels,
  };
  return withScheduling(args, narrowScheduling(given, around.prioLevels, schedulingOf(args)));
}
