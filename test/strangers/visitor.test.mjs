// A test as somebody writes it who uses the published packages and the test runner of Node;
// strangers.test.ts runs it.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { runComponent, script } from '@ginit/core/testing';
import { simulate } from '@ginit/init/testing';
import visitor, { Greeter } from './visitor.mjs';

test('the visitor is greeted after a minute', async () => {
  const greeter = script(Greeter, ({ label }) => ({ greet: (name) => `Hello, ${name} (${label.last})` }));
  const run = await runComponent(visitor, { name: 'visitor', services: [greeter] });
  try {
    await run.advance(60_000);
    assert.equal(await run.exited(), 0);
    assert.deepEqual(run.log, ['Hello, world (visitor)']);
  } finally {
    const { problems } = await run.end();
    assert.deepEqual(problems, []);
  }
});

test('a visitor whom nobody greets crashes', async () => {
  const run = await runComponent(visitor);
  assert.match((await run.crashed()).reason, /asks for a session "Greeter", and the test scripts none/);
  await run.end();
});

test('the example runs simulated', async () => {
  const { exitCode, problem } = await simulate({
    config: fileURLToPath(new URL('../../examples/hello.xml', import.meta.url)),
  });
  assert.deepEqual([exitCode, problem], [0, undefined]);
});
