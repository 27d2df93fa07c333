/**
 * Tests components in processes of their own which share memory: they see the same memory where
 * that is possible, and when either is killed the other is told and nothing is left.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { support } from 'sharedarraybuffer-polyfill';
import { afterEach, expect, test } from 'vitest';
import { CORE_URL, type GinitRun, systemConfig, Workplace } from '../harness/ginit.ts';

const SWITCH = 'SHAREDARRAYBUFFER_POLYFILL';

const INTERFACES = `import {
  component,
  dataspace,
  nothing,
  packetStream,
  Packet,
  PacketRequests,
  PACKET_STATUS,
  rpc,
  RpcError,
  session,
  u32,
  u53,
} from '${CORE_URL}';
export { component, Packet, PacketRequests, PACKET_STATUS, RpcError };
export const Store = session('Store', {
  sum: rpc({ args: [dataspace], result: u53 }),
  fill: rpc({ args: [dataspace, u32], result: nothing }),
  forward: rpc({ args: [dataspace], result: u53 }),
});
export const Sink = session('Sink', {
  tx: packetStream('tx', { queueSlots: 32, defaultBulkBytes: 65536, alignLog2: 6,
    payloadDirection: { submitBytes: (packet) => packet.size, acknowledgeBytes: () => 0 } }),
});
export const sum = (dataspace) => dataspace.attach().reduce((all, byte) => all + byte, 0);`;

const SERVER = `import { component, Packet, PACKET_STATUS, Sink, Store, sum } from './interfaces.mjs';
export default component({ provides: [Store, Sink], mayRequire: [Store] }, async (env) => {
  env.provide(Sink, ({ streams }) => {
    streams.tx.then((sink) => sink.onWake(() => {
      for (let packet = new Packet(); sink.next(packet); packet = new Packet()) {
        packet.status = sink.payload(packet)[0] === packet.size % 251 ? PACKET_STATUS.ok : PACKET_STATUS.invalid;
        sink.acknowledge(packet);
      }
      sink.wakeup();
    }), () => {});
    return {};
  });
  env.log('process ' + process.pid);
  const next = (env.config.node.value('next') ?? '') === '' ? undefined : await env.connect(Store, { label: 'next' });
  env.provide(Store, () => ({
    sum,
    fill: (dataspace, value) => void dataspace.attach().fill(value),
    forward: (dataspace) => next.sum(dataspace),
  }));
});`;

const CLIENT_LIBRARY = `import { component, PacketRequests, PACKET_STATUS, RpcError, Sink, Store, sum } from './interfaces.mjs';
export { component, PacketRequests, PACKET_STATUS, RpcError, Sink, Store, sum };
export const outcome = (promise) => promise.then((value) => value ?? 'done', (error) => error.code ?? String(error));
export async function packets(sink, count) {
  const requests = new PacketRequests(sink.tx, { closedError: (closure) => new RpcError('PeerGone', closure) });
  let good = 0;
  await Promise.all(Array.from({ length: count }, (_, number) => requests.perform(64 + number,
    (packet, payload) => void (payload[0] = (64 + number) % 251),
    (packet) => void (good += packet.status === PACKET_STATUS.ok ? 1 : 0))));
  return good;
}`;

/** Reports once the result of each way of sharing. */
const CLIENT = `import { component, outcome, packets, Sink, Store, sum } from './client.mjs';
export default component({ requires: [Store, Sink] }, async (env) => {
  const [store, sink] = await Promise.all([env.connect(Store), env.connect(Sink)]);
  const open = await env.ram.allocate(100000);
  open.attach().fill(1);
  env.log('open: ' + [await outcome(store.sum(open)), await outcome(store.fill(open, 2)), sum(open),
    await outcome(store.forward(open))].join());
  const final = await env.ram.allocate(1000);
  final.attach().fill(3);
  final.seal();
  env.log('sealed: ' + [await outcome(store.sum(final)), await outcome(store.fill(final, 4)), sum(final),
    await outcome(store.forward(final))].join());
  env.log('packets: ' + await packets(sink, 100));
  for (let round = 0; round < 300; round++) {
    const dataspace = await env.ram.allocate(5000);
    dataspace.attach().fill(round);
    const found = await outcome(store.sum(dataspace));
    if (found !== 5000 * (round & 255) && found !== 'NotShareable') env.log('wrong: ' + found);
    await env.ram.free(dataspace);
  }
  env.log('finished');
});`;

