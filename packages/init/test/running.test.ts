/**
 * What the commands on a running system show: trees, tables, graphs, the kept log; and their
 * command lines.
 */
import type { ChildOverview } from '@ginit/core/system';
import type { ComponentOverview, SystemOverview } from '@ginit/core/supervisor';
import { describe, expect, test } from 'vitest';
import {
  incompleteness,
  meantBy,
  type SystemTree,
  systemTree,
  treeOf,
} from '../src/command/control/index.ts';
import { KEPT_CHARACTERS, keptOutput, LogKeeper } from '../src/command/log-keeper.ts';
import { dotOf, mermaidOf } from '../src/command/running/graph.ts';
import { parseRunning, parseTime } from '../src/command/running/options.ts';
import { reportedLines, reportedStates, withReports } from '../src/command/running/reported.ts';
import { activities, psLines, topLines } from '../src/command/running/tables.ts';

const child = (name: string, more: Partial<ChildOverview> = {}): ChildOverview => ({
  name,
  binary: name,
  state: 'running',
  restarts: 0,
  skippedHeartbeats: 0,
  isolation: 'thread',
  ram: 4 * 2 ** 20,
  caps: 100,
  sessions: [],
  ...more,
});

const live = (label: string, more: Partial<ComponentOverview> = {}): ComponentOverview => ({
  id: 1,
  label,
  placement: { kind: 'thread', domain: 'main', pid: 40 },
  thread: 41,
  account: { ramQuota: 4_000_000, ramUsed: 4096, capQuota: 90, capUsed: 9 },
  ramPeak: 8192,
  heapBytes: undefined,
  statistics: { requests: 0, calls: 10, packets: 20, completed: 0, heapUsed: 2 ** 20 },
  use: { cpuUs: 1_000_000, wakeUps: 100 },
  children: undefined,
  ...more,
});

const system = (components: readonly ComponentOverview[], atUs = 0): SystemOverview => ({
  atUs,
  components,
  total: { ram: 2 ** 30, caps: 1000 },
});

const of = (...children: ChildOverview[]) => ({ children, cut: false });
const DISK = { service: 'Block', label: 'fs', server: 'disk', state: 'OK' };
const SHOP = system([
  live('init', {
    children: of(
      child('disk'),
      child('fs', { sessions: [DISK] }),
      child('sub', { binary: 'init' }),
      child('down', { state: 'gave up', why: 'gave up: 5 crashes in 60 s' }),
    ),
  }),
  live('init -> sub', { children: of(child('one', { state: 'exited', exitCode: 3 })) }),
  live('init -> fs', {
    placement: { kind: 'process', domain: 'init -> fs', pid: 77, jail: { jailed: true } },
  }),
  live('init -> disk'),
]);

describe('the tree', () => {
  test('joins what the supervisor sees with what the inits say, each component behind its parent', () => {
    const tree = treeOf(SHOP);
    expect(tree.components.map(({ label, depth, state }) => [label, depth, state])).toEqual([
      ['init', 0, 'running'],
      ['init -> disk', 1, 'running'],
      ['init -> fs', 1, 'running'],
      ['init -> sub', 1, 'running'],
      ['init -> sub -> one', 2, 'exited'],
      ['init -> down', 1, 'gave up'],
    ]);
    expect(tree.components[2]?.sessions).toEqual([{ ...DISK, server: 'init -> disk' }]);
    expect(systemTree(JSON.parse(JSON.stringify(tree)), 'tree')).toEqual(JSON.parse(JSON.stringify(tree)));
  });

  test('an init that has not read its config is not complete, one that hangs makes its children unknown', () => {
    const young = treeOf(system([live('init')]));
    expect(young.components.map(incompleteness)).toEqual(['incomplete']);
    const hanging = treeOf(
      system([
        live('init', { children: of(child('sub', { binary: 'init' })) }),
        live('init -> sub', { children: 'silent' }),
        live('init -> sub -> one'),
      ]),
    );
    expect(hanging.components.map(({ label, state, why }) => [label, state, why])).toEqual([
      ['init', 'running', undefined],
      ['init -> sub', 'silent', 'it does not answer'],
      ['init -> sub -> one', 'silent', '"init -> sub" does not answer'],
    ]);
  });

  test('a component that keeps no overview but starts others has them below it', () => {
    const tree = treeOf(
      system([
        live('init', { children: of(child('boss')) }),
        live('init -> boss'),
        live('init -> boss -> worker'),
      ]),
    );
    expect(tree.components.map(({ label }) => label)).toEqual([
      'init',
      'init -> boss',
      'init -> boss -> worker',
    ]);
  });

  test('what is incomplete has a reason; an exit with 0 is complete', () => {
    const reasons = treeOf(SHOP).components.map(incompleteness);
    expect(reasons).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      'exited with 3',
      'gave up: 5 crashes in 60 s',
    ]);
  });

  test('a label is meant as a whole, without init, or as the end of exactly one', () => {
    const labels = ['init', 'init -> a', 'init -> sub', 'init -> sub -> a', 'init -> sub -> b'];
    expect(meantBy('init -> sub -> a', labels)).toBe('init -> sub -> a');
    expect(meantBy('sub -> a', labels)).toBe('init -> sub -> a');
    expect(meantBy('a', labels)).toBe('init -> a');
    expect(meantBy('b', labels)).toBe('init -> sub -> b');
    expect(meantBy('c', labels)).toBeUndefined();
    expect(meantBy('a', labels.slice(2))).toBe('init -> sub -> a');
  });
});

