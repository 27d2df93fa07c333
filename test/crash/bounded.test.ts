/**
 * Tests components that take more memory than heap= gives them: a component over its bound ends
 * alone, with a reason that says so.
 */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { skipIfLong } from '../harness/long.ts';
import { CORE_URL, type FinishedRun, type GinitRun, systemConfig, Workplace } from '../harness/ginit.ts';

const MIB = 1024 * 1024;

/** Takes memory outside V8's heap, piece by piece, and keeps it. */
const buffers = (piece: string): string => `import { component } from '${CORE_URL}';
const kept = [];
export default component(async (env) => {
  await env.log('begins');
  for (;;) {
    for (let count = 0; count < 64; count++) kept.push(${piece});
    await env.timer.sleep(1);
  }
});`;

const FILES: Readonly<Record<string, string>> = {
  buffers: buffers('Buffer.alloc(256 * 1024, 1)'),
  arrays: buffers('new ArrayBuffer(1024 * 1024)'),
  // These buffers are small: they come with objects in V8's heap, and malloc serves them.
  crumbs: buffers('new Uint8Array(6000).fill(1)'),
  objects: `import { component } from '${CORE_URL}';
const kept = [];
export default component(async (env) => {
  await env.log('begins');
  for (;;) {
    for (let count = 0; count < 5000; count++) kept.push({ count, list: [count, 1, 2, 3] });
    await env.timer.sleep(1);
  }
});`,
  thrifty: `import { component } from '${CORE_URL}';
export default component(async (env) => {
  // The sum is far above the bound, but the memory in use never is.
  for (let round = 0; round < 400; round++) {
    Buffer.alloc(1024 * 1024, round);
    if (round % 20 === 0) await env.timer.sleep(1);
  }
  await env.log('came through');
});`,
  asking: `import { component, rpc, session } from '${CORE_URL}';
const Answer = session('Answer', { answer: rpc() });
export default component({ requires: [Answer], provides: [Answer], loop: 'live' }, async (env) => {
  if (env.config.node.value('serve') === 'yes') return env.provide(Answer, () => ({ answer: () => 42 }));
  const answer = await env.connect(Answer);
  // It sleeps with a live loop in between, where only a helper thread hears of the other process.
  for (let round = 0; round < 50; round++) {
    await env.timer.sleep(1);
    if ((await answer.answer()) !== 42) throw new Error('wrong');
  }
  await env.log('was answered');
});`,
  steady: `import { component } from '${CORE_URL}';
export default component(async (env) => {
  for (let beat = 1; ; beat++) { await env.log('beat ' + beat); await env.timer.sleep(20); }
});`,
};

let place: Workplace;
let running: GinitRun | undefined;
beforeEach(() => {
  place = new Workplace();
  for (const [name, source] of Object.entries(FILES)) place.write(`${name}.mjs`, source);
});
afterEach(async () => {
  if (running?.child.exitCode === null) await stop(running);
  running = undefined;
  place[Symbol.dispose]();
});

const node = (name: string, attributes: string, more = ''): string =>
  `<start name="${name}" ${attributes}> <binary name="./${name}.mjs"/> ${more} </start>`;
const STEADY = node('steady', 'isolation="process" heap="64M"');

function start(starts: string): GinitRun {
  place.write('config.xml', systemConfig(starts));
  running = place.start('config.xml');
  return running;
}

async function stop(run: GinitRun): Promise<FinishedRun> {
  run.child.kill('SIGTERM');
  const finished = await run.finished;
  expect(finished.code, finished.stderr).toBe(0);
  expect(await run.leftOver()).toEqual([]);
  return finished;
}

async function goesOn(run: GinitRun): Promise<void> {
  const beats = run.stdout.split('beat').length;
  await run.until(`[init -> steady] beat ${beats + 5}`);
}

/** The messages of ginit about a crash. */
function reasons(stderr: string, name: string): string[] {
  return stderr.split('\n').filter((line) => line.startsWith(`ginit: [init -> ${name}] crashed: `));
}

describe.runIf(process.platform === 'linux')('a process with heap=', () => {
  test.for(['buffers', 'arrays', 'crumbs', 'objects'])(
    'ends alone when its %s are too many',
    async (name, context) => {
      skipIfLong(context, name !== 'buffers');
      const run = start(STEADY + node(name, 'isolation="process" heap="32M"', '<restart max="1"/>'));
      await run.until(`child "${name}" has crashed too often and stays down`);
      await goesOn(run);
      const { stderr, stdout } = await stop(run);
      const said = reasons(stderr, name);
      expect(said.length).toBe(2);
      for (const line of said) expect(line).toContain('is full (raise heap= in its start node)');
      expect(stdout.split(`[init -> ${name}] begins`).length).toBe(3);
      expect(stderr).not.toContain('steady]');
      expect(stdout).not.toContain('"steady" is started again');
    },
  );

  test('may use and drop any amount of memory over time', async () => {
    const run = start(STEADY + node('thrifty', 'isolation="process" heap="32M"'));
    await run.until('[init -> thrifty] came through');
    expect((await stop(run)).stderr).toBe('');
  });

  test('has room for the helper thread that waits for other processes', async () => {
    const bounded = 'isolation="process" heap="32M"';
    const binary = '<binary name="./asking.mjs"/>';
    const run = start(`<start name="server" ${bounded}> ${binary} <config serve="yes"/>
        <provides> <service name="Answer"/> </provides> </start>
      <start name="client" ${bounded}> ${binary} </start>`);
    await run.until('[init -> client] was answered');
    expect((await stop(run)).stderr).not.toContain('crashed');
  });

  test('has an RLIMIT_DATA not far above it, while other processes and its address space are not bounded', async () => {
    const run = start(STEADY + node('thrifty', 'isolation="process"'));
    await run.until('[init -> steady] beat 1');
    await run.until('[init -> thrifty] came through');
    const soft = (pid: number | 'self', name: string): string => {
      const limits = readFileSync(`/proc/${pid}/limits`, 'utf8');
      return new RegExp(`^${name} +(\\S+)`, 'm').exec(limits)?.[1] ?? '';
    };
    const others = (name: string): string[] =>
      run
        .processes()
        .map((pid) => soft(pid, name))
        .filter((limit) => limit !== soft('self', name));
    const bounded = others('Max data size');
    expect(bounded.length).toBe(1);
    // The data that Node has by itself, half a gigabyte of it for code in each thread, differs
    // between its versions.
    expect(Number(bounded[0])).toBeGreaterThan(64 * MIB);
    expect(Number(bounded[0])).toBeLessThan(1536 * MIB);
    expect(others('Max address space')).toEqual([]);
  });
});

test('a thread that fills its heap slowly ends alone, and is told why', async () => {
  const run = start(node('steady', '') + node('objects', 'heap="32M"', '<restart max="1"/>'));
  await run.until('child "objects" has crashed too often and stays down');
  await goesOn(run);
  const { stderr, stdout } = await stop(run);
  const reason = 'ginit: [init -> objects] crashed: its heap is full (raise heap= in its start node)';
  expect(reasons(stderr, 'objects')).toEqual([reason, reason]);
  expect(stdout).not.toContain('"steady" is started again');
});
