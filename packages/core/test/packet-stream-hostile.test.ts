import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Packet, PACKET_STATUS, UNASKED_TAG } from '../src/packet-stream/index.ts';
import { PACKET_WORDS, SINK_HEAD, SINK_TAIL, SOURCE_HEAD, SOURCE_TAIL } from '../src/packet-stream/layout.ts';
import { CARRIERS, OPERATION, type TestStream, testStream } from './packet-stream-links.ts';

const PARAMETERS = { bulkBytes: 4096, queueSlots: 4, alignLog2: 6 };
const QUEUE_AT = 64;
const ACKNOWLEDGE_QUEUE_AT = QUEUE_AT + PARAMETERS.queueSlots * PACKET_WORDS;

function words(stream: TestStream): Int32Array {
  return new Int32Array(stream.sourceLink.memory);
}

/** Writes a packet where a source would have: a peer of its own making, not ours. */
function forge(memory: Int32Array, queueAt: number, headAt: number, fields: Partial<Packet>): void {
  const head = memory[headAt] ?? 0;
  const at = queueAt + (head % PARAMETERS.queueSlots) * PACKET_WORDS;
  const packet = { ...new Packet(), ...fields };
  memory.set(
    [
      packet.operation,
      packet.tag,
      packet.offset,
      packet.size,
      packet.position,
      packet.position / 2 ** 32,
      packet.count,
      packet.count / 2 ** 32,
      packet.handle,
      packet.length,
      packet.status,
      packet.argument,
    ],
    at,
  );
  Atomics.store(memory, headAt, head + 1);
}

const submitForged = (stream: TestStream, fields: Partial<Packet>): void =>
  forge(words(stream), QUEUE_AT, SOURCE_HEAD, fields);
const acknowledgeForged = (stream: TestStream, fields: Partial<Packet>): void =>
  forge(words(stream), ACKNOWLEDGE_QUEUE_AT, SINK_HEAD, fields);

describe('a sink and a hostile source', () => {
  const wrong: [string, Partial<Packet>][] = [
    ['an offset behind the buffer', { offset: 4096, size: 64 }],
    ['a range that leaves the buffer', { offset: 4032, size: 65 }],
    ['a range that wraps around', { offset: 0xffffffc0, size: 128 }],
    ['a size above the buffer', { offset: 0, size: 0x80000000 }],
    ['an offset that is not aligned', { offset: 32, size: 64 }],
    ['a position above 2^53', { position: 2 ** 53 }],
    ['a count above 2^53', { count: 2 ** 60 }],
    ['a length above the size', { offset: 0, size: 64, length: 65 }],
  ];

  test.each(wrong)('%s is refused, the rest is served', (_name, fields) => {
    const stream = testStream(true, PARAMETERS);
    submitForged(stream, { ...fields, tag: 7, operation: OPERATION.write });
    submitForged(stream, { offset: 64, size: 64, tag: 8 });
    const packet = new Packet();
    expect(stream.sink.next(packet)).toBe(true);
    expect([packet.tag, packet.offset]).toEqual([8, 64]);
    expect(stream.sink.next(packet)).toBe(false);
    expect(stream.sink.invalidPackets).toBe(1);
    stream.sink.wakeup();
    const memory = words(stream);
    expect(memory[SINK_HEAD]).toBe(1);
    const refused = memory.slice(ACKNOWLEDGE_QUEUE_AT, ACKNOWLEDGE_QUEUE_AT + PACKET_WORDS);
    expect([refused[1], refused[2], refused[3], refused[10]]).toEqual([7, 0, 0, PACKET_STATUS.invalid]);
  });

  test('the status of a submitted packet means nothing', () => {
    const stream = testStream(true, PARAMETERS);
    submitForged(stream, { status: PACKET_STATUS.ok });
    const packet = new Packet();
    expect(stream.sink.next(packet)).toBe(true);
    expect(packet.status).toBe(PACKET_STATUS.unanswered);
  });

  test.each([5, -1, 2 ** 31 - 1])('a head of %i ends the stream', (head) => {
    const stream = testStream(true, PARAMETERS);
    Atomics.store(words(stream), SOURCE_HEAD, head);
    expect(stream.sink.next(new Packet())).toBe(false);
    expect(stream.sink.closure).toBe('invalid stream state');
    expect(stream.sinkLink.closes).toBe(1);
  });

  test.each([1, -1])('a tail of %i in an empty acknowledge queue ends the stream', (tail) => {
    const stream = testStream(true, { ...PARAMETERS, queueSlots: 1 });
    const packet = new Packet();
    expect(stream.sink.notify(packet)).toBe(true);
    // Not yet published, so nobody can have taken it.
    Atomics.store(words(stream), SOURCE_TAIL, tail);
    expect(stream.sink.notify(packet)).toBe(false);
    expect(stream.sink.closure).toBe('invalid stream state');
  });
});