describe('tables and graphs', () => {
  test('ps shows the tree with places, quotas and reasons', () => {
    expect(psLines(treeOf(SHOP)).map((line) => line.replaceAll(/ {2,}/g, '  '))).toEqual([
      'component  state  runs in  RAM used  caps used  restarts  reason',
      'init  running  main 40 thread 41  4K of 4000000  9 of 90  0',
      '  disk  running  main 40 thread 41  4K of 4000000  9 of 90  0',
      '  fs  running  process 77, jailed  4K of 4000000  9 of 90  0',
      '  sub  running  main 40 thread 41  4K of 4000000  9 of 90  0',
      '  one  exited 3  thread  - of 4M  - of 100  0',
      '  down  gave up  thread  - of 4M  - of 100  0  gave up: 5 crashes in 60 s',
    ]);
  });

  test('top shows what was done between two looks; an instance that is new is measured from its start', () => {
    const before = treeOf(system([live('init'), live('init -> a'), live('init -> b')]));
    const busy = {
      use: { cpuUs: 1_500_000, wakeUps: 150 },
      statistics: { requests: 0, calls: 40, packets: 20, completed: 0 },
    };
    const now = treeOf(
      system([live('init'), live('init -> a', busy), live('init -> b', { ...busy, thread: 99 })], 2_000_000),
    );
    const done = { reads: 2, readBytes: 4e6, writes: 1, writtenBytes: 2e6, flushes: 1, frames: 3 };
    const machine = (busyUs: number, instructions?: number) => ({
      label: 'init -> a',
      state: 'runs',
      about: '',
      metrics: { ...done, busyUs, instructions, exits: undefined, idles: undefined },
    });
    const machines = [machine(1_500_000, 7e6), { ...machine(0), label: 'init -> other', metrics: undefined }];
    const rows = activities({ ...before, machines: [machine(500_000, 1e6)] }, { ...now, machines });
    expect(
      rows.map(({ label, cpuPercent, callsPerS, packetsPerS, wakeUpsPerS }) => [
        label,
        cpuPercent,
        callsPerS,
        packetsPerS,
        wakeUpsPerS,
      ]),
    ).toEqual([
      ['init -> b', 75, 20, 10, 75],
      ['init -> a', 25, 15, 0, 25],
      ['init', 0, 0, 0, 0],
    ]);
    expect(topLines(rows)[0]).toMatch(/^component +CPU % +CPU time +calls\/s/);
    // What no machine counts has no column.
    expect(topLines(rows)[0]).toMatch(/guest % +guest MIPS +disk\/s +disk MB\/s +frames\/s$/);
    expect(rows.map(({ machine: its }) => its?.busyPercent)).toEqual([undefined, 50, undefined]);
    expect(topLines(rows)[2]?.split(/ +/).slice(-5)).toEqual(['50.0', '3.0', '0', '0', '0']);
  });

  test('columns that the host does not tell are left out', () => {
    const blind = treeOf(system([live('init', { use: undefined, statistics: undefined })]));
    expect(topLines(activities(undefined, { ...blind, machines: [] }))[0]?.split(/ {2,}/)).toEqual([
      'component',
      'calls/s',
      'packets/s',
      'RAM used',
      'caps used',
    ]);
  });

  test('graphs have groups and sessions, and no text of a component gets out of its quotes', () => {
    const odd: SystemTree = treeOf(
      system([
        live('init', {
          children: of(
            child('a"]; x'),
            child('b', { sessions: [{ ...DISK, label: 'l"\\', server: 'a"]; x' }] }),
          ),
        }),
      ]),
    );
    expect(dotOf(odd)).toContain('c1 [label="a\\"]; x"];');
    expect(dotOf(odd)).toContain('c2 -> c1 [label="Block \\"l\\"\\\\\\""];');
    expect(mermaidOf(odd)).toContain('c1["a#34;]#59; x"]');
    expect(
      mermaidOf(treeOf(SHOP))
        .split('\n')
        .filter((line) => line.trim() === 'end'),
    ).toHaveLength(2);
    expect(
      dotOf(treeOf(SHOP))
        .split('\n')
        .filter((line) => line.trim() === '}'),
    ).toHaveLength(3);
  });
});

