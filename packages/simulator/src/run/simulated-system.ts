/** The system that a run simulates, and how it is simulated, as whoever reads configs and command lines describes them. */
import type { Resources } from '@ginit/core';
import type { ComponentSummary, FindBinary, ResolvedBinary, ResolvedGrant } from '@ginit/core/supervisor';
import type { FaultPlan } from '../faults/fault-plan.ts';
import type { CarrierChoice } from '../world/simulation.ts';

/** A system that has been checked and can be started. */
export interface SimulatedSystem {
  /** The config, as its root component reads it. */
  readonly config: Uint8Array;
  /** The root component: init. */
  readonly binary: ResolvedBinary;
  /** Finds the components that may be started in the system. */
  readonly findBinary: FindBinary;
  /** What the config grants of the host. */
  readonly grants: readonly ResolvedGrant[];
  /** What the root component has to give. */
  readonly quota: Resources;
  /** Whether the exit of a component may end the system: then a run in which that never happens has failed. */
  readonly mayExit: boolean;
  /** Whether the instances of a component may share its modules, because these have no state. */
  readonly sharesModules: (moduleUrl: string) => boolean;
  /** A summary in words, a line each. */
  readonly summaryLines: (summary: readonly ComponentSummary[]) => readonly string[];
}

/** How a system is simulated. */
export interface RunOptions {
  /** How components are joined. */
  readonly carriers: CarrierChoice;
  /** Virtual time to run at most. */
  readonly untilUs: number;
  /** Tasks to run at most. */
  readonly tasksMax: number;
  /** A call that nobody has answered for so long is a failure. */
  readonly patienceUs: number;
  /** What is to go wrong; nothing if it is missing. */
  readonly plan: FaultPlan | undefined;
  /** Numbers of the faults that may happen; without it all may. */
  readonly only: readonly number[] | undefined;
  /** The schedule is written. */
  readonly log: boolean;
  /** The schedule is annotated. */
  readonly replay: boolean;
  /** Components are listed at the end. */
  readonly summary: boolean;
}
