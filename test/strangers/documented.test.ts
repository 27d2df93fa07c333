// The samples of "Testing a component" in docs/components.md are taken from here
// (scripts/docs-samples.mjs compares them).
import { component, rpc, session, text } from '@ginit/core';
import { runComponent, script } from '@ginit/core/testing';
import { simulate, simulateSeeds } from '@ginit/init/testing';
import { expect, test, vi } from 'vitest';

vi.setConfig({ testTimeout: 300_000 });

const Greeter = session('Greeter', {
  greet: rpc<(name: string) => string>({ args: [text(64)], result: text() }),
});

const visitor = component({ requires: [Greeter] }, async (env) => {
  const greeter = await env.connect(Greeter);
  await env.timer.sleep(60_000);
  env.log(await greeter.greet('world'));
  env.exit(0);
});

const greeter = component({ provides: [Greeter] }, (env) => {
  env.provide(Greeter, ({ label }) => ({
    greet: (name) => `${env.config.node.value('greeting')}, ${name} (from ${label.last})`,
  }));
});

test('a visitor is greeted after a minute', async () => {
  const scripted = script(Greeter, ({ label }) => ({ greet: (name) => `Hello, ${name} (${label.last})` }));
  await using run = await runComponent(visitor, { name: 'visitor', services: [scripted] });
  expect(run.log).toEqual([]);
  await run.advance(60_000);
  expect(await run.exited()).toBe(0);
  expect(run.log).toEqual(['Hello, world (visitor)']);
});

test('a greeter greets its clients', async () => {
  await using run = await runComponent(greeter, { config: { greeting: 'Good morning' } });
  const client = await run.connect(Greeter);
  expect(await client.greet('Ada')).toBe('Good morning, Ada (from client)');
});

test('a visitor whose greeter dies crashes, and keeps nothing', async () => {
  const silent = script(Greeter, () => ({ greet: () => new Promise<string>(() => {}) }));
  const run = await runComponent(visitor, { services: [silent] });
  await run.advance(60_000);
  await run.peer(Greeter).crash();
  expect((await run.crashed()).error).toMatchObject({ code: 'PeerGone' });
  const { unreleased, problems } = await run.end();
  expect({ unreleased, problems }).toEqual({ unreleased: [], problems: [] });
});

test('the system greets, in whatever order things happen', async () => {
  const { exitCode, log } = await simulate({ config: 'examples/hello.xml', seed: 7 });
  expect(exitCode).toBe(0);
  expect(log).toContain('[init -> visitor] Good morning, world (from visitor)');

  const { failure } = await simulateSeeds({ config: 'examples/hello.xml', seeds: [1, 5] });
  expect(failure).toBeUndefined();
});
