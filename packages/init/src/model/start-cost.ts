/**
 * Computes the costs of a child before it has done anything, and tells whether it has a process of
 * its own.
 */
import { Log, Rom } from '@ginit/core';
import { type Cost, COSTS, Cpu, Pd, sumOf } from '@ginit/core/system';
import { isHolder } from './holder-name.ts';
import type { StartNode } from './init-config.ts';

/** The parts of a start node that decide where its component runs. */
export type Placed = Pick<StartNode, 'isolation' | 'domain' | 'host' | 'binary'>;

/**
 * Whether a start node grants host resources to a component that uses them itself. A nested init,
 * or a sequence, only hands its grants on.
 */
export function isDriver({ host, binary }: Pick<StartNode, 'host' | 'binary'>): boolean {
  return host.length > 0 && !isHolder(binary.name);
}

/**
 * Whether a child has a process of its own. A driver has one by default, because it may block its
 * thread pool, and that must stall nobody else.
 */
export function hasOwnProcess(start: Placed): boolean {
  const { isolation, domain } = start;
  return (isolation ?? (domain === undefined && isDriver(start) ? 'process' : 'thread')) === 'process';
}

/** The costs of the sessions that init opens for a child's environment. */
export const ENVIRONMENT_COST = { ROM: Rom.cost, CPU: Cpu.cost, PD: Pd.cost } as const;

/**
 * The objects of init that the child or the supervisor holds: the child's parent capability, and
 * the handler of its thread's state. Like the sessions of its environment they are paid from the
 * child's own quota.
 */
const CHILD_OBJECTS = { ram: 0, caps: 2 };

/** The costs that init pays for a child before it runs. */
export const INIT_COST: Cost = sumOf(CHILD_OBJECTS, ...Object.values(ENVIRONMENT_COST));

/** The costs of a component that runs: the object that stands for it, its config and its log. */
const RUNNING_COST: Cost = sumOf(COSTS.thread, COSTS.threadObject, Rom.cost, Log.cost);

/** The least quota that a child needs: to be made, to run, to read its configuration and to log. */
export function startCost(start: Placed): Cost {
  const process = hasOwnProcess(start) ? [COSTS.process] : [];
  return sumOf(INIT_COST, RUNNING_COST, ...process);
}

/** The handler by which a component that runs children is told of new configs. */
const CONFIG_HANDLER = { ram: 0, caps: 1 };

/** What of its start node's quota an init has spent when it begins to start its children. */
export function initStartCost(start: Placed): Cost {
  return sumOf(startCost(start), CONFIG_HANDLER);
}

/**
 * The same for root init, which has a process of its own and no init that would open its sessions.
 */
export const ROOT_START_COST: Cost = sumOf(RUNNING_COST, COSTS.process, CONFIG_HANDLER);
