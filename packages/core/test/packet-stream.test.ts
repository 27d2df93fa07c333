import { describe, expect, test } from 'vitest';
import {
  FRAME_BYTES_MAX,
  Packet,
  PACKET_STATUS,
  type StreamClosure,
  streamMemoryBytes,
  streamParametersProblem,
  UNASKED_TAG,
} from '../src/packet-stream/index.ts';
import { PACKET_BYTES } from '../src/packet-stream/layout.ts';
import { RingReader, RingWriter } from '../src/packet-stream/ring.ts';
import { CARRIERS, OPERATION, type TestStream, testStream } from './packet-stream-links.ts';

const PARAMETERS = { bulkBytes: 4096, queueSlots: 4, alignLog2: 6 };

/**
 * Submits a WRITE whose payload is `size` times `byte`; returns its tag, or -1 if there was no
 * room.
 */
function submitWrite(stream: TestStream, size: number, byte: number): number {
  const packet = new Packet();
  packet.operation = OPERATION.write;
  packet.offset = stream.source.allocate(size);
  packet.size = size;
  stream.source.payload(packet.offset, size).fill(byte);
  return stream.source.submit(packet) ? packet.tag : -1;
}

function submitEmpty(stream: TestStream, argument = 0): boolean {
  const packet = new Packet();
  packet.operation = OPERATION.none;
  packet.argument = argument;
  return stream.source.submit(packet);
}

