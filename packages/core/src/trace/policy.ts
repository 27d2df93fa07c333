/**
 * Policies: what the events of a trace hold. A policy has a function for each hook that it wants
 * events of. The function gets what has happened and gives the content of the event, or nothing if
 * there is to be no event. It runs in the traced thread.
 */
import type { EventContent } from './ring-writer.ts';

/** A call, or the answer to one. */
export interface CallHappening {
  /** Interface and operation, `Block.info` for instance. */
  readonly name: string;
  /** The component at the other end; 0 is core. */
  readonly peer: number;
  /** The arguments of a call; empty for an answer. Not to be changed, and not to be kept. */
  readonly args: readonly unknown[];
  /** The result of an answer that is no error. */
  readonly result: unknown;
  /** Whether the answer is an error. */
  readonly failed: boolean;
}

/** A signal. */
export interface SignalHappening {
  readonly peer: number;
  /** The context, by its number in the table of its owner. */
  readonly context: number;
}

/** A packet of a stream. */
export interface PacketHappening {
  /** The service of the session whose stream it is. */
  readonly service: string;
  readonly peer: number;
  readonly operation: number;
  readonly tag: number;
  readonly position: number;
  readonly count: number;
  readonly size: number;
  readonly length: number;
  readonly status: number;
}

/** A place in the component's own code. */
export interface CheckpointHappening {
  readonly name: string;
  readonly value: number | undefined;
}

/** What a policy gives: nothing, or nothing but an empty text, if there is to be no event. */
export type Written = EventContent | undefined;

/** A policy: what the events of each hook hold. A hook that it does not name has no events. */
export interface TracePolicy {
  /** The most bytes that it writes into one event (default 256); more is an error of the policy. */
  readonly maxEventBytes?: number | undefined;
  readonly rpcCall?: ((call: CallHappening) => Written) | undefined;
  readonly rpcReturned?: ((call: CallHappening) => Written) | undefined;
  readonly rpcDispatch?: ((call: CallHappening) => Written) | undefined;
  readonly rpcReply?: ((call: CallHappening) => Written) | undefined;
  readonly signalSubmit?: ((signal: SignalHappening) => Written) | undefined;
  readonly signalReceived?: ((signal: SignalHappening) => Written) | undefined;
  readonly logOutput?: ((text: string) => Written) | undefined;
  readonly checkpoint?: ((checkpoint: CheckpointHappening) => Written) | undefined;
  readonly packetSubmit?: ((packet: PacketHappening) => Written) | undefined;
  readonly packetAcknowledge?: ((packet: PacketHappening) => Written) | undefined;
}

/** The names of the functions of a policy. */
export const POLICY_FUNCTIONS = [
  'rpcCall',
  'rpcReturned',
  'rpcDispatch',
  'rpcReply',
  'signalSubmit',
  'signalReceived',
  'logOutput',
  'checkpoint',
  'packetSubmit',
  'packetAcknowledge',
] as const satisfies readonly (keyof TracePolicy)[];
