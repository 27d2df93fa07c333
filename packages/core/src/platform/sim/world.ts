/** What the parts of one simulated system share. */
import type { CallWatch } from './call-watch.ts';
import type { Digest } from './digest.ts';
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';
import type { HostWorld } from './simulated-host.ts';

/** Shared by the platform and what drives it. */
export interface SimulatedWorld {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly digest: Digest;
  readonly calls: CallWatch;
  readonly host: HostWorld;
  /** Whether a new carrier shares memory, given whether its ends are in one process. */
  readonly shareMemory: (oneProcess: boolean) => boolean;
  /** For people; `undefined` stands for the end of a carrier. */
  readonly describeFrame: (frame: Uint8Array | undefined) => string;
  /** Takes a line of a component. */
  readonly print: (line: string) => void;
  /** A text as a real run has it. */
  readonly wording: (text: string) => string;
  /** A component does what cannot be simulated: the run ends. */
  readonly refuse: (text: string) => void;
}
