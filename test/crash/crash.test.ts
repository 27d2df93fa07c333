/**
 * Tests components that die in every possible way: ginit and init live on, the others are told, and
 * nothing is left.
 */
import { LIMITS } from '../../packages/core/src/limits.ts';
import { afterEach, describe, expect, test } from 'vitest';
import { CORE_URL, type FinishedRun, type GinitRun, systemConfig, Workplace } from '../harness/ginit.ts';
import { skipIfLong } from '../harness/long.ts';

const ABORTING = `import { component } from '${CORE_URL}';
export default component(async (env) => {
  await env.log('about to burst');
  await env.timer.sleep(100);
  new Array(5e7).fill(1.5);
});`;

const THROWING = `import { component } from '${CORE_URL}';
export default component(async (env) => {
  await env.log('about to throw');
  await env.timer.sleep(20);
  setTimeout(() => { throw new TypeError('no such luck'); }, 10);
});`;

const STEADY = `import { component } from '${CORE_URL}';
export default component(async (env) => {
  for (let beat = 1; ; beat++) { await env.log('beat ' + beat); await env.timer.sleep(50); }
});`;

/**
 * Gets past the import rule and at its process's link to ginit: sends a frame on the control
 * channel that is no event.
 */
const LYING = `import { component } from '${CORE_URL}';
export default component(async (env) => {
  const frame = Buffer.from('........{"event":"coup"}');
  frame.writeUInt32LE(frame.length - 8, 0);
  frame.writeUInt32LE(0, 4);
  const load = 'getBuiltin' + 'Module';
  process[load]('node:fs').writeSync(3, frame);
});`;

/** The same with many wrong frames in one piece. */
const BABBLING = `import { component } from '${CORE_URL}';
export default component(async (env) => {
  const load = 'getBuiltin' + 'Module';
  process[load]('node:fs').writeSync(3, Buffer.alloc(4096));
});`;

/** Leaves the number of its thread where another component finds it, and lives on. */
const VICTIM = `import { component } from '${CORE_URL}';
export default component(async (env) => {
  const load = 'getBuiltin' + 'Module';
  const { threadId } = process[load]('node:worker_threads');
  process[load]('node:fs').writeFileSync(new URL('./thread-id', import.meta.url), String(threadId));
  await new Promise(() => {});
});`;

/** Says in Node's words that the other one brings their process down, and then does that itself. */
const forging = (end: string): string => `import { component } from '${CORE_URL}';
export default component(async (env) => {
  const load = 'getBuiltin' + 'Module';
  const fs = process[load]('node:fs');
  let threadId = '';
  while (threadId === '') {
    await env.timer.sleep(20);
    try { threadId = fs.readFileSync(new URL('./thread-id', import.meta.url), 'utf8'); } catch {}
  }
  const header = { event: 'forged', trigger: 'FatalError', threadId: Number(threadId) };
  fs.writeSync(2, JSON.stringify({ header }) + '\\n');
  await env.timer.sleep(50);
  ${end}
});`;

/**
 * Writes to the standard error of its process, around everything that ginit puts in its way, and
 * never ends a line.
 */
const ENDLESS = `import { component } from '${CORE_URL}';
export default component(async (env) => {
  const load = 'getBuiltin' + 'Module';
  const { writeSync } = process[load]('node:fs');
  for (let left = 320 * 1024; left > 0; ) {
    // The pipe may be full for a moment.
    try { left -= writeSync(2, 'x'.repeat(Math.min(left, 16 * 1024))); } catch (error) { if (error.code !== 'EAGAIN') throw error; }
  }
  env.exit(0);
});`;

let place: Workplace;
const prepare = (): Workplace => {
  place = new Workplace();
  place.write('aborting.mjs', ABORTING);
  place.write('throwing.mjs', THROWING);
  place.write('steady.mjs', STEADY);
  place.write('lying.mjs', LYING);
  place.write('endless.mjs', ENDLESS);
  return place;
};
afterEach(() => place[Symbol.dispose]());

const binary = (name: string): string => `<binary name="./${name}.mjs"/>`;

/** Ends a run as a user would. */
function stop(running: GinitRun): Promise<FinishedRun> {
  running.child.kill('SIGTERM');
  return running.finished;
}

test('a process that sends nonsense to ginit is ended, and no other one', async () => {
  const { write, start } = bind(prepare());
  write(
    'config.xml',
    systemConfig(`
      <start name="steady"> ${binary('steady')} </start>
      <start name="lying" isolation="process"> ${binary('lying')} </start>`),
  );
  const running = start('config.xml');
  await running.until('[init -> lying] crashed');
  expect(running.stderr).toContain('is ended, it said nonsense: Error: unknown event coup');
  const beats = running.stdout.split('beat').length;
  await running.until(`[init -> steady] beat ${beats + 5}`);
  expect((await stop(running)).code).toBe(0);
});

