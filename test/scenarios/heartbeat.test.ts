/**
 * A component that does not respond any more, under the real command: it is found and started
 * again.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CORE_URL, systemConfig, Workplace } from '../harness/ginit.ts';

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
});
afterEach(() => place[Symbol.dispose]());

const VISITS = `import { rpc, session, u32 } from '${CORE_URL}';
export const Visits = session('Visits', { count: rpc({ args: [], result: u32 }) });`;

test('a child that computes without a pause misses its heartbeats and is started again, once', async () => {
  place.write('visits.mjs', VISITS);
  place.write(
    'counter.mjs',
    `import { component } from '${CORE_URL}'; import { Visits } from './visits.mjs';
    export default component({ provides: [Visits] }, (env) => {
      let visits = 0;
      env.provide(Visits, () => ({ count: () => ++visits }));
    });`,
  );
  place.write(
    'looper.mjs',
    `import { component } from '${CORE_URL}'; import { Visits } from './visits.mjs';
    export default component({ requires: [Visits] }, async (env) => {
      const visits = await env.connect(Visits);
      if (await visits.count() === 1) for (;;);
      env.exit(0);
    });`,
  );
  place.write(
    'config.xml',
    systemConfig(`<heartbeat rate_ms="300"/>
      <start name="counter"> <binary name="./counter.mjs"/> <provides> <service name="Visits"/> </provides> </start>
      <start name="looper" step_bound_ms="500"> <binary name="./looper.mjs"/> <exit propagate="yes"/>
        <heartbeat restart_after_skipped="3"/> </start>`),
  );
  const { code, stdout, stderr } = await place.run('config.xml');
  expect(code, stderr).toBe(0);
  const restarts = stdout.split('\n').filter((line) => line.includes('heartbeats'));
  expect(restarts).toEqual(['[init] Warning: child "looper" has missed 4 heartbeats and is started again']);
});
