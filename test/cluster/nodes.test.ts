/** Tests components on several machines: a real nats-server, a head, and nodes, each a ginit. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CORE_URL } from '../harness/ginit.ts';
import { noCluster, TestCluster } from '../harness/cluster.ts';
import { leftOut } from '../harness/long.ts';
import { NatsProxy } from '../harness/nats-proxy.ts';

const GREETER = `
import { component, rpc, session } from '${CORE_URL}';
import { mark } from './parts/mark.js';
export const Greeter = session('Greeter', { greet: rpc() });
export default component({ provides: [Greeter] }, (env) => {
  env.provide(Greeter, ({ label }) => ({ greet: (name) => 'hello, ' + name + mark }));
});
`;
/**
 * Calls without end, and says when the server is gone and when there is another one. It asks at once
 * for that, mostly before init has heard of the loss.
 */
const CALLER = `
import { component } from '${CORE_URL}';
import { Greeter } from './greeter.js';
export default component({ requires: [Greeter] }, async (env) => {
  for (let round = 1; ; ) {
    let greeter;
    try {
      greeter = await env.connect(Greeter);
      env.log('round ' + round + ': ' + (await greeter.greet('world')));
      for (;;) {
        await greeter.greet('world');
        await env.timer.sleep(5);
      }
    } catch (error) {
      if (!greeter) return env.log('round ' + round + ' does not begin: ' + error.message);
      env.log('round ' + round++ + ' ended: ' + error.code);
    }
    greeter?.[Symbol.dispose]();
  }
});
`;
const VISITOR = `
import { component } from '${CORE_URL}';
import { Greeter } from './greeter.js';
export default component({ requires: [Greeter] }, async (env) => {
  const greeter = await env.connect(Greeter);
  env.log(await greeter.greet('world'));
  env.exit(0);
});
`;

const greeterOn = (where: string): string =>
  `<start name="greeter" ${where}> <binary name="./greeter.js"/> <provides> <service name="Greeter"/> </provides> </start>`;
const VISITOR_HERE = `<start name="visitor"> <binary name="./visitor.js"/> <exit propagate="yes"/> </start>`;
const CALLER_HERE = `<start name="caller"> <binary name="./caller.js"/> </start>`;

let cluster: TestCluster;
/** The one that is to be ended. */
let running: TestCluster | undefined;

async function clusterOf(...names: readonly string[]): Promise<TestCluster> {
  cluster = await TestCluster.start(...names);
  running = cluster;
  cluster.place.write('greeter.js', GREETER);
  cluster.place.write('parts/mark.js', "export const mark = '!';\n");
  cluster.place.write('visitor.js', VISITOR);
  cluster.place.write('caller.js', CALLER);
  return cluster;
}

beforeEach(({ skip }) => skip(noCluster !== undefined, noCluster));

afterEach(async () => {
  await running?.[Symbol.asyncDispose]();
  running = undefined;
});

const longTest = test.skipIf(leftOut(true));

test('a component on a node serves one of the head, and its code came there by itself', async () => {
  const { node, head } = await started(`${greeterOn('node="b"')} ${VISITOR_HERE}`, 'b');
  const { code, stdout } = await head.finished;
  expect(stdout).toContain('[init -> visitor] hello, world!');
  expect(code).toBe(0);
  expect(await head.leftOver()).toEqual([]);
  await node.until('[init -> greeter] has ended');
  node.child.kill('SIGTERM');
  expect((await node.finished).code).toBe(0);
  expect(await node.leftOver()).toEqual([]);
});

longTest('components of two nodes talk to each other, bulk data too', async () => {
  await clusterOf('b', 'c');
  cluster.node('b');
  cluster.node('c');
  const head = cluster.head(`
    <start name="disk" node="b" ram="16M">
      <binary name="ram_block"/> <provides> <service name="Block"/> </provides>
      <config size="8M" block_size="4096"> <default-policy writeable="yes"/> </config>
    </start>
    <start name="test" node="c" ram="16M">
      <binary name="block_tester"/> <exit propagate="yes"/>
      <config> <tests> <sequential length="4M" size="64K" batch="8" write="yes" verify="yes"/> </tests> </config>
    </start>`);
  const { code, stdout, stderr } = await head.finished;
  expect(`${stdout}${stderr}`).not.toContain('error');
  expect(code).toBe(0);
});

test('a node that dies in the middle of calls is waited for, and found again', async () => {
  const { node, head } = await started(`${greeterOn('node="b"')} ${CALLER_HERE}`, 'b');
  await head.until('round 1: hello');
  node.killGroup();
  await head.until('round 1 ended: PeerGone');
  await head.until('node "b" is not there');
  await cluster.untilSays(/greeter +waiting .* waits for the node "b"/, 'ps');
  await cluster.untilSays(/b +not there/, 'nodes');
  cluster.node('b');
  await head.until('round 2: hello, world!');
  await cluster.untilSays(/greeter +running +node b, process \d+, jailed/, 'ps');
});

