/**
 * Tests the simulated bus: in good times it behaves like NATS, and in bad times it has the faults
 * that it is told to have.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BUS_PAYLOAD_BYTES_MAX,
  type Bus,
  isSubject,
  isSubjectPattern,
  subjectMatches,
} from '@ginit/core/platform';
import { Random } from '../src/order/random.ts';
import { Scheduler } from '../src/order/scheduler.ts';
import { type BusFaults, NO_BUS_FAULTS, SimulatedBus } from '../src/world/simulated-bus.ts';

interface World {
  readonly bus: SimulatedBus;
  readonly scheduler: Scheduler;
  readonly run: (untilUs?: number) => void;
}

function world(seed: number, faults: Partial<BusFaults> = {}): World {
  const random = new Random(seed);
  const scheduler = new Scheduler(random.stream('order'));
  const bus = new SimulatedBus(scheduler, random.stream('bus'));
  bus.faults = { ...NO_BUS_FAULTS, ...faults };
  const run = (untilUs = Number.POSITIVE_INFINITY): void => {
    for (let next = scheduler.next(untilUs); typeof next !== 'string'; next = scheduler.next(untilUs)) {
      next.run();
    }
  };
  return { bus, scheduler, run };
}

/** The messages that arrive at a node, as numbers. */
function numbersAt(node: Bus, pattern = 'numbers'): number[] {
  const arrived: number[] = [];
  node.subscribe(pattern, ({ payload }) => arrived.push(payload[0] ?? -1));
  return arrived;
}

function sendNumbers(node: Bus, count: number): number[] {
  const sent = Array.from({ length: count }, (_, number) => number % 256);
  for (const number of sent) node.publish('numbers', Uint8Array.of(number));
  return sent;
}

const seeds = Array.from({ length: 40 }, (_, seed) => seed);

describe('subjects', () => {
  test.each([
    ['a.b', 'a.b', true],
    ['a.b', 'a.c', false],
    ['a.b', 'a', false],
    ['a.b', 'a.b.c', false],
    ['a.*', 'a.b', true],
    ['*.b', 'a.b', true],
    ['a.*', 'a', false],
    ['a.*', 'a.b.c', false],
    ['a.>', 'a.b.c', true],
    ['a.>', 'a', false],
    ['>', 'a', true],
    ['>', 'a.b', true],
  ])('%s gets %s: %s', (pattern, subject, gets) => {
    expect(subjectMatches(pattern, subject)).toBe(gets);
  });

  test('that are malformed are refused', () => {
    for (const subject of ['', '.', 'a.', '.a', 'a..b', 'a b', 'a.*', '>', 'a\n']) {
      expect(isSubject(subject), subject).toBe(false);
    }
    for (const pattern of ['', 'a..b', '>.a', 'a>', 'a.*b', 'a b']) {
      expect(isSubjectPattern(pattern), pattern).toBe(false);
    }
    const node = world(1).bus.connect(1);
    expect(() => node.publish('a.*', new Uint8Array())).toThrow('"a.*" is no subject');
    expect(() => node.publish('a', new Uint8Array(), 'b c')).toThrow('"b c" is no subject');
    expect(() => node.subscribe('>.a', () => {})).toThrow('">.a" is no pattern of subjects');
    expect(() => node.publish('a', new Uint8Array(BUS_PAYLOAD_BYTES_MAX + 1))).toThrow('is longer than');
  });

  test('are matched by every pattern that is made of them', () => {
    const word = fc.stringMatching(/^[a-z]{1,3}$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(word, fc.boolean()), { minLength: 1, maxLength: 5 }), (words) => {
        const subject = words.map(([text]) => text).join('.');
        const pattern = words.map(([text, wild]) => (wild ? '*' : text)).join('.');
        expect(subjectMatches(pattern, subject)).toBe(true);
        expect(subjectMatches(`${pattern}.>`, subject)).toBe(false);
        expect(subjectMatches(`${pattern}.>`, `${subject}.more`)).toBe(true);
      }),
    );
  });
});