describe('reports in top', () => {
  const states = (contents: Readonly<Record<string, string | undefined>>, atMs = 0) =>
    reportedStates(
      { reports: Object.entries(contents).map(([label, content]) => ({ label, content })) },
      atMs,
    );
  const CACHE = 'init -> cache -> cache';

  test('show the attributes of a report and of what is right below, and how fast whole numbers change', () => {
    const before = states({
      [CACHE]: '<cache policy="auto" hits="100" dirty="8192"> <client label="a" hits="4"/> </cache>',
    });
    const now = states(
      {
        [CACHE]:
          '<cache policy="lru" hits="350" dirty="4096" hit_ratio="84.24"> <client label="b" hits="9"/> <client label="a" hits="5"/> </cache>',
        'init -> b -> note': 'cache hits: 3\n',
      },
      2000,
    );
    expect(reportedLines(before, now, 100)).toEqual([
      '',
      'init -> b -> note',
      '  "cache hits: 3"',
      '',
      CACHE,
      '  policy lru  hits 350 (+125/s)  dirty 4096 (-2048/s)  hit_ratio 84.24',
      '    client  label b  hits 9',
      '    client  label a  hits 5 (+0.5/s)',
    ]);
    expect(reportedLines(undefined, now, 30).slice(-5)).toEqual(
      [
        '  policy lru  hits 350',
        '  dirty 4096  hit_ratio 84.24',
        '    client  label b  hits 9',
        '    client  label a  hits 5',
      ].toSpliced(0, 0, CACHE),
    );
  });

  test('of many nodes some are shown; no text of a component obeys the terminal, or fills it', () => {
    const many = `<m a="${'x'.repeat(200)}" b="&#10;">${'<n/>'.repeat(20)}</m>`;
    const lines = reportedLines(
      undefined,
      states({ [CACHE]: many, ['init -> \u001b[2J -> x']: undefined }),
      200,
    );
    expect(lines).toEqual([
      '',
      'init -> \\x1b[2J -> x',
      '  too large to show here (ginit report)',
      '',
      CACHE,
      `  a ${'x'.repeat(60)}…  b "\\n"`,
      ...Array.from({ length: 8 }, () => '    n'),
      '    and 12 more',
    ]);
  });

  test('as JSON stand behind the component that has made them', () => {
    const rows = withReports(
      [{ label: 'init' }, { label: 'init -> cache' }],
      states({ [CACHE]: '<cache hits="1"> <client label="a"/> </cache>', 'init -> note': 'text: no' }),
    );
    const client = { type: 'client', attributes: { label: 'a' }, children: [] };
    expect(rows).toEqual([
      { label: 'init', reports: [{ name: 'note', text: 'text: no' }] },
      {
        label: 'init -> cache',
        reports: [{ name: 'cache', state: { type: 'cache', attributes: { hits: '1' }, children: [client] } }],
      },
    ]);
  });
});