/**
 * Works for ever: calls, dataspaces, packets. It starts anew with the next server when one is gone.
 */
const EAGER = `import { component, packets, Sink, Store, sum } from './client.mjs';
export default component({ requires: [Store, Sink] }, async (env) => {
  env.log('process ' + process.pid);
  // While the server is started again it denies sessions.
  const connected = async () => {
    for (;;) {
      try { return await Promise.all([env.connect(Store), env.connect(Sink)]); } catch (error) {
        if (error.code !== 'DENIED' && error.code !== 'PeerGone') throw error;
        await env.timer.sleep(20);
      }
    }
  };
  const work = async (life) => {
    const [store, sink] = await connected();
    try {
      for (let round = 1; ; round++) {
        const dataspace = await env.ram.allocate(3000);
        try {
          dataspace.attach().fill(round);
          if (round % 2 === 0) dataspace.seal();
          const [found, good] = await Promise.all([store.sum(dataspace), packets(sink, 20)]);
          if (found !== 3000 * (round & 255) || good !== 20) env.log('wrong: ' + found + ' ' + good);
        } finally {
          await env.ram.free(dataspace);
        }
        if (round === 5) env.log('life ' + life + ' works');
      }
    } finally {
      await Promise.allSettled([env.close(store), env.close(sink)]);
    }
  };
  for (let life = 1; ; life++) {
    try { await work(life); } catch (error) {
      if (error.code !== 'PeerGone') env.log('ended: ' + (error.code ?? error.stack));
      else env.log('life ' + life + ' is over');
    }
  }
});`;

let place: Workplace;
afterEach(() => {
  delete process.env[SWITCH];
  place[Symbol.dispose]();
});

function start(starts: string): GinitRun {
  place = new Workplace();
  const files = {
    interfaces: INTERFACES,
    server: SERVER,
    client: CLIENT_LIBRARY,
    main: CLIENT,
    eager: EAGER,
  };
  for (const [name, source] of Object.entries(files)) place.write(`${name}.mjs`, source);
  place.write('config.xml', systemConfig(starts));
  return place.start('config.xml');
}

const node = (name: string, module: string, rest: string, isolation = 'process'): string =>
  `<start name="${name}" caps="500" ram="16M" isolation="${isolation}"> <binary name="./${module}.mjs"/> ${rest} </start>`;
const PROVIDES = '<provides> <service name="Store"/> <service name="Sink"/> </provides>';
const route = (name: string): string =>
  `<route> <service name="Store"> <child name="${name}"/> </service> <service name="Sink"> <child name="${name}"/> </service>
   <any-service> <parent/> </any-service> </route>`;

const THREE = [
  node('last', 'server', PROVIDES),
  node('first', 'server', `${PROVIDES} <config next="last"/> ${route('last')}`),
  node('main', 'main', route('first')),
].join('\n');

async function stop(running: GinitRun): Promise<void> {
  running.child.kill('SIGTERM');
  await running.finished;
  expect(await running.leftOver()).toEqual([]);
}

/** The memory files of ginit that a process holds: mappings by kind, and descriptors. */
function held(pid: number): Record<'channel' | 'doorbells' | 'memory' | 'files', number> {
  const maps = readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n');
  const mapped = (kind: string): number =>
    maps.filter((line) => line.includes(`/memfd:ginit ${kind}`)).length;
  const files = readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith('/memfd:');
    } catch {
      // The descriptor was closed in between.
      return false;
    }
  }).length;
  return { channel: mapped('channel'), doorbells: mapped('doorbells'), memory: mapped('memory'), files };
}

