/**
 * The main module of a domain process: it runs components, each in a worker thread of its own, and
 * relays frames to components of other processes. It takes commands from the supervisor on
 * descriptor 3 and further links over the IPC channel, and ends at once when the supervisor is
 * gone. The main thread never runs component code, so it always answers.
 */
import { Socket } from 'node:net';
import { shareWaitHelper } from 'sharedarraybuffer-polyfill/wait-helper';
import { unreachable } from '../../errors.ts';
import { endNow, endWithSupervisor, ignoreTerminal } from '../host/supervised-process.ts';
import { LIMITS } from '../../limits.ts';
import { ComponentThread } from './component-thread.ts';
import { DomainHost } from './domain-host.ts';
import {
  AHEAD,
  type DomainCommand,
  domainCommand,
  type DomainEvent,
  linkMessage,
  NO_NUMBER,
  parseControl,
  type StartCommand,
} from '../wire/domain-protocol.ts';
import type { ForeignChannels } from './foreign-channels.ts';
import { prepareJail } from '../jail/prepare.ts';
import { CONTROL_CHANNEL, Link } from '../wire/link.ts';

/**
 * Positions of the arguments: the number of the process, if it has one, and whether it is started
 * ahead of its components.
 */
const NUMBER_ARGUMENT = 2;
const AHEAD_ARGUMENT = 3;
const SUPERVISOR_DESCRIPTOR = 3;
/** The descriptor behind Node's own IPC channel; it is there if memory can be shared. */
const SUPPLIES_DESCRIPTOR = 5;

ignoreTerminal();

const parentAtStart = process.ppid;
// The helper thread must outlive every component: one that ended with a component's thread could
// bring the process down if it was loading at that moment.
shareWaitHelper();
const ahead = process.argv[AHEAD_ARGUMENT];
const threadAhead = ahead === undefined ? undefined : ComponentThread.ahead(ahead === AHEAD.shared);
const foreign = await openForeign();
if (ahead === AHEAD.jailed) void prepareJail();

const up: Link = new Link(
  new Socket({ fd: SUPERVISOR_DESCRIPTOR }),
  (channel, payload) => {
    if (channel === CONTROL_CHANNEL) obey(parseControl(domainCommand, 'command', payload));
    else host.deliver(channel, payload);
  },
  endNow,
);

const host = new DomainHost(up, foreign, threadAhead);
endWithSupervisor(parentAtStart);

/**
 * Where memory can be shared, the process has a number. Only then are the modules loaded that this
 * takes.
 */
async function openForeign(): Promise<ForeignChannels | undefined> {
  const ownNumber = process.argv[NUMBER_ARGUMENT];
  if (ownNumber === undefined || ownNumber === NO_NUMBER) return undefined;
  const { ForeignChannels } = await import('./foreign-channels.ts');
  const { Supplies } = await import('../wire/supplies.ts');
  return new ForeignChannels(new Supplies(SUPPLIES_DESCRIPTOR), Number(ownNumber), {
    revoked: (serial, processes) => {
      for (let from = 0; from < processes.length; from += LIMITS.revocationTargets) {
        const some = processes.slice(from, from + LIMITS.revocationTargets);
        tell({ event: 'revoked', serial, processes: some });
      }
    },
    arrived: ({ process, serial }) => tell({ event: 'memoryArrived', process, serial }),
    freed: (component, file) => host.freed(component, file),
  });
}

function tell(event: DomainEvent): void {
  up.sendControl(event);
}

/** If a thread cannot be made, that component fails, and no other component of the process. */
function start(command: StartCommand): void {
  try {
    host.start(command);
  } catch (error) {
    const reason = `its thread could not be started: ${error instanceof Error ? error.message : String(error)}`;
    tell({ event: 'ended', component: command.component, crashed: true, reason });
  }
}

function obey(command: DomainCommand): void {
  switch (command.command) {
    case 'start':
      return start(command);
    case 'run':
      return host.run(command.component);
    case 'kill':
      return host.kill(command.component);
    case 'connect':
      return host.connect(command.component, command.peer);
    case 'join':
      return host.join(command);
    case 'share':
      return host.share(command);
    case 'forget':
      return host.forget(command.process);
    case 'revoke':
      return foreign?.revoke(command.process, command.serial);
    case 'arrived':
      return foreign?.arrivedAt(command.process, command.serial);
    case 'exit':
      return endNow();
    default:
      return unreachable(command);
  }
}

process.on('message', (message: unknown, socket: unknown) => {
  const { link, own, expected } = linkMessage(message, 'link message');
  if (!(socket instanceof Socket)) throw new Error('a link came without its socket');
  host.addLink(link, socket, { own: Buffer.from(own, 'base64'), expected: Buffer.from(expected, 'base64') });
});
process.on('disconnect', endNow);
