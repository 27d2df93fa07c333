/**
 * Tests the books of inits against the supervisor's accounts: each possible difference is found,
 * and honest books are not blamed.
 */
import { describe, expect, test } from 'vitest';
import type { LedgerChild, LedgerSession, Resources } from '@ginit/core/system';
import type { AccountTree } from '@ginit/core/supervisor';
import { Books } from '../src/checks/books.ts';

const WHOLE = { ram: 1000, caps: 100 };

const amount = (ram: number, caps: number): Resources => ({ ram, caps });

function account(label: string, own: Resources, ...dependents: AccountTree[]): AccountTree {
  const totals = dependents.map(({ total }) => total);
  const total = amount(
    totals.reduce((sum, { ram }) => sum + ram, own.ram),
    totals.reduce((sum, { caps }) => sum + caps, own.caps),
  );
  return {
    label,
    state: { ramQuota: own.ram, ramUsed: 0, capQuota: own.caps, capUsed: 0 },
    total,
    dependents,
  };
}

interface Child extends LedgerChild {
  /**
   * The sessions that the child itself has open and serves. By default they are those that its
   * parent believes in.
   */
  readonly opened?: readonly number[];
  readonly serves?: number;
}

const session = (id: number, server: string | undefined, donation: Resources): LedgerSession => ({
  id,
  service: 'Shop',
  server,
  donation,
  closing: false,
});

/** An init with a shop and a client that has donated 30 bytes and 3 caps to it. */
const FAMILY: readonly Child[] = [
  { name: 'shop', ending: false, given: amount(200, 20), sessions: [], serves: 1 },
  { name: 'client', ending: false, given: amount(100, 10), sessions: [session(5, 'shop', amount(30, 3))] },
];
const RIGHT = account(
  'init',
  amount(700, 70),
  account('init -> shop', amount(230, 23)),
  account('init -> client', amount(70, 7)),
);

interface Situation {
  /** The label of the init; `init` unless told. */
  readonly label?: string;
  readonly children?: readonly Child[];
  readonly hostile?: readonly string[];
  /**
   * The calls under way, as `caller>callee`; the supervisor is 0, init 1, the children 2 and so on.
   */
  readonly open?: readonly string[];
}

/** The books of a system that can be changed between looks. */
function system(now: { situation: Situation; root: AccountTree }): Books {
  const component = (id: number, label: string, child?: Child): object => ({
    id,
    label,
    ending: false,
    runtime: {
      ledger: id === 1 ? (now.situation.children ?? FAMILY) : undefined,
      sessions: {
        opened: child?.opened ?? child?.sessions.map((own) => own.id) ?? [],
        served: new Map([['Shop', child?.serves ?? 0]]),
      },
    },
  });
  const hostile = (): readonly string[] => now.situation.hostile ?? [];
  const { label = 'init' } = now.situation;
  const watched = {
    platform: {
      get live() {
        const children = now.situation.children ?? FAMILY;
        return [
          component(1, label),
          ...children.map((child, index) => component(index + 2, `${label} -> ${child.name}`, child)),
        ];
      },
      get anybodyHostile() {
        return hostile().length > 0;
      },
      hasBeenHostile: (whose: string) => hostile().includes(whose),
    },
    calls: {
      between: (a: number, b: number) => (now.situation.open?.includes(`${a}>${b}`) ? 1 : 0),
    },
  } as unknown as ConstructorParameters<typeof Books>[0];
  return new Books(watched, () => ({ root: now.root, donated: amount(0, 0) }), {
    whole: WHOLE,
    hostility: true,
  });
}

const look = (root: AccountTree, situation: Situation = {}): string | undefined =>
  system({ situation, root }).look();

const accounts = (own: Resources, shop: Resources, client: Resources, ...more: AccountTree[]): AccountTree =>
  account('init', own, account('init -> shop', shop), account('init -> client', client), ...more);

test('books that are right are not blamed', () => {
  const books = system({ situation: {}, root: RIGHT });
  expect(books.look()).toBeUndefined();
  expect(books.compared).toEqual({ children: 2, inits: 1 });
});

test('a child that has another quota than its parent believes is found', () => {
  const problem = look(accounts(amount(710, 70), amount(230, 23), amount(60, 7)));
  expect(problem).toBe(
    '[init -> client] has not the quota that its parent believes; it deviates by -10 bytes and 0 caps',
  );
});

test('an init whose parent is gone is not compared: its children get nothing back from above', () => {
  const label = 'init -> mid';
  const children = [{ name: 'client', ending: false, given: amount(100, 10), sessions: [] }];
  const client = account(`${label} -> client`, amount(70, 7));
  const root = account('init', amount(700, 70), account(label, amount(230, 23), client));
  const books = system({ situation: { label, children }, root });
  expect(books.look()).toBeUndefined();
  expect(books.compared).toEqual({ children: 0, inits: 0 });
});

test('an init that pays for its children, or keeps what belongs to them, is found', () => {
  const whole = (ram: number): AccountTree => accounts(amount(ram, 70), amount(230, 23), amount(70, 7));
  expect(look(whole(690))).toBe('[init] pays for its children; it deviates by -10 bytes and 0 caps');
  expect(look(whole(710))).toMatch(/^\[init\] keeps what belongs to its children/);
  const hostile = ['init -> somebody'];
  expect(look(whole(710), { hostile })).toBeUndefined();
  expect(look(whole(690), { hostile })).toMatch(/pays/);
});

