/**
 * Tests a child as a server, with real accounts: the answers that its clients get, and the quota
 * that comes back to them.
 */
import { type Capability, PeerGone, SessionError } from '@ginit/core';
import { type Resources, type Root } from '@ginit/core/system';
import { quietDeferred } from '@ginit/core/async';
import { expect, test } from 'vitest';
import { ChildServer } from '../src/sandbox/child-server.ts';
import type { RoutedRequest, ServedSession } from '../src/sandbox/session-server.ts';
import { Accounts } from './accounts.ts';

const RAM = 1000;
const CAPS = 100;
const DONATION = { ram: 50, caps: 5 };

type RootCapability = Capability<typeof Root>;

/** Makes a server "shop" that provides "Store", with a root object that the test defines. */
function bench(root: Partial<RootCapability> = {}) {
  const accounts = new Accounts(RAM, CAPS);
  const { account, pd } = accounts.child('shop', 100, 10);
  const [warnings, lost, asked]: [string[], string[], object[]] = [[], [], []];
  const released: number[] = [];
  const host = {
    env: {
      pd: accounts.pd,
      warning: async (text: string) => void warnings.push(text),
      timer: { sleep: async () => {} },
    },
    lost: (reason: string) => void lost.push(reason),
    changed: () => {},
  };
  const server = new ChildServer(host, 'shop', ['Store'], Promise.resolve(pd));
  const capability = { [Symbol.dispose]: () => void released.push(1) };
  const announce = (): void =>
    server.announce('Store', {
      session: async (request) => {
        asked.push(request);
        return capability;
      },
      upgrade: async () => {},
      close: async () => {},
      [Symbol.dispose]: () => {},
      ...root,
    });
  const giveUp = new AbortController();
  const request: RoutedRequest = {
    service: 'Store',
    label: 'client -> x',
    args: { colour: 'red' },
    donation: DONATION,
    reattach: false,
    givenUp: giveUp.signal,
  };
  const open = (): ReturnType<ChildServer['open']> => server.open(request);
  /**
   * The quota that init has free: all but the 100 bytes and 10 capabilities of the server, if
   * nothing is donated.
   */
  const free = (): Resources => accounts.init.free;
  return {
    server,
    account,
    accounts,
    warnings,
    lost,
    asked,
    released,
    capability,
    announce,
    giveUp,
    open,
    free,
  };
}

const WHOLE = { ram: RAM - 100, caps: CAPS - 10 };

async function opened(answer: ReturnType<ChildServer['open']>): Promise<ServedSession> {
  const served = await answer;
  if ('refused' in served) throw served.refused;
  return served;
}

/** The reason why there is no session, and the quota that is back. */
async function refused(answer: ReturnType<ChildServer['open']>): Promise<[string, Resources]> {
  const served = await answer;
  if (!('refused' in served)) throw new Error('there is a session');
  return [served.refused.message, served.back];
}

const back = (session: ServedSession): Promise<Resources> => session.close(() => true).back;

test('a donation goes to the server, and all of it comes back with the upgrades', async () => {
  const { open, announce, asked, free, account, server, capability, warnings } = bench();
  announce();
  const session = await opened(open());
  expect(session.capability).toBe(capability);
  expect(asked).toEqual([{ id: 1, label: 'client -> x', args: { colour: 'red' }, ...DONATION }]);
  expect(account.state).toMatchObject({ ramQuota: 150, capQuota: 15 });
  expect(await session.upgrade({ ram: 7, caps: 1 })).toBeUndefined();
  expect(session.donation).toEqual({ ram: 57, caps: 6 });
  expect(account.state).toMatchObject({ ramQuota: 157, capQuota: 16 });
  expect(await back(session)).toEqual({ ram: 57, caps: 6 });
  expect(free()).toEqual(WHOLE);
  expect(server.kept).toEqual({ ram: 0, caps: 0 });
  expect(warnings).toEqual([]);
});

test('each session at a server has a number of its own', async () => {
  const { open, announce, asked } = bench();
  announce();
  await opened(open());
  await opened(open());
  expect(asked).toEqual([expect.objectContaining({ id: 1 }), expect.objectContaining({ id: 2 })]);
});

test('a service is announced once, and only if it was declared; requests wait for that', async () => {
  const { server, open, announce } = bench();
  const root: RootCapability = {
    session: async () => ({ [Symbol.dispose]: () => {} }),
    upgrade: async () => {},
    close: async () => {},
    [Symbol.dispose]: () => {},
  };
  expect(() => server.announce('Other', root)).toThrow('does not provide "Other"');
  const waiting = open();
  expect(server.hasAnnounced('Store')).toBe(false);
  announce();
  expect(server.hasAnnounced('Store')).toBe(true);
  await opened(waiting);
  expect(announce).toThrow('provides "Store" already');
});

test('a client that gives up before the service is announced is refused at once, and no quota has moved', async () => {
  for (const before of [true, false]) {
    const { open, giveUp, free, announce, asked } = bench();
    if (before) giveUp.abort();
    const answer = open();
    giveUp.abort();
    expect(await refused(answer)).toEqual([expect.stringContaining('the client has given up'), DONATION]);
    expect(free()).toEqual(WHOLE);
    announce();
    expect(asked).toEqual([]);
  }
});

test('quota that a server keeps is missing at the client, is counted, and is reported once', async () => {
  const { open, announce, account, server, warnings, free } = bench();
  announce();
  const [one, two] = [await opened(open()), await opened(open())];
  account.allocate({ ram: 195, caps: 20 });
  expect(await back(one)).toEqual({ ram: 5, caps: 0 });
  expect(await back(two)).toEqual({ ram: 0, caps: 0 });
  expect(server.kept).toEqual({ ram: 95, caps: 10 });
  expect(warnings).toEqual(['child "shop" keeps 45 bytes and 5 caps of a session that it has closed']);
  expect(free()).toEqual({ ram: WHOLE.ram - 95, caps: WHOLE.caps - 10 });
});

