/**
 * Carriers over rings: frames arrive whole and in order, whatever their size and however full the
 * rings are.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteRingReader, ByteRingWriter } from '../src/platform/wire/byte-ring.ts';
import { channelMemory, ringFrom } from '../src/platform/wire/channel-memory.ts';
import { answer, pattern, type RingSide, ringPair, settle } from './ring-pair.ts';

const lengths = (side: RingSide): number[] => side.received.map(({ frame }) => frame.byteLength);

describe('frames', () => {
  test('of every small size arrive, in a ring in which they wrap around', () => {
    const { sides } = ringPair(1024);
    const [a, b] = sides;
    for (let length = 0; length <= 600; length++) {
      a.carrier.send(pattern(length, length), []);
      settle(sides);
    }
    expect(b.received).toHaveLength(601);
    for (const [length, { frame }] of b.received.entries()) expect(frame).toEqual(pattern(length, length));
  });

  test('that are far longer than the ring arrive in parts, and others after them', () => {
    const { sides } = ringPair(4096);
    const [a, b] = sides;
    const sizes = [1_000_000, 3, 4096, 1016, 1017, 1_048_576 * 3 + 1, 0, 17];
    for (const [seed, size] of sizes.entries()) a.carrier.send(pattern(size, seed), []);
    expect(a.carrier.waitingFrames).toBe(sizes.length);
    settle(sides);
    expect(a.carrier.waitingFrames).toBe(0);
    expect(lengths(b)).toEqual(sizes);
    for (const [seed, { frame }] of b.received.entries()) {
      expect(Buffer.compare(frame, pattern(sizes[seed] ?? 0, seed))).toBe(0);
    }
  });

  test('belong to the handler only until it returns', () => {
    const { sides } = ringPair(1024);
    const kept: Uint8Array[] = [];
    sides[1].carrier.receive((frame) => kept.push(frame));
    sides[0].carrier.send(Uint8Array.of(1, 2, 3), []);
    sides[0].carrier.send(Uint8Array.of(7, 8, 9), []);
    settle(sides);
    // The rule that allows a frame to cost no allocation of its own.
    expect(kept.map((frame) => frame[0])).toEqual([7, 7]);
    expect(kept[0]?.buffer).toBeInstanceOf(ArrayBuffer);
  });

  test('that are taken during the handling of another do not change that one', () => {
    const { sides } = ringPair(1024);
    const [a, b] = sides;
    const seen: string[] = [];
    b.carrier.receive((frame) => {
      const before = frame.slice();
      if (seen.length === 0) {
        seen.push('outer');
        a.carrier.send(pattern(90, 9), []);
        b.carrier.drain();
      } else seen.push('inner');
      expect(frame).toEqual(before);
    });
    a.carrier.send(pattern(100, 1), []);
    settle(sides);
    expect(seen).toEqual(['outer', 'inner']);
  });

  test('that are sent before anybody receives wait', () => {
    const { sides } = ringPair(512);
    const [a, b] = sides;
    for (let index = 0; index < 100; index++) a.carrier.send(pattern(50, index), []);
    settle(sides);
    expect(lengths(b)).toEqual(Array.from({ length: 100 }, () => 50));
  });
});

describe('a writer that finds no room', () => {
  test('is not left waiting for room that was made before it asked', () => {
    const ring = ringFrom(channelMemory(256), 0);
    const writer = new ByteRingWriter(ring);
    const reader = new ByteRingReader(ring);
    const bytes = new Uint8Array(40);
    while (writer.write(1, bytes, 0, 40));
    expect(writer.wantRoom()).toBe(true);
    reader.refresh();
    while (reader.next() === true);
    expect(reader.publish()).toBe(true);
    expect(writer.wantRoom()).toBe(false);
    expect(writer.write(1, bytes, 0, 40)).toBe(true);
  });

  test('is rung as soon as there is some', () => {
    const { sides } = ringPair(256);
    const [a, b] = sides;
    settle(sides);
    for (let index = 0; index < 20; index++) a.carrier.send(pattern(40, index), []);
    expect(a.doorbell.rung).toBe(false);
    b.carrier.drain();
    expect(a.doorbell.rung).toBe(true);
  });
});

describe('memory beside frames', () => {
  test('keeps its place among them, also in a full ring', () => {
    const { sides } = ringPair(256);
    const [a, b] = sides;
    for (let index = 0; index < 200; index++) {
      const memory = index % 3 === 0 ? [{ buffer: new SharedArrayBuffer(index + 1) }] : [];
      a.carrier.send(pattern(index, index), memory);
    }
    settle(sides);
    expect(b.received.map(({ memory }) => memory.map((one) => one.buffer.byteLength))).toEqual(
      Array.from({ length: 200 }, (_, index) => (index % 3 === 0 ? [index + 1] : [])),
    );
  });

  test('is the same memory at both ends', () => {
    const { sides } = ringPair(256);
    const buffer = new SharedArrayBuffer(8);
    sides[0].carrier.send(Uint8Array.of(1), [{ buffer }]);
    settle(sides);
    new Uint8Array(buffer)[3] = 42;
    expect(new Uint8Array(sides[1].received[0]?.memory[0]?.buffer ?? new SharedArrayBuffer(0))[3]).toBe(42);
  });
});

describe('the end of a channel', () => {
  test('is noticed after everything that was sent before it', () => {
    const { sides } = ringPair(1024);
    const [a, b] = sides;
    for (let index = 0; index < 10; index++) a.carrier.send(pattern(20, index), []);
    a.carrier.close();
    settle(sides);
    expect(lengths(b)).toEqual(Array.from({ length: 10 }, () => 20));
    expect([a.closed, b.closed]).toEqual([0, 1]);
    expect([a.finished, b.finished]).toEqual([true, true]);
  });

  test('in the middle of a handler stops the frames behind', () => {
    const { sides } = ringPair(1024);
    const [a, b] = sides;
    let handled = 0;
    b.carrier.receive(() => {
      handled++;
      b.carrier.close();
    });
    for (let index = 0; index < 10; index++) a.carrier.send(pattern(20, index), []);
    settle(sides);
    expect([handled, a.closed, b.closed]).toEqual([1, 1, 0]);
    a.carrier.send(pattern(20, 1), []);
    settle(sides);
    expect(a.carrier.waitingFrames).toBe(0);
  });
});

test('no order of sending and draining loses, changes or reorders a frame, nor leaves one lying', () => {
  const action = fc.record({
    side: fc.constantFrom(0 as const, 1 as const),
    sends: fc.array(fc.oneof(fc.nat(40), fc.nat(300), fc.nat(5000)), { maxLength: 12 }),
    drains: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.constantFrom(256, 512, 4096),
      fc.array(action, { minLength: 1, maxLength: 60 }),
      (ringBytes, actions) => {
        const { sides } = ringPair(ringBytes);
        const sent: [Uint8Array[], Uint8Array[]] = [[], []];
        for (const { side, sends, drains } of actions) {
          for (const length of sends) {
            const frame = pattern(length, sent[side].length);
            sent[side].push(frame);
            sides[side].carrier.send(frame, []);
          }
          if (drains) answer(sides[side]);
        }
        settle(sides);
        for (const side of [0, 1] as const) {
          const got = sides[side === 0 ? 1 : 0].received;
          expect(got.length).toBe(sent[side].length);
          for (const [index, { frame }] of got.entries()) {
            if (Buffer.compare(frame, sent[side][index] ?? new Uint8Array(0)) !== 0)
              throw new Error('changed');
          }
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('a handler that answers every frame with a longer one gets through tiny rings', () => {
  const { sides } = ringPair(256);
  for (const [index, side] of sides.entries()) {
    side.carrier.receive((frame) => {
      side.received.push({ frame: frame.slice(), memory: [] });
      const hops = frame[0] ?? 0;
      if (hops > 0) side.carrier.send(pattern(frame.byteLength + index + 50, 0).fill(hops - 1, 0, 1), []);
    });
  }
  for (const side of sides) {
    for (let index = 0; index < 50; index++) side.carrier.send(pattern(10, 0).fill(20, 0, 1), []);
  }
  settle(sides);
  expect(sides[0].received.length + sides[1].received.length).toBe(100 * 21);
});
