/**
 * Tests the sessions of one client, with real accounts: the answers that it gets, the quota that it
 * has back, and the order in which sessions end.
 */
import { SessionError } from '@ginit/core';
import { COSTS, type Resources } from '@ginit/core/system';
import { quietDeferred } from '@ginit/core/async';
import { expect, test } from 'vitest';
import { TestClock } from '../../core/test/test-clock.ts';
import { ClientSessions } from '../src/sandbox/client-sessions.ts';
import { NoRoute } from '../src/sandbox/no-route.ts';
import type { Refused, RoutedRequest, ServedSession, SessionServer } from '../src/sandbox/session-server.ts';
import { Waits } from '../src/sandbox/waits.ts';
import { Accounts } from './accounts.ts';

const OWN = { ram: 100_000, caps: 100 };
const DONATION = { ram: COSTS.session.ram + 50, caps: COSTS.session.caps + 5 };
const NOTHING = { ram: 0, caps: 0 };
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
const DENIED: Refused = { refused: new SessionError('DENIED', 'by policy'), back: DONATION };

/**
 * A server whose answers the test gives. Every donation comes back, unless the test says otherwise.
 */
class Server implements SessionServer {
  readonly requests: RoutedRequest[] = [];
  readonly closes: boolean[] = [];
  readonly released: number[] = [];
  answer = async ({ donation }: RoutedRequest): Promise<ServedSession | Refused> => this.session(donation);
  upgrade: (more: Resources) => Promise<Refused | undefined> = async () => undefined;
  closing: Promise<void> = Promise.resolve();
  kept = NOTHING;
  end = (): void => {};

  open(request: RoutedRequest): Promise<ServedSession | Refused> {
    this.requests.push(request);
    return this.answer(request);
  }

  session(donated: Resources): ServedSession {
    let donation = donated;
    return {
      capability: { [Symbol.dispose]: () => void this.released.push(1) },
      get donation() {
        return donation;
      },
      onLeave: (handler) => {
        this.end = () => handler(true);
        return () => {
          this.end = () => {};
        };
      },
      upgrade: async (more) => {
        const refused = await this.upgrade(more);
        if (!refused) donation = { ram: donation.ram + more.ram, caps: donation.caps + more.caps };
        return refused;
      },
      close: (clientLives) => {
        this.closes.push(clientLives());
        const closed = this.closing;
        const back = closed.then(() => ({
          ram: donation.ram - this.kept.ram,
          caps: donation.caps - this.kept.caps,
        }));
        return { closed, back };
      },
    };
  }
}

function bench(where: 'at a child' | 'at the parent' = 'at a child') {
  const serverName = where === 'at a child' ? 'shop' : undefined;
  const accounts = new Accounts(1_000_000, 1000);
  const { account, pd } = accounts.child('client', OWN.ram, OWN.caps);
  const server = new Server();
  const returned: Resources[] = [];
  const errors: string[] = [];
  const env = {
    pd: accounts.pd,
    error: async (text: string) => void errors.push(text),
    timer: { sleep: async () => {} },
  };
  const waits = new Waits({
    env: { warning: async () => {}, timer: new TestClock() },
    boundsOf: () => ({ boundMs: 1000, ceilingMs: 1000 }),
    progressOf: async () => undefined,
    about: () => 'running',
    overdue: () => {},
  });
  const changes = { count: 0 };
  const changed = (): void => void changes.count++;
  const host = { env, waits, changed, returned: (back: Resources) => void returned.push(back) };
  const sessions = new ClientSessions(host, 'client', Promise.resolve(pd));
  const open = (id = 1, donation: Resources = DONATION, service = 'Store', reattach = false) =>
    sessions.open({ id, service, args: {}, donation, reattach }, () => ({
      server,
      serverName,
      label: 'client -> x',
      asked: { service, label: 'client -> x', to: { kind: 'parent', label: 'client -> x' } },
    }));
  /** The code of a refusal, and the quota that has not come back. */
  const refusal = async (step: Promise<unknown>): Promise<[string, Resources]> => {
    const error = await step.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (!(error instanceof SessionError)) throw new Error(`no refusal: ${String(error)}`);
    return [`${error.code} ${error.message}`, error.kept];
  };
  /** The states of all sessions. */
  const phases = (): string[] => sessions.standings.map(({ phase }) => phase);
  return { account, server, sessions, open, refusal, returned, errors, changes, phases };
}

