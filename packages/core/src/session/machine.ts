/**
 * Machine: how people outside act on a virtual machine (`ginit vm`). The machine is the client: it
 * tells how it is, and asks what is wanted of it. Genode has nothing of this kind; there the
 * monitor has a window of its own.
 */
import { COSTS } from '../costs.ts';
import { rpc, session } from '../interface/interface.ts';
import {
  bytes,
  list,
  nothing,
  oneOf,
  optional,
  record,
  type ShapeType,
  text,
  u53,
} from '../interface/shapes.ts';
import { LIMITS } from '../limits.ts';

/** The things that can be wanted of a machine. */
export const MACHINE_ACTIONS = [
  'pause',
  'resume',
  'reset',
  'poweroff',
  'save',
  'restore',
  'media',
  'screen',
  'type',
  'key',
] as const;
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

/** The shape of the words that say more about an action: a file, say, or what is typed. */
export const machineWords = list(text(LIMITS.machineWordCharacters), LIMITS.machineWords);

/**
 * The shape of what a machine has done since its component started. What its engine does not count
 * is missing.
 */
export const machineMetrics = record({
  /**
   * Microseconds for which the guest kept a processor busy: the time of the turns of v86, the time
   * of the CPUs that QEMU has used.
   */
  busyUs: optional(u53),
  /** Instructions of the guest. */
  instructions: optional(u53),
  /** How often the monitor had its turn between those of the guest. */
  exits: optional(u53),
  /** How many of these because the guest had nothing to do. */
  idles: optional(u53),
  /** Requests of disks and drives that have ended, and their bytes. */
  reads: u53,
  readBytes: u53,
  writes: u53,
  writtenBytes: u53,
  flushes: u53,
  /** New pictures of its screen; only those count that somebody has looked at. */
  frames: u53,
});
/** What a machine has done. */
export type MachineMetrics = ShapeType<typeof machineMetrics>;

/** What can be wanted beside that: no person does, but whoever shows a machine. */
const METRICS = 'metrics';

const machineWish = record({
  number: u53,
  action: oneOf([...MACHINE_ACTIONS, METRICS]),
  words: machineWords,
});
/** Something that somebody wants; the number is for the answer. */
export type MachineWish = ShapeType<typeof machineWish>;

const machineAnswer = record({
  /** Why the wish was not granted. */
  problem: optional(text(MACHINE_TEXT_CHARACTERS)),
  /** What was asked for: a picture of the screen, say. */
  content: optional(bytes(LIMITS.machineContentBytes)),
  metrics: optional(machineMetrics),
});
/** What became of a wish. */
export type MachineAnswer = ShapeType<typeof machineAnswer>;

/** The Machine session. */
export const Machine = session(
  'Machine',
  {
    tell: rpc<(state: MachineState) => void>({ args: [machineState], result: nothing }),
    /**
     * Settles with the next wish as soon as there is one; with nothing if the session has ended.
     */
    wish: rpc<() => MachineWish | undefined>({ args: [], result: optional(machineWish) }),
    /** What became of the wish with this number. */
    answer: rpc<(number: number, answer: MachineAnswer) => void>({
      args: [u53, machineAnswer],
      result: nothing,
    }),
  },
  { cost: COSTS.session },
);
