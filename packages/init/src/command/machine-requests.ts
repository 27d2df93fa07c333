/** The requests that look at virtual machines, and act on one. */
import { list, oneOf, optional, record, type ShapeType, text } from '@ginit/core';
import { MACHINE_ACTIONS, machineMetrics, machineWords } from '@ginit/core/machine';
import type { KeptMachine, Supervisor } from '@ginit/core/supervisor';
import { splitLabel } from '@ginit/core/system';
import { CONTROL_LIMITS, ControlError, type ControlHandlers, meantBy } from './control/index.ts';

const LABEL_CHARACTERS = 4096;
const MACHINES_MAX = 65_536;

const shownMachine = record({
  /** The component that it is in. */
  label: text(LABEL_CHARACTERS),
  state: text(LABEL_CHARACTERS),
  about: text(LABEL_CHARACTERS),
  /** Missing if it does not say. */
  metrics: optional(machineMetrics),
});
/** A machine as it is listed. */
export type ShownMachine = ShapeType<typeof shownMachine>;

/** The machines of a system. */
export const machinesAnswer = record({ machines: list(shownMachine, MACHINES_MAX) });

const actArguments = record({
  action: oneOf(MACHINE_ACTIONS),
  label: text(CONTROL_LIMITS.labelCharacters),
  /** What says more about the action. */
  words: optional(machineWords),
});

/** The time that a machine has to say what it has done; without that it is shown all the same. */
const METRICS_MS = 1000;

/** Answers them. */
export function machineRequests(supervisor: Pick<Supervisor, 'machines'>): ControlHandlers {
  return {
    machines: async () => ({ machines: await Promise.all(supervisor.machines.map(shown)) }),
    machine: async (args) => {
      const { action, label: wanted, words = [] } = actArguments(args, 'with');
      const machine = machineMeant(wanted, supervisor.machines);
      const { problem, content } = await machine.ask(action, words);
      if (problem !== undefined) throw new ControlError('REFUSED', problem);
      const label = ownerOf(machine.label);
      return content ? { label, content: Buffer.from(content).toString('base64') } : { label };
    },
  };
}

async function shown(machine: KeptMachine): Promise<ShownMachine> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), METRICS_MS);
  });
  const metrics = await Promise.race([machine.metrics(), late]);
  clearTimeout(timer);
  return { label: ownerOf(machine.label), ...machine.state, metrics };
}

/** The component that a machine is in: its session has a name of its own behind that. */
function ownerOf(label: string): string {
  return splitLabel(label).prefix;
}

function machineMeant(wanted: string, machines: readonly KeptMachine[]): KeptMachine {
  const owners = machines.map(({ label }) => ownerOf(label));
  const found = machines[owners.indexOf(meantBy(wanted, owners) ?? '')];
  if (found) return found;
  const known = owners.length === 0 ? 'none was routed to ginit' : `there are ${owners.join(', ')}`;
  throw new ControlError('NOT_FOUND', `there is no virtual machine "${wanted}" (${known})`);
}