describe('in good times', () => {
  test('every message arrives once, in the order of its publisher, at all subscribers, including the publisher', () => {
    for (const seed of seeds) {
      const { bus, run } = world(seed);
      const [a, b, c] = [bus.connect(1), bus.connect(2), bus.connect(3)];
      const arrived = [numbersAt(a), numbersAt(b, '*'), numbersAt(c, '>')];
      const elsewhere = numbersAt(b, 'other');
      const sent = sendNumbers(a, 100);
      run();
      expect(arrived).toEqual([sent, sent, sent]);
      expect(elsewhere).toEqual([]);
    }
  });

  test('an answer goes to the one who asked; payloads are copies', () => {
    const { bus, run } = world(1);
    const [asker, answerer] = [bus.connect(1), bus.connect(2)];
    const answers: string[] = [];
    asker.subscribe('inbox.1', ({ payload }) => answers.push(Buffer.from(payload).toString()));
    answerer.subscribe('ask', ({ reply, payload }) => {
      answerer.publish(reply, payload);
      payload.fill(0);
    });
    const question = Buffer.from('question');
    asker.publish('ask', question, 'inbox.1');
    question.fill(0);
    run();
    expect(answers).toEqual(['question']);
  });

  test('nothing arrives after the end of a subscription or a connection', () => {
    const { bus, run } = world(1);
    const [a, b] = [bus.connect(1), bus.connect(2)];
    const arrived: string[] = [];
    b.subscribe('numbers', () => arrived.push('first'))();
    b.subscribe('numbers', () => arrived.push('second'));
    sendNumbers(a, 1);
    run();
    expect(arrived).toEqual(['second']);
    sendNumbers(a, 1);
    b.close();
    run();
    expect(arrived).toEqual(['second']);
  });
});

describe('in bad times', () => {
  /** The result of sending a thousand messages. */
  function outcome(seed: number, faults: Partial<BusFaults>): { sent: number[]; arrived: number[] } {
    const { bus, run } = world(seed, faults);
    const arrived = numbersAt(bus.connect(2));
    const sent = sendNumbers(bus.connect(1), 1000);
    run();
    return { sent, arrived };
  }

  test('messages are lost, and the others keep their order', () => {
    const { sent, arrived } = outcome(1, { lostPerMille: 100 });
    expect(Math.abs(900 - arrived.length)).toBeLessThan(50);
    let at = -1;
    for (const number of arrived) {
      at = sent.indexOf(number, at + 1);
      expect(at).not.toBe(-1);
    }
  });

  test('messages are doubled', () => {
    const { sent, arrived } = outcome(1, { doubledPerMille: 100 });
    expect(Math.abs(1100 - arrived.length)).toBeLessThan(50);
    expect(arrived.filter((number, index) => number !== arrived[index - 1])).toEqual(sent);
  });

  test('messages are reordered, and none is lost', () => {
    const { sent, arrived } = outcome(1, { reorderedPerMille: 100 });
    expect(arrived).not.toEqual(sent);
    expect(arrived.toSorted((a, b) => a - b)).toEqual(sent.toSorted((a, b) => a - b));
  });

  test('messages are delayed, and the messages behind them wait', () => {
    const { bus, run, scheduler } = world(1, { delayedPerMille: 20, delayUsMax: 5_000_000 });
    const arrived = numbersAt(bus.connect(2));
    const sent = sendNumbers(bus.connect(1), 100);
    run();
    expect(arrived).toEqual(sent);
    expect(scheduler.nowUs).toBeGreaterThan(100_000);
  });

  test('the same seed gives the same outcome', () => {
    const faults = { lostPerMille: 50, doubledPerMille: 50, reorderedPerMille: 50, delayedPerMille: 50 };
    expect(outcome(7, faults)).toEqual(outcome(7, faults));
    expect(outcome(8, faults)).not.toEqual(outcome(7, faults));
  });

  test('a split bus carries nothing across, its nodes learn of the split after a while, and it can be joined again', () => {
    for (const seed of seeds) {
      const { bus, run } = world(seed);
      const nodes = [1, 2, 3].map((number) => bus.connect(number));
      const heard: [number, boolean][] = [];
      const arrived = nodes.map((node, index) => {
        node.onConnection((connected) => heard.push([index + 1, connected]));
        return numbersAt(node);
      });
      const [first] = nodes;
      const sent = first ? sendNumbers(first, 3) : [];
      // Messages on their way to the other part are lost.
      bus.part([2, 3]);
      run();
      expect(arrived).toEqual([sent, [], []]);
      expect(heard.toSorted()).toEqual([
        [2, false],
        [3, false],
      ]);
      const inside = nodes[1] ? sendNumbers(nodes[1], 2) : [];
      run();
      expect(arrived).toEqual([sent, inside, inside]);
      bus.heal();
      run();
      expect(heard.slice(2).toSorted()).toEqual([
        [2, true],
        [3, true],
      ]);
      const later = nodes[2] ? sendNumbers(nodes[2], 2) : [];
      run();
      expect(arrived[0]).toEqual([...sent, ...later]);
    }
  });
});
