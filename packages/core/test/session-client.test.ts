/**
 * Closing sessions when the parent has no room for one more call: later, and never not at all. And
 * requests that nobody has refused.
 */
import { expect, test } from 'vitest';
import { capabilityFor } from '../src/capability/capability.ts';
import { nothing, RpcError, rpc, session } from '../src/index.ts';
import { LIMITS, Parent, someSession } from '../src/system.ts';
import type { Implementation } from '../src/interface/interface.ts';
import { SessionClient } from '../src/runtime/session-client.ts';
import { type Pair, pairOf } from './channel-pair.ts';
import { uniformParent } from './test-parent.ts';

const NOTHING = { ram: 0, caps: 0 };
const Den = session('Den', { ask: rpc<() => void>({ args: [], result: nothing }) });

/**
 * A parent that answers no upgrade until it is told to, and a client whose sessions are with it.
 */
class Family {
  readonly closed: number[] = [];
  /** Codes that the next closings are answered with. */
  readonly refusals: string[] = [];
  /** Codes that the next requests are answered with. */
  readonly answers: string[] = [];
  readonly #upgrades: (() => void)[] = [];
  readonly #pair: Pair;
  readonly client: SessionClient;
  readonly #den: { ask(): void } = { ask: () => {} };

  constructor() {
    const parent: Implementation<typeof Parent> = {
      ...uniformParent(async () => {
        throw new Error('not asked for here');
      }),
      session: () => {
        const refusal = this.answers.shift();
        if (refusal !== undefined) throw new RpcError(refusal, 'by the parent');
        return { session: someSession(this.#pair.server.export(Den, this.#den), 'den') };
      },
      upgrade: () => new Promise((resolve) => this.#upgrades.push(() => resolve(undefined))),
      close: (id) => {
        const refusal = this.refusals.shift();
        if (refusal !== undefined) throw new RpcError(refusal);
        this.closed.push(id);
        return NOTHING;
      },
      announce: () => {},
      exit: () => {},
    };
    this.#pair = pairOf('shared', Parent, parent);
    this.client = new SessionClient({
      parent: capabilityFor(Parent, this.#pair.ends[0].import(0)),
      report: (error) => void this.#pair.reports.push(error),
      startTimeout: () => () => {},
      packets: { watch: () => () => {} } as unknown as ConstructorParameters<
        typeof SessionClient
      >[0]['packets'],
      watch: undefined,
      tracer: this.#pair.client.tracer,
      signal: () => {
        throw new Error('nobody listens here');
      },
      refused: () => {},
    });
  }

  /** All calls that may be under way are; whoever serves somebody does not wait for his turn. */
  async fill(den: object): Promise<void> {
    this.#pair.client.served = 1;
    for (let call = 0; call < LIMITS.callsInFlight; call++) void this.client.upgrade(den, NOTHING);
    await expect(this.client.upgrade(den, NOTHING)).rejects.toMatchObject({ code: 'LimitExceeded' });
    while (this.#upgrades.length < LIMITS.callsInFlight) await new Promise(setImmediate);
  }

  answer(count: number): void {
    for (const done of this.#upgrades.splice(0, count)) done();
  }
}

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
};

test('a session is closed as soon as there is room for the call, whoever closes it', async () => {
  const family = new Family();
  const [first, second, third] = [
    await family.client.connect(Den, {}),
    await family.client.connect(Den, {}),
    await family.client.connect(Den, {}),
  ];
  await family.fill(first);
  const closing = family.client.close(second);
  third[Symbol.dispose]();
  await turns();
  expect(family.closed).toEqual([]);
  expect(family.client.ids).toEqual([1, 2, 3]);
  family.answer(2);
  expect(await closing).toEqual(NOTHING);
  await turns();
  expect(family.closed).toEqual([2, 3]);
  expect(family.client.ids).toEqual([1]);
  family.answer(LIMITS.callsInFlight);
  await family.client.close(first);
  expect(family.client.ids).toEqual([]);
});

test('a session that the parent is too busy to close can be closed again', async () => {
  const family = new Family();
  const den = await family.client.connect(Den, {});
  family.refusals.push('LimitExceeded');
  await expect(family.client.close(den)).rejects.toMatchObject({ code: 'LimitExceeded' });
  expect(family.client.ids).toEqual([1]);
  await Promise.all([family.client.close(den), family.client.close(den)]);
  expect(family.closed).toEqual([1]);
  expect(family.client.ids).toEqual([]);
});

test('after any other error of the parent there is no session left to close', async () => {
  const family = new Family();
  const den = await family.client.connect(Den, {});
  family.refusals.push('DENIED');
  await expect(family.client.close(den)).rejects.toMatchObject({ code: 'DENIED' });
  expect(family.client.ids).toEqual([]);
});

test('a session that was lost on its way is told from one that was refused', async () => {
  const family = new Family();
  const opening = (code: string): Promise<unknown> => {
    family.answers.push(code);
    return family.client.connect(Den, { label: 'a' });
  };
  // The parent had it, and could not pass it on: its server has ended meanwhile.
  await expect(opening('Revoked')).rejects.toMatchObject({
    code: 'PeerGone',
    executed: 'maybe',
    message: 'Den session "a": by the parent',
  });
  await expect(opening('DENIED')).rejects.toMatchObject({ code: 'DENIED' });
  expect(family.client.ids).toEqual([]);
});
