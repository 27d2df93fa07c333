/**
 * Trees of accounts, built up and ended in any order, beside a model that says where every byte
 * must be.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RpcError } from '@ginit/core';
import { Account } from '../src/supervisor/account.ts';

const WHOLE = { ram: 1000, caps: 100 };
type Amount = typeof WHOLE;

/** One account as the model has it: it knows its ancestors, dead ones too, and never moves them. */
interface Known {
  readonly number: number;
  /** Ancestor at birth; the first that lives is the reference. */
  readonly ancestor: Known | undefined;
  readonly allocations: { readonly number: number; readonly amount: Amount }[];
  quota: Amount;
  objects: number;
  ended: Amount | undefined;
}

interface Model {
  readonly known: Known[];
}

interface Real {
  readonly accounts: Account[];
}

const sum = (one: Amount, two: Amount): Amount => ({ ram: one.ram + two.ram, caps: one.caps + two.caps });
const minus = (one: Amount, two: Amount): Amount => ({ ram: one.ram - two.ram, caps: one.caps - two.caps });

function usedBy({ allocations, objects }: Known): Amount {
  return allocations.reduce((total, { amount }) => sum(total, amount), { ram: 0, caps: objects });
}

function referenceOf(known: Known): Known | undefined {
  let { ancestor } = known;
  while (ancestor?.ended) ({ ancestor } = ancestor);
  return ancestor;
}

/** The expected result of a transfer: the code of the refusal, or nothing. */
function refusal(from: Known, to: Known, amount: Amount, upTo: boolean): string | undefined {
  if (from.ended || to.ended) return 'DENIED';
  if (referenceOf(from) !== to && referenceOf(to) !== from) return 'DENIED';
  const free = minus(from.quota, usedBy(from));
  if (upTo) return undefined;
  if (amount.ram > free.ram) return 'OUT_OF_RAM';
  return amount.caps > free.caps ? 'OUT_OF_CAPS' : undefined;
}

function outcome<T>(step: () => T): { readonly code?: string; readonly value?: T } {
  try {
    return { value: step() };
  } catch (error) {
    if (error instanceof RpcError) return { code: error.code };
    throw error;
  }
}

function pick<T>(list: readonly T[], index: number): T {
  const found = list[index % list.length];
  if (found === undefined) throw new Error('the list is empty');
  return found;
}

/** Every account is as the model has it, and nothing of the whole is missing. */
function compare({ known }: Model, { accounts }: Real): void {
  known.forEach((expected, index) => {
    const used = usedBy(expected);
    expect(pick(accounts, index).state).toEqual({
      ramQuota: expected.quota.ram,
      ramUsed: used.ram,
      capQuota: expected.quota.caps,
      capUsed: used.caps,
    });
  });
  expect(pick(accounts, 0).total).toEqual(WHOLE);
}

type Step = (model: Model, real: Real) => void;

class Command implements fc.Command<Model, Real> {
  readonly #text: string;
  readonly #step: Step;

  constructor(text: string, step: Step) {
    this.#text = text;
    this.#step = step;
  }

  check(): boolean {
    return true;
  }

  run(model: Model, real: Real): void {
    this.#step(model, real);
    compare(model, real);
  }

  toString(): string {
    return this.#text;
  }
}

const index = fc.nat({ max: 30 });
const amount = fc.record({ ram: fc.nat({ max: 300 }), caps: fc.nat({ max: 30 }) });

const create = index.map(
  (parent) =>
    new Command(`create below ${parent}`, (model, real) => {
      const ancestor = pick(model.known, parent);
      const account = new Account(`account ${real.accounts.length}`);
      const { code } = outcome(() => account.setReference(pick(real.accounts, parent)));
      expect(code).toBe(ancestor.ended ? 'DENIED' : undefined);
      if (code) return;
      const number = model.known.length;
      model.known.push({
        number,
        ancestor,
        allocations: [],
        quota: { ram: 0, caps: 0 },
        objects: 0,
        ended: undefined,
      });
      real.accounts.push(account);
    }),
);

const setReference = fc.tuple(index, index).map(
  ([of, to]) =>
    new Command(`setReference(${of}, ${to})`, (_, real) => {
      // All but the root have one, and the root is an ancestor of all.
      const { code } = outcome(() => pick(real.accounts, of).setReference(pick(real.accounts, to)));
      expect(code).toBe('DENIED');
    }),
);