test('a node that stood still for longer than the lease has lost its components when it goes on', async () => {
  const { node, head } = await started(`${greeterOn('node="b"')} ${CALLER_HERE}`, 'b');
  await head.until('round 1: hello');
  for (const pid of node.processes()) process.kill(pid, 'SIGSTOP');
  await head.until('round 1 ended: PeerGone');
  for (const pid of node.processes()) process.kill(pid, 'SIGCONT');
  await node.until('[init -> greeter] has ended');
  await head.until('round 2: hello');
});

longTest('a short stop within the lease goes unnoticed', async () => {
  const { node, head } = await started(`${greeterOn('node="b"')} ${CALLER_HERE}`, 'b');
  await head.until('round 1: hello');
  for (const pid of node.processes()) process.kill(pid, 'SIGSTOP');
  await new Promise((resolve) => setTimeout(resolve, 300));
  for (const pid of node.processes()) process.kill(pid, 'SIGCONT');
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(head.stdout).not.toContain('ended');
});

longTest('a node that is parted for less than its lease loses nothing, and for longer all', async () => {
  await clusterOf('b');
  cluster.lease = '4s';
  await using proxy = await NatsProxy.start(cluster.server.url, () => 1);
  const node = cluster.nodeAt(proxy.url, 'b');
  const head = cluster.head(`${greeterOn('node="b"')} ${CALLER_HERE}`);
  await head.until('round 1: hello');
  for (const part of [() => proxy.stall(true), () => proxy.cut(true)]) {
    part();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    proxy.stall(false);
    proxy.heal();
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  expect(head.stdout).not.toContain('ended');
  proxy.stall(true);
  await head.until('round 1 ended: PeerGone');
  await node.until('[init -> greeter] has ended');
  proxy.stall(false);
  await head.until('round 2: hello');
});

longTest('a component that is busy for three leases loses none', async () => {
  await clusterOf('b');
  cluster.place.write(
    'busy.js',
    `import { component } from '${CORE_URL}';
export default component({}, async (env) => {
  env.log('begins');
  const { loop } = await import('./loop.js');
  env.log('has counted to ' + loop());
});`,
  );
  cluster.place.write(
    'loop.js',
    `export function loop() {
  let count = 0;
  while (count < 5_000_000_000) count++;
  return count;
}
`,
  );
  cluster.node('b');
  const beganMs = performance.now();
  const head = cluster.head(`<start name="busy" node="b"> <binary name="./busy.js"/> </start>`);
  await head.until('[init -> busy] begins');
  await head.until('[init -> busy] has counted to');
  expect(performance.now() - beganMs).toBeGreaterThan(3000);
  expect(head.stderr).not.toContain('is not there');
});

longTest('any node with the labels is taken, and waited for', async () => {
  await clusterOf('b', 'c');
  cluster.node('b');
  const head = cluster.head(`
    <start name="greeter"> <binary name="./greeter.js"/> <node label="gpu"/> <provides> <service name="Greeter"/> </provides> </start>
    ${VISITOR_HERE}`);
  await head.until('node "b" is there');
  await cluster.untilSays(/waits for a node with the label "gpu"/, 'ps');
  const node = cluster.node('c', '--label', 'gpu=large', '--cores', '1', '--ram', '64M');
  expect((await head.finished).stdout).toContain('hello, world!');
  expect(node.stderr).toContain('[init -> greeter] runs here');
});

longTest('a node gives no more RAM than it lends', async () => {
  await clusterOf('b');
  cluster.node('b', '--ram', '6M');
  const head = cluster.head(
    `${greeterOn('node="b"')} <start name="second" node="b"> <binary name="./greeter.js"/> </start>`,
  );
  await head.until('node "b" is there');
  const waits = /(greeter|second) +waiting .*the node "b" lends 6291456 bytes of RAM, of which \d+ are free/;
  await cluster.untilSays(waits, 'ps');
});

longTest('host grants are those that the owner of the node lends', async () => {
  await clusterOf('b');
  cluster.place.write('lent/lend.xml', '<host> <file path="disk.img" access="rw"/> </host>');
  cluster.place.write('lent/disk.img', new Uint8Array(1024 * 1024).fill(7));
  cluster.node('b', '--lend', 'lent/lend.xml');
  const disk = (name: string, path: string): string => `
    <start name="${name}" node="b"> <binary name="file_block"/> <provides> <service name="Block"/> </provides>
      <host> <file path="${path}" access="rw"/> </host>
      <config file="${path}"> <default-policy writeable="yes"/> </config> </start>`;
  const head = cluster.head(`${disk('lent', 'disk.img')} ${disk('other', '/etc/passwd')}
    <start name="test" ram="16M"> <binary name="block_tester"/> <exit propagate="yes"/>
      <config> <tests> <sequential length="1M" size="64K"/> </tests> </config>
      <route> <service name="Block"> <child name="lent"/> </service> <any-service> <parent/> </any-service> </route>
    </start>`);
  await head.until(
    '[init -> other] crashed: the node "b" does not lend <file path="/etc/passwd" access="rw"/>',
  );
  expect((await head.finished).code).toBe(0);
});

/** A node, and a head with these start nodes. */
async function started(
  starts: string,
  name: string,
): Promise<{ node: ReturnType<TestCluster['node']>; head: ReturnType<TestCluster['head']> }> {
  await clusterOf(name);
  return { node: cluster.node(name), head: cluster.head(starts) };
}
