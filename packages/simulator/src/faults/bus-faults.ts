/**
 * Faults of the bus between the machines of a simulated system. Each counts as over only when the
 * links have had the time to send again what was lost.
 */
import type { SimulatedComponent } from '../world/simulated-component.ts';
import type { Simulation } from '../world/simulation.ts';
import type { PlannedBusTrouble } from './fault-plan.ts';

/** A link has found its peer again by then: it learns that it is connected, or asks once more. */
const CAUGHT_UP_US = 8_000_000;
/** The owner of the tasks of the bus itself. */
const BUS = 999_999_999;

function later(simulation: Simulation, us: number, what: string, run: () => void): void {
  simulation.scheduler.after(us, { owner: BUS, describe: () => what, run });
}

/** The bus treats messages badly for a while. `over` is called when that is made good. */
export function troubleBus(
  { ms, delayMs, ...rates }: PlannedBusTrouble,
  simulation: Simulation,
  over: () => void,
): string | undefined {
  const { nodes } = simulation.platform;
  if (!nodes) return undefined;
  nodes.faults = { ...rates, delayUsMax: delayMs * 1000 };
  later(simulation, ms * 1000, 'the bus is well again', () => {
    nodes.faults = {};
    later(simulation, CAUGHT_UP_US, 'the links have caught up', over);
  });
  return `the bus is in trouble for ${ms} ms`;
}

/** The machine of a component is cut off for a while. `over` is called when that is made good. */
export function cutOff(
  simulation: Simulation,
  { domain, label }: SimulatedComponent,
  ms: number,
  over: () => void,
): string | undefined {
  const { nodes } = simulation.platform;
  if (!nodes) return undefined;
  nodes.cutOff(domain, true);
  later(simulation, ms * 1000, 'the bus is whole again', () => {
    nodes.cutOff(domain, false);
    later(simulation, CAUGHT_UP_US, 'the links have caught up', over);
  });
  return `the machine of [${label}] is cut off for ${ms} ms`;
}