test('a donation comes back when the session is closed, and the number of the session is free again', async () => {
  const { account, server, sessions, open, refusal } = bench();
  await open();
  expect(account.free).toEqual({ ram: OWN.ram - DONATION.ram, caps: OWN.caps - DONATION.caps });
  expect(server.requests).toEqual([
    expect.objectContaining({ service: 'Store', label: 'client -> x', donation: DONATION }),
  ]);
  expect(sessions.servers).toEqual(new Set(['shop']));
  expect(sessions.ledger).toEqual([
    { id: 1, service: 'Store', server: 'shop', donation: DONATION, closing: false },
  ]);
  expect(await refusal(open())).toEqual(['DENIED session 1 exists', NOTHING]);
  expect(await sessions.close(1)).toEqual(NOTHING);
  expect(account.free).toEqual(OWN);
  expect(server.closes).toEqual([true]);
  expect(server.released).toEqual([1]);
  expect(sessions.ledger).toEqual([]);
  expect(await sessions.close(1)).toEqual(NOTHING);
  expect(await sessions.close(7)).toEqual(NOTHING);
  expect(server.closes.length).toBe(1);
  await open();
});

test('a refusal gives the client the quota that came back, says how much did not, and frees the number', async () => {
  const { account, server, open, refusal } = bench();
  server.answer = async () => ({ ...DENIED, back: { ram: DONATION.ram - 7, caps: DONATION.caps - 1 } });
  expect(await refusal(open())).toEqual(['DENIED by policy', { ram: 7, caps: 1 }]);
  expect(account.free).toEqual({ ram: OWN.ram - 7, caps: OWN.caps - 1 });
  server.answer = async () => ({ ...DENIED, back: NOTHING });
  expect(await refusal(open())).toEqual(['DENIED by policy', DONATION]);
});

test('a request that donates too little, or more than the client has, never gets to a server', async () => {
  const { account, server, open, refusal } = bench();
  const { ram, caps } = COSTS.session;
  expect(await refusal(open(1, { ram: ram - 1, caps }))).toEqual([
    `INSUFFICIENT_RAM a session costs ${ram} bytes`,
    NOTHING,
  ]);
  expect(await refusal(open(1, { ram, caps: caps - 1 }))).toEqual([
    `INSUFFICIENT_CAPS a session costs ${caps} caps`,
    NOTHING,
  ]);
  const [poor] = await refusal(open(1, { ram: OWN.ram + 1, caps }));
  expect(poor).toMatch(/^OUT_OF_RAM/);
  expect(server.requests).toEqual([]);
  expect(account.free).toEqual(OWN);
  await open(1, { ram, caps });
});

test('upgrades come back with the donation, refused ones at once; only open sessions can be upgraded', async () => {
  const { account, server, sessions, open, refusal } = bench();
  const more = { ram: 10, caps: 1 };
  expect((await refusal(sessions.upgrade(1, more)))[0]).toBe('DENIED no open session 1');
  await open();
  await sessions.upgrade(1, more);
  expect(account.free).toEqual({ ram: OWN.ram - DONATION.ram - 10, caps: OWN.caps - DONATION.caps - 1 });
  server.upgrade = async () => ({ ...DENIED, back: { ram: 6, caps: 1 } });
  expect(await refusal(sessions.upgrade(1, more))).toEqual(['DENIED by policy', { ram: 4, caps: 0 }]);
  expect(account.free.ram).toBe(OWN.ram - DONATION.ram - 14);
  const closing = sessions.close(1);
  expect((await refusal(sessions.upgrade(1, more)))[0]).toBe('DENIED no open session 1');
  expect(await closing).toEqual(NOTHING);
  expect(account.free).toEqual({ ram: OWN.ram - 4, caps: OWN.caps });
});

test('a session is closed only when its upgrades are done, so that they come back, too', async () => {
  const { account, server, sessions, open } = bench();
  await open();
  const answer = quietDeferred<undefined>();
  server.upgrade = () => answer.promise;
  const upgrade = sessions.upgrade(1, { ram: 10, caps: 1 });
  const closing = sessions.close(1);
  await turn();
  expect(server.closes).toEqual([]);
  answer.resolve(undefined);
  await upgrade;
  expect(await closing).toEqual(NOTHING);
  expect(account.free).toEqual(OWN);
});

test('a client that gives up before it has paid gets everything back, and no server hears of it', async () => {
  const { account, server, sessions, open, refusal } = bench();
  const opening = refusal(open());
  const closing = sessions.close(1);
  expect(await opening).toEqual(['DENIED the client has given up', NOTHING]);
  expect(await closing).toEqual(NOTHING);
  expect(server.requests).toEqual([]);
  expect(account.free).toEqual(OWN);
});

