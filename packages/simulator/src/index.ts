/**
 * The simulator runs a whole system in one thread, on a virtual clock, in an order that a seed
 * decides, with faults that a plan describes, and checks the properties that must always hold. Its
 * caller describes the system; the simulator knows no config files.
 */

// Runs of one seed and of many.
export { BROKEN_EXIT_CODE, runSeed, type SeedOutput, type SeedResult } from './run/run-seed.ts';
export type { RunOptions, SimulatedSystem } from './run/simulated-system.ts';
export { hasFailed, propertyOf, type SeedVerdict, verdictOf } from './run/verdict.ts';
export { SeedPool, type SeedTask, type SeedWork } from './run/seed-pool.ts';
export { runSeeds } from './run/many-seeds.ts';
export { shrinkFaults, type Shrunk, type ShrinkOptions } from './run/shrink.ts';

// Fault plans.
export { type FaultPlan, needsBus, type PlannedFault, type PlannedHostility } from './faults/fault-plan.ts';
export { countFaults, type StruckFault } from './faults/concrete-faults.ts';
export {
  HOSTILE_PLACES,
  HOSTILE_ROLES,
  HOSTILE_STEPS,
  HOSTILE_WAYS,
  type HostileRole,
  type HostileStep,
  type HostileWay,
} from './world/hostility.ts';

// The simulated world itself.
export { type CarrierChoice, type Outcome, Simulation, type SimulationOptions } from './world/simulation.ts';
