/** What the domain process hands to the threads of its components. */
import type { CompiledRuntime } from './compiled-runtime.ts';
import type { MessagePort } from 'node:worker_threads';
import type { Scheduling } from '../../session/scheduling.ts';
import type { Place } from '../../memory/place.ts';
import type { ResolvedGrant } from '../../runtime/host-access.ts';
import type { HostUse } from './host-use.ts';
import type { KeeperLine } from './memory-protocol.ts';
import type { RingEnd } from './channel-memory.ts';

/** Slots of the sources that every thread has: messages of the domain process, and core's port. */
export const CONTROL_SLOT = 0;
export const SUPERVISOR_SLOT = 1;
/** Those of channels follow; they come around again when there are more than a doorbell has slots. */
export const FIRST_CHANNEL_SLOT = 2;

/** What a thread starts with. */
export interface WorkerInput {
  readonly moduleUrl: string;
  readonly supervisorPort: MessagePort;
  readonly grants: readonly ResolvedGrant[];
  readonly scheduling: Scheduling;
  /** What the process may have of memory of its own beyond what it has when the thread is up. */
  readonly processBytes: number | undefined;
  /** Whether uses of the host are watched: to explain what a jail refuses, or to list them all. */
  readonly watch: 'nothing' | 'refusals' | 'everything';
  /** The thread's doorbell, and the number of threads of the process that are awake. */
  readonly doorbell: Place;
  readonly census: Place;
  /** Says that the thread is to end. */
  readonly life: Place;
  /** Where memory can be shared with other processes. */
  readonly keeper: KeeperLine | undefined;
}

/** What a thread is born with: its input, or, of a thread that is started ahead, the port that will bring it. */
export type WorkerBirth = WorkerInput | ThreadAhead;

/** A thread without component: `giveCompiled` if others will follow it that can use what it has compiled. */
export interface ThreadAhead {
  readonly waitAt: MessagePort;
  readonly giveCompiled: boolean;
}

/** A new channel to a component of the same process. */
export interface RingMessage {
  readonly kind: 'ring';
  readonly peer: number;
  /** Slot at the thread's own doorbell. */
  readonly slot: number;
  readonly ring: RingEnd;
  readonly port: MessagePort;
  readonly peerDoorbell: Place;
}

/** A new channel to a component of another process, by memory that both share. */
export interface ForeignMessage {
  readonly kind: 'foreign';
  readonly peer: number;
  readonly slot: number;
  readonly channel: number;
  readonly ring: RingEnd;
  readonly peerProcess: number;
  readonly peerDoorbell: Place;
  readonly peerCensus: Place;
}

/** The same where they share none. */
export interface PortMessage {
  readonly kind: 'port';
  readonly peer: number;
  readonly slot: number;
  readonly port: MessagePort;
}

export type ChannelMessage = RingMessage | ForeignMessage | PortMessage;

/** The process has given up memory that the component has freed. */
export interface FreedMessage {
  readonly kind: 'freed';
  readonly file: number;
}

export type WorkerMessage = ChannelMessage | FreedMessage;

/** How far a thread is: whose modules are loaded. */
export type LoadStage = 'runtime' | 'component';

/**
 * What a thread tells its domain: how far it is, what it cannot have of what it was to have, what it has used of the host, and
 * when it ends the lines of its output that nobody has got.
 */
export type WorkerNotice =
  | LoadStage
  | { readonly lack: string }
  | { readonly used: HostUse }
  | { readonly lastLines: readonly string[] };

/** What a thread that was started ahead says at `waitAt`, before it has its component. */
export interface CompiledNotice {
  readonly compiled: CompiledRuntime;
}