describe.each(CARRIERS)('packet stream, %s', (_name, shared) => {
  test('lets go of its memory after its end, but at a sink not while a request is in flight', async () => {
    const stream = testStream(shared, PARAMETERS);
    const { source, sink, sourceLink, sinkLink } = stream;
    submitWrite(stream, 64, 1);
    source.wakeup();
    await stream.settle();
    const packet = new Packet();
    expect(sink.next(packet)).toBe(true);
    sink.release();
    expect([sinkLink.closes, sinkLink.releases]).toEqual([1, 0]);
    // A packet that is answered after the end was not answered before it: the server may still be
    // reading.
    sink.acknowledge(packet);
    sink.release();
    expect([sinkLink.closes, sinkLink.releases]).toEqual([1, 0]);
    source.release();
    expect([sourceLink.closes, sourceLink.releases]).toEqual([1, 1]);
    const idle = testStream(shared, PARAMETERS);
    idle.sink.release();
    expect([idle.sinkLink.closes, idle.sinkLink.releases]).toEqual([1, 1]);
  });

  test('carries every field of a packet and its payload both ways', async () => {
    const stream = testStream(shared, PARAMETERS);
    const sent = new Packet();
    sent.operation = OPERATION.write;
    sent.offset = stream.source.allocate(100);
    sent.size = 100;
    sent.position = Number.MAX_SAFE_INTEGER;
    sent.count = 2 ** 40 + 7;
    sent.handle = 0xfffffffe;
    sent.length = 77;
    sent.argument = 0x89abcdef;
    stream.source.payload(sent.offset, 100).fill(0x5a);
    expect(stream.source.submit(sent)).toBe(true);
    stream.source.wakeup();
    await stream.settle();
    const got = new Packet();
    expect(stream.sink.next(got)).toBe(true);
    expect(got).toEqual(sent);
    expect(stream.sink.payload(got)).toEqual(new Uint8Array(100).fill(0x5a));
    got.operation = OPERATION.read;
    got.status = PACKET_STATUS.ok;
    got.length = 100;
    stream.sink.payload(got).fill(0xa5);
    stream.sink.acknowledge(got);
    stream.sink.wakeup();
    await stream.settle();
    const answer = new Packet();
    expect(stream.source.nextAcknowledged(answer)).toBe(true);
    expect(answer).toEqual(got);
    expect(stream.source.payload(answer.offset, 100)).toEqual(new Uint8Array(100).fill(0xa5));
    expect(stream.source.free(answer.offset)).toBe(true);
    expect(stream.source.usedBytes).toBe(0);
    expect(stream.source.nextAcknowledged(answer)).toBe(false);
  });

  test('acknowledges out of order, by tag', async () => {
    const stream = testStream(shared, PARAMETERS);
    const tags = [1, 2, 3, 4].map((byte) => submitWrite(stream, 64, byte));
    stream.source.wakeup();
    await stream.settle();
    const taken = tags.map(() => new Packet());
    for (const packet of taken) expect(stream.sink.next(packet)).toBe(true);
    expect(taken.map((packet) => packet.tag)).toEqual(tags);
    for (const packet of taken.toReversed()) stream.sink.acknowledge(packet);
    stream.sink.wakeup();
    await stream.settle();
    const answer = new Packet();
    for (const tag of tags.toReversed()) {
      expect(stream.source.nextAcknowledged(answer)).toBe(true);
      expect(answer.tag).toBe(tag);
    }
  });

  test('a queue of N slots holds N packets and pushes back', async () => {
    const stream = testStream(shared, PARAMETERS);
    for (let index = 0; index < 4; index++) expect(submitEmpty(stream)).toBe(true);
    expect(submitEmpty(stream)).toBe(false);
    let wakes = 0;
    stream.source.onWake(() => wakes++);
    await stream.settle();
    expect(wakes).toBe(0);
    const packet = new Packet();
    expect(stream.sink.next(packet)).toBe(true);
    stream.sink.wakeup();
    await stream.settle();
    expect(wakes).toBe(1);
    expect(submitEmpty(stream)).toBe(true);
    expect(submitEmpty(stream)).toBe(false);
  });

  test('room that the sink had kept for itself is given when the source wants it', async () => {
    const stream = testStream(shared, { ...PARAMETERS, queueSlots: 8 });
    for (let index = 0; index < 8; index++) submitEmpty(stream);
    stream.source.wakeup();
    await stream.settle();
    expect(stream.sink.next(new Packet())).toBe(true);
    stream.sink.wakeup();
    await stream.settle();
    let wakes = 0;
    stream.source.onWake(() => wakes++);
    await stream.settle();
    if (!submitEmpty(stream)) {
      await stream.settle();
      expect(wakes).toBe(1);
      expect(submitEmpty(stream)).toBe(true);
    }
  });

  test('packets that have arrived are handled before the end', async () => {
    const stream = testStream(shared, PARAMETERS);
    const packet = new Packet();
    const seen: number[] = [];
    stream.sink.notify(packet);
    stream.sink.wakeup();
    await stream.settle();
    stream.source.onClosed(() => seen.push(-1));
    stream.source.onWake(() => {
      while (stream.source.nextAcknowledged(packet)) seen.push(packet.tag);
    });
    stream.sourceLink.closed?.();
    expect(seen).toEqual([UNASKED_TAG, -1]);
  });

  test('never takes a request that it might not be able to acknowledge', async () => {
    const stream = testStream(shared, { ...PARAMETERS, queueSlots: 2 });
    const packet = new Packet();
    let taken = 0;
    const serve = (): void => {
      while (stream.sink.next(packet)) {
        taken++;
        stream.sink.acknowledge(packet);
      }
    };
    stream.sink.onWake(serve);
    for (let index = 0; index < 2; index++) submitEmpty(stream);
    stream.source.wakeup();
    await stream.settle();
    for (let index = 0; index < 2; index++) expect(submitEmpty(stream)).toBe(true);
    stream.source.wakeup();
    await stream.settle();
    expect(taken).toBe(2);
    expect(stream.sink.notify(new Packet())).toBe(false);
    expect(stream.source.nextAcknowledged(packet)).toBe(true);
    stream.source.wakeup();
    await stream.settle();
    expect(taken).toBe(3);
  });

  test('signals once a batch, and only when the other end waits', async () => {
    const stream = testStream(shared, { ...PARAMETERS, queueSlots: 64 });
    let wakes = 0;
    const packet = new Packet();
    stream.sink.onWake(() => {
      wakes++;
      while (stream.sink.next(packet)) stream.sink.acknowledge(packet);
    });
    for (let index = 0; index < 10; index++) submitEmpty(stream);
    expect(stream.sourceLink.sent).toBe(0);
    stream.source.wakeup();
    expect(stream.sourceLink.sent).toBe(1);
    for (let index = 0; index < 10; index++) submitEmpty(stream);
    stream.source.wakeup();
    // The doorbell of the first batch is still under way; copies have to travel all the same.
    expect(stream.sourceLink.sent).toBe(shared ? 1 : 2);
    stream.source.wakeup();
    expect(stream.sourceLink.sent).toBe(shared ? 1 : 2);
    await stream.settle();
    expect(wakes).toBe(shared ? 1 : 2);
    let acknowledged = 0;
    while (stream.source.nextAcknowledged(packet)) acknowledged++;
    expect(acknowledged).toBe(20);
  });

  test('a handler registered on a queue that holds something runs soon, not at once', async () => {
    const stream = testStream(shared, PARAMETERS);
    submitEmpty(stream);
    stream.source.wakeup();
    await stream.settle();
    let wakes = 0;
    stream.sink.onWake(() => wakes++);
    expect(wakes).toBe(0);
    await Promise.resolve();
    expect(wakes).toBe(1);
  });

  test('a source that wanted room before it had a handler is called when it registers one', async () => {
    const stream = testStream(shared, { ...PARAMETERS, queueSlots: 1 });
    expect(submitEmpty(stream)).toBe(true);
    expect(submitEmpty(stream)).toBe(false);
    await stream.settle();
    expect(stream.sink.next(new Packet())).toBe(true);
    stream.sink.wakeup();
    await stream.settle();
    let wakes = 0;
    stream.source.onWake(() => wakes++);
    await stream.settle();
    expect(wakes).toBe(1);
  });

  test('a handler that takes one packet and does not look again is called for the next batch', async () => {
    const stream = testStream(shared, PARAMETERS);
    const packet = new Packet();
    const seen: number[] = [];
    stream.sink.onWake(() => {
      if (stream.sink.next(packet)) seen.push(packet.argument);
    });
    for (let index = 0; index < 3; index++) {
      submitEmpty(stream, index);
      stream.source.wakeup();
      await stream.settle();
    }
    expect(seen).toEqual([0, 1, 2]);
  });

  test('unasked acknowledgements are delivered, and wait for room', async () => {
    const stream = testStream(shared, { ...PARAMETERS, queueSlots: 2 });
    const packet = new Packet();
    packet.handle = 5;
    expect(stream.sink.notify(packet)).toBe(true);
    expect(stream.sink.notify(packet)).toBe(true);
    expect(stream.sink.notify(packet)).toBe(false);
    let wakes = 0;
    stream.sink.wakeup();
    stream.sink.onWake(() => wakes++);
    await stream.settle();
    const got = new Packet();
    expect(stream.source.nextAcknowledged(got)).toBe(true);
    expect([got.tag, got.handle]).toEqual([UNASKED_TAG, 5]);
    stream.source.wakeup();
    await stream.settle();
    expect(wakes).toBe(1);
    expect(stream.sink.notify(packet)).toBe(true);
  });

  test('the other end learns of the end after the packets that were sent before', async () => {
    const stream = testStream(shared, PARAMETERS);
    const ends: [string, StreamClosure][] = [];
    const packet = new Packet();
    let taken = 0;
    stream.sink.onWake(() => {
      while (stream.sink.next(packet)) taken++;
    });
    stream.sink.onClosed((closure) => ends.push(['sink', closure]));
    stream.source.onClosed((closure) => ends.push(['source', closure]));
    submitEmpty(stream);
    stream.source.wakeup();
    stream.source.close();
    stream.source.close();
    await stream.settle();
    stream.sinkLink.closed?.();
    expect(taken).toBe(1);
    expect(ends).toEqual([
      ['source', 'closed'],
      ['sink', 'peer gone'],
    ]);
    expect([stream.sourceLink.closes, stream.sinkLink.closes]).toEqual([1, 0]);
    expect(submitEmpty(stream)).toBe(false);
    expect(stream.sink.next(packet)).toBe(false);
    stream.sink.acknowledge(packet);
    stream.sink.wakeup();
    let late: StreamClosure | undefined;
    stream.sink.onClosed((closure) => {
      late = closure;
    });
    expect(late).toBe('peer gone');
  });

  test('refuses wrong use by its own component', () => {
    const stream = testStream(shared, PARAMETERS);
    const packet = new Packet();
    expect(() => stream.sink.acknowledge(packet)).toThrow('without a request');
    packet.size = 4097;
    expect(() => stream.source.submit(packet)).toThrow(RangeError);
    packet.size = 64;
    packet.offset = 1;
    expect(() => stream.source.submit(packet)).toThrow(RangeError);
    expect(() => stream.source.payload(4000, 97)).toThrow(RangeError);
    expect(stream.source.allocate(4097)).toBe(-1);
  });
});

