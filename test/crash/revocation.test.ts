/**
 * Tests dataspaces that are taken back, in real processes: by their owner, by its end, through a
 * dead component in between, while the host writes. Their holders go on and read zeros; the kernel
 * has the memory back.
 */
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { support } from 'sharedarraybuffer-polyfill';
import { afterEach, expect, test } from 'vitest';
import { CORE_URL, type GinitRun, systemConfig, Workplace } from '../harness/ginit.ts';

const SWITCH = 'SHAREDARRAYBUFFER_POLYFILL';
const MIB = 1024 * 1024;

const INTERFACES = `import { component, dataspace, nothing, rpc, session, text, boolean, packetStream, Packet } from '${CORE_URL}';
export { component, Packet };
export const Sink = session('Sink', {
  look: rpc({ args: [], result: text(1000) }),
  tx: packetStream('tx', { queueSlots: 32, defaultBulkBytes: 65536, alignLog2: 6,
    payloadDirection: { submitBytes: (packet) => packet.size, acknowledgeBytes: () => 0 } }),
});
export const Keep = session('Keep', {
  keep: rpc({ args: [dataspace], result: nothing }),
  pass: rpc({ args: [dataspace], result: nothing }),
  look: rpc({ args: [], result: text(4096) }),
});
export const Disk = session('Disk', {
  write: rpc({ args: [dataspace], result: nothing }),
  writing: rpc({ args: [], result: boolean }),
  finished: rpc({ args: [], result: text(100) }),
});
/** Settles when the test has made the file of that name. */
export const gate = async (env, name) => {
  for (;;) {
    try { return await (await env.host.openFile(name, 'ro')).close(); } catch (error) {
      if (error.code !== 'NotFound') throw error;
      await env.timer.sleep(20);
    }
  }
};
const attached = (one) => { try { one.attach(); return 'there'; } catch (error) { return error.code; } };
const copied = (one) => { try { return String(one.copyContent()[0]); } catch (error) { return error.code; } };
/** The content of a view, by its first and last byte, and the state of its dataspace. */
export const stateOf = ({ view, one }) => [view[0], view.at(-1), attached(one), copied(one)].join('/');`;

/** Keeps the dataspaces that it gets, and reports every change in their contents. */
const KEEPER = `import { component, Keep, stateOf } from './interfaces.mjs';
export default component({ provides: [Keep], mayRequire: [Keep] }, async (env) => {
  const next = (env.config.node.value('next') ?? '') === '' ? undefined : await env.connect(Keep, { label: 'next' });
  const kept = [];
  const look = () => kept.map(stateOf).join(' ');
  env.provide(Keep, () => ({
    keep: (one) => void kept.push({ one, view: one.attach() }),
    pass: async (one) => {
      kept.push({ one, view: one.attach() });
      await next.keep(one);
    },
    look,
  }));
  env.log('process ' + process.pid);
  let last = '';
  for (;;) {
    const now = look();
    if (now !== last) env.log('sees ' + now + '.');
    last = now;
    await env.timer.sleep(20);
  }
});`;

const MADE = `const make = async (bytes, byte) => {
  const one = await env.ram.allocate(bytes);
  one.attach().fill(byte);
  return one;
};`;

/** Shares memory and frees it, again and again, in all more than it could have at one time. */
const BUDGET = `import { component, gate, Keep, stateOf } from './interfaces.mjs';
export default component({ requires: [Keep], host: ['file'] }, async (env) => {
  const keeper = await env.connect(Keep);
  ${MADE}
  const first = await make(64 * ${MIB}, 1);
  await keeper.keep(first);
  const view = first.attach();
  env.log('shared');
  await gate(env, 'free');
  await env.ram.free(first);
  env.log('freed ' + stateOf({ one: first, view }));
  for (let round = 2; round < 12; round++) {
    const one = await make(64 * ${MIB}, round);
    if (round % 2 === 0) one.seal();
    await keeper.keep(one);
    await env.ram.free(one);
  }
  env.log('passing it: ' + await keeper.keep(first).catch((error) => error.code));
  env.log('finished');
});`;

