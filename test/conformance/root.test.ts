/**
 * Tests the sessions of the tree's root, which the supervisor serves itself: donations for them
 * come back, including upgrades.
 */
import { type Component, component, Timer } from '@ginit/core';
import { Supervisor, type SystemEnd } from '@ginit/core/supervisor';
import { expect, test } from 'vitest';
import { InProcessPlatform } from '../../packages/core/test/in-process-platform.ts';
import { parentOf, watchParents } from '../harness/hostile-parts.ts';

const QUOTA = { ram: 2 ** 24, caps: 1000 };

/** Runs a component as the root. The result is its end, and the complaints. */
async function runRoot(root: Component): Promise<{ end: SystemEnd; said: readonly string[] }> {
  const platform = new InProcessPlatform('shared', new Map([['root', root]]));
  const said = platform.complaints;
  const supervisor = new Supervisor(platform, {
    binary: { moduleUrl: 'root', files: [], takes: 'nothing' },
    grants: [],
    findBinary: () => undefined,
    config: new Uint8Array(),
    quota: QUOTA,
    observer: {
      crashed: (label) => said.push(`${label} crashed`),
      warning: (text) => said.push(text),
    },
  });
  const end = await supervisor.run();
  await supervisor.stop(1000);
  return { end, said };
}

test('an upgrade counts as a cost of its session until that is closed, and an upgrade of no session is refused', async () => {
  const root = component({}, async (env) => {
    const before = await env.quota();
    const timer = await env.connect(Timer, { ram: 10_000, caps: 5 });
    const opened = await env.quota();
    await env.upgrade(timer, { ram: 20_000, caps: 7 });
    const upgraded = await env.quota();
    await env.close(timer);
    const after = await env.quota();
    const paid = { ram: opened.ramQuota - upgraded.ramQuota, caps: opened.capQuota - upgraded.capQuota };
    const refusal = await parentOf(env).upgrade(4711, 1, 1);
    const unchanged = await env.quota();
    env.assertAlways(paid.ram === 20_000 && paid.caps === 7, 'an upgrade costs what it says');
    env.assertAlways(JSON.stringify(after) === JSON.stringify(before), 'all comes back');
    env.assertAlways(refusal?.code === 'DENIED', 'there is no such session');
    env.assertAlways(JSON.stringify(unchanged) === JSON.stringify(before), 'and it costs nothing');
    env.exit(3);
  });
  const unwatch = watchParents();
  const { end, said } = await runRoot(root);
  unwatch();
  expect(said).toEqual([]);
  expect(end).toEqual({ kind: 'exit', code: 3 });
});

test('a root that crashes ends the system with its reason', async () => {
  const root = component({}, async () => {
    throw new Error('no more');
  });
  const { end, said } = await runRoot(root);
  expect(end).toMatchObject({ kind: 'crash', reason: expect.stringContaining('no more') });
  expect(said).toEqual(['init crashed']);
});