test('a hostile component may have more quota, and its clients less, but nobody else may deviate', () => {
  const kept = accounts(amount(700, 70), amount(250, 25), amount(50, 5));
  expect(look(kept)).toMatch(/^\[init -> shop\]/);
  expect(look(kept, { hostile: ['init -> shop'] })).toBeUndefined();
  expect(look(kept, { hostile: ['init -> client'] })).toMatch(/^\[init -> shop\]/);
  // A client of a hostile server has gained something, which no server can have given it.
  const gained = accounts(amount(700, 70), amount(210, 21), amount(90, 9));
  expect(look(gained, { hostile: ['init -> shop'] })).toMatch(/^\[init -> client\]/);
});

test('a client that has left a hostile server may still have lost something to it', () => {
  const now: { situation: Situation; root: AccountTree } = {
    situation: { hostile: ['init -> shop'] },
    root: accounts(amount(700, 70), amount(240, 23), amount(60, 7)),
  };
  const books = system(now);
  expect(books.look()).toBeUndefined();
  const closed = FAMILY.map((child) => ({ ...child, sessions: [] }));
  now.situation = { hostile: ['init -> shop'], open: ['1>0'], children: closed };
  now.root = accounts(amount(700, 70), amount(210, 20), amount(90, 10));
  expect(books.look()).toBeUndefined();
  now.situation = { hostile: ['init -> shop'], children: closed };
  expect(books.look()).toBeUndefined();
  expect(books.compared.children).toBe(2);
});

describe('the loss of a client that is gone to a hostile server', () => {
  const [shop, client] = FAMILY;
  if (!shop || !client) throw new Error('there are two');
  const alone = { ...shop, serves: 0 };
  /**
   * The steps of a test: a situation with the accounts of init, the shop and the client, in bytes
   * and caps.
   */
  type Step = readonly [Situation, Resources, Resources, Resources?];
  const last = (steps: readonly Step[]): string | undefined => {
    const now = { situation: {} as Situation, root: RIGHT };
    const books = system(now);
    let found: string | undefined;
    for (const [situation, own, its, clients] of steps) {
      expect(found).toBeUndefined();
      const more = clients ? [account('init -> client', clients)] : [];
      now.root = account('init', own, account('init -> shop', its), ...more);
      // Init waits for the supervisor first, and comes to rest afterwards.
      now.situation = { ...situation, hostile: ['init -> shop'], open: ['1>0'] };
      expect(books.look()).toBeUndefined();
      now.situation = { ...situation, hostile: ['init -> shop'] };
      found = books.look();
    }
    return found;
  };
  const open: Step = [{}, amount(700, 70), amount(230, 23), amount(70, 7)];
  const closed = { ...client, sessions: [] };
  const ending = { ...closed, ending: true };
  /** The client dies after the shop has kept this much of its donation. */
  const dies = (kept: number): Step[] => [
    [{ children: [alone, closed] }, amount(700, 70), amount(200 + kept, 20), amount(100 - kept, 10)],
    [{ children: [alone, ending] }, amount(700, 70), amount(200 + kept, 20), amount(100 - kept, 10)],
  ];
  const gone = (own: number): Step => [{ children: [alone] }, amount(own, 80), amount(1000 - own, 20)];

  test('is missing in the quota that it has left', () => {
    expect(last([open, ...dies(20), gone(780)])).toBeUndefined();
    expect(last([open, ...dies(20), gone(779)])).toBe(
      '[init] pays for its children; it deviates by -21 bytes and 0 caps',
    );
  });

  test('is nothing if it had lost nothing', () => {
    expect(last([open, ...dies(0), gone(800)])).toBeUndefined();
    expect(last([open, ...dies(0), gone(799)])).toMatch(/^\[init\] pays/);
  });

  test('is at most the donations of the sessions that were open at its end', () => {
    const going: Step = [
      { children: [shop, { ...client, ending: true }] },
      amount(700, 70),
      amount(230, 23),
      amount(70, 7),
    ];
    // The client's account ends before the server has closed the session.
    const left = (own: number): Step => [{ children: [alone] }, amount(own, 77), amount(1000 - own, 23)];
    expect(last([open, going, left(770)])).toBeUndefined();
    expect(last([open, going, left(769)])).toMatch(/^\[init\] pays/);
  });

  test('does not excuse an init that pays another client', () => {
    const other = { name: 'other', ending: false, given: amount(0, 0), sessions: [] };
    expect(
      last([open, ...dies(20), [{ children: [alone, other] }, amount(760, 80), amount(240, 20)]]),
    ).toMatch(/^\[init\] pays/);
  });
});

test('components with something under way are not compared', () => {
  const wrong = accounts(amount(700, 70), amount(230, 23), amount(60, 7));
  for (const open of ['3>1', '1>3']) expect(look(wrong, { open: [open] })).toBeUndefined();
  const late = accounts(amount(730, 73), amount(200, 20), amount(70, 7));
  expect(look(late, { open: ['3>1'] })).toBeUndefined();
  expect(look(wrong, { open: ['1>0'] })).toBeUndefined();
});

test('accounts and sessions that are left of a component that is gone are found', () => {
  const stray = accounts(
    amount(600, 60),
    amount(230, 23),
    amount(70, 7),
    account('init -> dead', amount(100, 10)),
  );
  expect(look(stray)).toBe('an account is left of [init -> dead], which [init] does not know any more');
  const [shop, client] = FAMILY;
  if (!shop || !client) throw new Error('there are two');
  expect(look(RIGHT, { children: [{ ...shop, serves: 2 }, client] })).toBe(
    '[init -> shop] serves 2 sessions, and its parent knows of 1',
  );
  expect(look(RIGHT, { children: [shop, { ...client, opened: [] }] })).toBe(
    'the parent of [init -> client] knows sessions that it has not; Shop',
  );
});
