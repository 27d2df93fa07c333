/** The requests that look at virtual machines, and act on one. */
import { oneOf, optional, record, text } from '@ginit/core';
import { MACHINE_ACTIONS, machineWords } from '@ginit/core/machine';
import type { KeptMachine, Supervisor } from '@ginit/core/supervisor';
import { splitLabel } from '@ginit/core/system';
import { CONTROL_LIMITS, ControlError, type ControlHandlers, meantBy } from './control/index.ts';

const actArguments = record({
  action: oneOf(MACHINE_ACTIONS),
  label: text(CONTROL_LIMITS.labelCharacters),
  /** What says more about the action. */
  words: optional(machineWords),
});

/** Answers them. */
export function machineRequests(supervisor: Pick<Supervisor, 'machines'>): ControlHandlers {
  return {
    machines: () => ({
      machines: supervisor.machines.map(({ label, state }) => ({ label: ownerOf(label), ...state })),
    }),
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
