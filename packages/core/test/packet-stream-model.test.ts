import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Packet, PACKET_STATUS, UNASKED_TAG } from '../src/packet-stream/index.ts';
import { CARRIERS, OPERATION, type TestStream, testStream } from './packet-stream-links.ts';

/** Runs a stream of tiny queues against plain lists: what was submitted, taken, acknowledged. */
class Harness {
  readonly stream: TestStream;
  readonly #slots: number;
  /** Requests that the sink has not taken, in the order of their submission. */
  readonly #submitted: Packet[] = [];
  /** Requests that the sink has taken and holds. */
  readonly held: Packet[] = [];
  /** Acknowledgements that the source has not taken, in order. */
  readonly #acknowledged: Packet[] = [];
  readonly #packet = new Packet();
  #serial = 0;
  completed = 0;

  constructor(shared: boolean, queueSlots: number) {
    this.stream = testStream(shared, { bulkBytes: 512, queueSlots, alignLog2: 6 });
    this.#slots = queueSlots;
  }

  get open(): number {
    return this.#submitted.length + this.held.length + this.#acknowledged.length;
  }

  /** False if there was no room. */
  submit(size: number, write: boolean): boolean {
    const { source } = this.stream;
    const packet = this.#packet.clear();
    packet.operation = write ? OPERATION.write : OPERATION.read;
    packet.argument = ++this.#serial;
    packet.offset = size > 0 ? source.allocate(size) : 0;
    packet.size = size;
    if (packet.offset < 0) return false;
    if (write) source.payload(packet.offset, size).fill(this.#serial);
    if (!source.submit(packet)) {
      if (size > 0) source.free(packet.offset);
      expect(source.closure).toBeUndefined();
      return false;
    }
    this.#submitted.push(new Packet().copyFrom(packet));
    expect(this.#submitted.length).toBeLessThanOrEqual(2 * this.#slots);
    return true;
  }

  take(): boolean {
    if (!this.stream.sink.next(this.#packet)) return false;
    const expected = this.#submitted.shift();
    expect(this.#packet).toEqual(expected);
    const payload = this.stream.sink.payload(this.#packet);
    if (this.#packet.operation === OPERATION.write) {
      expect(payload.every((byte) => byte === (this.#packet.argument & 255))).toBe(true);
    }
    this.held.push(new Packet().copyFrom(this.#packet));
    expect(this.held.length).toBeLessThanOrEqual(this.#slots);
    return true;
  }

  acknowledge(which: number): void {
    if (this.held.length === 0) return;
    const [packet] = this.held.splice(which % this.held.length, 1);
    if (packet === undefined) return;
    packet.status = PACKET_STATUS.ok;
    packet.length = packet.size;
    if (packet.operation === OPERATION.read) this.stream.sink.payload(packet).fill(packet.argument + 1);
    this.stream.sink.acknowledge(packet);
    this.#acknowledged.push(packet);
  }

  notify(): boolean {
    const packet = new Packet();
    packet.argument = ++this.#serial;
    if (!this.stream.sink.notify(packet)) return false;
    this.#acknowledged.push(packet);
    return true;
  }

  takeAcknowledged(): boolean {
    const { source } = this.stream;
    if (!source.nextAcknowledged(this.#packet)) return false;
    expect(this.#packet).toEqual(this.#acknowledged.shift());
    const { tag, offset, size, argument } = this.#packet;
    if (tag === UNASKED_TAG) return true;
    if (this.#packet.operation === OPERATION.read) {
      expect(source.payload(offset, size).every((byte) => byte === ((argument + 1) & 255))).toBe(true);
    }
    if (size > 0) expect(source.free(offset)).toBe(true);
    this.completed++;
    return true;
  }

  finish(): void {
    expect(this.open).toBe(0);
    expect(this.stream.source.pending).toBe(0);
    expect(this.stream.source.usedBytes).toBe(0);
    expect(this.stream.sink.inFlight).toBe(0);
    expect(this.stream.source.ignoredAcknowledgements + this.stream.sink.invalidPackets).toBe(0);
  }
}

const size = fc.oneof(fc.nat(200), fc.constant(0), fc.constant(512));
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('submit' as const), size, write: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('acknowledge' as const), which: fc.nat(8) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom('take', 'takeAcknowledged', 'toSink', 'toSource', 'sourceWakeup', 'sinkWakeup'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('notify', 'turn') }) },
);

const slots = fc.constantFrom(1, 2, 4);

/** One step of a random interleaving. */
async function run(
  harness: Harness,
  one: typeof step extends fc.Arbitrary<infer T> ? T : never,
): Promise<void> {
  const { source, sink, toSink, toSource } = harness.stream;
  if ('size' in one) harness.submit(one.size, one.write);
  else if ('which' in one) harness.acknowledge(one.which);
  else if (one.do === 'take') harness.take();
  else if (one.do === 'takeAcknowledged') harness.takeAcknowledged();
  else if (one.do === 'toSink') toSink();
  else if (one.do === 'toSource') toSource();
  else if (one.do === 'sourceWakeup') source.wakeup();
  else if (one.do === 'sinkWakeup') sink.wakeup();
  else if (one.do === 'notify') harness.notify();
  else await Promise.resolve();
}

describe.each(CARRIERS)('packet stream against a model, %s', (_name, shared) => {
  test('loses, doubles and changes nothing in any interleaving', async () => {
    await fc.assert(
      fc.asyncProperty(slots, fc.array(step, { maxLength: 200 }), async (queueSlots, steps) => {
        const harness = new Harness(shared, queueSlots);
        for (const one of steps) await run(harness, one);
        for (let round = 0; harness.open > 0; round++) {
          expect(round).toBeLessThan(100);
          harness.stream.source.wakeup();
          harness.stream.sink.wakeup();
          await harness.stream.settle();
          while (harness.take());
          while (harness.held.length > 0) harness.acknowledge(0);
          harness.stream.sink.wakeup();
          await harness.stream.settle();
          while (harness.takeAcknowledged());
        }
        harness.finish();
      }),
      { numRuns: 400 },
    );
  });

  test('driven by handlers alone, always drains', async () => {
    const jobs = fc.array(fc.record({ size, write: fc.boolean() }), { minLength: 1, maxLength: 40 });
    // The next event: a frame to the sink, one to the source, the sink completes something, a turn
    // passes.
    const schedule = fc.infiniteStream(fc.nat(4));
    // How the handlers are written: the sink looks until there is nothing, or takes one and is
    // content.
    const sinkLimit = fc.constantFrom(1, 3, 1000);
    await fc.assert(
      fc.asyncProperty(slots, jobs, schedule, sinkLimit, fc.nat(5), async (...drawn) => {
        const [queueSlots, todo, choices, heldMax, notices] = drawn;
        const harness = new Harness(shared, queueSlots);
        const { source, sink, toSink, toSource } = harness.stream;
        let next = 0;
        let noticesLeft = notices;
        const serve = (): void => {
          while (noticesLeft > 0 && harness.notify()) noticesLeft--;
          while (harness.held.length < heldMax && harness.take());
        };
        source.onWake(() => {
          while (harness.takeAcknowledged());
          for (
            let job = todo[next];
            job !== undefined && harness.submit(job.size, job.write);
            job = todo[next]
          ) {
            next++;
          }
        });
        sink.onWake(serve);
        // The first submissions come from outside any handler.
        const first = todo[0];
        if (first !== undefined && harness.submit(first.size, first.write)) next = 1;
        source.wakeup();
        let quiet = 0;
        while (quiet < 20) {
          const choice = choices.next().value ?? 0;
          let moved = false;
          if (choice === 0) moved = toSink();
          else if (choice === 1) moved = toSource();
          else if (choice === 2 && harness.held.length > 0) {
            harness.acknowledge(next);
            serve();
            sink.wakeup();
            moved = true;
          } else await Promise.resolve();
          const idle = harness.held.length === 0;
          const still =
            harness.stream.sourceLink.underWay.length + harness.stream.sinkLink.underWay.length === 0;
          quiet = moved || !idle || !still ? 0 : quiet + 1;
        }
        expect(harness.completed).toBe(todo.length);
        expect(noticesLeft).toBe(0);
        harness.finish();
      }),
      { numRuns: 400 },
    );
  });
});
