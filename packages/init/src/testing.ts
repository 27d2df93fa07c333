/**
 * For tests of whole systems, under any test runner: runs a config under the simulator, as `ginit
 * sim` does, and gives what came of it. Components cannot import this. Tests of one component are
 * easier with `@ginit/core/testing`.
 */
export {
  simulate,
  type SimulatedRun,
  type SimulatedRunWithLines,
  type SimulatedSeeds,
  type SimulateOptions,
  simulateSeeds,
  type SimulateSeedsOptions,
  type SimulationOptions,
  SimulationRefused,
} from './command/sim/in-tests.ts';