describe('a source and a hostile sink', () => {
  function submitted(): { stream: TestStream; packet: Packet } {
    const stream = testStream(true, PARAMETERS);
    const packet = new Packet();
    packet.operation = OPERATION.read;
    packet.offset = stream.source.allocate(100);
    packet.size = 100;
    stream.source.submit(packet);
    stream.source.wakeup();
    return { stream, packet };
  }

  test('acknowledgements of nothing are ignored and counted', () => {
    const { stream, packet } = submitted();
    acknowledgeForged(stream, { tag: packet.tag + 1 });
    acknowledgeForged(stream, { tag: 12345 });
    acknowledgeForged(stream, { tag: packet.tag, status: PACKET_STATUS.ok });
    acknowledgeForged(stream, { tag: packet.tag, status: PACKET_STATUS.ok });
    const answer = new Packet();
    expect(stream.source.nextAcknowledged(answer)).toBe(true);
    expect(answer.tag).toBe(packet.tag);
    expect(stream.source.nextAcknowledged(answer)).toBe(false);
    expect(stream.source.ignoredAcknowledgements).toBe(3);
    expect(stream.source.closure).toBeUndefined();
  });

  test('offset and size of an acknowledgement are those that the source has submitted', () => {
    const { stream, packet } = submitted();
    acknowledgeForged(stream, {
      tag: packet.tag,
      offset: 2048,
      size: 64,
      length: 60,
      status: PACKET_STATUS.ok,
    });
    acknowledgeForged(stream, { tag: UNASKED_TAG, offset: 64, size: 64, length: 64 });
    const answer = new Packet();
    expect(stream.source.nextAcknowledged(answer)).toBe(true);
    expect([answer.offset, answer.size, answer.length]).toEqual([packet.offset, 100, 60]);
    expect(stream.source.nextAcknowledged(answer)).toBe(true);
    expect([answer.offset, answer.size, answer.length]).toEqual([0, 0, 0]);
  });

  test.each([{ length: 101 }, { position: 2 ** 53 }])('an answer with %o counts as invalid', (fields) => {
    const { stream, packet } = submitted();
    acknowledgeForged(stream, { tag: packet.tag, status: PACKET_STATUS.ok, ...fields });
    const answer = new Packet();
    expect(stream.source.nextAcknowledged(answer)).toBe(true);
    expect([answer.status, answer.length, answer.position]).toEqual([PACKET_STATUS.invalid, 0, 0]);
  });

  test('a sink that takes everything and answers nothing cannot exhaust the tags', () => {
    const stream = testStream(true, PARAMETERS);
    const packet = new Packet();
    let accepted = 0;
    for (let round = 0; round < 20; round++) {
      if (stream.source.submit(packet)) accepted++;
      stream.source.wakeup();
      Atomics.store(words(stream), SINK_TAIL, accepted);
    }
    expect(accepted).toBe(stream.source.tagLimit);
  });
});

const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      word: fc.nat(QUEUE_AT * 4),
      value: fc.oneof(fc.integer(), fc.integer({ min: -2, max: 9 })),
    }),
  },
  { weight: 6, arbitrary: fc.record({ call: fc.nat(9), size: fc.nat(5000) }) },
);

/**
 * Calls one method of either end; whatever happened to the memory, only checked values may come
 * out.
 */
function call(stream: TestStream, held: Packet[], which: number, size: number): void {
  const { source, sink } = stream;
  const packet = new Packet();
  if (which === 0) {
    packet.operation = OPERATION.write;
    packet.size = size;
    packet.offset = size > 0 ? source.allocate(size) : 0;
    if (packet.offset >= 0) source.submit(packet);
  } else if (which === 1 && source.nextAcknowledged(packet)) {
    expect(source.payload(packet.offset, packet.size).length).toBe(packet.size);
    expect(packet.length).toBeLessThanOrEqual(packet.size);
    if (packet.size > 0) expect(source.free(packet.offset)).toBe(true);
  } else if ((which === 2 || which === 3) && sink.next(packet)) {
    expect(sink.payload(packet).length).toBe(packet.size);
    expect(packet.length).toBeLessThanOrEqual(packet.size);
    expect(Number.isSafeInteger(packet.position) && Number.isSafeInteger(packet.count)).toBe(true);
    held.push(packet);
    expect(held.length).toBeLessThanOrEqual(PARAMETERS.queueSlots);
  } else if (which === 4) {
    const done = held.pop();
    if (done !== undefined) sink.acknowledge(done);
  } else if (which === 5) sink.notify(packet);
  else if (which === 6) source.wakeup();
  else if (which === 7) sink.wakeup();
  else if (which === 8) stream.toSink();
  else if (which === 9) stream.toSource();
}