test('a refusal of a session or an upgrade is handed on with the quota that has come back', async () => {
  const deny = async (): Promise<never> => {
    throw new SessionError('INSUFFICIENT_RAM', 'more');
  };
  const denying = bench({ session: deny });
  denying.announce();
  expect(await refused(denying.open())).toEqual([expect.stringContaining('more'), DONATION]);
  expect(denying.free()).toEqual(WHOLE);
  const { open, announce, free } = bench({ upgrade: deny });
  announce();
  const session = await opened(open());
  const answer = await session.upgrade({ ram: 7, caps: 1 });
  expect(answer).toMatchObject({ refused: { code: 'INSUFFICIENT_RAM' }, back: { ram: 7, caps: 1 } });
  expect(session.donation).toEqual(DONATION);
  expect(await back(session)).toEqual(DONATION);
  expect(free()).toEqual(WHOLE);
});

test('a server that ends before it answers counts as gone, and a session that comes late is released', async () => {
  const answer = quietDeferred<{ [Symbol.dispose](): void }>();
  const { open, announce, server, account, released, capability } = bench({ session: () => answer.promise });
  announce();
  const waiting = refused(open());
  await new Promise(setImmediate);
  server.afterwards.become(undefined, false);
  server.end('it has crashed');
  server.leftover.accountEnded(account.end());
  answer.resolve(capability);
  expect(await waiting).toEqual([expect.stringContaining('server "shop" is gone'), DONATION]);
  await new Promise(setImmediate);
  expect(released).toEqual([1]);
});

test('a server that ends before it has announced its service counts as gone for its clients', async () => {
  const { open, server, free } = bench();
  const waiting = refused(open());
  server.afterwards.become(undefined, false);
  server.end('it has crashed');
  expect(await waiting).toEqual([expect.stringContaining('server "shop" is gone'), DONATION]);
  expect(free()).toEqual(WHOLE);
});

test('the end of a server is told to its sessions, and their donations come from the quota it leaves behind', async () => {
  const closes: number[] = [];
  const { open, announce, server, account } = bench({ close: async (id) => void closes.push(id) });
  announce();
  const session = await opened(open());
  let ended = 0;
  session.onLeave(() => ended++);
  session.onLeave(() => ended++)();
  server.end('it has crashed');
  expect(ended).toBe(1);
  const { closed, back: returning } = session.close(() => true);
  await closed;
  expect(closes).toEqual([]);
  server.leftover.accountEnded(account.end());
  expect(await returning).toEqual(DONATION);
});

test('a server that fails to close a session is named once, and gives back the quota that is free', async () => {
  const fail = async (): Promise<never> => {
    throw new SessionError('DENIED', 'no');
  };
  const { open, announce, warnings, lost } = bench({ close: fail });
  announce();
  const [one, two] = [await opened(open()), await opened(open())];
  expect([await back(one), await back(two)]).toEqual([DONATION, DONATION]);
  expect(warnings).toEqual(['child "shop" fails to close sessions (DENIED)']);
  expect(lost).toEqual([]);
});

test('a server whose channel or account is gone is ended, and its clients get their donations from the quota it leaves behind', async () => {
  const gone = async (): Promise<never> => {
    throw new PeerGone();
  };
  const channel = bench({ close: gone });
  const own = bench();
  for (const { announce, open, account, server, lost, warnings } of [channel, own]) {
    announce();
    const session = await opened(open());
    const other = await opened(open());
    const all = account.state;
    if (server === own.server) server.leftover.accountEnded(account.end());
    const { closed, back: returning } = session.close(() => true);
    await closed;
    if (server === channel.server) server.leftover.accountEnded(account.end());
    expect(await returning).toEqual(DONATION);
    expect(await back(other)).toEqual(DONATION);
    expect(all.ramQuota).toBe(200);
    expect(lost).toEqual([
      server === own.server
        ? 'its account cannot be used (DENIED)'
        : 'it has ended its channel to its parent',
    ]);
    expect(warnings).toEqual([]);
  }
});

test('the sessions of a server show each state that they go through, with the label that it sees', async () => {
  let answer = (): void => {};
  const answered = new Promise<void>((resolve) => (answer = resolve));
  const { server, open, announce } = bench({ upgrade: () => answered });
  const opening = open();
  const shown = { service: 'Store', label: 'client -> x', donation: DONATION, args: { colour: 'red' } };
  expect(server.standings).toEqual([{ ...shown, phase: 'requested' }]);
  announce();
  const session = await opened(opening);
  expect(server.standings).toEqual([{ ...shown, phase: 'open' }]);
  const upgrade = session.upgrade({ ram: 7, caps: 1 });
  expect(server.standings).toMatchObject([{ phase: 'upgrading' }]);
  answer();
  await upgrade;
  expect(server.standings).toEqual([{ ...shown, donation: { ram: 57, caps: 6 }, phase: 'open' }]);
  const closing = session.close(() => true);
  expect(server.standings).toMatchObject([{ phase: 'closing' }]);
  await closing.closed;
  await Promise.resolve();
  expect(server.standings).toEqual([]);
});

test('a session that a server refuses is not shown any more', async () => {
  const { server, open, announce } = bench({
    session: async () => {
      throw new SessionError('DENIED', 'no');
    },
  });
  announce();
  await refused(open());
  expect(server.standings).toEqual([]);
});
