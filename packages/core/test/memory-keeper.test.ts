/**
 * Memory that travels between processes: ring carriers over real memory files and descriptor
 * sockets, with the keeper of the process between them, against a peer that sends what it likes.
 */
import { readdirSync, readlinkSync } from 'node:fs';
import {
  closeDescriptor,
  createMemory,
  createOpenMemory,
  DescriptorSocket,
  mapMemory,
} from 'sharedarraybuffer-polyfill';
import { mapBuffer } from 'sharedarraybuffer-polyfill/mapped-buffer';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { skipReason } from '../../sharedarraybuffer-polyfill/test/observe.ts';
import type { SharedMemory } from '../src/channel/carrier.ts';
import { LIMITS } from '../src/limits.ts';
import { MEMORY_STEP_BYTES, type MemoryPiece, SHARES_ALL } from '../src/memory/shared-memory.ts';
import { Arrivals } from '../src/platform/domain/keeper/arrivals.ts';
import { type KeeperReports, MemoryKeeper } from '../src/platform/domain/keeper/memory-keeper.ts';
import { type MemoryTag, writeTag } from '../src/platform/domain/keeper/memory-tag.ts';
import { ByteRingWriter } from '../src/platform/wire/byte-ring.ts';
import { type ChannelEnd, CHANNEL_BYTES, ringFrom } from '../src/platform/wire/channel-memory.ts';
import { Bell, censusMemory, doorbellMemory } from '../src/platform/wire/doorbell.ts';
import type { ArrivedFile } from '../src/platform/wire/memory-protocol.ts';
import type { MemoryTravel } from '../src/platform/thread/memory/memory-travel.ts';
import { RingCarrier } from '../src/platform/thread/ring/ring-carrier.ts';

const STEP = MEMORY_STEP_BYTES;
const LAST_WITH_MEMORY = 3;
const COMPONENT = 7;
/**
 * The names that a keeper gives its files: without them the attacks below would fail for another
 * reason.
 */
const NAME = 'ginit memory 1/5';

const QUIET: KeeperReports = { revoked: () => {}, arrived: () => {}, freed: () => {}, forgotten: () => {} };

/** As the thread's own way, but that it asks the keeper without a port between. */
class DirectTravel implements MemoryTravel {
  readonly sharing = SHARES_ALL;
  readonly #keeper: MemoryKeeper;
  readonly #socket: DescriptorSocket;
  readonly #arrivals: Arrivals;
  readonly #peerProcess: number;
  arrived: readonly ArrivedFile[] = [];

  constructor(keeper: MemoryKeeper, socket: DescriptorSocket, peerProcess: number) {
    this.#keeper = keeper;
    this.#socket = socket;
    this.#peerProcess = peerProcess;
    this.#arrivals = new Arrivals(socket, peerProcess);
  }

  send(memory: SharedMemory, from: number): number | undefined {
    const files = memory.map(({ file = 0, sealed = false, once = false, buffer }) => {
      return { file, sealed, once, sizeBytes: buffer.byteLength };
    });
    const way = { socket: this.#socket, peerProcess: this.#peerProcess };
    return this.#keeper.send(COMPONENT, way, files, from);
  }

  receive(): SharedMemory | undefined {
    const arrived = this.#keeper.receive(COMPONENT, this.#arrivals);
    this.arrived = arrived ?? [];
    return arrived?.map(({ file, descriptor, sizeBytes, sealed, state }) => {
      const buffer = mapBuffer(descriptor, sizeBytes, { copyOnWrite: sealed });
      this.#keeper.mapped(COMPONENT, file, buffer);
      return { buffer, sealed, state };
    });
  }

  close(): void {
    this.#arrivals.close();
  }
}

interface Side {
  readonly carrier: RingCarrier;
  readonly travel: DirectTravel;
  readonly keeper: MemoryKeeper;
  readonly received: SharedMemory[];
  closed: number;
}

function open(): { sides: [Side, Side]; sockets: [DescriptorSocket, DescriptorSocket]; raw: ByteRingWriter } {
  const fd = createMemory(CHANNEL_BYTES, 'test channel');
  const region = mapMemory(fd, CHANNEL_BYTES);
  closeDescriptor(fd);
  regions.push(region);
  const [first, second] = DescriptorSocket.descriptors();
  const sockets: [DescriptorSocket, DescriptorSocket] = [
    DescriptorSocket.adopt(first),
    DescriptorSocket.adopt(second),
  ];
  const census = censusMemory();
  const side = (end: ChannelEnd): Side => {
    const keeper = new MemoryKeeper(end + 1, QUIET);
    const travel = new DirectTravel(keeper, sockets[end], 2 - end);
    const surroundings = {
      travel,
      peerBell: new Bell(doorbellMemory(census), census, true),
      wake: () => {},
      finished: () => {},
    };
    const carrier = new RingCarrier({ end, memory: region, peerSlot: 3 }, surroundings);
    const made: Side = { carrier, travel, keeper, received: [], closed: 0 };
    carrier.receive((_, memory) => made.received.push(memory));
    carrier.closed(() => made.closed++);
    return made;
  };
  return { sides: [side(0), side(1)], sockets, raw: new ByteRingWriter(ringFrom(region, 0)) };
}

/** Memory of a side's, with a byte in it. */
function piece({ keeper }: Side, steps: number, byte: number, once = false): MemoryPiece {
  const held = keeper.create(COMPONENT, steps * STEP - 100, once);
  if (!held) throw new Error('no memory');
  const buffer = mapBuffer(held.descriptor, held.sizeBytes);
  if (!once) keeper.mapped(COMPONENT, held.file, buffer);
  new Uint8Array(buffer)[5] = byte;
  return { buffer, file: held.file, once };
}

const bytesOf = (memory: MemoryPiece | undefined): Uint8Array =>
  new Uint8Array(memory?.buffer ?? new ArrayBuffer(0));
const openFiles = (): number =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return /^(\/memfd:|socket:)/.test(readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      return false;
    }
  }).length;

