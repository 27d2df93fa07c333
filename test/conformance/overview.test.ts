/**
 * The overview of a running system: what the supervisor sees, and what the inits say of their
 * children.
 */
import { component, nothing, rpc, session } from '@ginit/core';
import { Questions } from '../../packages/core/src/supervisor/questions.ts';
import { threadNumber, threadUse } from '../../packages/core/src/platform/host/thread-use.ts';
import { TestClock } from '../../packages/core/test/test-clock.ts';
import { expect, test } from 'vitest';
import { configOf, finish, startSystem } from '../harness/in-process-system.ts';

const Ticket = session('Ticket', { buy: rpc<() => void>({ args: [], result: nothing }) });
const seller = component({ provides: [Ticket] }, (env) => env.provide(Ticket, () => ({ buy: () => {} })));
const buyer = component({ requires: [Ticket] }, async (env) => {
  const tickets = await env.connect(Ticket);
  await tickets.buy();
  await env.log('bought');
});

const INNER = configOf(`
  <start name="seller"> <provides> <service name="Ticket"/> </provides> </start>
  <start name="buyer"/>`);
const STARTS = `<start name="sub" ram="20M" caps="1000"> <binary name="init"/> ${INNER} </start>`;

test('the overview tells of every component, and of the children of every init; people may act on them', async () => {
  const system = startSystem('copying', { seller, buyer }, STARTS);
  const { supervisor, platform } = system;
  const bought = (): number => platform.lines.filter((line) => line.endsWith('] bought')).length;
  const until = async (what: () => boolean): Promise<void> => {
    while (!what()) await new Promise(setImmediate);
  };
  await until(() => bought() === 1);
  const { components, total } = await supervisor.overview();
  expect(total).toEqual({ ram: 2 ** 30, caps: 10_000 });
  const labels = ['init', 'init -> sub', 'init -> sub -> buyer', 'init -> sub -> seller'];
  expect(components.map(({ label }) => label).toSorted()).toEqual(labels);
  const of = (label: string) => components.find((one) => one.label === label);
  expect(of('init')?.children).toMatchObject({
    cut: false,
    children: [{ name: 'sub', state: 'running', restarts: 0 }],
  });
  const { children } = of('init -> sub') ?? {};
  expect(children).toMatchObject({
    children: [
      { name: 'seller', state: 'running', isolation: 'thread', ram: 4 * 2 ** 20, caps: 100 },
      {
        name: 'buyer',
        state: 'running',
        sessions: expect.arrayContaining([expect.objectContaining({ service: 'Ticket', server: 'seller' })]),
      },
    ],
  });
  expect(of('init -> sub -> buyer')?.children).toBeUndefined();
  expect(of('init -> sub -> seller')?.statistics).toMatchObject({ calls: 1, packets: 0 });

  expect(await supervisor.act('kill', 'init')).toContain('root init');
  expect(await supervisor.act('kill', 'nobody')).toBe('there is no component "nobody"');
  expect(await supervisor.act('kill', 'init -> sub -> nobody')).toContain('does not run');
  expect(await supervisor.act('kill', 'init -> sub -> buyer -> one')).toContain('runs no children');
  expect(await supervisor.act('restart', 'init -> sub -> buyer')).toBeUndefined();
  await until(() => bought() === 2);
  expect(await supervisor.act('kill', 'init -> sub -> buyer')).toBeUndefined();
  await until(() => !supervisor.census().live.includes('init -> sub -> buyer'));
  supervisor.end({ kind: 'exit', code: 0 });
  await finish(system);
});

test('a component that does not answer a question is not asked again before it has, and keeps nobody waiting', async () => {
  const clock = new TestClock();
  let asked = 0;
  let answer: ((text: string) => void) | undefined;
  const questions = new Questions(
    clock,
    () => {},
    () => {
      asked++;
      return new Promise<string>((resolve) => (answer = resolve));
    },
  );
  const subject = {};
  const first = questions.ask(subject);
  await clock.passMs(600);
  expect(await first).toBeUndefined();
  const second = questions.ask(subject);
  answer?.('late');
  expect([await second, asked]).toEqual(['late', 1]);
  const third = questions.ask(subject);
  answer?.('new');
  expect([await third, asked, clock.pending]).toEqual(['new', 2, 0]);
});

test.runIf(process.platform === 'linux')('the kernel tells how much of the CPU a thread has used', () => {
  const thread = threadNumber() ?? 0;
  const before = threadUse(process.pid, thread);
  const endMs = performance.now() + 20;
  while (performance.now() < endMs);
  const after = threadUse(process.pid, thread);
  expect(after?.cpuUs).toBeGreaterThan(before?.cpuUs ?? Number.POSITIVE_INFINITY);
  expect(after?.wakeUps).toBeGreaterThanOrEqual(before?.wakeUps ?? Number.POSITIVE_INFINITY);
  expect(threadUse(process.pid, 1)).toBeUndefined();
});