/** The last process that a component has said to be in. */
function processOf(running: GinitRun, label: string): number {
  const found = [...running.stdout.matchAll(new RegExp(`\\[init -> ${label}\\] process (\\d+)`, 'g'))].at(-1);
  if (!found) throw new Error(`${label} has not said where it is`);
  return Number(found[1]);
}

const count = (running: GinitRun, line: string): number => running.stdout.split(line).length - 1;

/** Waits until a condition holds, for far longer than it should take. */
async function eventually(what: string, holds: () => boolean): Promise<void> {
  for (let waitedMs = 0; !holds(); waitedMs += 20) {
    if (waitedMs > 20_000) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test.runIf(support().shared)(
  'processes that share memory see the same memory, and a sealed dataspace is read-only',
  async () => {
    const running = start(THREE);
    await running.until('finished');
    const out = running.stdout;
    expect(out).toContain('[init -> main] open: 100000,done,200000,200000');
    expect(out).toContain('[init -> main] sealed: 3000,done,3000,3000');
    expect(out).toContain('[init -> main] packets: 100');
    expect(out).not.toContain('wrong');
    const all = running.processes().map(held);
    expect(all.filter(({ channel }) => channel > 0).length).toBeGreaterThanOrEqual(4);
    // Hundreds of dataspaces have been passed. Once every component rests, the descriptors are
    // gone, and nearly all mappings.
    const domains = running.processes().filter((pid) => held(pid).channel > 0);
    await eventually('few dataspaces are left', () =>
      domains.every((pid) => held(pid).files === 0 || (held(pid).files <= 3 && held(pid).memory < 40)),
    );
    await stop(running);
  },
);

test('processes that cannot share memory copy it, and a dataspace that cannot be copied is refused with the reason', async () => {
  process.env[SWITCH] = 'off';
  const running = start(THREE);
  await running.until('finished');
  const out = running.stdout;
  expect(out).toContain('[init -> main] open: NotShareable,NotShareable,100000,NotShareable');
  expect(out).toContain('[init -> main] sealed: 3000,done,3000,3000');
  expect(out).toContain('[init -> main] packets: 100');
  expect(out).not.toContain('wrong');
  for (const pid of running.processes())
    expect(held(pid)).toMatchObject({ channel: 0, doorbells: 0, memory: 0, files: 0 });
  await stop(running);
});

const KILLS = 9;

test.runIf(support().shared)(
  'when any process is killed at work, the others are told, and nothing of it stays',
  async () => {
    const restarts = '<restart max="100"/>';
    const running = start(
      [
        node('server', 'server', `${PROVIDES} ${restarts}`),
        node('mortal', 'eager', `${restarts} ${route('server')}`),
        node('survivor', 'eager', route('server'), 'thread'),
      ].join('\n'),
    );
    const works = (label: string, life: number): Promise<void> =>
      running.until(`[init -> ${label}] life ${life} works`);
    await works('survivor', 1);
    const survivor = processOf(running, 'survivor');
    const { channel, doorbells } = held(survivor);
    let life = 1;
    for (let kill = 0; kill < KILLS; kill++) {
      const victim = kill % 3 === 0 ? 'mortal' : 'server';
      await eventually('the mortal one works', () => running.stdout.includes('[init -> mortal] life'));
      const started = count(running, `[init -> ${victim}] process`);
      await new Promise((resolve) => setTimeout(resolve, (kill * 37) % 50));
      process.kill(processOf(running, victim), 'SIGKILL');
      if (victim === 'server') {
        await running.until(`[init -> survivor] life ${life} is over`);
        life++;
        await works('survivor', life);
      }
      await eventually(`${victim} is back`, () => count(running, `[init -> ${victim}] process`) > started);
    }
    expect(running.stdout).not.toContain('wrong');
    expect(running.stdout).not.toContain('ended:');
    await eventually('no more channels than at the start are there', () => {
      const now = held(survivor);
      return now.channel === channel && now.doorbells === doorbells;
    });
    // The files under way, and those that wait for the next collection.
    expect(held(survivor).files).toBeLessThan(100);
    await stop(running);
  },
  150_000,
);