/** Gives memory to one who passes it on; frees some of it, and keeps the rest. */
const OWNER = `import { component, gate, Keep } from './interfaces.mjs';
export default component({ requires: [Keep], host: ['file'] }, async (env) => {
  const keeper = await env.connect(Keep);
  env.log('process ' + process.pid);
  ${MADE}
  const all = [await make(100000, 1), await make(100000, 2)];
  all[1].seal();
  for (const one of all) await keeper.pass(one);
  env.log('passed');
  await gate(env, 'free');
  await env.ram.free(all[0]);
  env.log('freed one');
});`;

/** The same in a thread of a process that goes on: the component ends by itself. */
const LEAVER = `import { component, Keep } from './interfaces.mjs';
export default component({ requires: [Keep] }, async (env) => {
  const keeper = await env.connect(Keep);
  ${MADE}
  await keeper.keep(await make(100000, 1));
  await env.timer.sleep(200);
  if (env.config.node.value('how') === 'throw') throw new Error('on purpose');
  env.exit(0);
});`;

const DISK = `import { component, Disk } from './interfaces.mjs';
export default component({ provides: [Disk], host: ['file'] }, async (env) => {
  const file = await env.host.openFile('disk', 'rw');
  ${MADE}
  // The test allocates memory of its own: the host has finished with the old memory before the
  // quota is back.
  for (let round = 0; round < 5; round++) {
    const own = await make(32 * ${MIB}, 0x11);
    const written = file.write(own.attach(), 0);
    await env.ram.free(own);
    env.log('own: ' + await Promise.race([written.then(() => 'written'), env.timer.sleep(0).then(() => 'pending')]));
  }
  let writing = false;
  let done;
  env.provide(Disk, () => ({
    write: (one) => {
      writing = true;
      done = file.write(one.attach(), 0).then(() => 'written', (error) => error.code).finally(() => (writing = false));
    },
    writing: () => writing,
    finished: () => done,
  }));
});`;

/** Takes what it gets, and lets go of it. */
const TAKER = `import { component, Keep, stateOf } from './interfaces.mjs';
export default component({ provides: [Keep], loop: 'live' }, async (env) => {
  let state = '';
  env.provide(Keep, () => ({
    keep: (one) => {
      const view = one.attach();
      const before = stateOf({ one, view });
      env.ram.detach(one);
      setTimeout(() => (state = before + ' ' + stateOf({ one, view })), 300);
    },
    pass: () => {},
    look: () => state,
  }));
});`;

/** Looks at its memory after another component has let go of it. */
const GIVER = `import { component, Keep } from './interfaces.mjs';
export default component({ requires: [Keep] }, async (env) => {
  const taker = await env.connect(Keep);
  ${MADE}
  const one = await make(100000, 3);
  await taker.keep(one);
  while (await taker.look() === '') await env.timer.sleep(20);
  env.log('taker: ' + await taker.look() + ', giver: ' + one.attach()[0]);
});`;

/** Serves packet streams, and keeps what it sees of them. */
const SINK = `import { component, Sink, Packet } from './interfaces.mjs';
export default component({ provides: [Sink] }, async (env) => {
  const kept = [];
  env.provide(Sink, ({ streams }) => {
    streams.tx.then((sink) => {
      kept.push(sink.bulk);
      sink.onWake(() => {
        for (let packet = new Packet(); sink.next(packet); packet = new Packet()) {
          // Every second packet is never answered.
          if (sink.payload(packet)[0] % 2 === 1) sink.acknowledge(packet);
        }
      });
    }, () => {});
    return { look: () => kept.map((bulk) => bulk[0]).join('/') };
  });
});`;

