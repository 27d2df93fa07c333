/** What the parts of one simulated system share. */
import type { Obligation } from '@ginit/core';
import type { BlockCheck } from '../block-check/block-check.ts';
import type { CallWatch } from './call-watch.ts';
import type { Digest } from '../order/digest.ts';
import type { Random } from '../order/random.ts';
import type { Scheduler } from '../order/scheduler.ts';
import type { HostWorld } from './simulated-host.ts';

/** Shared by the platform and what drives it. */
export interface SimulatedWorld {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly digest: Digest;
  readonly calls: CallWatch;
  readonly host: HostWorld;
  readonly blocks: BlockCheck;
  /** Whether a new carrier shares memory, given whether its ends are in one process. */
  readonly shareMemory: (oneProcess: boolean) => boolean;
  /** Whether the instances of a component share its modules, because these have no state. */
  readonly sharesModules: (moduleUrl: string) => boolean;
  /** Name of an operation, without its interface: operations of one shape have one key, whatever interface they are of. */
  readonly operationName: (key: number) => string;
  /** For people; `undefined` stands for the end of a carrier. */
  readonly describeFrame: (frame: Uint8Array | undefined) => string;
  /** Takes a line of a component. */
  readonly print: (line: string) => void;
  /** A text as a real run has it. */
  readonly wording: (text: string) => string;
  /** A property of the system does not hold. */
  readonly violated: (text: string) => void;
  /** A component has ended without having met its obligations. */
  readonly unmet: (label: string, obligations: readonly Obligation[]) => void;
  /** A component does what cannot be simulated: the run ends. */
  readonly refuse: (text: string) => void;
}
