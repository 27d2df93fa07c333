/**
 * Tests many large messages at once: the load of an honest client ends no session, in either
 * direction, wherever it runs.
 */
import { afterEach, expect, test } from 'vitest';
import { CORE_URL, systemConfig, Workplace } from '../harness/ginit.ts';

const INTERFACE = `import { bytes, component, rpc, session, u32, u53 } from '${CORE_URL}';
export { component };
export const Bulk = session('Bulk', {
  take: rpc({ args: [bytes(16 * 1024 * 1024)], result: u53 }),
  give: rpc({ args: [u32], result: bytes(16 * 1024 * 1024) }),
});`;

const SERVER = `import { Bulk, component } from './interface.mjs';
const filled = (size) => new Uint8Array(size).fill(size % 251);
export default component({ provides: [Bulk] }, (env) => {
  env.provide(Bulk, () => ({
    take: (data) => data.length,
    give: filled,
  }));
});`;

/** Thirty calls at once of each kind; then the session must still be good. */
const CLIENT = `import { Bulk, component } from './interface.mjs';
const SIZE = 9_000_000;
const many = (call) => Promise.allSettled(Array.from({ length: 30 }, (_, index) => call(SIZE + index, index)));
const story = (results) => {
  const good = results.filter(({ status, value }) => status === 'fulfilled' && value).length;
  const codes = new Set(results.filter(({ status }) => status === 'rejected').map(({ reason }) => reason.code));
  return good + ' good' + [...codes].map((code) => ', ' + code).join('');
};
export default component({ requires: [Bulk] }, async (env) => {
  const bulk = await env.connect(Bulk);
  const whole = (data, size) => data.length === size && data[0] === size % 251 && data.at(-1) === size % 251;
  const data = new Uint8Array(SIZE + 30).fill(7);
  env.log('take: ' + story(await many(async (size) => (await bulk.take(data.subarray(0, size))) === size)));
  env.log('give: ' + story(await many(async (size) => whole(await bulk.give(size), size))));
  env.log('small: ' + (await bulk.take(new Uint8Array(3))));
  env.exit(0);
});`;

let place: Workplace;
afterEach(() => {
  delete process.env['SHAREDARRAYBUFFER_POLYFILL'];
  place[Symbol.dispose]();
});

test.each([
  ['threads of one process', 'thread', 'on'],
  ['processes that share memory', 'process', 'on'],
  ['processes that copy everything', 'process', 'off'],
])(
  'thirty calls of 9 MB at once all arrive, between %s',
  { timeout: 240_000 },
  async (_, isolation, polyfill) => {
    if (polyfill === 'off') process.env['SHAREDARRAYBUFFER_POLYFILL'] = 'off';
    place = new Workplace();
    place.write('interface.mjs', INTERFACE);
    place.write('server.mjs', SERVER);
    place.write('client.mjs', CLIENT);
    const start = `isolation="${isolation}"`;
    place.write(
      'config.xml',
      systemConfig(`<start name="server" ${start}> <binary name="./server.mjs"/> <provides> <service name="Bulk"/> </provides> </start>
      <start name="client" ${start}> <binary name="./client.mjs"/> <exit propagate="yes"/> </start>`),
    );
    const { code, lines, stderr } = await place.runLong(200_000, 'config.xml');
    expect(
      lines.filter((line) => line.startsWith('[init -> client]')),
      stderr,
    ).toEqual([
      '[init -> client] take: 30 good',
      '[init -> client] give: 30 good',
      '[init -> client] small: 3',
    ]);
    expect(code).toBe(0);
  },
);
