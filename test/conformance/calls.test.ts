/** Tests calls, errors, capabilities and signals: every carrier must carry them alike. */
import {
  type Capability,
  capability,
  component,
  Dataspace,
  dataspace,
  hasCode,
  integer,
  list,
  type Main,
  nothing,
  PeerGone,
  rpc,
  rpcInterface,
  RpcError,
  session,
  type SignalCapability,
  signal,
  text,
} from '@ginit/core';
import { describe, expect, test } from 'vitest';
import { type CarrierKind, finish, runSystem, startSystem } from '../harness/in-process-system.ts';

const Counter = rpcInterface('Counter', {
  add: rpc<(amount: number) => number>({ args: [integer(0, 100)], result: integer() }),
});
type CounterCapability = Capability<typeof Counter>;

const Desk = session(
  'Desk',
  {
    greet: rpc<(name: string) => string>({ args: [text(64)], result: text() }),
    fail: rpc<(how: string) => void>({ args: [text(64)], result: nothing }),
    counter: rpc<() => CounterCapability>({ args: [], result: capability(Counter) }),
    use: rpc<(counter: CounterCapability, times: number) => number>({
      args: [capability(Counter), integer(0, 1000)],
      result: integer(),
    }),
    revoke: rpc<() => void>({ args: [], result: nothing }),
    wake: rpc<(handler: SignalCapability, times: number) => void>({
      args: [signal, integer(0, 100_000)],
      result: nothing,
    }),
    sum: rpc<(memory: Dataspace) => number>({ args: [dataspace], result: integer() }),
    numbers: rpc<(values: number[]) => number[]>({
      args: [list(integer(), 10)],
      result: list(integer(), 10),
    }),
    never: rpc<() => void>({ args: [], result: nothing }),
  },
  { errors: ['Too_late', 'Too_early'] },
);

const desk = component({ provides: [Desk] }, (env) => {
  const makeCounter = () => {
    let total = 0;
    return {
      add: (amount: number) => {
        total += amount;
        return total;
      },
    };
  };
  env.provide(Desk, ({ label }) => {
    const shared = makeCounter();
    return {
      greet: (name) => `Hello, ${name} (from ${label.text})`,
      fail: (how) => {
        if (how === 'declared') throw new RpcError('Too_late', 'come earlier');
        throw new Error(`secret path /etc/${how}`);
      },
      counter: () => env.capability(Counter, shared),
      use: async (counter, times) => {
        let last = 0;
        for (let i = 0; i < times; i++) last = await counter.add(1);
        return last;
      },
      revoke: () => env.revoke(shared),
      wake: (handler, times) => {
        for (let i = 0; i < times; i++) handler.submit();
      },
      sum: (memory) => memory.attach().reduce((total, byte) => total + byte, 0),
      numbers: (values) => values.toReversed(),
      never: () => new Promise<void>(() => {}),
    };
  });
});

const START = `
  <start name="desk"> <provides> <service name="Desk"/> </provides> </start>
  <start name="client"> <exit propagate="yes"/> </start>`;

/** Runs a client against the desk; it must exit with 0. */
async function withDesk(kind: CarrierKind, client: Main): Promise<readonly string[]> {
  const { end, lines } = await runSystem(kind, { desk, client: component({}, asMain(client)) }, START);
  expect(end, lines.join('\n')).toEqual({ kind: 'exit', code: 0 });
  return lines;
}

function asMain(client: Main): Main {
  return async (env) => {
    try {
      await client(env);
      env.exit(0);
    } catch (error) {
      await env.error(error instanceof Error ? (error.stack ?? '') : String(error));
      env.exit(1);
    }
  };
}

const code = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'succeeded',
    (error: unknown) => (error instanceof RpcError ? error.code : `not an RpcError: ${String(error)}`),
  );

