/** The simulated place where components run, for whoever runs a system. */
export { HEAP_FULL } from '../wire/crash-reason.ts';
export type { Obligation } from '../../runtime/assertions.ts';
export type { OpenCall } from './call-watch.ts';
export type { Ailment, DiskOperation } from './disk-ailments.ts';
export {
  HOSTILE_PLACES,
  HOSTILE_ROLES,
  HOSTILE_STEPS,
  HOSTILE_WAYS,
  type HostileRole,
  type HostileStep,
  type HostileWay,
} from './hostility.ts';
export { Random } from './random.ts';
export { type CarrierChoice, type Outcome, Simulation, type SimulationOptions } from './simulation.ts';