const regions: { unmap(): void }[] = [];
let before = 0;
beforeEach(() => {
  before = openFiles();
});
afterEach(() => {
  for (const region of regions.splice(0)) region.unmap();
});

function close(sides: readonly Side[]): void {
  for (const { carrier, keeper } of sides) {
    carrier.close();
    keeper.ended(COMPONENT);
  }
  expect(openFiles()).toBe(before);
}

describe.skipIf(skipReason)(`between honest peers (${skipReason ?? 'shared memory works here'})`, () => {
  test('memory is the same at both ends, and in the order of the frames', () => {
    const { sides } = open();
    const [a, b] = sides;
    for (let index = 0; index < 40; index++) {
      const memory = Array.from({ length: index % 4 }, (_, at) => piece(a, 1 + (index % 3), index * 4 + at));
      a.carrier.send(new Uint8Array(3000), memory);
      b.carrier.drain();
      const got = b.received.at(-1);
      expect(got?.map((one) => bytesOf(one)[5])).toEqual(memory.map((one) => bytesOf(one)[5]));
      const [mine, yours] = [bytesOf(memory[0]), bytesOf(got?.[0])];
      yours[9] = 99;
      expect(mine[9]).toBe(memory.length > 0 ? 99 : undefined);
    }
    close(sides);
  });

  test('sealed memory cannot be changed by a receiver', () => {
    const { sides } = open();
    const sent = piece(sides[0], 1, 42);
    sides[0].carrier.send(new Uint8Array(1), [{ ...sent, sealed: true }]);
    sides[1].carrier.drain();
    const got = bytesOf(sides[1].received[0]?.[0]);
    expect(got[5]).toBe(42);
    got[5] = 1;
    expect(bytesOf(sent)[5]).toBe(42);
    // Nor by going around the runtime: the file itself refuses.
    expect(() => mapMemory(sides[1].travel.arrived[0]?.descriptor ?? -1, STEP)).toThrow();
    close(sides);
  });

  test('a reader that takes nothing for long makes frames wait, in order, and gets all of them', () => {
    const { sides } = open();
    const [a, b] = sides;
    const rounds = 600;
    for (let index = 0; index < rounds; index++) {
      const memory = piece(a, 1, index, true);
      a.carrier.send(new Uint8Array(50), [memory]);
    }
    expect(a.carrier.waitingFrames).toBeGreaterThan(0);
    for (let round = 0; b.received.length < rounds && round < 2 * rounds; round++) {
      b.carrier.drain();
      a.carrier.drain();
    }
    expect(b.received.map(([one]) => bytesOf(one)[5])).toEqual(
      Array.from({ length: rounds }, (_, index) => index & 255),
    );
    // Sent once only: no descriptor of it is kept, and the receiver keeps no more than its bound.
    expect(a.keeper.size).toBe(0);
    close(sides);
  });

  test('a receiver keeps a bounded number of descriptors', () => {
    const { sides } = open();
    const [a, b] = sides;
    let kept = 0;
    const files = openFiles();
    for (let index = 0; index < LIMITS.receivedDescriptors + 10; index++) {
      a.carrier.send(new Uint8Array(1), [piece(a, 1, index)]);
      b.carrier.drain();
      for (const one of b.travel.arrived) {
        if (one.kept) kept++;
        else b.keeper.drop(COMPONENT, one.file);
      }
    }
    expect(kept).toBe(LIMITS.receivedDescriptors);
    expect(openFiles() - files).toBe(2 * LIMITS.receivedDescriptors + 10);
    close(sides);
  });
});

