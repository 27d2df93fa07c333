/**
 * Accounts on several machines, in any order of gifts, returns, moves to machines and ends: what is
 * on which machine is computed anew from the tree of accounts, and the ledgers must say the same.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RpcError } from '@ginit/core';
import { Account } from '../src/supervisor/account.ts';
import { NodeLedger } from '../src/supervisor/node-ledger.ts';

const WHOLE = { ram: 1000, caps: 0 };
const LENT = [WHOLE.ram, 300, 200, 120];
const ACCOUNTS_MAX = 12;

type Step =
  | { readonly kind: 'open'; readonly under: number }
  | {
      readonly kind: 'give';
      readonly from: number;
      readonly to: number;
      readonly bytes: number;
      readonly upTo: boolean;
    }
  | { readonly kind: 'settle'; readonly account: number; readonly node: number }
  | { readonly kind: 'end'; readonly account: number };

const index = fc.nat(ACCOUNTS_MAX - 1);
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('open' as const), under: index }) },
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant('give' as const),
        from: index,
        to: index,
        bytes: fc.nat(250),
        upTo: fc.boolean(),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('settle' as const),
        account: index,
        node: fc.nat(LENT.length - 1),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('end' as const), account: index }) },
  ),
  { maxLength: 60 },
);

/** The accounts of a system, and the ledgers of its machines. */
class System {
  readonly ledgers = LENT.map((bytes, number) => new NodeLedger(`node ${number}`, bytes));
  readonly accounts: Account[] = [];
  /** The reference of each account, by the number of its own. */
  readonly #references = new Map<Account, Account>();

  constructor() {
    const root = new Account('root', WHOLE);
    const [head] = this.ledgers;
    if (head) root.endow(head);
    this.accounts.push(root);
  }

  step(step: Step): void {
    const at = (number: number): Account | undefined => this.accounts[number % this.accounts.length];
    switch (step.kind) {
      case 'open': {
        const reference = at(step.under);
        if (!reference || reference.ended || this.accounts.length >= ACCOUNTS_MAX) return;
        const account = new Account(`account ${this.accounts.length}`);
        account.setReference(reference);
        this.#references.set(account, reference);
        this.accounts.push(account);
        return;
      }
      case 'give': {
        const [from, to] = [at(step.from), at(step.to)];
        if (!from || !to) return;
        const amount = { ram: step.bytes, caps: 0 };
        if (step.upTo) from.transferUpTo(to, amount);
        else from.transfer(to, amount);
        return;
      }
      case 'settle': {
        const ledger = this.ledgers[step.node];
        if (ledger) at(step.account)?.settleOn(ledger);
        return;
      }
      case 'end': {
        const account = at(step.account);
        if (account !== this.accounts[0]) account?.end();
        return;
      }
    }
  }

  /** The reference that an account hangs on now: the nearest one that lives. */
  referenceOf(account: Account): Account | undefined {
    let reference = this.#references.get(account);
    while (reference?.ended) reference = this.#references.get(reference);
    return reference;
  }

  /** The machines from an account up to the root. */
  #way(account: Account): (NodeLedger | undefined)[] {
    const reference = this.referenceOf(account);
    return [account.ledger, ...(reference ? this.#way(reference) : [])];
  }

  check(): void {
    const live = this.accounts.filter(({ ended }) => !ended);
    expect(live.reduce((sum, { state }) => sum + state.ramQuota, 0)).toBe(WHOLE.ram);
    for (const ledger of this.ledgers) {
      const here = live.filter((account) => account.ledger === ledger);
      expect(ledger.accountsBytes).toBe(here.reduce((sum, { state }) => sum + state.ramQuota, 0));
      expect(ledger.usedBytes).toBeLessThanOrEqual(ledger.lentBytes);
      const through = live.filter((account) => this.#way(account).includes(ledger));
      expect(ledger.usedBytes).toBe(through.reduce((sum, { state }) => sum + state.ramQuota, 0));
    }
  }
}

test('whatever happens, no machine gives more than it lends, and nothing is created or lost', () => {
  fc.assert(
    fc.property(steps, (todo) => {
      const system = new System();
      for (const step of todo) {
        try {
          system.step(step);
        } catch (error) {
          if (!(error instanceof RpcError)) throw error;
        }
        system.check();
      }
      // When all have ended everything is where it came from.
      for (const account of system.accounts.slice(1)) account.end();
      system.check();
      expect(system.ledgers.map(({ usedBytes }) => usedBytes)).toEqual([WHOLE.ram, 0, 0, 0]);
    }),
  );
});

test('quota comes back to a machine whose memory others would like to have', () => {
  const [head, node] = [new NodeLedger('head', 100), new NodeLedger('node', 50)];
  const root = new Account('root', { ram: 100, caps: 0 });
  root.endow(head);
  const accounts = ['init', 'client', 'other'].map((label) => new Account(label));
  const [init, client, other] = accounts as [Account, Account, Account];
  init.setReference(root);
  other.setReference(root);
  expect(init.settleOn(node)).toBe(true);
  client.setReference(init);
  root.transfer(init, { ram: 50, caps: 0 });
  client.settleOn(head);
  // What the node gives away stays reserved there.
  init.transfer(client, { ram: 40, caps: 0 });
  expect([node.prepaidBytes, node.proxyBytes]).toEqual([0, 40]);
  expect([head.prepaidBytes, head.proxyBytes]).toEqual([0, 10]);
  other.settleOn(node);
  expect(() => root.transfer(other, { ram: 10, caps: 0 })).toThrow('0 free on the node "node"');
  client.transfer(init, { ram: 40, caps: 0 });
  expect(init.state.ramQuota).toBe(50);
});

test('what hung on an account that has ended goes through its machine no more', () => {
  const [head, node] = [new NodeLedger('head', 100), new NodeLedger('node', 50)];
  const root = new Account('root', { ram: 100, caps: 0 });
  root.endow(head);
  const [init, client] = [new Account('init'), new Account('client')];
  init.setReference(root);
  init.settleOn(node);
  client.setReference(init);
  client.settleOn(head);
  root.transfer(init, { ram: 50, caps: 0 });
  init.transfer(client, { ram: 40, caps: 0 });
  init.end();
  expect([node.usedBytes, head.usedBytes, client.state.ramQuota]).toEqual([0, 100, 40]);
});
