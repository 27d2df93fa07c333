/**
 * Long batches: over shared memory they are published in parts, each with a signal if the other end
 * waits.
 */
import { expect, test } from 'vitest';
import { Packet } from '../src/packet-stream/index.ts';
import { OPERATION, type TestStream, testStream } from './packet-stream-links.ts';

const BYTE = 7;

/** Submits a packet whose payload is `size` times BYTE. */
function submit(stream: TestStream, size: number): void {
  const packet = new Packet();
  packet.operation = size > 0 ? OPERATION.write : OPERATION.none;
  packet.offset = size > 0 ? stream.source.allocate(size) : 0;
  packet.size = size;
  stream.source.payload(packet.offset, size).fill(BYTE);
  expect(stream.source.submit(packet)).toBe(true);
}

test('a long batch is published in parts, with one signal for a sink that waits', async () => {
  const stream = testStream(true, { bulkBytes: 512 * 1024, queueSlots: 64, alignLog2: 6 });
  const packet = new Packet();
  expect(stream.sink.next(packet)).toBe(false);
  const pending = (): number => {
    let taken = 0;
    while (stream.toSink());
    for (; stream.sink.next(packet); taken++) expect(stream.sink.payload(packet)[0]).toBe(BYTE);
    return taken;
  };
  // A quarter of the bulk buffer is 128 KiB.
  submit(stream, 64 * 1024);
  expect(stream.sourceLink.sent).toBe(0);
  submit(stream, 64 * 1024);
  expect(stream.sourceLink.sent).toBe(1);
  expect(pending()).toBe(2);
  // The sink waits again, and a part has 16 packets.
  for (let index = 0; index < 15; index++) submit(stream, 1);
  expect(pending()).toBe(0);
  submit(stream, 1);
  expect(pending()).toBe(16);
  submit(stream, 1);
  expect(pending()).toBe(0);
  stream.source.wakeup();
  expect(pending()).toBe(1);
});

test('a part has as many packets in a long queue, and the other end looks at it while the batch goes on', () => {
  const stream = testStream(true, { bulkBytes: 4096, queueSlots: 256, alignLog2: 6 });
  const packet = new Packet();
  expect(stream.sink.next(packet)).toBe(false);
  for (let index = 0; index < 15; index++) submit(stream, 0);
  expect(stream.sourceLink).toMatchObject({ sent: 0, hurries: 0 });
  submit(stream, 0);
  expect(stream.sourceLink).toMatchObject({ sent: 1, hurries: 1 });
  // The end of a batch is the end of a turn.
  submit(stream, 0);
  stream.source.wakeup();
  expect(stream.sourceLink).toMatchObject({ sent: 1, hurries: 1 });
});

test('acknowledgements of a long batch are published in parts', async () => {
  const stream = testStream(true, { bulkBytes: 4096, queueSlots: 64, alignLog2: 6 });
  const packet = new Packet();
  for (let index = 0; index < 64; index++) submit(stream, 0);
  stream.source.wakeup();
  while (stream.toSink());
  const acknowledged = (): number => {
    let taken = 0;
    while (stream.toSource());
    for (; stream.source.nextAcknowledged(packet); taken++);
    return taken;
  };
  const acknowledge = (count: number): void => {
    for (let index = 0; index < count; index++) {
      expect(stream.sink.next(packet)).toBe(true);
      stream.sink.acknowledge(packet);
    }
  };
  acknowledge(15);
  expect(acknowledged()).toBe(0);
  acknowledge(1);
  expect(acknowledged()).toBe(16);
  acknowledge(20);
  expect(acknowledged()).toBe(16);
  stream.sink.wakeup();
  expect(acknowledged()).toBe(4);
});