/** Opens and closes sessions with packet streams, and keeps what it sees of them. */
const STREAMER = `import { component, Packet, Sink } from './interfaces.mjs';
export default component({ requires: [Sink] }, async (env) => {
  const kept = [];
  for (let round = 1; round <= 10; round++) {
    const session = await env.connect(Sink, { args: { tx_buf_size: 16 * ${MIB} } });
    kept.push(session.tx.bulk);
    session.tx.bulk.fill(round);
    const packet = new Packet();
    packet.offset = session.tx.allocate(65536);
    packet.size = 65536;
    session.tx.submit(packet);
    session.tx.wakeup();
    env.log('at the server: ' + await session.look());
    await env.close(session);
  }
  env.log('here: ' + kept.map((bulk) => bulk[0]).join('/'));
  env.log('there: ' + await (await env.connect(Sink)).look());
});`;

/** Frees what is being written. */
const WRITER = `import { component, Disk } from './interfaces.mjs';
export default component({ requires: [Disk] }, async (env) => {
  const disk = await env.connect(Disk);
  ${MADE}
  let early = 0;
  for (let round = 0; round < 4; round++) {
    const one = await make(96 * ${MIB}, 0x55);
    await disk.write(one);
    await env.ram.free(one);
    if (await disk.writing()) early++;
    // While the host still uses the old memory, other memory takes its place in the quota.
    const other = await make(16 * ${MIB}, 0xaa);
    const outcome = await disk.finished();
    await env.ram.free(other);
    if (outcome !== 'written') env.log('wrong: ' + outcome);
  }
  env.log('early: ' + early);
});`;

let place: Workplace;
afterEach(() => {
  delete process.env[SWITCH];
  place[Symbol.dispose]();
});

function start(starts: string): GinitRun {
  place = new Workplace();
  const files = { KEEPER, BUDGET, OWNER, LEAVER, DISK, WRITER, SINK, STREAMER, TAKER, GIVER };
  place.write('interfaces.mjs', INTERFACES);
  for (const [name, source] of Object.entries(files)) place.write(`${name.toLowerCase()}.mjs`, source);
  place.write('disk', '');
  place.write('config.xml', systemConfig(starts));
  return place.start('config.xml');
}

const node = (name: string, module: string, rest: string, ram = '4M', isolation = 'process'): string =>
  `<start name="${name}" caps="500" ram="${ram}" isolation="${isolation}">
    <binary name="./${module}.mjs"/> ${rest} </start>`;
const KEEPS = '<provides> <service name="Keep"/> </provides>';
const route = (service: string, name: string): string =>
  `<route> <service name="${service}"> <child name="${name}"/> </service>
   <any-service> <parent/> </any-service> </route>`;
const GATED = '<host> <file path="free" access="ro"/> </host>';

async function stop(running: GinitRun): Promise<void> {
  running.child.kill('SIGTERM');
  await running.finished;
  expect(await running.leftOver()).toEqual([]);
}

/** Mappings and descriptors of dataspaces that a process has. */
function held(pid: number): { mapped: number; files: number } {
  const maps = readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n');
  const files = readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith('/memfd:ginit memory');
    } catch {
      // The descriptor was closed in between.
      return false;
    }
  });
  return { mapped: maps.filter((line) => line.includes('/memfd:ginit memory')).length, files: files.length };
}

const NOTHING = { mapped: 0, files: 0 };
const heldByAll = (running: GinitRun): object[] =>
  running
    .processes()
    .map(held)
    .filter(({ mapped, files }) => mapped + files > 0);

/** The last process that a component has said to be in. */
function processOf(running: GinitRun, label: string): number {
  const found = [...running.stdout.matchAll(new RegExp(`\\[init -> ${label}\\] process (\\d+)`, 'g'))].at(-1);
  if (!found) throw new Error(`${label} has not said where it is`);
  return Number(found[1]);
}

