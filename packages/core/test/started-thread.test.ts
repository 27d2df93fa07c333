/** A component that cannot be started leaves nothing behind, and the reason is told. */
import { expect, test } from 'vitest';
import {
  type Capability,
  component,
  type Implementation,
  type Interface,
  Log,
  Rom,
  SessionError,
} from '@ginit/core';
import { COSTS, Parent, Pd } from '@ginit/core/system';
import type { Carrier } from '../src/channel/carrier.ts';
import { FrameKind } from '../src/channel/frame.ts';
import type { Entrypoint } from '../src/runtime/entrypoint.ts';
import { RomModule } from '../src/runtime/rom-module.ts';
import { Account } from '../src/supervisor/account.ts';
import { Components } from '../src/supervisor/components.ts';
import { StartedThread } from '../src/supervisor/started-thread.ts';
import type { ComponentEnd } from '../src/supervisor/platform.ts';
import { PdSession } from '../src/supervisor/pd-service.ts';
import { ThreadsByAccount } from '../src/supervisor/threads-by-account.ts';
import { InProcessPlatform } from './in-process-platform.ts';
import { uniformParent } from './test-parent.ts';
import { testSpecification } from './test-specification.ts';

const place = (): InProcessPlatform =>
  new InProcessPlatform('copying', new Map([['refused', component({}, () => {})]]));
const denied = async (): Promise<never> => {
  throw new SessionError('DENIED', 'nothing is given here');
};

type ParentOf = (entrypoint: Entrypoint) => Implementation<typeof Parent>;
const refusing: ParentOf = () => uniformParent(denied);
/** A parent that gives the sessions that every component has. */
const giving: ParentOf = (entrypoint) => ({
  ...uniformParent(denied),
  session: ({ service }) => {
    const session: Capability<Interface> =
      service === Log.service
        ? entrypoint.export(Log, { write: () => {} })
        : entrypoint.export(Rom, new RomModule(Buffer.from('<config/>')).open());
    return { session };
  },
});

/**
 * Starts the component `moduleUrl`, with a parent that refuses everything unless it is told;
 * `ended` is told of its end.
 */
function begin(
  account: Account,
  moduleUrl: string,
  ended: (end: ComponentEnd) => void,
  platform = place(),
  parentOf = refusing,
): StartedThread {
  const components = new Components(platform, () => {});
  const threads = new ThreadsByAccount();
  const parent = components.entrypoint.export(Parent, parentOf(components.entrypoint));
  const pd = components.entrypoint.export(Pd, new PdSession(account, threads));
  const observer = { started: () => {}, ended: (_: unknown, end: ComponentEnd) => ended(end) };
  const specification = testSpecification('started', moduleUrl);
  const parts = { components, platform, observer, threads };
  return new StartedThread(parts, specification, account, { parent, pd }, () => {});
}

const rich = (): Account => new Account('account', { ram: 2 ** 20, caps: 100 });

test('a component that the platform cannot start costs nothing', () => {
  const account = rich();
  const before = account.state;
  expect(() => begin(account, 'missing', () => {})).toThrow('no component missing');
  expect(account.state).toEqual(before);
});

test('a component whose environment cannot be opened has crashed, with the reason', async () => {
  const end = await new Promise<ComponentEnd>((resolve) => void begin(rich(), 'refused', resolve));
  expect(end).toEqual({
    crashed: true,
    reason: expect.stringContaining('nothing is given here'),
    culprit: true,
  });
});

test('a handler that is set after the end is woken at once, and then given back', async () => {
  let thread: StartedThread | undefined;
  await new Promise<void>((resolve) => {
    thread = begin(rich(), 'refused', () => resolve());
  });
  if (!thread) throw new Error('it was started');
  const seen = { woken: 0, freed: 0 };
  thread.setHandler({ submit: () => void seen.woken++, [Symbol.dispose]: () => void seen.freed++ });
  expect(seen).toEqual({ woken: 1, freed: 1 });
  expect(thread.state()).toMatchObject({ state: 'crashed', culprit: true });
  expect(await thread.progress()).toEqual({ completed: 0, levelsBelow: 0 });
  await thread.stop();
});

test('an ended component is paid for as long as somebody holds its Thread object', async () => {
  const account = rich();
  let thread: StartedThread | undefined;
  await new Promise<void>((resolve) => {
    thread = begin(account, 'refused', () => resolve());
  });
  expect(account.state.capUsed).toBe(COSTS.threadObject.caps);
  await thread?.dissolve();
  expect(account.state).toMatchObject({ ramUsed: 0, capUsed: 0 });
});

test('a component that dies while it starts has the reason of its death, not of its start', async () => {
  const platform = place();
  let thread: StartedThread | undefined;
  await new Promise<void>((resolve) => {
    thread = begin(rich(), 'refused', () => resolve(), platform);
    platform.crash('started');
  });
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  expect(thread?.state()).toEqual({ state: 'crashed', reason: 'crashed by the test', culprit: true });
});

/**
 * A machine that goes when its component has answered that it runs. The supervisor hears of both in
 * one turn, as it does of all that comes in one piece over a socket.
 */
class PassingPlatform extends InProcessPlatform {
  protected override supervisorEndOf(id: number, label: string, carrier: Carrier): Carrier {
    const end: ComponentEnd = { crashed: true, reason: 'its node is lost', culprit: false, nodeLost: true };
    return {
      ...super.supervisorEndOf(id, label, carrier),
      receive: (handler) =>
        carrier.receive((frame, memory) => {
          handler(frame, memory);
          if (frame[0] === FrameKind.result) this.endComponent(id, end);
        }),
    };
  }
}

test('a component whose end is heard in the turn of the answer to its start has ended', async () => {
  const platform = new PassingPlatform('copying', new Map([['passing', component({}, () => {})]]));
  let thread: StartedThread | undefined;
  let woken = 0;
  await new Promise<void>((resolve) => {
    thread = begin(rich(), 'passing', () => resolve(), platform, giving);
    thread.setHandler({ submit: () => void woken++, [Symbol.dispose]: () => {} });
  });
  const gone = { state: 'crashed', reason: 'its node is lost', culprit: false, nodeLost: true };
  expect(thread?.state()).toEqual(gone);
  // What the answer sets off comes in later turns.
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  expect(thread?.state()).toEqual(gone);
  expect(woken).toBe(1);
});

test('a heartbeat is answered by a live component, once for all who ask, and settles after its end', async () => {
  let thread: StartedThread | undefined;
  const ended = new Promise<void>((resolve) => {
    thread = begin(rich(), 'refused', () => resolve());
  });
  if (!thread) throw new Error('it was started');
  const [first, second] = [thread.heartbeat(), thread.heartbeat()];
  expect(second).toBe(first);
  await first;
  await ended;
  await thread.heartbeat();
});
