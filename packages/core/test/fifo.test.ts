/** The queue that never moves its elements, next to an array that does. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Fifo } from '../src/fifo.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

test('elements come out in the order in which they went in, however many are taken', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('push'), count: fc.nat(700) }),
    fc.record({ kind: fc.constant('shift'), count: fc.nat(700) }),
    fc.record({ kind: fc.constant('truncate'), count: fc.nat(700) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const fifo = new Fifo<number>();
      let model: number[] = [];
      let next = 0;
      for (const { kind, count } of steps) {
        const numbers = Array.from({ length: count }, (_, index) => next + index);
        if (kind === 'push') {
          next += count;
          for (const number of numbers) fifo.push(number);
          model = model.concat(numbers);
        } else if (kind === 'shift') {
          for (const _ of numbers) fifo.shift();
          model = model.slice(count);
        } else {
          fifo.truncate(count);
          model = model.slice(0, count);
        }
        expect([fifo.length, fifo.first]).toEqual([model.length, model[0]]);
        expect([...fifo]).toEqual(model);
      }
    }),
  );
});

test('an element that was taken is not kept, though the queue never runs dry', async () => {
  const fifo = new Fifo<object>();
  const taken: WeakRef<object>[] = [];
  for (let time = 0; time < 50; time++) {
    const element = { time };
    taken.push(new WeakRef(element));
    fifo.push(element);
  }
  fifo.push({});
  for (let time = 0; time < 50; time++) fifo.shift();
  // What a WeakRef was made for, or has given out, stays until the turn is over.
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  expect(taken.filter((element) => element.deref() !== undefined).length).toBeLessThan(5);
  expect(fifo.length).toBe(1);
});
