/** Input sessions: events, their bounded queue, keys, and servers that do not keep to the form. */
import { component, type Env, RpcError } from '@ginit/core';
import { deferred } from '@ginit/core/async';
import {
  chordOfCombination,
  chordsOfText,
  eventsOfChord,
  EventQueue,
  Input,
  InputClient,
  type InputEvent,
  KEY_CODES,
  keyCode,
  ServedInput,
} from '@ginit/core/input';
import { runComponent, script } from '@ginit/core/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'succeeded',
    (error: unknown) => (error instanceof RpcError ? error.code : String(error)),
  );

async function served() {
  const inputs: ServedInput[] = [];
  const server = component({ provides: [Input] }, (env) => {
    env.provide(Input, async (session) => {
      const input = await ServedInput.open(env, session);
      inputs.push(input);
      return input.session;
    });
  });
  const run = await runComponent(server);
  const { env } = await run.client('guest');
  return { run, inputs, env };
}

const coordinate = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const anyEvent: fc.Arbitrary<InputEvent> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('press' as const, 'release' as const),
    code: fc.integer({ min: 1, max: 6 }),
  }),
  fc.record({
    kind: fc.constantFrom('motion' as const, 'position' as const, 'wheel' as const),
    x: coordinate,
    y: coordinate,
  }),
);

describe('an Input session', () => {
  test('hands on events in their order, and wakes the client once for several', async () => {
    const { run, inputs, env } = await served();
    await using _ = run;
    const client = await InputClient.connect(env);
    let wakes = 0;
    const events: InputEvent[] = [
      { kind: 'press', code: keyCode('a') },
      { kind: 'motion', x: -3, y: 40_000 },
      { kind: 'release', code: keyCode('a') },
      { kind: 'position', x: 639, y: 0 },
      { kind: 'wheel', x: 0, y: -1 },
    ];
    const [first, ...rest] = events;
    // An event that comes before there is a handler wakes it.
    if (first) inputs[0]?.submit(first);
    await client.onEvents(env.signal(() => void wakes++));
    await run.settle();
    expect(wakes).toBe(1);
    for (const event of rest) inputs[0]?.submit(event);
    expect(await client.take()).toEqual(events);
    expect(await client.take()).toEqual([]);
    inputs[0]?.submit({ kind: 'motion', x: 1, y: 1 });
    await run.settle();
    expect(wakes).toBe(2);
  });

  test('is paid by its client, and costs the server nothing when it is closed', async () => {
    const { run, env } = await served();
    await using _ = run;
    const before = await run.account();
    const client = await InputClient.connect(env, { events: 4096 });
    const during = await run.account();
    expect(during.ramQuota - during.ramUsed).toBeGreaterThanOrEqual(before.ramQuota - before.ramUsed);
    await client.close();
    expect(await run.account()).toEqual(before);
    const donation = { ram: 12_000, caps: 5 };
    expect(await codeOf(env.connect(Input, { donation }))).toBe('INSUFFICIENT_RAM');
  });

  test('is impossible with room for too few events, or too many', async () => {
    const { run, env } = await served();
    await using _ = run;
    for (const events of [0, 15, 5000, 'many', 16.5]) {
      const refused = env.connect(Input, { args: { events } });
      await expect(refused).rejects.toThrow('events is from 16 to 4096');
    }
  });

  test('leaves out what a server has written that is no event', async () => {
    const { promise: environment, resolve } = deferred<Env>();
    const using = component({ mayRequire: [Input] }, (env) => resolve(env));
    const server = script(Input, async (_session, env) => {
      const memory = await env.ram.allocate(80);
      const view = new DataView(memory.attach().buffer);
      const words = [
        [1, 30],
        [0, 1],
        [99, 1],
        [1, -5],
        [2, 30],
      ];
      for (const [index, [kind = 0, code = 0]] of words.entries()) {
        view.setUint32(16 * index, kind, true);
        view.setInt32(16 * index + 4, code, true);
      }
      return { dataspace: () => memory, pending: () => true, flush: () => 4096, setHandler: () => {} };
    });
    await using _ = await runComponent(using, { services: [server] });
    const client = await InputClient.connect(await environment);
    // It claims more events than its memory has room for.
    expect(await client.take()).toEqual([
      { kind: 'press', code: 30 },
      { kind: 'release', code: 30 },
    ]);
  });
});

describe('the queue', () => {
  test('never grows beyond its bound, and releases for the client every key that it has pressed', () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 200 }), fc.integer({ min: 4, max: 20 }), (events, room) => {
        const queue = new EventQueue(room);
        const taken: InputEvent[] = [];
        for (const [index, event] of events.entries()) {
          queue.push(event);
          expect(queue.length).toBeLessThanOrEqual(room);
          if (index % 37 === 36) taken.push(...queue.takeAll());
        }
        queue.releaseAll();
        expect(queue.length).toBeLessThanOrEqual(room);
        taken.push(...queue.takeAll());
        const down = new Set<number>();
        for (const event of taken) {
          if (event.kind === 'press') down.add(event.code);
          if (event.kind === 'release') expect(down.delete(event.code)).toBe(true);
        }
        expect([...down]).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  test('adds up the movements that it has no place for', () => {
    const queue = new EventQueue(2);
    for (let step = 0; step < 10; step++) queue.push({ kind: 'motion', x: 1, y: -2 });
    expect(queue.takeAll()).toEqual([
      { kind: 'motion', x: 1, y: -2 },
      { kind: 'motion', x: 9, y: -18 },
    ]);
  });
});

describe('keys', () => {
  test('have the numbers of Linux', () => {
    const numbers = {
      esc: 1,
      enter: 28,
      leftctrl: 29,
      kp0: 82,
      f11: 87,
      up: 103,
      delete: 111,
      btn_left: 0x110,
    };
    for (const [name, code] of Object.entries(numbers))
      expect([name, KEY_CODES.get(name)]).toEqual([name, code]);
    expect(KEY_CODES.has('-')).toBe(false);
    expect(new Set(KEY_CODES.values()).size).toBe(KEY_CODES.size);
  });

  test('type a text, with Shift where it is needed', () => {
    expect(chordsOfText('a A\n~')).toEqual([[30], [57], [42, 30], [28], [42, 41]]);
    const printable = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index)).join('');
    const chords = chordsOfText(printable);
    expect(new Set(chords.map((chord) => chord.join('+'))).size).toBe(95);
    expect(() => chordsOfText('5 €')).toThrow(/no key for "€"/);
  });

  test('are combined by their names', () => {
    expect(chordOfCombination('Ctrl-Alt-Delete')).toEqual([29, 56, 111]);
    expect(chordOfCombination('f1')).toEqual([59]);
    expect(eventsOfChord([29, 46])).toEqual([
      { kind: 'press', code: 29 },
      { kind: 'press', code: 46 },
      { kind: 'release', code: 46 },
      { kind: 'release', code: 29 },
    ]);
    expect(() => chordOfCombination('ctrl-nosuch')).toThrow(/no key "nosuch"/);
    expect(() => chordOfCombination('')).toThrow(/no key ""/);
    expect(() => chordOfCombination('constructor')).toThrow(/no key "constructor"/);
    expect(() => chordOfCombination('a-'.repeat(9))).toThrow(/at most 8/);
  });
});