describe.each<CarrierKind>(['shared', 'copying', 'tiny rings', 'bus'])(
  'over a carrier that is %s',
  (kind) => {
    test('a call reaches the server, with the label that the parents made', async () => {
      const lines = await withDesk(kind, async (env) => {
        const session_ = await env.connect(Desk, { label: 'front' });
        await env.log(await session_.greet('world'));
      });
      expect(lines).toContain('[init -> client] Hello, world (from client -> front)');
    });

    test('declared errors keep their code, undeclared ones become an InternalError without any detail', async () => {
      await withDesk(kind, async (env) => {
        const session_ = await env.connect(Desk);
        await expect(session_.fail('declared')).rejects.toMatchObject({
          code: 'Too_late',
          message: 'come earlier',
        });
        const hidden = await session_.fail('passwd').catch((error: unknown) => error);
        expect(hasCode(hidden, 'InternalError')).toBe(true);
        expect(String(hidden)).not.toContain('passwd');
      });
    });

    test('arguments and results are checked against their shapes', async () => {
      await withDesk(kind, async (env) => {
        const session_ = await env.connect(Desk);
        expect(await session_.numbers([3, 1, 2])).toEqual([2, 1, 3]);
        expect(await code(session_.numbers(Array.from({ length: 11 }, () => 1)))).toBe('InvalidArgument');
        expect(await code(session_.greet('x'.repeat(65)))).toBe('InvalidArgument');
        expect(await code(session_.numbers([0.5]))).toBe('InvalidArgument');
      });
    });

    test('an operation that both ends declare differently is found: between machines when one opens', async () => {
      const Other = session('Desk', {
        greet: rpc<(name: string) => string>({ args: [text(64)], result: text() }),
        never: rpc<(forWhom: string) => void>({ args: [text(8)], result: nothing }),
        another: rpc<() => void>({ args: [], result: nothing }),
      });
      await withDesk(kind, async (env) => {
        const before = await env.quota();
        const opening = env.connect(Other, { label: 'front' });
        if (kind === 'bus') {
          await expect(opening).rejects.toMatchObject({
            code: 'DENIED',
            message:
              'Desk session "front": the server, which is on another machine, declares "never" with other shapes',
          });
          expect(await env.quota()).toEqual(before);
          return;
        }
        const session_ = await opening;
        expect(await session_.greet('world')).toContain('Hello');
        await expect(session_.never('a')).rejects.toMatchObject({ code: 'UnknownOperation' });
      });
    });

    test('a capability can be called, passed back to its owner, and revoked', async () => {
      await withDesk(kind, async (env) => {
        const session_ = await env.connect(Desk);
        const counter = await session_.counter();
        expect(await counter.add(5)).toBe(5);
        expect(await session_.use(counter, 3)).toBe(8);
        await session_.revoke();
        expect(await code(counter.add(1))).toBe('Revoked');
      });
    });

    test('a capability of the client works at the server, and not once it is released', async () => {
      await withDesk(kind, async (env) => {
        const session_ = await env.connect(Desk);
        let total = 0;
        const own = env.capability(Counter, { add: (amount) => (total += amount) });
        expect(await session_.use(own, 10)).toBe(10);
        const theirs = await session_.counter();
        theirs[Symbol.dispose]();
        expect(await code(theirs.add(1))).toBe('Revoked');
        expect(await code(session_.use(theirs, 1))).toBe('Revoked');
      });
    });

    test('signals merge, and no wake-up is lost', async () => {
      await withDesk(kind, async (env) => {
        const session_ = await env.connect(Desk);
        let runs = 0;
        const handler = env.signal(() => {
          runs++;
        });
        await session_.wake(handler, 50_000);
        await env.timer.sleep(50);
        expect(runs).toBeGreaterThan(0);
        expect(runs).toBeLessThan(10);
        const before = runs;
        await session_.wake(handler, 1);
        await env.timer.sleep(50);
        expect(runs).toBe(before + 1);
      });
    });

    test('a sealed dataspace goes everywhere, a writeable one only where memory is shared', async () => {
      await withDesk(kind, async (env) => {
        const session_ = await env.connect(Desk);
        const { ramUsed } = await env.quota();
        const memory = await env.ram.allocate(1000);
        memory.attach().fill(2);
        if (kind !== 'copying' && kind !== 'bus') expect(await session_.sum(memory)).toBe(2000);
        else {
          const peer = kind === 'bus' ? 'on another machine' : 'without shared memory';
          await expect(session_.sum(memory)).rejects.toMatchObject({
            code: 'NotShareable',
            message: `a writeable dataspace cannot be shared with a peer ${peer}`,
          });
        }
        memory.seal();
        expect(await session_.sum(memory)).toBe(2000);
        expect((await env.quota()).ramUsed).toBe(ramUsed + 1000);
        await env.ram.free(memory);
        expect((await env.quota()).ramUsed).toBe(ramUsed);
        expect(memory.revoked).toBe(true);
        expect(() => memory.attach()).toThrow(/freed by its owner/);
        expect(await code(session_.sum(memory))).toBe('Revoked');
      });
    });

    test('more calls than the limit in flight all settle, in any order', async () => {
      await withDesk(kind, async (env) => {
        const session_ = await env.connect(Desk);
        const greetings = await Promise.all(Array.from({ length: 3000 }, (_, i) => session_.greet(`${i}`)));
        expect(greetings[2999]).toContain('Hello, 2999');
      });
    });

    test('a call that is pending when its server dies ends with PeerGone', async () => {
      let ready = (): void => {};
      const calling = new Promise<void>((resolve) => {
        ready = resolve;
      });
      const client = component({}, async (env) => {
        const before = await env.quota();
        const session_ = await env.connect(Desk);
        const counter = await session_.counter();
        ready();
        const error = await session_.never().catch((reason: unknown) => reason);
        await env.log(error instanceof PeerGone ? 'PeerGone' : String(error));
        await env.log(await code(counter.add(1)));
        await env.log(await code(env.connect(Desk)));
        await env.close(session_);
        await env.log(`quota ${(await env.quota()).ramQuota === before.ramQuota}`);
        env.exit(0);
      });
      const system = startSystem(kind, { desk, client }, START);
      await calling;
      await new Promise((resolve) => setTimeout(resolve, 50));
      system.platform.crash('init -> desk');
      const { end, lines } = await finish(system);
      expect(end).toEqual({ kind: 'exit', code: 0 });
      expect(lines).toEqual(
        expect.arrayContaining([
          '[init -> client] PeerGone',
          '[init -> client] DENIED',
          '[init -> client] quota true',
        ]),
      );
    });
  },
);
