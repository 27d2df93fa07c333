/**
 * Tests what a component and its parent say to each other about quota: requests for more, and
 * requests to give some back.
 */
import { component, type Env, hasCode, type RpcError } from '@ginit/core';
import { runComponent, type RunningComponent } from '@ginit/core/testing';
import { expect, test } from 'vitest';
import { capabilityFor } from '../src/capability/capability.ts';
import { ResourceRequests } from '../src/runtime/resource-requests.ts';
import { Parent } from '../src/system.ts';
import { pairOf } from './channel-pair.ts';
import { uniformParent } from './test-parent.ts';

const NOTHING = { ram: 0, caps: 0 };

/** Runs a component that does what `main` says, and gives its environment. */
async function running(
  main: (env: Env) => void = () => {},
): Promise<{ readonly run: RunningComponent; readonly env: Env }> {
  let env: Env | undefined;
  const run = await runComponent(
    component((own) => {
      env = own;
      main(own);
    }),
  );
  if (!env) throw new Error('the component has not begun');
  return { run, env };
}

/** How `promise` has settled by now. */
function outcomeOf(promise: Promise<void>): { readonly text: string } {
  const outcome = { text: 'waits' };
  promise.then(
    () => (outcome.text = 'granted'),
    (error: RpcError) => (outcome.text = error.code ?? error.message),
  );
  return outcome;
}

test('a request for more quota settles when the account has grown, whatever by', async () => {
  const { run, env } = await running();
  await using _ = run;
  const outcome = outcomeOf(env.requestResources({ ram: 4096 }));
  await run.settle();
  expect(outcome.text).toBe('waits');
  expect(run.requested).toEqual({ ram: 4096, caps: 0 });
  const before = (await env.quota()).ramQuota;
  await run.give({ ram: 100 });
  expect(outcome.text).toBe('granted');
  expect((await env.quota()).ramQuota).toBe(before + 100);
  expect(run.requested).toEqual(NOTHING);
});

test('the parent is told the sum of all that a component waits for', async () => {
  const { run, env } = await running();
  await using _ = run;
  const outcomes = [{ ram: 1000 }, { ram: 24, caps: 3 }].map((amount) =>
    outcomeOf(env.requestResources(amount)),
  );
  await run.settle();
  expect(run.requested).toEqual({ ram: 1024, caps: 3 });
  await run.give({ ram: 1000 });
  expect(outcomes.map(({ text }) => text)).toEqual(['granted', 'granted']);
  expect(run.requested).toEqual(NOTHING);
});

test('a request that is given up is withdrawn', async () => {
  const { run, env } = await running();
  await using _ = run;
  const late = outcomeOf(env.requestResources({ caps: 5 }, { timeoutMs: 10 }));
  const giveUp = new AbortController();
  const aborted = outcomeOf(env.requestResources({ ram: 7 }, { signal: giveUp.signal }));
  await run.settle();
  expect(run.requested).toEqual({ ram: 7, caps: 5 });
  await run.advance(10);
  expect(late.text).toBe('TimedOut');
  expect(run.requested).toEqual({ ram: 7, caps: 0 });
  giveUp.abort(new Error('enough'));
  await run.settle();
  expect(aborted.text).toBe('enough');
  expect(run.requested).toEqual(NOTHING);
});

test.each([{}, { ram: 0, caps: 0 }, { ram: -1 }, { ram: 1.5 }, { caps: Number.NaN }])(
  'a request for %o is refused at once',
  async (amount) => {
    const { run, env } = await running();
    await using _ = run;
    await expect(env.requestResources(amount)).rejects.toMatchObject({ code: 'InvalidArgument' });
    await run.settle();
    expect(run.requested).toEqual(NOTHING);
  },
);

test('a request ends with PeerGone when the parent is gone', async () => {
  const pair = pairOf(
    'copying',
    Parent,
    uniformParent(() => new Promise(() => {})),
  );
  const parent = capabilityFor(Parent, pair.ends[0].import(0));
  const request = new ResourceRequests(parent, () => () => {}).request({ ram: 1 });
  await new Promise(setImmediate);
  pair.close();
  await expect(request).rejects.toSatisfy((error) => hasCode(error, 'PeerGone'));
});

test('a component frees what it is asked for and answers; its handlers run one after the other', async () => {
  const seen: unknown[] = [];
  const { run, env } = await running();
  await using _ = run;
  const spare = await env.ram.allocate(65_536);
  env.onYield(async (wanted) => {
    seen.push(wanted);
    await env.ram.free(spare);
  });
  env.onYield(() => void seen.push('second'));
  const { ramUsed } = await env.quota();
  await run.askToYield({ ram: 65_536 });
  expect(seen).toEqual([{ ram: 65_536, caps: 0 }, 'second']);
  expect((await env.quota()).ramUsed).toBe(ramUsed - 65_536);
});

test('a handler that comes late hears of the request that waits for it', async () => {
  const { run, env } = await running();
  await using _ = run;
  const asked = run.askToYield({ caps: 3 });
  await run.settle();
  const seen: unknown[] = [];
  env.onYield((wanted) => void seen.push(wanted));
  await asked;
  expect(seen).toEqual([{ ram: 0, caps: 3 }]);
});

test('a handler that fails is told of in the log, and the parent gets its answer', async () => {
  const { run, env } = await running();
  await using _ = run;
  env.onYield(() => {
    throw new Error('cannot give');
  });
  await run.askToYield({ ram: 1 });
  await run.settle();
  expect(run.log.some((line) => line.startsWith('Error: Error: cannot give'))).toBe(true);
});

test('what is wanted while a handler runs is asked for again', async () => {
  const { run, env } = await running();
  await using _ = run;
  const seen: number[] = [];
  let second: Promise<void> | undefined;
  env.onYield(async ({ ram }) => {
    seen.push(ram);
    second ??= run.askToYield({ ram: 2 });
    await run.settle();
  });
  await run.askToYield({ ram: 1 });
  await second;
  expect(seen).toEqual([1, 2]);
});