/** The last content that a keeper has reported. */
const seenBy = (running: GinitRun, label: string): string | undefined =>
  [...running.stdout.matchAll(new RegExp(`\\[init -> ${label}\\] sees (.*)\\.`, 'g'))].at(-1)?.[1];

const sharedKib = (): number =>
  Number(/^Shmem:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]);

/** Waits until a condition holds, for far longer than it should take. */
async function eventually(what: string, holds: () => boolean, running: GinitRun): Promise<void> {
  for (let waitedMs = 0; !holds(); waitedMs += 20) {
    if (waitedMs > 20_000) throw new Error(`never: ${what}:\n${running.stdout}${running.stderr}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const GONE = '0/0/Revoked/Revoked';

test.runIf(support().shared)(
  'freed dataspaces take no memory, whoever keeps views of them, and the quota agrees with that',
  async () => {
    const before = sharedKib();
    const running = start(
      [
        node('keeper', 'keeper', KEEPS, '4M'),
        node('owner', 'budget', `${GATED} ${route('Keep', 'keeper')}`, '70M'),
      ].join('\n'),
    );
    await running.until('shared');
    await running.until('sees 1/1/there/1.');
    expect(heldByAll(running).length).toBe(2);
    expect(sharedKib() - before).toBeGreaterThan(60 * 1024);
    place.write('free', '');
    await running.until(`freed ${GONE}`);
    await running.until('finished');
    // This is 11 times as much as the owner may have at one time; the keeper has views of all of
    // it.
    await eventually(
      'all is gone',
      () => seenBy(running, 'keeper') === Array(11).fill(GONE).join(' '),
      running,
    );
    expect(heldByAll(running)).toEqual([]);
    // Other programs on this machine share memory, too, so the figure is not exact.
    await eventually('the kernel has it', () => sharedKib() - before < 40 * 1024, running);
    expect(running.stdout).toContain('passing it: Revoked');
    await stop(running);
  },
);

const CHAIN = [
  node('keeper', 'keeper', KEEPS),
  node('between', 'keeper', `${KEEPS} <config next="keeper"/> ${route('Keep', 'keeper')}`),
  node('owner', 'owner', `${GATED} ${route('Keep', 'between')}`),
].join('\n');
const BOTH_THERE = '1/1/there/1 2/2/there/2';

test.runIf(support().shared)(
  'a dataspace stays with its holders when the component that passed it on dies, until its owner frees it or is killed',
  async () => {
    const running = start(CHAIN);
    await running.until('passed');
    await eventually('the keeper has both', () => seenBy(running, 'keeper') === BOTH_THERE, running);
    process.kill(processOf(running, 'between'), 'SIGKILL');
    await running.until('[init -> between] crashed');
    const keeper = processOf(running, 'keeper');
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(seenBy(running, 'keeper')).toBe(BOTH_THERE);
    place.write('free', '');
    await running.until('freed one');
    await eventually('one is gone', () => seenBy(running, 'keeper') === `${GONE} 2/2/there/2`, running);
    process.kill(processOf(running, 'owner'), 'SIGKILL');
    await eventually('both are gone', () => seenBy(running, 'keeper') === `${GONE} ${GONE}`, running);
    expect(held(keeper)).toEqual(NOTHING);
    await stop(running);
  },
);

test.runIf(support().shared)('a killed component takes all its dataspaces away from everybody', async () => {
  const running = start(CHAIN);
  await running.until('passed');
  await eventually('the keeper has both', () => seenBy(running, 'keeper') === BOTH_THERE, running);
  process.kill(processOf(running, 'owner'), 'SIGKILL');
  for (const label of ['between', 'keeper']) {
    await eventually(`${label} has none`, () => seenBy(running, label) === `${GONE} ${GONE}`, running);
  }
  expect(heldByAll(running)).toEqual([]);
  await stop(running);
});

test.runIf(support().shared).each(['exit', 'throw'])(
  'a component that ends by itself (%s) takes its dataspaces away, though its process goes on',
  async (how) => {
    const running = start(
      [
        node('keeper', 'keeper', KEEPS),
        node('near', 'keeper', KEEPS, '4M', 'thread'),
        node('owner', 'leaver', `<config how="${how}"/> ${route('Keep', 'keeper')}`, '4M', 'thread'),
        node('neighbour', 'leaver', `<config how="${how}"/> ${route('Keep', 'near')}`, '4M', 'thread'),
      ].join('\n'),
    );
    for (const label of ['keeper', 'near']) {
      await running.until(`[init -> ${label}] sees 1/1/there/1.`);
      await eventually(`${label} has none`, () => seenBy(running, label) === GONE, running);
    }
    expect(heldByAll(running)).toEqual([]);
    await stop(running);
  },
);

test('where memory cannot be taken from a buffer, the dataspace says that it is gone, and views keep their content', async () => {
  process.env[SWITCH] = 'off';
  const running = start(
    [
      node('keeper', 'keeper', KEEPS, '4M', 'thread'),
      node(
        'owner',
        'budget',
        `${GATED} ${route('Keep', 'keeper')}`.replace('<host>', '<host depth="4">'),
        '70M',
        'thread',
      ),
    ].join('\n'),
  );
  await running.until('sees 1/1/there/1.');
  place.write('free', '');
  await running.until('freed 1/1/Revoked/Revoked');
  await running.until('finished');
  const kept = Array.from({ length: 11 }, (_, index) => `${index + 1}/${index + 1}/Revoked/Revoked`);
  await eventually('all is revoked', () => seenBy(running, 'keeper') === kept.join(' '), running);
  await stop(running);
});

test.runIf(support().shared)(
  'a host write under way is finished from the freed memory, which is gone after that',
  async () => {
    const running = start(
      [
        node(
          'disk',
          'disk',
          '<provides> <service name="Disk"/> </provides> <host> <file path="disk" access="rw"/> </host>',
          '40M',
        ),
        node('owner', 'writer', route('Disk', 'disk'), '120M'),
      ].join('\n'),
    );
    await running.until('early: ');
    // At least once the quota was back before the host had finished.
    expect(running.stdout).toMatch(/early: [1-4]/);
    expect(running.stdout).not.toContain('wrong');
    expect(running.stdout.match(/own: written/g)?.length).toBe(5);
    const written = readFileSync(place.path('disk'));
    expect(written.length).toBe(96 * MIB);
    expect(written.equals(Buffer.alloc(96 * MIB, 0x55))).toBe(true);
    await eventually('nothing is held', () => heldByAll(running).length === 0, running);
    await stop(running);
    expect(existsSync(place.path('disk'))).toBe(true);
  },
);

test.runIf(support().shared)(
  'a closed session gives up the memory of its streams at both ends, except for packets that the server has not answered',
  async () => {
    const running = start(
      [
        node('sink', 'sink', '<provides> <service name="Sink"/> </provides>'),
        node('client', 'streamer', route('Sink', 'sink'), '40M'),
      ].join('\n'),
    );
    await running.until('there: ');
    // Before its end the server has seen the bytes that the client had written there.
    expect(running.stdout).toContain('at the server: 0/2/0/4/0/6/0/8/0/10');
    expect(running.stdout).toContain('here: 0/0/0/0/0/0/0/0/0/0');
    expect(running.stdout).toContain('there: 0/2/0/4/0/6/0/8/0/10/0');
    await stop(running);
  },
);

test.runIf(support().shared)(
  'a component that detaches the dataspace of another one takes it from nobody else',
  async () => {
    const running = start(
      [node('taker', 'taker', KEEPS), node('giver', 'giver', route('Keep', 'taker'))].join('\n'),
    );
    await running.until(`taker: 3/3/there/3 ${GONE}, giver: 3`);
    expect(heldByAll(running).length).toBe(1);
    await stop(running);
  },
);