test('a process that sends nonsense over and over is reported once', async () => {
  const { write, run } = bind(prepare());
  write('babbling.mjs', BABBLING);
  write(
    'config.xml',
    systemConfig(
      `<start name="c" isolation="process"> ${binary('babbling')} <exit propagate="yes"/> </start>`,
    ),
  );
  const { stderr, code } = await run('config.xml');
  expect(stderr.split('\n').filter((line) => line.includes('it said nonsense')).length).toBe(1);
  expect(stderr).toContain('ginit: [init -> c] crashed: ');
  expect(code).toBe(1);
});

test.each([
  [
    'is killed',
    `process.kill(process.pid, 'SIGKILL');`,
    ['victim', 'forger'].map((name) => `ginit: [init -> ${name}] crashed: its process was ended by SIGKILL`),
  ],
  [
    'aborts for lack of memory',
    'new Array(5e7).fill(1.5);',
    [
      'ginit: [init -> victim] is gone: its process "main" was brought down by [init -> forger]',
      'ginit: [init -> forger] crashed: its heap is full',
    ],
  ],
])(
  'a forged report that blames another component is not believed if the process %s',
  async (_how, end, told) => {
    const { write, run } = bind(prepare());
    write('victim.mjs', VICTIM);
    write('forger.mjs', forging(end));
    write(
      'config.xml',
      systemConfig(`
      <start name="victim"> ${binary('victim')} </start>
      <start name="forger" heap="32M"> ${binary('forger')} <exit propagate="yes"/> </start>`),
    );
    const { stderr, code } = await run('config.xml');
    for (const line of told) expect(stderr).toContain(line);
    expect(stderr).not.toMatch(/brought down by \[init -> victim\]|crashed: forged/);
    expect(code).toBe(1);
  },
);

/** The text is written to Node's own channel; a `#` stands for an end of line. */
test.for<[string, string]>([
  ['no JSON', '{{{{nonsense#'],
  ["a command of Node's", '{"cmd":"NODE_HANDLE","type":"nope"}#'],
  ['an acknowledgement of nothing', '{"cmd":"NODE_HANDLE_ACK"}#'],
  ['a line that does not end', 'x'.repeat(100_000)],
])(
  'a process whose component writes to descriptor 4 is ended, and no other one: %s',
  async ([what, text], context) => {
    skipIfLong(context, what.startsWith('an ack') || what.startsWith('a command'));
    const { write, start } = bind(prepare());
    write(
      'writing.mjs',
      `import { component } from '${CORE_URL}';
    export default component({ host: ['file'] }, async (env) => {
      const { writeSync } = process.getBuiltinModule('node:fs');
      // The pipe may be full for a moment, and nobody reads it any more in the end.
      try { writeSync(4, ${JSON.stringify(text)}.replaceAll('#', '\\n')); } catch {}
      await env.timer.sleep(60_000);
    });`,
    );
    write('granted', '');
    write(
      'config.xml',
      systemConfig(`
      <start name="steady"> ${binary('steady')} </start>
      <start name="writing" isolation="process"> ${binary('writing')} <host> <file path="granted"/> </host> </start>`),
    );
    const running = start('config.xml');
    await running.until('[init -> writing] crashed');
    expect(running.stderr).toContain('is ended, it said nonsense on its descriptor 4');
    const beats = running.stdout.split('beat').length;
    await running.until(`[init -> steady] beat ${beats + 5}`);
    expect((await stop(running)).code).toBe(0);
  },
);

test('output without any end of line is cut into lines, and nothing of it is lost', async () => {
  const { write, start } = bind(prepare());
  const exit = '<exit propagate="yes"/>';
  write(
    'config.xml',
    systemConfig(`<start name="c" isolation="process"> ${binary('endless')} ${exit} </start>`),
  );
  const { stderr, code } = await start('config.xml').finished;
  const lines = stderr.split('\n').filter((line) => line !== '');
  const prefix = 'ginit: [process init -> c] ';
  expect(lines.reduce((sum, line) => sum + line.length - prefix.length, 0)).toBe(320 * 1024);
  expect(lines.length).toBeGreaterThan(1);
  for (const line of lines) {
    expect(line.startsWith(prefix)).toBe(true);
    expect(line.length).toBeLessThanOrEqual(prefix.length + LIMITS.logLineCharacters);
  }
  expect(code).toBe(0);
});

test('a hundred components start, and all of them end', { timeout: 120_000 }, async (context) => {
  skipIfLong(context);
  const { write, start } = bind(prepare());
  const names = Array.from({ length: 100 }, (_, index) => `c${index}`);
  write(
    'config.xml',
    systemConfig(names.map((name) => `<start name="${name}"> ${binary('steady')} </start>`).join('\n')),
  );
  const running = start('config.xml');
  for (const name of names) await running.until(`[init -> ${name}] beat 1`);
  const { code, stderr } = await stop(running);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(await running.leftOver()).toEqual([]);
});

