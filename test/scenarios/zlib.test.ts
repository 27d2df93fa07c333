/**
 * zlib gives no authority: its synchronous half works everywhere, its other half where the event
 * loop turns.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CORE_URL, systemConfig, Workplace } from '../harness/ginit.ts';

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
});
afterEach(() => place[Symbol.dispose]());

function packer(manifest: string, work: string): void {
  place.write(
    'packer.mjs',
    `import { promisify } from 'node:util';
import { gunzipSync, gzip, gzipSync } from 'node:zlib';
import { component } from '${CORE_URL}';
export default component({ ${manifest} }, async (env) => { await env.log(await ${work}); env.exit(0); });`,
  );
  place.write(
    'config.xml',
    systemConfig('<start name="a"> <binary name="./packer.mjs"/> <exit propagate="yes"/> </start>'),
  );
}
const SYNCHRONOUS = `String(gunzipSync(gzipSync('packed')))`;
const ASYNCHRONOUS = `promisify(gzip)('packed').then((it) => String(gunzipSync(it)), (error) => error.message)`;

test.each([
  ['in a thread that parks', [], '', SYNCHRONOUS, /packed/],
  ['in the simulator', ['sim'], '', SYNCHRONOUS, /packed/],
])('the synchronous functions of zlib work %s', async (_where, command, manifest, work, expected) => {
  packer(manifest, work);
  const { code, lines } = await place.run(...command, 'config.xml');
  expect(lines.join('\n')).toMatch(expected);
  expect(code).toBe(0);
});

test('the asynchronous functions of zlib say what they need', async () => {
  packer('', ASYNCHRONOUS);
  const parked = await place.run('config.xml');
  expect(parked.lines.join('\n')).toMatch(
    /zlib's asynchronous functions and streams need loop: 'live' in the component's manifest/,
  );
  packer(`loop: 'live'`, ASYNCHRONOUS);
  expect((await place.run('config.xml')).lines.join('\n')).toMatch(/\[init -> a\] packed/);
  const simulated = await place.run('sim', 'config.xml');
  expect(simulated.code).not.toBe(0);
  expect(`${simulated.stdout}${simulated.stderr}`).toMatch(/zlib's asynchronous half/);
});
