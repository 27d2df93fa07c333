/** The parts of one simulated system that its rooms share. */
import type { Obligation } from '@ginit/core/platform';
import type { BlockCheck } from '../block-check/block-check.ts';
import type { CallWatch } from './call-watch.ts';
import type { Digest } from '../order/digest.ts';
import type { Random } from '../order/random.ts';
import type { Scheduler } from '../order/scheduler.ts';
import type { HostWorld } from './simulated-host.ts';

/** The state that the platform and its driver share. */
export interface SimulatedWorld {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly digest: Digest;
  readonly calls: CallWatch;
  readonly host: HostWorld;
  readonly blocks: BlockCheck;
  /** Whether a new carrier shares memory, given whether its ends are in one process. */
  readonly shareMemory: (oneProcess: boolean) => boolean;
  /** Whether each process is on a machine of its own, and a bus joins them. */
  readonly overBus: boolean;
  /** Whether the instances of a component share its modules, because these have no state. */
  readonly sharesModules: (moduleUrl: string) => boolean;
  /**
   * The name of an operation without its interface: operations of the same shape have the same key,
   * whatever their interfaces.
   */
  readonly operationName: (key: number) => string;
  /** The description of a frame for people; `undefined` stands for the end of a carrier. */
  readonly describeFrame: (frame: Uint8Array | undefined) => string;
  /** Takes a line of a component. */
  readonly print: (line: string) => void;
  /** The text as a real run would show it, without the marks of instances. */
  readonly wording: (text: string) => string;
  /** Reports that a property of the system does not hold. */
  readonly violated: (text: string) => void;
  /** Reports that a component has ended without having met its obligations. */
  readonly unmet: (label: string, obligations: readonly Obligation[]) => void;
  /** Ends the run, because a component does something that cannot be simulated. */
  readonly refuse: (text: string) => void;
}
