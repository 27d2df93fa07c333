/**
 * A component that dies while it begins is started again, and its clients get to the next one: also
 * if core hears of its end in one turn with something that it has said, its answer to its start for
 * instance.
 */
import { component, session } from '@ginit/core';
import { quietDeferred } from '@ginit/core/async';
import { expect, test } from 'vitest';
import type { Death } from '../../packages/core/test/in-process-platform.ts';
import { finish, type InProcessSystem, startSystem } from '../harness/in-process-system.ts';

const Bell = session('Bell', {});
const LABEL = 'init -> server';
const START = `
  <start name="server"> <provides> <service name="Bell"/> </provides> <restart max="9"/> </start>
  <start name="client"/>`;
/** The session of its log, and that of its config, are asked for before it answers. */
const HEARD_MIN = 3;
const PATIENCE_TURNS = 500;

interface Run {
  readonly system: InProcessSystem;
  /** How many frames of the server core had heard when the client had its first session. */
  readonly heard: Promise<number>;
  /** Settles when the client has a session at a server that does not die. */
  readonly served: Promise<void>;
}

function begin(death: Death | undefined): Run {
  const server = component({ provides: [Bell] }, async (env) => {
    // When it answers that it runs, it has not said yet that it serves: nobody can notice its end
    // by asking it.
    await env.timer.sleep(1);
    env.provide(Bell, () => ({}));
  });
  const [heard, served] = [quietDeferred<number>(), quietDeferred<void>()];
  const client = component({}, async (env) => {
    const { platform } = system;
    // A server that dies in the request takes it along.
    await env.connect(Bell).catch(() => {});
    heard.resolve(platform.heard.get(LABEL) ?? 0);
    // A run may have a frame less than the peaceful one: then nobody dies.
    for (let turn = 0; platform.death && turn < PATIENCE_TURNS; turn += 1) await env.timer.sleep(1);
    await env.connect(Bell).then(() => served.resolve(), served.reject);
  });
  const system = startSystem('copying', { server, client }, START);
  system.platform.death = death;
  return { system, heard: heard.promise, served: served.promise };
}

async function end({ system }: Run): Promise<void> {
  system.supervisor.end({ kind: 'exit', code: 0 });
  await finish(system);
}

test('whatever core heard last of a component that died: the next one serves', async () => {
  const peaceful = begin(undefined);
  const heard = await peaceful.heard;
  await peaceful.served;
  await end(peaceful);
  expect(heard).toBeGreaterThanOrEqual(HEARD_MIN);
  let deaths = 0;
  for (let afterFrames = 1; afterFrames <= heard; afterFrames++) {
    const run = begin({ label: LABEL, afterFrames, underWay: 'heard with the end' });
    await run.served;
    const { dead } = run.system.platform;
    if (afterFrames <= HEARD_MIN) expect(dead.size, `after ${afterFrames} frames`).toBe(1);
    deaths += dead.size;
    await end(run);
  }
  expect(deaths).toBeGreaterThan(heard / 2);
});
