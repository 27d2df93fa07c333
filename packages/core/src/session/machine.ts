/**
 * Machine: how people outside act on a virtual machine (`ginit vm`). The machine is the client: it
 * tells how it is, and asks what is wanted of it. Genode has nothing of this kind; there the
 * monitor has a window of its own.
 */
import { COSTS } from '../costs.ts';
import { rpc, session } from '../interface/interface.ts';
import { nothing, oneOf, optional, record, type ShapeType, text, u53 } from '../interface/shapes.ts';

/** The things that can be wanted of a machine. */
export const MACHINE_ACTIONS = ['pause', 'resume', 'reset', 'poweroff', 'save', 'restore', 'media'] as const;
/** One of `MACHINE_ACTIONS`. */
export type MachineAction = (typeof MACHINE_ACTIONS)[number];

/** The drives whose medium can be changed while the machine runs. */
export const MACHINE_DRIVES = ['cdrom', 'floppy'] as const;
/** One of `MACHINE_DRIVES`. */
export type MachineDrive = (typeof MACHINE_DRIVES)[number];

const MACHINE_TEXT_CHARACTERS = 1000;

/** The shape of what a machine tells. */
export const machineState = record({
  state: oneOf(['runs', 'paused', 'off']),
  /** One line for people: the engine, and why the machine is paused. */
  about: text(MACHINE_TEXT_CHARACTERS),
});
/** How a machine is. */
export type MachineState = ShapeType<typeof machineState>;

/** The shapes of what an action has beside its name. */
export const MACHINE_ACTION_FIELDS = {
  action: oneOf(MACHINE_ACTIONS),
  /** For `media`: the drive, and what is put into it; without a file it is emptied. */
  drive: optional(oneOf(MACHINE_DRIVES)),
  file: optional(text(MACHINE_TEXT_CHARACTERS)),
};
const machineOrder = record(MACHINE_ACTION_FIELDS);
/** An action with what belongs to it. */
export type MachineOrder = ShapeType<typeof machineOrder>;

const machineWish = record({ number: u53, ...MACHINE_ACTION_FIELDS });
/** Something that somebody wants; the number is for the answer. */
export type MachineWish = ShapeType<typeof machineWish>;

/** The Machine session. */
export const Machine = session(
  'Machine',
  {
    tell: rpc<(state: MachineState) => void>({ args: [machineState], result: nothing }),
    /**
     * Settles with the next wish as soon as there is one; with nothing if the session has ended.
     */
    wish: rpc<() => MachineWish | undefined>({ args: [], result: optional(machineWish) }),
    /** The wish was granted, or there is a problem. */
    answer: rpc<(number: number, problem: string | undefined) => void>({
      args: [u53, optional(text(MACHINE_TEXT_CHARACTERS))],
      result: nothing,
    }),
  },
  { cost: COSTS.session },
);
