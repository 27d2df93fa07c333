import * as fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { Packet } from '../src/packet-stream/index.ts';
import { OPERATION, testStream } from './packet-stream-links.ts';

/**
 * Two ends over shared memory run at the same time on two processors. What either sees of the other
 * changes only at its atomic operations, so it is enough to let the other end do things just before
 * and just after each of them: every place where a wake-up could be missed lies between two.
 */

type Atomic = (array: Int32Array, index: number, value: number) => number;
const original = { load: Atomics.load, store: Atomics.store, or: Atomics.or, and: Atomics.and };

afterEach(() => {
  Object.assign(Atomics, original);
});

/** From now on `between` runs before and after every atomic operation, except within itself. */
function preempt(between: () => void): void {
  let within = false;
  const interrupted = (): void => {
    if (within) return;
    within = true;
    between();
    within = false;
  };
  const wrap = (run: unknown): Atomic => {
    if (typeof run !== 'function') throw new Error('no atomic operation');
    return (...args) => {
      interrupted();
      const result: number = Reflect.apply(run, Atomics, args);
      interrupted();
      return result;
    };
  };
  for (const [name, run] of Object.entries(original)) Object.assign(Atomics, { [name]: wrap(run) });
}

test('no wake-up is missed, whatever the other end does between two atomic operations', async () => {
  const slots = fc.constantFrom(1, 2, 4);
  const choices = fc.infiniteStream(fc.nat(5));
  await fc.assert(
    fc.asyncProperty(slots, fc.integer({ min: 1, max: 30 }), choices, async (queueSlots, packets, chosen) => {
      const stream = testStream(true, { bulkBytes: 64, queueSlots, alignLog2: 6 });
      const { source, sink } = stream;
      const choose = (): number => chosen.next().value ?? 0;
      const outgoing = new Packet();
      outgoing.operation = OPERATION.none;
      const answer = new Packet();
      let [submitted, answered, served] = [0, 0, 0];
      let running: 'source' | 'sink' | 'nobody' = 'nobody';
      /** Runs a piece of one end's work, unless that end is the one that is interrupted. */
      const as = (end: 'source' | 'sink', work: () => void): void => {
        const before = running;
        if (before === end) return;
        running = end;
        work();
        running = before;
      };
      source.onWake(() => {
        while (source.nextAcknowledged(answer)) answered++;
        while (submitted < packets && source.submit(outgoing)) {
          submitted++;
          if (choose() === 0) source.wakeup();
        }
      });
      sink.onWake(() => {
        const packet = new Packet();
        while (sink.next(packet)) {
          sink.acknowledge(packet);
          served++;
          if (choose() === 0) sink.wakeup();
        }
      });
      preempt(() => {
        // A handler that runs by itself belongs to an end we do not know.
        if (running === 'nobody') return;
        const choice = choose();
        if (choice === 0) as('sink', stream.toSink);
        else if (choice === 1) as('source', stream.toSource);
        else if (choice === 2) {
          // An end that works without having been woken, as one does whose own clients ask for
          // something.
          as('source', () => {
            if (submitted < packets && source.submit(outgoing)) submitted++;
            source.wakeup();
          });
        }
      });
      as('source', () => {
        if (source.submit(outgoing)) submitted++;
        source.wakeup();
      });
      for (let quiet = 0; quiet < 10; quiet++) {
        await Promise.resolve();
        as('sink', () => {
          if (stream.toSink()) quiet = 0;
        });
        as('source', () => {
          if (stream.toSource()) quiet = 0;
        });
      }
      Object.assign(Atomics, original);
      expect([submitted, served, answered]).toEqual([packets, packets, packets]);
      expect([source.closure, sink.closure]).toEqual([undefined, undefined]);
    }),
    { numRuns: 500 },
  );
});
