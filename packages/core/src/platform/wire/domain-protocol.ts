/** The messages between the supervisor and a domain process, on channel 0 of their link. */
import {
  boolean,
  list,
  oneOf,
  optional,
  record,
  type ShapeType,
  text,
  u32,
  u53,
} from '../../interface/shapes.ts';
import { LIMITS } from '../../limits.ts';
import { HOST_GRANT_KINDS } from '../../session/host-grant.ts';
import { hostUse } from './host-use.ts';
import { jailRules } from '../jail/rules.ts';
import { schedulingShape } from '../../session/scheduling.ts';

/** The argument in the place of its number, for a domain process that shares no memory. */
export const NO_NUMBER = '-';
/**
 * The argument of a process that is started before its components are known: for one component, for
 * several, or for one in a jail.
 */
export const AHEAD = { own: 'ahead', shared: 'ahead-shared', jailed: 'ahead-jailed' } as const;

const PATH = 8192;

const resolvedGrant = record({
  kind: oneOf(HOST_GRANT_KINDS),
  path: text(4096),
  access: oneOf(['ro', 'rw']),
  target: text(PATH),
});

const startCommand = record({
  command: oneOf(['start']),
  component: u32,
  label: text(),
  moduleUrl: text(PATH),
  /** Index of its doorbell among those of the process. */
  doorbell: u32,
  heapBytes: optional(u53),
  /**
   * How much private memory, in bytes, the whole process may have beyond what it has when the
   * thread is up.
   */
  processBytes: optional(u53),
  scheduling: schedulingShape,
  grants: list(resolvedGrant, LIMITS.hostGrantsOfRoot),
  /** The process locks itself up before the component runs, and then waits for `run`. */
  jail: optional(jailRules),
  /** Instead of being jailed, the component's use of the host is told. */
  audit: boolean,
});
export type StartCommand = ShapeType<typeof startCommand>;

/** The supervisor has seen that the process is locked up, so the component may run. */
const runCommand = record({ command: oneOf(['run']), component: u32 });
const killCommand = record({ command: oneOf(['kill']), component: u32 });
/** Joins two components of this process. */
const connectCommand = record({ command: oneOf(['connect']), component: u32, peer: u32 });
/** Joins a component to a peer in the process that the link leads to, over that link. */
const joinCommand = record({
  command: oneOf(['join']),
  component: u32,
  peer: u32,
  link: u32,
  channel: u32,
  /** How people are told of the peer. */
  peerName: text(LIMITS.reasonBytes),
  /** Whether the peer is on another machine. */
  elsewhere: boolean,
});
/** The link and the channel by which a component is joined to a peer, and what is known of it. */
export type JoinWay = Omit<ShapeType<typeof joinCommand>, 'command' | 'component' | 'peer'>;
/**
 * Joins a component to a peer in another process by shared memory. The memory of the channel, and a
 * socket for further memory, come over the socket for descriptors.
 */
const shareCommand = record({
  command: oneOf(['share']),
  component: u32,
  peer: u32,
  channel: u32,
  end: u32,
  slot: u32,
  peerSlot: u32,
  peerProcess: u32,
  peerDoorbell: u32,
});
export type ShareCommand = ShapeType<typeof shareCommand>;
/** Another process has ended: memory that it has made is given up. */
const forgetCommand = record({ command: oneOf(['forget']), process: u32 });
/** That process takes back memory that it has made. */
const revokeCommand = record({ command: oneOf(['revoke']), process: u32, serial: u53 });
/** Memory that this process has made has arrived at that one. */
const arrivedCommand = record({ command: oneOf(['arrived']), process: u32, serial: u53 });
const exitCommand = record({ command: oneOf(['exit']) });

/** Checks a command of the supervisor. */
export const domainCommand = {
  start: startCommand,
  run: runCommand,
  kill: killCommand,
  connect: connectCommand,
  join: joinCommand,
  share: shareCommand,
  forget: forgetCommand,
  revoke: revokeCommand,
  arrived: arrivedCommand,
  exit: exitCommand,
} as const;