test('a client that gives up while the server is still opening gets everything back, and the late session is closed', async () => {
  const { account, server, sessions, open, refusal } = bench();
  const answer = quietDeferred<ServedSession>();
  server.answer = () => answer.promise;
  const opening = refusal(open());
  await turn();
  const closing = sessions.close(1);
  expect(server.requests[0]?.givenUp.aborted).toBe(true);
  answer.resolve(server.session(DONATION));
  expect(await opening).toEqual(['DENIED the client has given up', NOTHING]);
  expect(await closing).toEqual(NOTHING);
  expect(server.closes).toEqual([true]);
  expect(server.released).toEqual([1]);
  expect(account.free).toEqual(OWN);
});

test('the end of a server ends its sessions, and their donations come back without a close', async () => {
  const { account, server, open, sessions } = bench();
  await open();
  server.kept = { ram: 3, caps: 0 };
  server.end();
  expect(await sessions.close(1)).toEqual({ ram: 3, caps: 0 });
  expect(server.closes.length).toBe(1);
  expect(account.free).toEqual({ ram: OWN.ram - 3, caps: OWN.caps });
});

test('a client that ends opens nothing more; quota that comes back from its sessions is left for its own clients', async () => {
  const { account, server, sessions, open, refusal, returned, errors } = bench();
  await open();
  const [done, ending] = [[] as string[], quietDeferred<void>()];
  server.closing = ending.promise;
  const { closed, back } = sessions.endAtChildren();
  void closed.then(() => done.push('closed'));
  void back.then(() => done.push('back'));
  expect((await refusal(open(2)))[0]).toBe('DENIED the client has ended');
  await turn();
  expect(done).toEqual([]);
  ending.resolve();
  await back;
  expect(done).toEqual(['closed', 'back']);
  expect(server.closes).toEqual([false]);
  expect(returned).toEqual([DONATION]);
  expect(account.free.ram).toBe(OWN.ram - DONATION.ram);
  expect(errors).toEqual([]);
});

test('sessions that are still being opened are given up when the client ends, and are not waited for', async () => {
  const { server, sessions, open, refusal } = bench();
  server.answer = () => new Promise(() => {});
  void refusal(open());
  await turn();
  await sessions.endAtChildren().back;
  expect(server.requests[0]?.givenUp.aborted).toBe(true);
});

test('sessions with the parent end after those with children: CPU first, PD last', async () => {
  const { server, sessions, open } = bench('at the parent');
  const order: string[] = [];
  server.answer = async ({ service, donation }) => {
    const session = server.session(donation);
    return {
      ...session,
      close: (lives) => {
        order.push(service);
        return session.close(lives);
      },
    };
  };
  for (const [index, service] of ['PD', 'LOG', 'CPU', 'Timer', 'PD', 'CPU'].entries())
    await open(index, DONATION, service);
  await sessions.endAtChildren().back;
  expect(order).toEqual([]);
  expect(sessions.servers).toEqual(new Set());
  await sessions.endAtParent();
  expect(order).toEqual(['CPU', 'CPU', 'LOG', 'Timer', 'PD', 'PD']);
});

test('a refund that cannot be made is reported, and stays with init', async () => {
  const { account, sessions, open, returned, errors } = bench();
  await open();
  account.end();
  expect(await sessions.close(1)).toEqual(DONATION);
  expect(returned).toEqual([DONATION]);
  expect(errors).toEqual([expect.stringContaining('"client" cannot be refunded')]);
});

test('a session shows each state that it goes through, and every change is told', async () => {
  const { server, sessions, open, phases, changes } = bench();
  const answer = quietDeferred<ServedSession>();
  server.answer = () => answer.promise;
  const opening = open();
  await turn();
  expect(sessions.standings).toEqual([
    { service: 'Store', label: 'client -> x', phase: 'requested', donation: DONATION, args: {} },
  ]);
  const seen = [changes.count];
  answer.resolve(server.session(DONATION));
  await opening;
  expect(phases()).toEqual(['open']);
  seen.push(changes.count);
  const upgraded = quietDeferred<undefined>();
  server.upgrade = () => upgraded.promise;
  const upgrade = sessions.upgrade(1, { ram: 10, caps: 1 });
  expect(phases()).toEqual(['upgrading']);
  seen.push(changes.count);
  upgraded.resolve(undefined);
  await upgrade;
  expect(sessions.standings[0]).toMatchObject({ phase: 'open', donation: { ram: DONATION.ram + 10 } });
  seen.push(changes.count);
  const closed = quietDeferred<void>();
  server.closing = closed.promise;
  const closing = sessions.close(1);
  expect(phases()).toEqual(['closing']);
  seen.push(changes.count);
  closed.resolve();
  await closing;
  expect(phases()).toEqual([]);
  seen.push(changes.count);
  expect(seen).toEqual(seen.toSorted((one, two) => one - two));
  expect(new Set(seen).size).toBe(seen.length);
});