function expectSoundEnd(stream: TestStream): void {
  for (const { closure } of [stream.source, stream.sink]) {
    expect([undefined, 'invalid stream state']).toContain(closure);
  }
}

describe('garbage', () => {
  test('written into the memory has no effect outside of it', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const stream = testStream(true, PARAMETERS);
        const memory = words(stream);
        const held: Packet[] = [];
        for (const one of steps) {
          // Words beyond the control words are those of the queues.
          if ('word' in one) memory[one.word % (QUEUE_AT + 2 * 4 * PACKET_WORDS)] = one.value;
          else call(stream, held, one.call, one.size);
        }
        expectSoundEnd(stream);
      }),
      { numRuns: 2000 },
    );
  });

  const damage = fc.record({ at: fc.nat(300), value: fc.nat(255), cut: fc.option(fc.nat(300)) });

  test('in frames has no effect outside of the stream', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 200 }),
        fc.array(damage, { maxLength: 5 }),
        (steps, damages) => {
          const stream = testStream(false, PARAMETERS);
          const held: Packet[] = [];
          for (const one of steps) {
            if ('call' in one) {
              call(stream, held, one.call, one.size);
              continue;
            }
            const frames = one.word % 2 === 0 ? stream.sourceLink.underWay : stream.sinkLink.underWay;
            const harm = damages[one.word % 5];
            const frame = frames[0];
            if (frame === undefined || harm === undefined) continue;
            frame[harm.at % frame.length] = harm.value;
            frames[0] = harm.cut === null ? frame : frame.subarray(0, harm.cut);
          }
          expectSoundEnd(stream);
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('of any kind as a frame ends the stream or has no effect', () => {
    const number = fc.oneof(fc.integer(), fc.integer({ min: -3, max: 70 }));
    fc.assert(
      fc.property(fc.array(number, { maxLength: 40 }), fc.nat(3), fc.boolean(), (numbers, cut, toSink) => {
        const stream = testStream(false, PARAMETERS);
        const frame = new Uint8Array(Int32Array.from(numbers).buffer);
        const link = toSink ? stream.sinkLink : stream.sourceLink;
        link.receive?.(frame.subarray(0, Math.max(0, frame.length - cut)));
        for (let which = 0; which < 10; which++) call(stream, [], which === 4 ? 5 : which, 64);
        expectSoundEnd(stream);
      }),
      { numRuns: 2000 },
    );
  });
});

const PAYLOAD_RECORD = 2;
test.each([
  ['shorter than a header', [0]],
  ['with a tail nobody can have reached', [1, 0]],
  ['with an unknown record', [0, 0, 3]],
  ['with half a packet', [0, 0, 1, 1, 2, 3]],
  ['with half a payload header', [0, 0, PAYLOAD_RECORD, 0]],
  ['with a payload longer than the frame', [0, 0, PAYLOAD_RECORD, 0, 8, 1]],
  ['with a payload behind the bulk buffer', [0, 0, PAYLOAD_RECORD, 4096, 4, 1]],
  ['with a payload that leaves the bulk buffer', [0, 0, PAYLOAD_RECORD, 4092, 8, 1, 2]],
  ['with a payload at a huge offset', [0, 0, PAYLOAD_RECORD, -4, 8, 1, 2]],
  ['with a payload of huge length', [0, 0, PAYLOAD_RECORD, 0, -4, 1, 2]],
])('a frame %s ends the stream', (_name, numbers) => {
  const stream = testStream(false, PARAMETERS);
  stream.sinkLink.receive?.(new Uint8Array(Int32Array.from(numbers).buffer));
  expect(stream.sink.closure).toBe('invalid stream state');
  expect(new Uint8Array(stream.sinkLink.memory).every((byte, index) => byte === 0 || index < 256)).toBe(true);
});

test('payload at the very end of the bulk buffer is in it', () => {
  const stream = testStream(false, PARAMETERS);
  stream.sinkLink.receive?.(new Uint8Array(Int32Array.of(0, 0, PAYLOAD_RECORD, 4092, 4, 0x01020304).buffer));
  expect(stream.sink.closure).toBeUndefined();
  expect(stream.sink.bulk.slice(4090)).toEqual(Uint8Array.of(0, 0, 4, 3, 2, 1));
});

test.each(CARRIERS)('more packets than a queue holds, %s', (_name, shared) => {
  const stream = testStream(shared, PARAMETERS);
  if (shared) {
    for (let index = 0; index < 5; index++) submitForged(stream, {});
  } else {
    const frame = new Int32Array(2 + 5 * (1 + PACKET_WORDS));
    for (let index = 0; index < 5; index++) frame[2 + index * (1 + PACKET_WORDS)] = 1;
    stream.sinkLink.receive?.(new Uint8Array(frame.buffer));
  }
  expect(stream.sink.next(new Packet())).toBe(false);
  expect(stream.sink.closure).toBe('invalid stream state');
});