describe('the kept log', () => {
  test('keeps the last 64 KiB of each component, whoever else writes, in the order of writing', () => {
    const logs = new LogKeeper();
    logs.keep('init -> quiet', 'first');
    for (let index = 0; index < 5000; index++) logs.keep('init -> loud', `line ${index}`);
    logs.keep('init -> quiet -> sub', 'second');
    const loud = logs.recent('init -> loud');
    const characters = loud.reduce((sum, { text }) => sum + text.length + 64, 0);
    expect(characters).toBeLessThanOrEqual(KEPT_CHARACTERS + 64);
    expect(characters).toBeGreaterThan(KEPT_CHARACTERS - 200);
    expect(loud.at(-1)?.text).toBe('line 4999');
    expect(logs.recent('init -> quiet').map(({ text }) => text)).toEqual(['first', 'second']);
    expect(logs.recent('init -> qui')).toEqual([]);
  });

  test('of one text that is too long the last whole lines stay', () => {
    const logs = new LogKeeper();
    logs.keep('a', `${'x'.repeat(100_000)}\n${'y'.repeat(60_000)}\nend`);
    expect(logs.recent('a').map(({ text }) => text)).toEqual([`${'y'.repeat(60_000)}\nend`]);
  });

  test('what is kept in all is bounded: the component that has been quiet for longest is forgotten', () => {
    const logs = new LogKeeper(1000);
    for (const label of ['a', 'b', 'a', 'c']) logs.keep(label, 'z'.repeat(300));
    expect(logs.labels).toEqual(['c']);
    logs.keep('d', 'short');
    expect(logs.labels).toEqual(['c', 'd']);
  });

  test('an output is kept by the label in its prefix, and passed on', async () => {
    const logs = new LogKeeper();
    const passed: string[] = [];
    const sink = keptOutput(
      {
        lines: async (text, prefix) => void passed.push(prefix + text),
        passingLine: (text, prefix) => void passed.push(prefix + text),
        complaint: (text) => void passed.push(text),
      },
      logs,
    );
    const followed: string[] = [];
    const end = logs.follow('init -> a', ({ text }) => void followed.push(text));
    await sink.lines('one', '[init -> a] ');
    sink.passingLine('two', '[init -> a] ');
    sink.complaint('three');
    end();
    await sink.lines('four', '[init -> a] ');
    expect(passed).toEqual(['[init -> a] one', '[init -> a] two', 'three', '[init -> a] four']);
    expect(logs.recent('init -> a').map(({ text }) => text)).toEqual(['one', 'two', 'four']);
    expect(followed).toEqual(['one', 'two']);
  });
});

describe('command lines', () => {
  test.each([
    ['30s', 30_000],
    ['500ms', 500],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['7', 7000],
    ['1.5s', 1500],
    ['', undefined],
    ['-1s', undefined],
    ['s', undefined],
    ['1000h', undefined],
  ])('%j is %s ms', (text, ms) => {
    expect(parseTime(text)).toBe(ms);
  });

  test('each command takes its own options and labels, and says what is wrong', () => {
    expect(parseRunning('log', ['-f', 'a', '--system', 'shop'])).toMatchObject({
      follow: true,
      labels: ['a'],
      system: 'shop',
    });
    expect(parseRunning('wait', ['a', 'b', '--timeout', '5s'])).toMatchObject({
      labels: ['a', 'b'],
      timeoutMs: 5000,
    });
    expect(parseRunning('ps', ['-h'])).toBe('help');
    expect(parseRunning('ps', ['--follow'])).toBe('ginit ps has no option --follow');
    expect(parseRunning('ps', ['x'])).toContain('takes no "x"');
    expect(parseRunning('kill', [])).toContain('takes one label');
    expect(parseRunning('wait', ['--timeout', 'soon'])).toContain('not a time');
    expect(parseRunning('top', ['--count', '0'])).toContain('not a number');
    expect(parseRunning('top', ['--interval', '1ms'])).toContain('not a time of 100ms');
    expect(parseRunning('ps', ['--nonsense'])).toContain("'--nonsense'");
  });
});