test('a session that is missing has a reason, until one of the same name is open', async () => {
  const { server, sessions, open, refusal } = bench();
  const answer = quietDeferred<Refused>();
  server.answer = () => answer.promise;
  const opening = open();
  await turn();
  const session = { service: 'Store', label: 'client -> x' };
  expect(sessions.missing).toEqual([{ ...session, reason: { kind: 'waiting', server: 'shop' } }]);
  answer.resolve(DENIED);
  await refusal(opening);
  const denied = { ...session, reason: { kind: 'denied', server: 'shop', text: 'by policy' } };
  expect(sessions.missing).toEqual([denied]);
  server.answer = async ({ donation }) => server.session(donation);
  await open(2, DONATION, 'Other');
  expect(sessions.missing).toEqual([denied]);
  await open();
  expect(sessions.missing).toEqual([]);
});

test('a session without a route is missing for that reason, and one that was too poor is not', async () => {
  const { server, sessions, open, refusal } = bench();
  const denial = { kind: 'denied', reason: 'no-rule', text: 'no route', position: undefined } as const;
  const request = { id: 1, service: 'Store', args: {}, donation: DONATION, reattach: false };
  const opening = sessions.open(request, () => {
    throw new NoRoute(denial, { service: 'Store', label: 'client -> x', childName: 'client' });
  });
  await refusal(opening);
  const noRoute = {
    service: 'Store',
    label: 'client -> x',
    reason: { kind: 'no route', phrase: 'no route for Store "x"' },
  };
  expect(sessions.missing).toEqual([noRoute]);
  const poor = new SessionError('INSUFFICIENT_RAM', 'more');
  server.answer = async () => ({ refused: poor, back: DONATION });
  await refusal(open());
  expect(sessions.missing).toEqual([noRoute]);
});

test('a session whose server has ended is told to a client that asks anew, until that closes it, with what was kept', async () => {
  const { account, server, sessions, open } = bench();
  const notices = () => sessions.news.operations.sessionNotices();
  server.kept = { ram: 7, caps: 0 };
  await open(1, DONATION, 'Store', true);
  await open(2);
  server.end();
  await turn();
  expect(notices()).toEqual([]);
  await sessions.close(1);
  await open(3, DONATION, 'Store', true);
  server.end();
  expect(notices()).toEqual([{ id: 3, ended: true }]);
  await turn();
  expect(notices()).toEqual([{ id: 3, ended: true }]);
  expect(sessions.ledger).toEqual([]);
  expect(await sessions.close(3)).toEqual({ ram: 7, caps: 0 });
  expect(notices()).toEqual([]);
  expect(await sessions.close(3)).toEqual(NOTHING);
  expect(account.free.caps).toBe(OWN.caps);
});

test('a lost session that is refused is missing for that reason until there is one, whatever else is refused', async () => {
  const { server, sessions, open, refusal } = bench();
  await open(1, DONATION, 'Store', true);
  server.end();
  await turn();
  server.answer = async () => DENIED;
  await refusal(open(2, DONATION, 'Store', true));
  await refusal(open(3, DONATION, 'Other'));
  const lost = {
    service: 'Store',
    label: 'client -> x',
    lost: true,
    reason: { kind: 'denied', server: 'shop', text: 'by policy' },
  };
  expect(sessions.missing[0]).toEqual(lost);
  expect(sessions.missing).toHaveLength(2);
  // The client asks again, if it still wants the session.
  sessions.retry();
  expect(sessions.missing).toHaveLength(1);
  await refusal(open(4, DONATION, 'Store', true));
  expect(sessions.missing[0]).toEqual(lost);
  server.answer = async ({ donation }) => server.session(donation);
  await open(5, DONATION, 'Store', true);
  expect(sessions.missing.map(({ service }) => service)).toEqual(['Other']);
});

test('a request that loses its route before it is answered is refused, and not told of besides', async () => {
  const { server, sessions, open, refusal } = bench();
  const answer = quietDeferred<Refused>();
  server.answer = () => answer.promise;
  const opening = refusal(open(1, DONATION, 'Store', true));
  await turn();
  sessions.endLost(new Set(sessions.routed));
  answer.resolve(DENIED);
  expect((await opening)[0]).toBe('DENIED by policy');
  expect(sessions.news.operations.sessionNotices()).toEqual([]);
});
