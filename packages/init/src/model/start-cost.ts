/** What a child costs before it has done anything, and whether it has a process of its own. */
import { Log, Rom } from '@ginit/core';
import { type Cost, COSTS, Cpu, Pd, sumOf } from '@ginit/core/system';
import type { StartNode } from './init-config.ts';

/** What of a start node says where its component runs. */
export type Placed = Pick<StartNode, 'isolation' | 'domain' | 'host' | 'binary'>;

/** Whether a start node grants its component something to use; a nested init only hands it on. */
export function isDriver({ host, binary }: Pick<StartNode, 'host' | 'binary'>): boolean {
  return host.length > 0 && binary.name !== 'init';
}

/** A driver may block its thread pool: that must stall nobody else. */
export function hasOwnProcess(start: Placed): boolean {
  const { isolation, domain } = start;
  return (isolation ?? (domain === undefined && isDriver(start) ? 'process' : 'thread')) === 'process';
}

/** What the sessions of a child's environment cost that init opens for it. */
export const ENVIRONMENT_COST = { ROM: Rom.cost, CPU: Cpu.cost, PD: Pd.cost } as const;

/**
 * Objects of init's that the child, or core, holds: its parent, and the handler of its thread's state. Like the sessions of
 * its environment they are paid from the child's own quota.
 */
const CHILD_OBJECTS = { ram: 0, caps: 2 };

/** What init pays for a child before it runs. */
export const INIT_COST: Cost = sumOf(CHILD_OBJECTS, ...Object.values(ENVIRONMENT_COST));

/** What a child needs at least: to be made, to run, to read its configuration and to log. */
export function startCost(start: Placed): Cost {
  const running = hasOwnProcess(start) ? sumOf(COSTS.thread, COSTS.process) : COSTS.thread;
  return sumOf(INIT_COST, running, COSTS.threadObject, Rom.cost, Log.cost);
}