describe.skipIf(skipReason)(`a hostile peer (${skipReason ?? 'shared memory works here'})`, () => {
  const tag: MemoryTag = { index: 0, count: 1, sizeBytes: STEP, sealed: false, once: false };
  type Attack = (socket: DescriptorSocket) => void;
  const sends = (make: () => number, bytes: Uint8Array): Attack => {
    return (socket) => {
      const fd = make();
      socket.send(fd, bytes);
      closeDescriptor(fd);
    };
  };
  const sound = (): number => createMemory(STEP, NAME);
  const socketOnly = (): number => {
    const [one, other] = DescriptorSocket.descriptors();
    closeDescriptor(one);
    return other;
  };

  test.each<[string, Attack]>([
    ['no descriptor', () => {}],
    ['a file that can still be cut short', sends(() => createOpenMemory(STEP, NAME), writeTag(tag))],
    ['a file of another size', sends(() => createMemory(STEP - 4096, NAME), writeTag(tag))],
    ['a file that is larger', sends(() => createMemory(2 * STEP, NAME), writeTag(tag))],
    ['a file that no keeper has made', sends(() => createMemory(STEP, 'test'), writeTag(tag))],
    ['a file named beyond reason', sends(() => createMemory(STEP, 'ginit memory 1/-3'), writeTag(tag))],
    ['no memory but a socket', sends(socketOnly, writeTag(tag))],
    ['a tag that is too short', sends(sound, new Uint8Array(8))],
    ['a tag of random bytes', sends(sound, new Uint8Array(16).fill(0xee))],
    ['memory of no size', sends(sound, writeTag({ ...tag, sizeBytes: 0 }))],
    ['more than 2 GiB', sends(sound, writeTag({ ...tag, sizeBytes: 2 ** 31 }))],
    ['the second before the first', sends(sound, writeTag({ ...tag, index: 1, count: 2 }))],
    ['fewer than it says', sends(sound, writeTag({ ...tag, count: 2 }))],
    [
      'more than a message may carry',
      sends(sound, writeTag({ ...tag, count: LIMITS.capabilitiesPerMessage + 1 })),
    ],
    [
      'a count that changes',
      (socket) => {
        sends(sound, writeTag({ ...tag, count: 2 }))(socket);
        sends(sound, writeTag({ ...tag, index: 1, count: 3 }))(socket);
      },
    ],
    ['a socket that is closed', (socket) => socket.close()],
  ])('that promises memory and sends %s loses its channel, and nothing stays', (_, attack) => {
    const { sides, sockets, raw } = open();
    attack(sockets[0]);
    raw.write(LAST_WITH_MEMORY, new Uint8Array(16), 0, 16);
    sides[1].carrier.drain();
    expect(sides[1].closed).toBe(1);
    expect(sides[1].received).toEqual([]);
    expect(sides[1].keeper.size).toBe(0);
    close(sides);
  });

  test('descriptors without a frame are never taken, and are closed with the channel', () => {
    const { sides, sockets } = open();
    for (let index = 0; index < 20; index++) sends(sound, writeTag(tag))(sockets[0]);
    sides[1].carrier.drain();
    expect(sides[1].closed).toBe(0);
    expect(sides[1].keeper.size).toBe(0);
    close(sides);
  });

  test('writes into memory after sending it, and only that memory changes', () => {
    const { sides } = open();
    const sent = piece(sides[0], 1, 1);
    sides[0].carrier.send(Uint8Array.of(1, 2, 3), [sent]);
    sides[1].carrier.drain();
    bytesOf(sent).fill(0xff);
    expect(bytesOf(sides[1].received[0]?.[0])[5]).toBe(0xff);
    close(sides);
  });

  test('that takes nothing of what is sent to it holds up only itself', () => {
    const { sides } = open();
    const sent = piece(sides[0], 1, 1);
    for (let index = 0; index < 2000; index++) sides[0].carrier.send(new Uint8Array(1), [sent]);
    expect(sides[0].carrier.waitingFrames).toBeGreaterThan(0);
    expect(sides[0].keeper.size).toBe(1);
    close(sides);
  });
});
