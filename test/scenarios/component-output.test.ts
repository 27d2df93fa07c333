/**
 * Tests the output of components: it is complete and in order, each line has its label, and nothing
 * in it steers a terminal.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CORE_URL, systemConfig, Workplace } from '../harness/ginit.ts';
import { allLongIf } from '../harness/long.ts';

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
});
afterEach(() => place[Symbol.dispose]());

const LABEL = '[init -> c] ';

describe.each(['', 'isolation="process"'])('a component with %j', (placement) => {
  allLongIf(placement !== '');

  /** Runs a component whose main function is `body`. */
  async function run(
    body: string,
    head = '',
  ): Promise<{ lines: string[]; stderr: string; code: number | null }> {
    const source = `import { component } from '${CORE_URL}';
${head}
export default component({}, async (env) => { ${body} });`;
    place.write('c.mjs', source);
    place.write(
      'config.xml',
      systemConfig(
        `<start name="c" ${placement}> <binary name="./c.mjs"/> <exit propagate="yes"/> <config how=""/> </start>`,
      ),
    );
    const { lines, stderr, code } = await place.run('config.xml');
    const own = lines.filter((line) => line.startsWith(LABEL)).map((line) => line.slice(LABEL.length));
    return { lines: own, stderr, code };
  }

  test('a burst of console.log arrives whole and in order', async () => {
    const { lines, code } = await run(
      `for (let i = 0; i < 50000; i++) console.log('line number ' + i); env.log('end'); env.exit(7);`,
    );
    expect(lines.slice(0, -1)).toEqual(Array.from({ length: 50_000 }, (_, index) => `line number ${index}`));
    expect(lines.at(-1)).toBe('end');
    expect(code).toBe(7);
  });

  test('output beyond what the log keeps is lost, and the log says how much', async () => {
    const { lines } = await run(`for (let i = 0; i < 20000; i++) console.log('x'.repeat(500)); env.exit(0);`);
    const arrived = lines.filter((line) => line.startsWith('x')).length;
    const [lost] = lines.flatMap((line) => /^Warning: (\d+) log lines lost/.exec(line)?.[1] ?? []);
    expect(arrived + Number(lost)).toBe(20_000);
  });

  test('lines with every kind of end, and lines written in pieces, keep their order', async () => {
    const { lines } = await run(`
      env.log('a\\r\\nb'); console.log('c\\rd'); env.log('e\\n\\nf'); process.stdout.write('g'); process.stdout.write('h\\r');
      process.stdout.write('\\ni\\n'); console.error('j'); env.warning('k\\nWarning: l'); env.exit(0);`);
    expect(lines).toEqual([
      'a',
      'b',
      'c',
      'd',
      'e',
      '',
      'f',
      'gh',
      'i',
      'j',
      'Warning: k',
      'Warning:   Warning: l',
    ]);
  });

  test('no character steers the terminal or makes a line that has no label', async () => {
    const text = 'x\\x1b[2J\\x1b]0;title\\x07\\x0by\\x0cz\\x85v\\u2028w\\u2029u\\x9b1m\\x7f';
    const { lines } = await run(`env.log('${text}'); console.log('${text}'); env.exit(0);`);
    const shown = 'x\\x1b[2J\\x1b]0;title\\x07\\x0by\\x0cz\\x85v\\u2028w\\u2029u\\x9b1m\\x7f';
    expect(lines).toEqual([shown, shown]);
  });

  test.each([
    ['throws', `throw new Error('first\\nginit: [init -> other] crashed: \\x1b[2Jforged');`],
    [
      'fails later',
      `setTimeout(() => { console.log('late'); throw new Error('first\\nginit: [init -> other] crashed: \\x1b[2Jforged'); });`,
    ],
    [
      'forgets a rejection',
      `void Promise.reject(new Error('first\\nginit: [init -> other] crashed: \\x1b[2Jforged'));`,
    ],
  ])('a component that %s is reported once, in lines that carry its own label', async (_name, failure) => {
    const { lines, stderr, code } = await run(`console.log('before'); env.log('too'); ${failure}`);
    expect(lines.filter((line) => line !== 'late')).toEqual(['before', 'too']);
    const [first, second, ...rest] = stderr.split('\n');
    expect(first).toBe('ginit: [init -> c] crashed: Error: first');
    expect(second).toMatch(/^ginit: {3}ginit: \[init -> other\] crashed: \\x1b\[2Jforged/);
    expect(rest).toEqual(['']);
    expect(code).toBe(1);
  });

  test('a wrong config that only the component finds is reported once', async () => {
    const { lines, stderr } = await run(`throw env.config.node.errorAt('not like this', 'how');`);
    expect(lines).toEqual([]);
    expect(stderr).toMatch(/^ginit: \[init -> c\] crashed: config\.xml:\d+:\d+: not like this\n$/);
  });

  test('output in the turn in which it ends its thread, and before it has a log, is printed', async () => {
    const { lines } = await run(
      `for (let i = 0; i < 100; i++) console.log('line ' + i); process.stdout.write('unfinished'); process.exit(3);`,
      `console.log('loading');`,
    );
    expect(lines).toEqual([
      'loading',
      ...Array.from({ length: 100 }, (_, index) => `line ${index}`),
      'unfinished',
    ]);
  });

  test('reports of what its thread lacks carry its label, and their number is bounded', async () => {
    const { stderr, code } = await run(`
      const load = 'getBuiltin' + 'Module';
      const { parentPort } = process[load]('node:worker_threads');
      for (let i = 0; i < 40; i++) parentPort.postMessage({ lack: 'forged ' + i });
      await env.timer.sleep(50);
      env.exit(0);`);
    const told = stderr.split('\n').filter((line) => line.includes('forged'));
    expect(told).toEqual(
      Array.from({ length: 16 }, (_, index) => `ginit: warning: [init -> c] forged ${index}`),
    );
    expect(code).toBe(0);
  });

  test('the output of a component that cannot be loaded is printed, too', async () => {
    // The check of the config loads the component in a thread of another kind.
    const { lines, stderr } = await run(
      '',
      `console.log('loading');
if (process.argv[1]?.endsWith('component-main.js')) throw new Error('not here');`,
    );
    expect(lines).toEqual(['loading']);
    expect(stderr).toMatch(/^ginit: \[init -> c\] crashed: Error: not here \(.*\)\n$/);
  });
});