describe('a component that aborts its process', () => {
  test('does not take ginit down with it, and is named as the culprit', async () => {
    const { write, start } = bind(prepare());
    write(
      'config.xml',
      systemConfig(`
        <start name="burst" heap="32M"> ${binary('aborting')} </start>
        <start name="steady" isolation="process"> ${binary('steady')} </start>`),
    );
    const running = start('config.xml');
    await running.until('[init -> burst] crashed: its heap is full');
    const beats = running.stdout.split('beat').length;
    await running.until(`[init -> steady] beat ${beats + 5}`);
    expect((await stop(running)).code).toBe(0);
  });

  test('is told apart from those that only shared its process', async () => {
    const { write, start } = bind(prepare());
    write(
      'config.xml',
      systemConfig(`
        <start name="steady"> ${binary('steady')} </start>
        <start name="burst" heap="32M"> ${binary('aborting')} </start>`),
    );
    const running = start('config.xml');
    await running.until('ginit: [init -> burst] crashed: its heap is full');
    await running.until(
      'ginit: [init -> steady] is gone: its process "main" was brought down by [init -> burst]',
    );
    await running.until('[init] no child is left');
    expect((await stop(running)).code).toBe(0);
  });

  test('ends the system non-zero if its exit was to be propagated', async () => {
    const { write, run } = bind(prepare());
    write(
      'config.xml',
      systemConfig(`<start name="burst" heap="32M"> ${binary('aborting')} <exit propagate="yes"/> </start>`),
    );
    expect((await run('config.xml')).code).toBe(1);
  });

  test('is started again as often as its budget allows, the innocent at no cost', async () => {
    const { write, run } = bind(prepare());
    write(
      'config.xml',
      systemConfig(`
        <start name="steady"> ${binary('steady')} <restart max="1"/> </start>
        <start name="burst" heap="32M"> ${binary('aborting')} <restart max="2"/> <exit propagate="yes"/> </start>`),
    );
    const { code, stdout } = await run('config.xml');
    expect(stdout).toContain('child "burst" is started again (1 of 2 in 60 s)');
    expect(stdout).toContain('child "burst" is started again (2 of 2 in 60 s)');
    expect(stdout).toContain('child "burst" has crashed too often and stays down');
    expect(stdout).toContain('child "steady" is started again');
    expect(stdout).not.toContain('child "steady" has crashed too often');
    expect(code).toBe(1);
  });
});

describe('a component that throws', () => {
  test('is reported with its error and the place, and leaves the others alone', async () => {
    const { write, start } = bind(prepare());
    write(
      'config.xml',
      systemConfig(`
        <start name="steady"> ${binary('steady')} </start>
        <start name="thrower"> ${binary('throwing')} </start>`),
    );
    const running = start('config.xml');
    await running.until('[init -> thrower] crashed:');
    const beats = running.stdout.split('beat').length;
    await running.until(`[init -> steady] beat ${beats + 5}`);
    const { code, stderr } = await stop(running);
    expect(stderr).toMatch(
      /ginit: \[init -> thrower\] crashed: TypeError: no such luck \(at .*throwing\.mjs:5:\d+\)/,
    );
    expect(code).toBe(0);
  });
});

describe('ginit itself', () => {
  const everything = systemConfig(`
    <start name="a"> ${binary('steady')} </start>
    <start name="b" isolation="process"> ${binary('steady')} </start>
    <start name="c" domain="other"> ${binary('steady')} </start>`);

  test('leaves no process behind when it is killed', async () => {
    const { write, start } = bind(prepare());
    write('config.xml', everything);
    const running = start('config.xml');
    for (const name of ['a', 'b', 'c']) await running.until(`[init -> ${name}] beat 2`);
    expect(running.processes().length).toBeGreaterThanOrEqual(5);
    running.child.kill('SIGKILL');
    await running.finished;
    expect(await running.leftOver()).toEqual([]);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('stops the tree in order on %s and exits 0', async (signal) => {
    const { write, start } = bind(prepare());
    write('config.xml', everything);
    const running = start('config.xml');
    for (const name of ['a', 'b', 'c']) await running.until(`[init -> ${name}] beat 2`);
    running.child.kill(signal);
    const { code } = await running.finished;
    expect(code).toBe(0);
    expect(await running.leftOver()).toEqual([]);
  });

  test('ends with code 1 when init is killed', async () => {
    const { write, start } = bind(prepare());
    write('config.xml', everything);
    const running = start('config.xml');
    await running.until('[init -> a] beat 2');
    // The supervisor starts init's process first.
    const [, initProcess] = running.processes().toSorted((x, y) => x - y);
    process.kill(initProcess ?? 0, 'SIGKILL');
    const { code, stderr } = await running.finished;
    expect(stderr).toContain('[init] crashed: its process was ended by SIGKILL');
    expect(code).toBe(1);
    expect(await running.leftOver()).toEqual([]);
  });
});

function bind(workplace: Workplace) {
  return {
    write: workplace.write.bind(workplace),
    run: workplace.run.bind(workplace),
    start: workplace.start.bind(workplace),
  };
}
