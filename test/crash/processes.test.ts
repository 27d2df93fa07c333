/**
 * Components in processes of their own, which share memory: what they share is the same memory, where that can be had, and
 * when either is killed the other hears of it and nothing stays.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { support } from 'sharedarraybuffer-polyfill';
import { afterEach, expect, test } from 'vitest';
import { CORE_URL, type GinitRun, systemConfig, Workplace } from '../harness/ginit.ts';

const SWITCH = 'SHAREDARRAYBUFFER_POLYFILL';

const INTERFACES = `import { component, dataspace, nothing, packetStream, Packet, PacketRequests, packetStatus, rpc,
  RpcError, session, u32, u53 } from '${CORE_URL}';
export { component, Packet, PacketRequests, packetStatus, RpcError };
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

const SERVER = `import { component, Packet, packetStatus, Sink, Store, sum } from './interfaces.mjs';
export default component({ provides: [Store, Sink], mayRequire: [Store] }, async (env) => {
  env.provide(Sink, ({ streams }) => {
    streams.tx.then((sink) => sink.onWake(() => {
      for (let packet = new Packet(); sink.next(packet); packet = new Packet()) {
        packet.status = sink.payload(packet)[0] === packet.size % 251 ? packetStatus.ok : packetStatus.invalid;
        sink.acknowledge(packet);
      }
      sink.wakeup();
    }), () => {});
    return {};
  });
  const next = env.config.string('next', '') === '' ? undefined : await env.connect(Store, { label: 'next' });
  env.provide(Store, () => ({
    sum,
    fill: (dataspace, value) => void dataspace.attach().fill(value),
    forward: (dataspace) => next.sum(dataspace),
  }));
});`;

const CLIENT_LIBRARY = `import { component, PacketRequests, packetStatus, RpcError, Sink, Store, sum } from './interfaces.mjs';
export { component, PacketRequests, packetStatus, RpcError, Sink, Store, sum };
export const outcome = (promise) => promise.then((value) => value ?? 'done', (error) => error.code ?? String(error));
export async function packets(sink, count) {
  const requests = new PacketRequests(sink.tx, { closedError: (closure) => new RpcError('PeerGone', closure) });
  let good = 0;
  await Promise.all(Array.from({ length: count }, (_, number) => requests.perform(64 + number,
    (packet, payload) => void (payload[0] = (64 + number) % 251),
    (packet) => void (good += packet.status === packetStatus.ok ? 1 : 0))));
  return good;
}`;

/** Says once what each way of sharing has come to. */
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

/** Goes on for ever: calls, dataspaces, packets, and starts anew with the next server when one is gone. */
const EAGER = `import { component, packets, Sink, Store, sum } from './client.mjs';
export default component({ requires: [Store, Sink] }, async (env) => {
  const work = async (life) => {
    const [store, sink] = await Promise.all([env.connect(Store), env.connect(Sink)]);
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
  const files = { interfaces: INTERFACES, server: SERVER, client: CLIENT_LIBRARY, main: CLIENT, eager: EAGER };
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

/** Memory files of ginit's that a process has mapped, and descriptors of them and of sockets between processes. */
function held(pid: number): { mapped: number; files: number; sockets: number } {
  const mapped = readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n').filter((line) => line.includes('memfd:ginit'));
  const links = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return 'closed meanwhile';
    }
  });
  const files = links.filter((link) => link.startsWith('/memfd:')).length;
  return { mapped: mapped.length, files, sockets: links.filter((link) => link.startsWith('socket:')).length };
}

/** The domain processes, by what their threads are called. */
function processOf(running: GinitRun, label: string): number | undefined {
  return running.processes().find((pid) => {
    try {
      return readdirSync(`/proc/${pid}/task`).some((task) => {
        const name = readFileSync(`/proc/${pid}/task/${task}/comm`, 'utf8').trim();
        return name === `init -> ${label}`.slice(0, 15) || name === label;
      });
    } catch {
      return false;
    }
  });
}

test.runIf(support().shared)('what they share is one memory, a sealed dataspace for reading only', async () => {
  const running = start(THREE);
  await running.until('finished');
  const out = running.stdout;
  expect(out).toContain('[init -> main] open: 100000,done,200000,200000');
  expect(out).toContain('[init -> main] sealed: 3000,done,3000,3000');
  expect(out).toContain('[init -> main] packets: 100');
  expect(out).not.toContain('wrong');
  const all = running.processes().map(held);
  expect(all.filter(({ mapped }) => mapped > 0).length).toBeGreaterThanOrEqual(4);
  // 300 dataspaces have gone each way; hardly any are left, here or there.
  for (const { files } of all) expect(files).toBeLessThan(300);
  await stop(running);
});

test('where memory cannot be shared they copy, and say what cannot be had', async () => {
  process.env[SWITCH] = 'off';
  const running = start(THREE);
  await running.until('finished');
  const out = running.stdout;
  expect(out).toContain('[init -> main] open: NotShareable,NotShareable,100000,NotShareable');
  expect(out).toContain('[init -> main] sealed: 3000,done,3000,3000');
  expect(out).toContain('[init -> main] packets: 100');
  expect(out).not.toContain('wrong');
  for (const pid of running.processes()) expect(held(pid)).toMatchObject({ mapped: 0, files: 0 });
  await stop(running);
});
