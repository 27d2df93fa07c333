/**
 * The system that a run simulates, and the options of the simulation. The caller, who reads configs
 * and command lines, makes both.
 */
import type { Resources } from '@ginit/core/system';
import type { ComponentSummary, ResolvedBinary, SystemConfig } from '@ginit/core/supervisor';
import type { FaultPlan } from '../faults/fault-plan.ts';
import type { CarrierChoice } from '../world/simulation.ts';

/** A system that has been checked and can be started. */
export interface SimulatedSystem extends SystemConfig {
  /** The configs that a fault plan may give the running system. */
  readonly configs: readonly SystemConfig[];
  /** The binary of the root component, which is init. */
  readonly binary: ResolvedBinary;
  /** The quota that the root component has to give. */
  readonly quota: Resources;
  /**
   * Whether the exit of a component may end the system. If so, a run in which that never happens
   * has failed.
   */
  readonly mayExit: boolean;
  /** Whether the instances of a component may share its modules, because these have no state. */
  readonly sharesModules: (moduleUrl: string) => boolean;
  /** Makes the lines of a summary for people. */
  readonly summaryLines: (summary: readonly ComponentSummary[]) => readonly string[];
}

/** The options of a simulation. */
export interface RunOptions {
  /** The way in which components are joined. */
  readonly carriers: CarrierChoice;
  /** The largest virtual time of a run. */
  readonly untilUs: number;
  /** The largest number of tasks of a run. */
  readonly tasksMax: number;
  /** A call that stays unanswered for this time is a failure. */
  readonly patienceUs: number;
  /** The fault plan; without one there are no faults. */
  readonly plan: FaultPlan | undefined;
  /** The numbers of the faults that may happen; `undefined` if all may. */
  readonly only: readonly number[] | undefined;
  /** Whether the schedule is written. */
  readonly log: boolean;
  /** Whether the schedule is annotated. */
  readonly replay: boolean;
  /** Whether components are listed at the end. */
  readonly summary: boolean;
}