/**
 * Comes over the IPC channel with the socket of a link to another domain process. Proofs are in
 * base64.
 */
export const linkMessage = record({ link: u32, own: text(64), expected: text(64) });

/** A command of the supervisor. */
export type DomainCommand =
  | StartCommand
  | ShapeType<typeof runCommand>
  | ShapeType<typeof killCommand>
  | ShapeType<typeof connectCommand>
  | ShapeType<typeof joinCommand>
  | ShareCommand
  | ShapeType<typeof forgetCommand>
  | ShapeType<typeof revokeCommand>
  | ShapeType<typeof arrivedCommand>
  | ShapeType<typeof exitCommand>;

/** The component's thread is up. */
const startedEvent = record({ event: oneOf(['started']), component: u32, threadId: u32 });
/** The process says that it has locked itself up. */
const jailedEvent = record({ event: oneOf(['jailed']), component: u32 });
/**
 * The component's thread is being terminated, and modules that it is loading are not waited for any
 * more.
 */
const endingEvent = record({ event: oneOf(['ending']), component: u32 });
const endedEvent = record({ event: oneOf(['ended']), component: u32, crashed: boolean, reason: text(4096) });
/** A component wrote past the streams that become its log. */
const outputEvent = record({
  event: oneOf(['output']),
  component: u32,
  line: text(LIMITS.logLineCharacters),
});

/**
 * A component that would be jailed has used something of the host. Sent each time, unless the link
 * is congested.
 */
const usedEvent = record({ event: oneOf(['used']), component: u32, use: hostUse });
/** The component's start node asks for something that cannot be had here. */
/** A component has taken too little of what a peer in another process sends: the channel ends. */
const overrunEvent = record({
  event: oneOf(['overrun']),
  component: u32,
  peerName: text(LIMITS.reasonBytes),
});
const lackEvent = record({ event: oneOf(['lack']), component: u32, text: text(LIMITS.reasonBytes) });

/** Those other processes must give up memory that this one has made. */
const revokedEvent = record({
  event: oneOf(['revoked']),
  serial: u53,
  processes: list(u32, LIMITS.revocationTargets),
});
/** Memory that `process` has made has come here from a third one. */
const memoryArrivedEvent = record({ event: oneOf(['memoryArrived']), process: u32, serial: u53 });

/** Checks an event of a domain. */
export const domainEvent = {
  started: startedEvent,
  jailed: jailedEvent,
  ending: endingEvent,
  ended: endedEvent,
  output: outputEvent,
  lack: lackEvent,
  overrun: overrunEvent,
  used: usedEvent,
  revoked: revokedEvent,
  memoryArrived: memoryArrivedEvent,
} as const;

/** An event of a domain process. */
export type DomainEvent =
  | ShapeType<typeof startedEvent>
  | ShapeType<typeof jailedEvent>
  | ShapeType<typeof endingEvent>
  | ShapeType<typeof endedEvent>
  | ShapeType<typeof outputEvent>
  | ShapeType<typeof lackEvent>
  | ShapeType<typeof overrunEvent>
  | ShapeType<typeof usedEvent>
  | ShapeType<typeof revokedEvent>
  | ShapeType<typeof memoryArrivedEvent>;

/**
 * Reads a JSON message of the other process. Throws if it is malformed; both ends run our own code.
 */
export function parseControl<Table extends Record<string, (value: unknown, where: string) => unknown>>(
  shapes: Table,
  key: 'command' | 'event',
  payload: Uint8Array,
): ReturnType<Table[keyof Table]> {
  const value: unknown = JSON.parse(Buffer.from(payload).toString('utf8'));
  const name = typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
  const shape = typeof name === 'string' && Object.hasOwn(shapes, name) ? shapes[name] : undefined;
  if (!shape) throw new Error(`unknown ${key} ${String(name)}`);
  // The table's own shape has just checked the value.
  return shape(value, key) as ReturnType<Table[keyof Table]>;
}