test('copies of a payload larger than a frame go in several frames', async () => {
  const stream = testStream(false, { bulkBytes: 1 << 20, queueSlots: 4, alignLog2: 12 });
  const packet = new Packet();
  packet.operation = OPERATION.write;
  packet.size = 1_000_001;
  packet.offset = stream.source.allocate(packet.size);
  const sent = stream.source.payload(packet.offset, packet.size);
  for (let index = 0; index < sent.length; index++) sent[index] = index * 7 + (index >>> 8);
  stream.source.submit(packet);
  stream.source.wakeup();
  expect(stream.sourceLink.sent).toBeGreaterThan(7);
  expect(stream.sourceLink.largestFrame).toBeLessThanOrEqual(FRAME_BYTES_MAX);
  expect(stream.sink.next(packet)).toBe(false);
  await stream.settle();
  expect(stream.sink.next(packet)).toBe(true);
  expect(Buffer.compare(stream.sink.payload(packet), sent)).toBe(0);
});

test('copies travel only in the direction of the operation', async () => {
  const stream = testStream(false, { bulkBytes: 65536, queueSlots: 4, alignLog2: 12 });
  const packet = new Packet();
  packet.operation = OPERATION.read;
  packet.size = 32768;
  packet.offset = stream.source.allocate(packet.size);
  stream.source.submit(packet);
  stream.source.wakeup();
  expect(stream.sourceLink.largestFrame).toBeLessThan(100);
  await stream.settle();
  stream.sink.next(packet);
  packet.length = 10_000;
  stream.sink.acknowledge(packet);
  stream.sink.wakeup();
  expect(stream.sinkLink.largestFrame).toBeGreaterThan(10_000);
  expect(stream.sinkLink.largestFrame).toBeLessThan(10_100);
});

