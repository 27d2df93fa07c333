/**
 * The main module of a bus process: it holds a node's connection to the bus. It runs no component
 * code, so it renews the leases of its links whatever components do, and after it was stopped it
 * looks at them before anything goes in or out. It takes commands from the supervisor on descriptor
 * 3 and links to domain processes over the IPC channel, and ends at once when the supervisor is
 * gone.
 */
import { Socket } from 'node:net';
import { unreachable } from '../../errors.ts';
import { endNow, endWithSupervisor, ignoreTerminal } from '../host/supervised-process.ts';
import { BusNode } from '../nats/bus-node.ts';
import { Identity } from '../nats/keys.ts';
import { NatsBus } from '../nats/nats-bus.ts';
import { SystemClock } from '../nats/system-clock.ts';
import { type BusCommand, busCommand, type BusEvent, type ConnectCommand } from '../wire/bus-protocol.ts';
import { linkMessage, parseControl } from '../wire/domain-protocol.ts';
import { CONTROL_CHANNEL, Link } from '../wire/link.ts';
import { BusLineEnd } from './bus-line-end.ts';

const SUPERVISOR_DESCRIPTOR = 3;
/** How long the process stays to say that the node leaves. */
const LEAVE_MS = 200;
const TEXT_MAX = 2000;

const parentAtStart = process.ppid;
ignoreTerminal();

let onBus: { readonly node: BusNode; readonly bus: NatsBus } | undefined;
const tell = (event: BusEvent): void => up.sendControl(event);
const up: Link = new Link(
  new Socket({ fd: SUPERVISOR_DESCRIPTOR }),
  (channel, payload) => {
    if (channel === CONTROL_CHANNEL) obey(parseControl(busCommand, 'command', payload));
    else end.deliver(channel, payload);
  },
  endNow,
);
const end = new BusLineEnd(up, tell);
endWithSupervisor(parentAtStart);

async function connect(command: ConnectCommand): Promise<void> {
  const { servers, seed, cluster, about, leaseMs, tls } = command;
  try {
    const identity = new Identity(seed);
    const complain = (text: string): void => tell({ event: 'complaint', text: text.slice(0, TEXT_MAX) });
    const { ca, cert, key } = tls ?? {};
    const secure = tls && { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
    const bus = await NatsBus.connect({ servers, identity, complain, tls: secure });
    const lease = leaseMs === undefined ? {} : { leaseMs };
    const node = new BusNode({
      bus,
      cluster,
      identity,
      clock: new SystemClock(),
      owner: end,
      about,
      ...lease,
    });
    onBus = { node, bus };
    end.use(node);
    tell({ event: 'connected' });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    tell({ event: 'failed', reason: reason.slice(0, TEXT_MAX) });
  }
}

function leave(): void {
  onBus?.node.close();
  onBus?.bus.close();
  setTimeout(endNow, LEAVE_MS);
}

function obey(command: BusCommand): void {
  switch (command.command) {
    case 'connect':
      return void connect(command);
    case 'admit':
      return end.admit(command.keys, command.single);
    case 'open':
      return end.open(command.channel, command.peer, command.ticket);
    case 'close':
      return end.close(command.channel, command.reason);
    case 'route':
      return end.route(command);
    case 'leave':
      return leave();
    default:
      return unreachable(command);
  }
}

process.on('message', (message: unknown, socket: unknown) => {
  const { link, own, expected } = linkMessage(message, 'link message');
  if (!(socket instanceof Socket)) throw new Error('a link came without its socket');
  end.addLink(link, socket, { own: Buffer.from(own, 'base64'), expected: Buffer.from(expected, 'base64') });
});
process.on('disconnect', endNow);
