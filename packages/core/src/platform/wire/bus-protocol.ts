/**
 * The messages between the supervisor and its bus process, on channel 0 of their link. The bus
 * process holds the connection to the bus: it runs no component code, so it renews leases whatever
 * components do. The frames of channels that end in the supervisor itself are on the other channels
 * of that link: even numbers are of those that the supervisor opens. Those of components go over
 * links of their own, from the bus process to each domain process.
 */
import { boolean, list, oneOf, optional, record, type ShapeType, text, u32 } from '../../interface/shapes.ts';
import { LIMITS } from '../../limits.ts';

const KEY = 64;
const PEM = 65_536;
const URL_BYTES = 1024;
const SERVERS_MAX = 64;

const connectCommand = record({
  command: oneOf(['connect']),
  servers: list(text(URL_BYTES), SERVERS_MAX),
  seed: text(KEY),
  cluster: text(KEY),
  about: text(LIMITS.busAboutBytes),
  leaseMs: optional(u32),
  tls: optional(record({ ca: optional(text(PEM)), cert: optional(text(PEM)), key: optional(text(PEM)) })),
});
/** How the process reaches the bus, and what the node is there. */
export type ConnectCommand = ShapeType<typeof connectCommand>;

/** The nodes with which links are wanted. */
const admitCommand = record({
  command: oneOf(['admit']),
  keys: list(text(KEY), LIMITS.busPeers),
  /** Keys with which only one at a time is linked: another one is refused meanwhile. */
  single: list(text(KEY), LIMITS.busPeers),
});
const openCommand = record({
  command: oneOf(['open']),
  channel: u32,
  peer: text(KEY),
  ticket: text(LIMITS.busTicketBytes),
});
const closeCommand = record({ command: oneOf(['close']), channel: u32, reason: text(LIMITS.reasonBytes) });
/** Joins a channel of the link to a domain process to one of the bus. */
const routeCommand = record({
  command: oneOf(['route']),
  link: u32,
  channel: u32,
  peer: text(KEY),
  ticket: text(LIMITS.busTicketBytes),
  /** Whether this end opens the channel; otherwise it takes the one that the peer opens. */
  opens: boolean,
});
export type RouteCommand = ShapeType<typeof routeCommand>;
/** Leaves the bus, says so to the peers, and ends the process. */
const leaveCommand = record({ command: oneOf(['leave']) });

/** Checks a command of the supervisor. */
export const busCommand = {
  connect: connectCommand,
  admit: admitCommand,
  open: openCommand,
  close: closeCommand,
  route: routeCommand,
  leave: leaveCommand,
} as const;
export type BusCommand =
  | ConnectCommand
  | ShapeType<typeof admitCommand>
  | ShapeType<typeof openCommand>
  | ShapeType<typeof closeCommand>
  | RouteCommand
  | ShapeType<typeof leaveCommand>;

const connectedEvent = record({ event: oneOf(['connected']) });
const complaintEvent = record({ event: oneOf(['complaint']), text: text(2 * LIMITS.reasonBytes) });
/** The process cannot be on the bus at all. */
const failedEvent = record({ event: oneOf(['failed']), reason: text(2 * LIMITS.reasonBytes) });
const linkedEvent = record({
  event: oneOf(['linked']),
  peer: text(KEY),
  about: text(LIMITS.busAboutBytes),
});
const unlinkedEvent = record({
  event: oneOf(['unlinked']),
  peer: text(KEY),
  reason: text(2 * LIMITS.reasonBytes),
});
/** A peer has opened a channel to the supervisor. */
const openedEvent = record({
  event: oneOf(['opened']),
  channel: u32,
  peer: text(KEY),
  ticket: text(LIMITS.busTicketBytes),
});
const endedEvent = record({
  event: oneOf(['ended']),
  channel: u32,
  reason: text(2 * LIMITS.reasonBytes),
});
/** The channel of a route has ended on the bus, or there will be none. */
const unroutedEvent = record({
  event: oneOf(['unrouted']),
  link: u32,
  channel: u32,
  reason: text(2 * LIMITS.reasonBytes),
});

/** Checks an event of the bus process. */
export const busEvent = {
  connected: connectedEvent,
  complaint: complaintEvent,
  failed: failedEvent,
  linked: linkedEvent,
  unlinked: unlinkedEvent,
  opened: openedEvent,
  ended: endedEvent,
  unrouted: unroutedEvent,
} as const;
export type BusEvent =
  | ShapeType<typeof connectedEvent>
  | ShapeType<typeof complaintEvent>
  | ShapeType<typeof failedEvent>
  | ShapeType<typeof linkedEvent>
  | ShapeType<typeof unlinkedEvent>
  | ShapeType<typeof openedEvent>
  | ShapeType<typeof endedEvent>
  | ShapeType<typeof unroutedEvent>;