const transfer = fc.tuple(index, index, amount, fc.boolean()).map(
  ([from, to, asked, upTo]) =>
    new Command(`${upTo ? 'transferUpTo' : 'transfer'}(${from}, ${to})`, (model, real) => {
      const [giver, taker] = [pick(model.known, from), pick(model.known, to)];
      const [source, target] = [pick(real.accounts, from), pick(real.accounts, to)];
      const { code, value } = outcome(() =>
        upTo ? source.transferUpTo(target, asked) : (source.transfer(target, asked), asked),
      );
      expect(code).toBe(refusal(giver, taker, asked, upTo));
      if (!value) return;
      const free = minus(giver.quota, usedBy(giver));
      const moved = { ram: Math.min(asked.ram, free.ram), caps: Math.min(asked.caps, free.caps) };
      expect(value).toEqual(moved);
      giver.quota = minus(giver.quota, moved);
      taker.quota = sum(taker.quota, moved);
    }),
);

/**
 * Half of the transfers of the kind above are between strangers; these are all down the tree, to
 * make it live.
 */
const give = fc.tuple(index, amount).map(
  ([to, asked]) =>
    new Command(`give ${to}`, (model, real) => {
      const taker = pick(model.known, to);
      const giver = referenceOf(taker);
      if (!giver || taker.ended) return;
      const free = minus(giver.quota, usedBy(giver));
      const moved = pick(real.accounts, giver.number).transferUpTo(pick(real.accounts, to), asked);
      expect(moved).toEqual({ ram: Math.min(asked.ram, free.ram), caps: Math.min(asked.caps, free.caps) });
      giver.quota = minus(giver.quota, moved);
      taker.quota = sum(taker.quota, moved);
    }),
);

const allocate = fc.tuple(index, amount).map(
  ([of, asked]) =>
    new Command(`allocate(${of})`, (model, real) => {
      const known = pick(model.known, of);
      const free = minus(known.quota, usedBy(known));
      const { code, value } = outcome(() => pick(real.accounts, of).allocate(asked));
      if (known.ended) expect(code).toBe('DENIED');
      else if (asked.ram > free.ram) expect(code).toBe('OUT_OF_RAM');
      else if (asked.caps > free.caps) expect(code).toBe('OUT_OF_CAPS');
      else expect(code).toBeUndefined();
      if (value !== undefined) known.allocations.push({ number: value, amount: asked });
    }),
);

const release = fc.tuple(index, index).map(
  ([of, which]) =>
    new Command(`release(${of})`, (model, real) => {
      const known = pick(model.known, of);
      const [allocation] = known.allocations.splice(which % Math.max(1, known.allocations.length), 1);
      if (allocation) pick(real.accounts, of).release(allocation.number);
      // One that is unknown, or known no more, changes nothing.
      if (allocation) pick(real.accounts, of).release(allocation.number);
    }),
);

const hold = fc.tuple(index, fc.nat({ max: 20 })).map(
  ([of, held]) =>
    new Command(`holdObjects(${of}, ${held})`, (model, real) => {
      const known = pick(model.known, of);
      const free = minus(known.quota, usedBy(known));
      const payable = known.objects + free.caps;
      expect(pick(real.accounts, of).holdObjects(held)).toBe(payable);
      known.objects = Math.min(held, payable);
    }),
);

const end = index.map(
  (of) =>
    new Command(`end(${of})`, (model, real) => {
      const known = pick(model.known, of);
      const reference = referenceOf(known);
      // The root of the tree has nobody to give it to: it stays.
      if (!reference) return;
      const expected = known.ended ?? known.quota;
      expect(pick(real.accounts, of).end()).toEqual(expected);
      if (known.ended) return;
      known.ended = expected;
      reference.quota = sum(reference.quota, expected);
      known.quota = { ram: 0, caps: 0 };
      known.allocations.length = 0;
      known.objects = 0;
    }),
);

const commands = fc.commands(
  [create, create, give, give, transfer, setReference, allocate, release, hold, end],
  { maxCommands: 120, size: 'max' },
);

test('trees of accounts that end in any order lose nothing and make nothing', () => {
  const run = (steps: Iterable<fc.Command<Model, Real>>): void => {
    const root = { number: 0, ancestor: undefined, allocations: [], objects: 0, ended: undefined };
    const setup = () => ({
      model: { known: [{ ...root, quota: WHOLE }] },
      real: { accounts: [new Account('root', WHOLE)] },
    });
    fc.modelRun(setup, steps);
  };
  fc.assert(fc.property(commands, run), { numRuns: 300 });
});
