/**
 * Tests components that do not end as they should, under the real command: as threads, in processes
 * of their own, within a nested init.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CORE_URL, systemConfig, Workplace } from '../harness/ginit.ts';

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
  place.write(
    'store.mjs',
    `import { component, nothing, rpc, session, text } from '${CORE_URL}';
     export const Store = session('Store', { keep: rpc({ args: [text()], result: nothing }) });
     export default component({ provides: [Store] }, (env) => {
       env.provide(Store, () => ({ keep: () => {}, [Symbol.asyncDispose]: () => new Promise(() => {}) }));
       env.onStop(() => { for (;;); });
     });`,
  );
  place.write(
    'other.mjs',
    `import { component, nothing, rpc, session } from '${CORE_URL}';
     export const Ready = session('Ready', { ask: rpc({ args: [], result: nothing }) });
     export default component({ provides: [Ready] }, (env) => {
       env.onStop(() => env.log('in order'));
       env.provide(Ready, () => ({ ask: () => {} }));
     });`,
  );
  place.write(
    'client.mjs',
    `import { component, RpcError } from '${CORE_URL}';
     import { Store } from './store.mjs';
     import { Ready } from './other.mjs';
     export default component({ requires: [Store, Ready] }, async (env) => {
       await env.close(await env.connect(Ready));
       const store = await env.connect(Store, { ram: 2 ** 20 });
       await store.keep('this');
       env.exit(7);
     });`,
  );
});
afterEach(() => place[Symbol.dispose]());

const STORE = `<start name="store" step_bound_ms="1500" ISOLATION> <binary name="./store.mjs"/>
  <provides> <service name="Store"/> </provides> </start>`;
const STARTS = `${STORE}
  <start name="other"> <binary name="./other.mjs"/> <provides> <service name="Ready"/> </provides> </start>
  <start name="client" ram="8M"> <binary name="./client.mjs"/> <exit propagate="yes"/> </start>`;

const nested = (starts: string): string => `<start name="sub" ram="100M" caps="2000">
  <binary name="init"/> <exit propagate="yes"/> ${systemConfig(starts)} </start>`;

describe.each([
  ['thread', STARTS.replace('ISOLATION', ''), 'init'],
  ['process', STARTS.replace('ISOLATION', 'isolation="process"'), 'init'],
  ['thread below a nested init', nested(STARTS.replace('ISOLATION', '')), 'init -> sub'],
])('a server that never closes, as a %s', (_, starts, init) => {
  test('is ended and named; the exit code is the propagated one, and others are stopped in order', async () => {
    place.write('config.xml', systemConfig(starts));
    const { code, lines } = await place.run('config.xml');
    expect(code, lines.join('\n')).toBe(7);
    expect(lines).toContain(`[${init} -> other] in order`);
    const said = `"store" has yet to close a "Store" session of "client", and gets nothing done: it is ended`;
    expect(lines).toContain(`[${init}] Error: ${said}`);
  });
});

test('a server that never closes is ended and named in the simulator, too', async () => {
  // A single thread cannot interrupt a loop without an end, so the simulator gets a calm one.
  const calm = `import { component } from '${CORE_URL}';
     import { Store } from './store-session.mjs';
     export default component({ provides: [Store] }, (env) => {
       env.provide(Store, () => ({ keep: () => {}, [Symbol.asyncDispose]: () => new Promise(() => {}) }));
     });`;
  place.write(
    'store-session.mjs',
    `import { nothing, rpc, session, text } from '${CORE_URL}';
     export const Store = session('Store', { keep: rpc({ args: [text()], result: nothing }) });`,
  );
  place.write('store.mjs', `${calm}\nexport { Store };`);
  place.write('config.xml', systemConfig(STARTS.replace('ISOLATION', '')));
  const { code, lines, stderr } = await place.run('sim', '--seed', '1', 'config.xml');
  expect(code, stderr).toBe(7);
  expect(lines).toContain('[init -> other] in order');
  expect(lines.join('\n')).toContain('"store" has yet to close a "Store" session of "client"');
});
