/** The messages of the domain process to the threads of its components, and their answers. */
import type { CompiledRuntime } from './compiled-runtime.ts';
import type { MessagePort } from 'node:worker_threads';
import type { Scheduling } from '../../session/scheduling.ts';
import type { Place } from '../../memory/place.ts';
import type { ResolvedGrant } from '../../runtime/host-access.ts';
import type { HostUse } from './host-use.ts';
import type { KeeperLine } from './memory-protocol.ts';
import type { RingEnd } from './channel-memory.ts';

/**
 * The slots of the sources that every thread has: messages of the domain process, and the port to
 * the supervisor.
 */
export const CONTROL_SLOT = 0;
export const SUPERVISOR_SLOT = 1;
/** The first slot for channels. If there are more channels than slots, some share one. */
export const FIRST_CHANNEL_SLOT = 2;

/** The data that a thread starts with. */
export interface WorkerInput {
  readonly moduleUrl: string;
  readonly supervisorPort: MessagePort;
  readonly grants: readonly ResolvedGrant[];
  readonly scheduling: Scheduling;
  /**
   * How much private memory, in bytes, the process may have beyond what it has when the thread is
   * up.
   */
  readonly processBytes: number | undefined;
  /**
   * Whether uses of the host are watched: to explain what a jail refuses, or to list all of them.
   */
  readonly watch: 'nothing' | 'refusals' | 'everything';
  /** The thread's doorbell, and the count of threads of the process that are awake. */
  readonly doorbell: Place;
  readonly census: Place;
  /** The word that says that the thread is to end. */
  readonly life: Place;
  /** The line to the keeper; missing where memory cannot be shared with other processes. */
  readonly keeper: KeeperLine | undefined;
}

/**
 * The data that a thread is born with: its input, or, if it is started ahead, the port that will
 * bring it.
 */
export type WorkerBirth = WorkerInput | ThreadAhead;

/**
 * A thread without a component. `giveCompiled` says that threads will follow which can use the code
 * that it has compiled.
 */
export interface ThreadAhead {
  readonly waitAt: MessagePort;
  readonly giveCompiled: boolean;
}

/** A new channel to a component of the same process. */
export interface RingMessage {
  readonly kind: 'ring';
  readonly peer: number;
  /** The slot at the thread's own doorbell. */
  readonly slot: number;
  readonly ring: RingEnd;
  readonly port: MessagePort;
  readonly peerDoorbell: Place;
}

/** A new channel to a component of another process, over memory that both share. */
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

/** A new channel to a component of another process that shares no memory with this one. */
export interface PortMessage {
  readonly kind: 'port';
  readonly peer: number;
  readonly slot: number;
  readonly port: MessagePort;
  /** Counts what the thread takes out of the port. */
  readonly taken: Place;
  /** Whether the peer is on another machine. */
  readonly elsewhere: boolean;
}

export type ChannelMessage = RingMessage | ForeignMessage | PortMessage;

/** The process has given up memory that the component has freed. */
export interface FreedMessage {
  readonly kind: 'freed';
  readonly file: number;
}

export type WorkerMessage = ChannelMessage | FreedMessage;

/** How far a thread is: the modules of the runtime are loaded, or those of the component too. */
export type LoadStage = 'runtime' | 'component';

/**
 * The messages of a thread to its domain process: how far it is, something that it should have and
 * cannot have, a use of the host, and at its end the lines of its output that nobody has got.
 */
export type WorkerNotice =
  | LoadStage
  | { readonly lack: string }
  | { readonly used: HostUse }
  | { readonly lastLines: readonly string[] };

/** The message of a thread that was started ahead, before it has its component. */
export interface CompiledNotice {
  readonly compiled: CompiledRuntime;
}
