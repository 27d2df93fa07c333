/** Traces as pictures: slices nest, each arrow has two ends in slices, no child is before its parent. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { TraceContext, TraceEvent, TraceHook } from '../src/trace/event.ts';
import { chromeTrace, type ChromeEvent, type TracedComponent } from '../src/trace/chrome-trace.ts';
import { spansOf } from '../src/trace/spans.ts';
import { propertyRuns } from '../../../test/property-runs.ts';

const NO_SPAN = [0, 0] as const;
const contextOf = (span: number, parent = 0): TraceContext => ({
  trace: [0, 0, 0, 1],
  span: [1, span],
  parent: parent === 0 ? NO_SPAN : [1, parent],
});

let sequence = 0;
const event = (hook: TraceHook, timeUs: number, context?: TraceContext, content = 'A.b'): TraceEvent => ({
  sequence: sequence++,
  hook,
  failed: false,
  peer: 2,
  timeUs,
  bytes: 10,
  context,
  content: new TextEncoder().encode(content),
});

const client = (events: TraceEvent[]): TracedComponent => ({
  component: 1,
  label: 'client',
  events,
  lost: 0,
});
const server = (events: TraceEvent[], node?: string): TracedComponent => ({
  component: 2,
  label: 'server',
  node,
  events,
  lost: 3,
});

const numberOf = (one: ChromeEvent, field: string): number => Number(one[field]);

/** Throws unless viewers can show it: slices of a thread nest, flows begin and end in slices. */
function expectWellFormed(events: readonly ChromeEvent[]): void {
  const slices = events.filter(({ ph }) => ph === 'X');
  const threads = new Map<string, ChromeEvent[]>();
  for (const one of slices) {
    const key = `${String(one['pid'])}/${String(one['tid'])}`;
    threads.set(key, [...(threads.get(key) ?? []), one]);
    expect(numberOf(one, 'dur')).toBeGreaterThanOrEqual(0);
  }
  const begin = (one: ChromeEvent): number => numberOf(one, 'ts');
  const end = (one: ChromeEvent): number => begin(one) + numberOf(one, 'dur');
  for (const on of threads.values()) {
    for (const one of on) {
      for (const other of on) {
        const apart = end(one) <= begin(other) || end(other) <= begin(one);
        const within =
          (begin(one) <= begin(other) && end(other) <= end(one)) ||
          (begin(other) <= begin(one) && end(one) <= end(other));
        expect(apart || within).toBe(true);
      }
    }
  }
  const ends = (ph: string): Map<unknown, ChromeEvent> =>
    new Map(events.filter((one) => one['ph'] === ph).map((one) => [one['id'], one]));
  const [starts, finishes] = [ends('s'), ends('f')];
  expect([...starts.keys()]).toEqual([...finishes.keys()]);
  for (const [id, start] of starts) {
    const finish = finishes.get(id);
    expect(finish && begin(finish)).toBeGreaterThanOrEqual(begin(start));
    for (const one of [start, finish]) {
      const at = slices.some(
        (slice) =>
          one !== undefined &&
          slice['pid'] === one['pid'] &&
          slice['tid'] === one['tid'] &&
          slice['ts'] === one['ts'],
      );
      expect(at).toBe(true);
    }
  }
}

test('a call has a slice at either end, and an arrow between them', () => {
  const { traceEvents, otherData } = chromeTrace([
    client([event('rpc_call', 10, contextOf(1)), event('rpc_returned', 20, contextOf(1))]),
    server([
      event('rpc_dispatch', 12, contextOf(1)),
      event('checkpoint', 13, contextOf(1), 'here'),
      event('rpc_reply', 18, contextOf(1)),
    ]),
  ]);
  expectWellFormed(traceEvents);
  expect(
    traceEvents.filter(({ ph }) => ph === 'X').map(({ pid, ts, dur, name }) => [pid, ts, dur, name]),
  ).toEqual([
    [1, 10, 10, 'A.b'],
    [2, 12, 6, 'A.b'],
  ]);
  expect(traceEvents.filter(({ ph }) => ph === 's' || ph === 'f')).toHaveLength(2);
  expect(traceEvents.filter(({ ph }) => ph === 'i').map(({ name }) => name)).toEqual(['here']);
  expect(otherData).toEqual({ 'lost of server': '3' });
});

test('the clock of another machine is set by the calls to it', () => {
  const ahead = 1_000_000;
  const { calls, clocks } = spansOf([
    client([
      event('rpc_call', 10, contextOf(1)),
      event('rpc_returned', 30, contextOf(1)),
      event('rpc_call', 40, contextOf(2)),
      event('rpc_returned', 50, contextOf(2)),
    ]),
    server(
      [
        event('rpc_dispatch', 15 + ahead, contextOf(1)),
        event('rpc_reply', 16 + ahead, contextOf(1)),
        event('rpc_dispatch', 44 + ahead, contextOf(2)),
        event('rpc_reply', 46 + ahead, contextOf(2)),
      ],
      'far',
    ),
  ]);
  const added = clocks.get('far') ?? 0;
  expect(Math.abs(added + ahead)).toBeLessThanOrEqual(4);
  const far = calls.filter(({ end }) => end === 'server');
  for (const call of far) {
    const near = calls.find(({ end, span }) => end === 'client' && span === call.span);
    expect(call.beginUs).toBeGreaterThanOrEqual(near?.beginUs ?? Number.NaN);
    expect(call.endUs).toBeLessThanOrEqual(near?.endUs ?? Number.NaN);
  }
});

test('whatever the events are, viewers can show them', () => {
  const hooks = fc.constantFrom<TraceHook>(
    'rpc_call',
    'rpc_returned',
    'rpc_dispatch',
    'rpc_reply',
    'log_output',
  );
  const events = fc.array(fc.tuple(hooks, fc.integer({ min: 0, max: 50 }), fc.integer({ min: 1, max: 8 })), {
    maxLength: 40,
  });
  const made = (list: readonly (readonly [TraceHook, number, number])[]): TraceEvent[] =>
    list.map(([hook, timeUs, span]) => event(hook, timeUs, contextOf(span)));
  fc.assert(
    fc.property(events, (list) => {
      // A call at which both ends are seen and that arrives before it was made is a lie.
      const { traceEvents } = chromeTrace([client(made(list))]);
      expectWellFormed(traceEvents);
    }),
    { numRuns: propertyRuns(300) },
  );
});
