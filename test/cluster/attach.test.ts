/** Tests components that are attached from elsewhere, over a real nats-server. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CORE_URL } from '../harness/ginit.ts';
import { noCluster, TestCluster } from '../harness/cluster.ts';
import { skipIfLong } from '../harness/long.ts';

const CAMERA = `
import { component, rpc, session } from '${CORE_URL}';
export const Camera = session('Camera', { look: rpc() });
export default component({ provides: [Camera] }, (env) => {
  env.log('looks');
  env.provide(Camera, ({ label }) => ({ look: () => 'a picture' }));
});
`;
const VIEWER = `
import { component, rpc, session } from '${CORE_URL}';
const Camera = session('Camera', { look: rpc() });
export default component({ requires: [Camera] }, async (env) => {
  for (let round = 1; ; ) {
    let camera;
    try {
      camera = await env.connect(Camera);
      env.log('round ' + round + ': ' + (await camera.look()));
      for (;;) {
        await camera.look();
        await env.timer.sleep(5);
      }
    } catch (error) {
      if (camera) env.log('round ' + round++ + ' ended: ' + error.code);
      await env.timer.sleep(50);
    }
    camera?.[Symbol.dispose]();
  }
});
`;

let cluster: TestCluster | undefined;

beforeEach((context) => {
  context.skip(noCluster !== undefined, noCluster);
  skipIfLong(context);
});

afterEach(async () => {
  await cluster?.[Symbol.asyncDispose]();
  cluster = undefined;
});

test('a component is attached, detached, and attached again; one at a time', async () => {
  cluster = await TestCluster.start('cam');
  cluster.place.write('camera.js', CAMERA);
  cluster.place.write('viewer.js', VIEWER);
  const head = cluster.head(`
    <start name="cam" ram="4M"> <attach key="${cluster.keyOf('cam')}"/> <provides> <service name="Camera"/> </provides> </start>
    <start name="viewer"> <binary name="./viewer.js"/> </start>`);
  await head.until('on the bus');
  await cluster.untilSays(/waits for somebody to attach it/, 'ps');
  const first = cluster.attach('cam', './camera.js');
  await head.until('round 1: a picture');
  expect(head.stdout).toContain('[init -> cam] looks');
  const second = cluster.attach('cam', './camera.js');
  await second.until('somebody is attached with the key');
  expect(head.stdout).not.toContain('ended');
  second.child.kill('SIGTERM');
  first.child.kill('SIGTERM');
  expect((await first.finished).code).toBe(0);
  expect(await first.leftOver()).toEqual([]);
  await head.until('round 1 ended');
  cluster.attach('cam', './camera.js');
  await head.until('round 2: a picture');
});

test('whoever has another key is not let in', async () => {
  cluster = await TestCluster.start('cam', 'thief');
  cluster.place.write('camera.js', CAMERA);
  cluster.head(
    `<start name="cam" ram="4M"> <attach key="${cluster.keyOf('cam')}"/> <provides> <service name="Camera"/> </provides> </start>`,
  );
  const thief = cluster.attach('cam', './camera.js', '--key', 'thief.key');
  await thief.until('attach: not attached');
  expect(thief.stderr).not.toContain('is [init -> cam] now');
});
