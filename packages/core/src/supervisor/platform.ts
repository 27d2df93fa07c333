/** What core needs of the place where components run: Node's threads and processes, or the simulator. */
import type { Carrier } from '../channel/carrier.ts';
import type { ResolvedGrant } from '../runtime/host-access.ts';
import type { JailDemand } from '../session/cpu.ts';
import type { Scheduling } from '../session/scheduling.ts';

/** A component to be started. */
export interface ComponentSpecification {
  readonly id: number;
  readonly label: string;
  /** Module to import. */
  readonly moduleUrl: string;
  /** Every file that Node reads to load it; none where nobody has looked. */
  readonly files: readonly string[];
  /** Process to run in, unless it gets its own. */
  readonly domain: string;
  /** Whether it gets a process of its own. */
  readonly ownProcess: boolean;
  readonly heapBytes: number | undefined;
  /** Quota of memory it starts with. */
  readonly ramBytes: number;
  /** Operations of a driver on the host that run at a time; the platform's own idea of it if it is missing. */
  readonly hostDepth: number | undefined;
  readonly scheduling: Scheduling;
  /** What it has of the host. */
  readonly grants: readonly ResolvedGrant[];
  /** What it may use of that itself: nothing if it only hands it on. */
  readonly usedGrants: readonly ResolvedGrant[];
  readonly jail: JailDemand;
  /** Whether it is started by who is jailed: then it is jailed wherever that can be had, or not started. */
  readonly confined: boolean;
}

/** How a component came to its end. */
export interface ComponentEnd {
  readonly crashed: boolean;
  readonly reason: string;
  /** Whether it was the one that brought its process down. */
  readonly culprit: boolean;
}

/** Where a component runs, for people. */
export interface Placement {
  readonly kind: 'thread' | 'process';
  /** Name of the domain, or of the component whose process it is. */
  readonly domain: string;
  readonly pid: number | undefined;
  /** Of a process of its own. */
  readonly jail?: JailStanding | undefined;
}

/** How a process is confined: by a jail, or not, and why. */
export type JailStanding = { readonly jailed: true } | { readonly jailed: false; readonly reason: string };

/** A started component. */
export interface PlatformComponent {
  readonly placement: Placement;
  /** The carrier between core and the component. */
  readonly supervisor: Carrier;
  /** Ends it at once; settles when it is gone. */
  kill(): Promise<void>;
}

/** Where components run. */
export interface Platform {
  /** Starts a component; `ended` is called once when it is gone, whatever the reason. */
  start(specification: ComponentSpecification, ended: (end: ComponentEnd) => void): PlatformComponent;
  /** Makes a channel between two started components. `failed` is called if that cannot be done while both are alive. */
  connect(first: number, second: number, failed: () => void): void;
  /** Runs a turn soon. */
  schedule(turn: () => void): void;
  /** Microseconds on a clock that never goes back. */
  monotonicUs(): number;
  /** Milliseconds since the start of 1970. */
  wallClockMs(): number;
  /** Calls `handler` after `us` microseconds; the result cancels it. */
  after(us: number, handler: () => void): () => void;
  /**
   * Writes lines of a component to the log, each behind the prefix, and none of others between them; settles when there is
   * room for more. Nothing is made of the text before it is written.
   */
  writeLog(text: string, prefix: string): Promise<void>;
}
