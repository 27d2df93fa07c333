/** The loop of a server over one packet stream. */
import { describe, expect, test } from 'vitest';
import { Packet, PACKET_STATUS, PacketService, type ServedPacket } from '../src/packet-stream/index.ts';
import { CARRIERS, OPERATION, type TestStream, testStream } from './packet-stream-links.ts';

const PARAMETERS = { bulkBytes: 1024, queueSlots: 4, alignLog2: 6 };

function submit(stream: TestStream, count: number): void {
  for (let number = 0; number < count; number++) {
    const packet = new Packet();
    packet.operation = OPERATION.none;
    packet.argument = number;
    packet.tag = number;
    expect(stream.source.submit(packet)).toBe(true);
  }
  stream.source.wakeup();
}

/** The arguments of the packets that were acknowledged. */
function acknowledged(stream: TestStream): number[] {
  const found: number[] = [];
  const packet = new Packet();
  while (stream.source.nextAcknowledged(packet)) {
    expect(packet.status).toBe(PACKET_STATUS.ok);
    found.push(packet.argument);
  }
  return found;
}

/**
 * A service whose operations end when the test says so; `made` counts the places that it has made.
 */
function holding(stream: TestStream, underWayMax?: number) {
  const held: ServedPacket[] = [];
  const made: ServedPacket[] = [];
  const make = (): ServedPacket => {
    made.push({ packet: new Packet() });
    return made.at(-1) ?? { packet: new Packet() };
  };
  const begin = (_: unknown, served: ServedPacket): void => void held.push(served);
  const service = new PacketService<ServedPacket>({ make, begin }, underWayMax);
  service.serve(stream.sink);
  const end = (): void => {
    const served = held.shift();
    if (served) service.end(served, PACKET_STATUS.ok, 0);
  };
  return { service, held, made, end };
}

describe.each(CARRIERS)('a packet service over %s', (_name, shared) => {
  test('has no more packets under way than it may, and goes on when one has ended', async () => {
    const stream = testStream(shared, PARAMETERS);
    const { held, made, end } = holding(stream, 2);
    submit(stream, 4);
    await stream.settle();
    expect(held.map(({ packet }) => packet.argument)).toEqual([0, 1]);
    end();
    await stream.settle();
    expect(held.map(({ packet }) => packet.argument)).toEqual([1, 2]);
    expect(acknowledged(stream)).toEqual([0]);
    for (let left = 3; left > 0; left--) {
      end();
      await stream.settle();
    }
    expect(acknowledged(stream)).toEqual([1, 2, 3]);
    // Two under way, and one to look for the next with.
    expect(made.length).toBeLessThanOrEqual(3);
  });

  test('answers operations that end at once, with one working object for all', async () => {
    const stream = testStream(shared, PARAMETERS);
    let made = 0;
    const service: PacketService<ServedPacket> = new PacketService<ServedPacket>({
      make: () => {
        made++;
        return { packet: new Packet() };
      },
      begin: (_, served) => service.end(served, PACKET_STATUS.ok, 0),
    });
    service.serve(stream.sink);
    submit(stream, 4);
    await stream.settle();
    expect(acknowledged(stream)).toEqual([0, 1, 2, 3]);
    expect(made).toBe(1);
  });

  test('sends the answers of one turn together', async () => {
    const stream = testStream(shared, PARAMETERS);
    const { end } = holding(stream);
    submit(stream, 3);
    await stream.settle();
    let wakes = 0;
    stream.source.onWake(() => void wakes++);
    await stream.settle();
    wakes = 0;
    for (let left = 3; left > 0; left--) end();
    await stream.settle();
    expect(wakes).toBe(1);
    expect(acknowledged(stream)).toEqual([0, 1, 2]);
  });

  test('closes when the operations under way have ended, and takes nothing more', async () => {
    const stream = testStream(shared, PARAMETERS);
    const { service, held, end } = holding(stream, 1);
    submit(stream, 2);
    await stream.settle();
    let closed = false;
    const closing = service.close().then(() => (closed = true));
    await stream.settle();
    expect(closed).toBe(false);
    end();
    await closing;
    await stream.settle();
    expect(held).toEqual([]);
    await holding(testStream(shared, PARAMETERS)).service.close();
  });
});
