/**
 * The services that the supervisor needs of a platform: Node's threads and processes, or the
 * simulator.
 */
import type { Carrier } from '../channel/carrier.ts';
import type { ResolvedGrant } from '../runtime/host-access.ts';
import type { JailDemand, PlaceDemand } from '../session/cpu.ts';
import type { Scheduling } from '../session/scheduling.ts';
import type { Account } from './account.ts';
import type { TravellingCode } from './binary-service.ts';
import type { NodeLedger } from './node-ledger.ts';

/** A component to be started. */
export interface ComponentSpecification {
  readonly id: number;
  readonly label: string;
  /** The module to import, whose default export is the component. */
  readonly moduleUrl: string;
  /** Every file that Node reads to load it; empty where nobody has determined them. */
  readonly files: readonly string[];
  /** The domain to run in, unless it gets a process of its own. */
  readonly domain: string;
  /** Whether it gets a process of its own. */
  readonly ownProcess: boolean;
  readonly heapBytes: number | undefined;
  /** The RAM quota in bytes that it starts with. */
  readonly ramBytes: number;
  /**
   * How many operations of a driver on the host run at a time; the platform decides if it is
   * missing.
   */
  readonly hostDepth: number | undefined;
  readonly scheduling: Scheduling;
  /** The host grants that it holds. */
  readonly grants: readonly ResolvedGrant[];
  /** The grants that it may use itself: none if it only hands them on. */
  readonly usedGrants: readonly ResolvedGrant[];
  readonly jail: JailDemand;
  /** Whether its starter is jailed: then it is jailed by all means, or not started. */
  readonly confined: boolean;
  /** The machine of a cluster that it is to run on; missing where that is the supervisor's own. */
  readonly place?: PlaceDemand | undefined;
  /** Its code, for another machine; missing where it cannot travel. */
  readonly code?: (() => TravellingCode) | undefined;
  /** The account that it runs on, for a platform of several nodes with ledgers of their own. */
  readonly account?: Pick<Account, 'state' | 'settleOn'> | undefined;
}

/** How a component ended. */
export interface ComponentEnd {
  readonly crashed: boolean;
  readonly reason: string;
  /** Whether it was the one that brought its process down, not one that only shared the process. */
  readonly culprit: boolean;
  /** Whether the machine that it ran on is lost. */
  readonly nodeLost?: boolean;
}

/** Where a component runs, in words for people. */
export interface Placement {
  readonly kind: 'thread' | 'process';
  /** The name of the domain, or of the component whose own process it is. */
  readonly domain: string;
  readonly pid: number | undefined;
  /** The node of the cluster, if that is another machine than the supervisor's. */
  readonly node?: string | undefined;
  /** Whether a process of its own is jailed. */
  readonly jail?: JailStanding | undefined;
}

/** What a thread has used since it was started. */
export interface ThreadUse {
  /** The time that it was on a CPU, in microseconds. */
  readonly cpuUs: number;
  /** How often it has gone to sleep, and so was woken or will be. */
  readonly wakeUps: number;
}

/** Whether a process is jailed, and if it is not, why. */
export type JailStanding = { readonly jailed: true } | { readonly jailed: false; readonly reason: string };

/** A started component. */
export interface PlatformComponent {
  readonly placement: Placement;
  /** The carrier between the supervisor and the component. */
  readonly supervisor: Carrier;
  /** What it waits for before it can begin, in one phrase; `undefined` once it has a place. */
  readonly waits?: string | undefined;
  /** Ends it at once; settles when it is gone. */
  kill(): Promise<void>;
}

/** A place where components run. The supervisor does everything through this interface. */
export interface Platform {
  /** The ledger of the supervisor's own node, where there are others. */
  readonly ledger?: NodeLedger | undefined;
  /** Starts a component; `ended` is called once when it is gone, whatever the reason. */
  start(specification: ComponentSpecification, ended: (end: ComponentEnd) => void): PlatformComponent;
  /**
   * Makes a channel between two started components. `failed` is called if that cannot be done while
   * both are alive.
   */
  connect(first: number, second: number, failed: () => void): void;
  /** Runs a turn soon, after the present one. */
  schedule(turn: () => void): void;
  /** Microseconds on a clock that never goes back. */
  monotonicUs(): number;
  /** Milliseconds since the start of 1970. */
  wallClockMs(): number;
  /** The use by a thread of a process, by their numbers at the kernel; where the host tells it. */
  threadUse?(pid: number, thread: number): ThreadUse | undefined;
  /** Calls `handler` after `us` microseconds; the result cancels it. */
  after(us: number, handler: () => void): () => void;
  /**
   * Writes lines of a component to the log, each behind the prefix. No lines of others come between
   * them. Settles when there is room for more. The text is not cut into lines before it is written.
   */
  writeLog(text: string, prefix: string): Promise<void>;
}