test('parameters from a session are checked', () => {
  expect(streamParametersProblem(PARAMETERS)).toBeUndefined();
  expect(streamMemoryBytes(PARAMETERS)).toBe(8192);
  for (const wrong of [
    { queueSlots: 0 },
    { queueSlots: 3 },
    { queueSlots: 8192 },
    { queueSlots: Number.NaN },
    { bulkBytes: -64 },
    { bulkBytes: 2 ** 31 },
    { bulkBytes: 100 },
    { bulkBytes: 0.5 },
    { alignLog2: 17 },
    { alignLog2: -1 },
  ]) {
    const all = { ...PARAMETERS, ...wrong };
    expect(streamParametersProblem(all)).toBeTypeOf('string');
    expect(() => streamMemoryBytes(all)).toThrow(RangeError);
  }
});

test.each([0, 2 ** 31 - 3, -3])('a queue works on from index %i', (start) => {
  const control = new Int32Array(new SharedArrayBuffer(8)).fill(start);
  const queue = new Int32Array(new SharedArrayBuffer(4 * PACKET_BYTES));
  const writer = new RingWriter(control, 0, 1, queue, 4, start);
  const reader = new RingReader(control, 0, 1, queue, 4, start);
  const packet = new Packet();
  let read = 0;
  for (let round = 0, written = 0; round < 10; round++) {
    for (; writer.used < 4; written++) {
      packet.argument = written;
      writer.append(packet);
    }
    expect(writer.publish()).toBe(true);
    expect(reader.refresh()).toBe(true);
    expect(reader.used).toBe(4);
    for (let index = 0; index <= round % 4; index++, read++) {
      expect(reader.take(packet)).toBe(true);
      expect(packet.argument).toBe(read);
    }
    expect(reader.publish()).toBe(true);
    expect(writer.refresh()).toBe(true);
    expect(writer.used).toBe(3 - (round % 4));
  }
});

test('nothing is allocated per packet over shared memory', async () => {
  const stream = testStream(true, { bulkBytes: 1 << 20, queueSlots: 256, alignLog2: 12 });
  const { source, sink } = stream;
  const outgoing = new Packet();
  const incoming = new Packet();
  const served = new Packet();
  source.onWake(() => {
    while (source.nextAcknowledged(incoming)) source.free(incoming.offset);
  });
  sink.onWake(() => {
    while (sink.next(served)) {
      sink.payload(served)[0] = 1;
      served.status = PACKET_STATUS.ok;
      sink.acknowledge(served);
    }
  });
  await stream.settle();
  const batch = 160;
  const send = (packets: number): void => {
    for (let sent = 0; sent < packets; sent += batch) {
      for (let index = 0; index < batch; index++) {
        outgoing.clear();
        outgoing.operation = OPERATION.write;
        outgoing.size = 4096;
        outgoing.offset = source.allocate(4096);
        outgoing.position = 2 ** 40 + sent;
        source.payload(outgoing.offset, 4096)[0] = 1;
        source.submit(outgoing);
      }
      source.wakeup();
      while (stream.toSink() || stream.toSource());
    }
  };
  send(200_000);
  const bytesPerPacket = Array.from({ length: 7 }, () => {
    const before = process.memoryUsage().heapUsed;
    send(6400);
    return (process.memoryUsage().heapUsed - before) / 6400;
  });
  // The test's link copies two doorbells a batch; a heap number per packet would be 16 bytes.
  expect(bytesPerPacket.toSorted((one, other) => one - other)[3]).toBeLessThan(8);
  expect(sink.served).toBe(200_000 + 7 * 6400);
});
