/** The virtio block device, driven by hand through both of its transports. */
import { RpcError } from '@ginit/core';
import { describe, expect, test } from 'vitest';
import { checkRange, type GuestMemory } from '../src/devices/guest-memory.ts';
import { RequestCounts } from '../src/devices/request-counts.ts';
import { VirtioBlockDevice } from '../src/devices/virtio/block-device.ts';
import { PciTransport, transportState } from '../src/devices/virtio/pci-transport.ts';
import { SplitQueue } from '../src/devices/virtio/split-queue.ts';
import { type GuestDisk, PatientDisk } from '../src/machine/patient-disk.ts';

const SIZE = 8;
/** As a legacy driver has to place them, which a modern one may. */
const [DESCRIPTORS, AVAILABLE, USED] = [0x1000, 0x1000 + 16 * SIZE, 0x2000];
const [HEADER, DATA, STATUS] = [0x4000, 0x5000, 0x6000];
const [NEXT, WRITE] = [1, 2];
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

type Transport = 'legacy' | 'modern';
const FLUSH = 1 << 9;

/**
 * A guest with one disk of 8 blocks, whose answers come when the test says so. Its driver takes
 * these of the features that are offered. With patience, what the disk has no space for is held.
 */
function guest(kind: Transport = 'modern', { features = ~0, isPatient = false } = {}) {
  const bytes = new Uint8Array(0x1_0000);
  const view = new DataView(bytes.buffer);
  const memory: GuestMemory = {
    sizeBytes: bytes.byteLength,
    view: (address, length) => {
      checkRange(bytes.byteLength, address, length);
      return bytes.subarray(address, address + length);
    },
    written: () => {},
  };
  const content = Uint8Array.from({ length: 8 * 512 }, (_, index) => index >> 9);
  const answers: ((error?: Error) => void)[] = [];
  const later = <T>(act: () => T): Promise<T> =>
    new Promise((resolve, reject) => {
      answers.push((error) => {
        if (error) return reject(error);
        try {
          resolve(act());
        } catch (thrown) {
          reject(thrown);
        }
      });
    });
  const disk: GuestDisk = {
    info: { blockSize: 512, blockCount: 8, alignLog2: 0, writeable: true },
    requestBlocksMax: 4,
    read: () => later(() => {}),
    write: () => later(() => {}),
    readWith: (first, count, use) => later(() => use(content.subarray(first * 512, (first + count) * 512))),
    writeWith: (first, count, fill) =>
      later(() => fill(content.subarray(first * 512, (first + count) * 512))),
    sync: () => {
      seen.requests.push('sync');
      return later(() => {});
    },
    trim: (first, count) => {
      seen.requests.push(`trim ${first} ${count}`);
      return later(() => {});
    },
  };
  const seen: {
    counts: RequestCounts;
    interrupts: number;
    broken: string;
    failed: string;
    requests: string[];
    held: string[];
  } = {
    counts: new RequestCounts(),
    interrupts: 0,
    broken: '',
    failed: '',
    requests: [],
    held: [],
  };
  const queue = new SplitQueue(memory, SIZE);
  const patience = isPatient ? new PatientDisk(disk, (code) => seen.held.push(code)) : undefined;
  const device = new VirtioBlockDevice(
    patience ?? disk,
    memory,
    queue,
    {
      counts: seen.counts,
      interrupt: () => transport.interrupt(),
      fail: (reason) => transport.fail(reason),
      diskFailed: ({ code }) => (seen.failed = code),
      givenUp: () => patience?.giveUp(),
    },
    'disk',
  );
  const transport: PciTransport = new PciTransport(device, queue, {
    raiseInterrupt: () => seen.interrupts++,
    lowerInterrupt: () => {},
    broken: (reason) => (seen.broken = reason),
  });
  const { legacy, modern } = transport;
  const beginLegacy = (): void => {
    legacy.write(18, 1, 3);
    legacy.write(4, 4, legacy.read(0, 4) & features);
    expect(legacy.read(12, 2)).toBe(SIZE);
    legacy.write(8, 4, DESCRIPTORS / 4096);
    legacy.write(18, 1, 7);
  };
  const beginModern = (): void => {
    modern.write(20, 1, 3);
    modern.write(12, 4, modern.read(4, 4) & features);
    modern.write(8, 4, 1);
    modern.write(12, 4, 1);
    modern.write(20, 1, 11);
    modern.write(24, 2, SIZE);
    for (const [at, address] of [
      [32, DESCRIPTORS],
      [40, AVAILABLE],
      [48, USED],
    ] as const)
      modern.write(at, 4, address);
    modern.write(28, 2, 1);
    modern.write(20, 1, 15);
  };
  const descriptor = (index: number, address: number, length: number, flags: number, next = 0): void => {
    const at = DESCRIPTORS + 16 * index;
    view.setBigUint64(at, BigInt(address), true);
    view.setUint32(at + 8, length, true);
    view.setUint16(at + 12, flags, true);
    view.setUint16(at + 14, next, true);
  };
  /** A request of one block in three descriptors from `first` on. */
  const request = (first: number, type: number, sector: number, dataFlags: number): void => {
    const place = first / 3;
    view.setUint32(HEADER + 16 * place, type, true);
    view.setBigUint64(HEADER + 16 * place + 8, BigInt(sector), true);
    descriptor(first, HEADER + 16 * place, 16, NEXT, first + 1);
    descriptor(first + 1, DATA + 512 * place, 512, NEXT | dataFlags, first + 2);
    descriptor(first + 2, STATUS + place, 1, WRITE);
    bytes[STATUS + place] = 0xff;
  };
  const publish = (...heads: number[]): void => {
    let index = view.getUint16(AVAILABLE + 2, true);
    for (const head of heads) view.setUint16(AVAILABLE + 4 + 2 * (index++ % SIZE), head, true);
    view.setUint16(AVAILABLE + 2, index, true);
    if (kind === 'legacy') legacy.write(16, 2, 0);
    else modern.write(68, 2, 0);
  };
  const begin = kind === 'legacy' ? beginLegacy : beginModern;
  /** Why there was an interrupt; asking takes it back. */
  const interruptReason = (): number => (kind === 'legacy' ? legacy.read(19, 1) : modern.read(64, 1));
  const used = (entry: number): { head: number; bytes: number } => ({
    head: view.getUint32(USED + 4 + 8 * entry, true),
    bytes: view.getUint32(USED + 8 + 8 * entry, true),
  });
  const usedCount = (): number => view.getUint16(USED + 2, true);
  return {
    bytes,
    view,
    content,
    answers,
    seen,
    patience,
    transport,
    legacy,
    modern,
    begin,
    descriptor,
    request,
    publish,
    interruptReason,
    used,
    usedCount,
  };
}

describe.each<Transport>(['legacy', 'modern'])('through its %s transport a virtio disk', (kind) => {
  test('takes all requests that fit into its queue, and answers them in the order of the disk', async () => {
    const { bytes, answers, seen, begin, descriptor, publish, interruptReason, used, usedCount, view } =
      guest(kind);
    begin();
    // Eight indirect requests of a block each.
    for (let index = 0; index < SIZE; index++) {
      const table = 0x8000 + 48 * index;
      view.setUint32(HEADER + 16 * index, 0, true);
      view.setBigUint64(HEADER + 16 * index + 8, BigInt(index), true);
      for (const [place, [address, length, flags]] of [
        [HEADER + 16 * index, 16, NEXT],
        [DATA + 512 * index, 512, NEXT | WRITE],
        [STATUS + index, 1, WRITE],
      ].entries()) {
        view.setBigUint64(table + 16 * place, BigInt(address ?? 0), true);
        view.setUint32(table + 16 * place + 8, length ?? 0, true);
        view.setUint16(table + 16 * place + 12, flags ?? 0, true);
        view.setUint16(table + 16 * place + 14, place + 1, true);
      }
      descriptor(index, table, 48, 4);
    }
    publish(0, 1, 2, 3, 4, 5, 6, 7);
    expect([answers.length, interruptReason()]).toEqual([SIZE, 0]);
    const order = [3, 0, 7, 1, 6, 2, 5, 4];
    for (const index of order) {
      answers[index]?.();
      await turn();
    }
    expect(usedCount()).toBe(SIZE);
    expect(order.map((_, entry) => used(entry))).toEqual(order.map((head) => ({ head, bytes: 513 })));
    expect(order.map((index) => bytes[DATA + 512 * index])).toEqual(order);
    expect([seen.broken, interruptReason(), interruptReason()]).toEqual(['', 1, 0]);
  });

  test('makes a flush a SYNC, and a discard a TRIM, each answered when the disk has', async () => {
    const { bytes, view, answers, seen, begin, request, descriptor, publish, usedCount } = guest(kind);
    begin();
    request(0, 4, 0, 0);
    descriptor(0, HEADER, 16, NEXT, 2);
    request(3, 11, 0, 0);
    descriptor(4, DATA + 512, 32, NEXT, 5);
    for (const [at, value] of [2, 0, 3, 0, 7, 0, 1, 0].entries()) {
      view.setUint32(DATA + 512 + 4 * at, value, true);
    }
    publish(0, 3);
    await turn();
    expect([seen.requests, usedCount()]).toEqual([['sync', 'trim 2 3'], 0]);
    answers[0]?.();
    answers[1]?.();
    await turn();
    expect([seen.requests.at(-1), usedCount(), bytes[STATUS], bytes[STATUS + 1]]).toEqual([
      'trim 7 1',
      1,
      0,
      0xff,
    ]);
    answers[2]?.();
    await turn();
    expect([usedCount(), bytes[STATUS + 1]]).toEqual([2, 0]);
  });

  test('tells how large it is, and what its serial number is', async () => {
    const { bytes, legacy, modern, begin, request, publish } = guest(kind);
    begin();
    expect(kind === 'legacy' ? legacy.read(20, 4) : modern.read(128, 4)).toBe(8);
    request(0, 8, 0, WRITE);
    publish(0);
    await turn();
    expect(new TextDecoder().decode(bytes.subarray(DATA, DATA + 5))).toBe('disk\0');
  });
});

describe('a virtio disk', () => {
  test('has several requests under way and answers them in the order of the disk', async () => {
    const { bytes, view, answers, seen, begin, request, publish, content } = guest();
    begin();
    request(0, 0, 5, WRITE);
    request(3, 1, 2, 0);
    bytes.fill(0x77, DATA + 512, DATA + 1024);
    publish(0, 3);
    expect([answers.length, seen.interrupts]).toEqual([2, 0]);
    answers[1]?.();
    await turn();
    expect([view.getUint16(USED + 2, true), view.getUint32(USED + 4, true)]).toEqual([1, 3]);
    expect([bytes[STATUS], bytes[STATUS + 1], content[2 * 512]]).toEqual([0xff, 0, 0x77]);
    answers[0]?.();
    await turn();
    expect([view.getUint16(USED + 2, true), view.getUint32(USED + 12, true)]).toEqual([2, 0]);
    expect([bytes[STATUS], bytes[DATA], view.getUint32(USED + 16, true)]).toEqual([0, 5, 513]);
    expect([seen.interrupts, seen.broken]).toEqual([2, '']);
  });

  test('fails what is beyond its end, what the disk fails, and what it does not know', async () => {
    const { bytes, answers, seen, begin, request, publish } = guest();
    begin();
    request(0, 0, 8, WRITE);
    request(3, 99, 0, WRITE);
    publish(0, 3);
    await turn();
    expect([bytes[STATUS], bytes[STATUS + 1], answers.length]).toEqual([1, 2, 0]);
    request(0, 0, 0, WRITE);
    publish(0);
    answers[0]?.(new RpcError('InputOutput'));
    await turn();
    expect([bytes[STATUS], seen.failed]).toEqual([1, 'InputOutput']);
  });

  test('that is reset sends and writes nothing of what was under way', async () => {
    const { bytes, answers, seen, modern, begin, request, publish, content } = guest();
    begin();
    request(0, 0, 5, WRITE);
    request(3, 1, 2, 0);
    publish(0, 3);
    modern.write(20, 1, 0);
    bytes.fill(0xee, DATA, DATA + 1024);
    for (const answer of answers) answer();
    await turn();
    expect([bytes[DATA], content[2 * 512], bytes[STATUS], seen.interrupts]).toEqual([0xee, 2, 0xff, 0]);
  });

  test('is broken by an impossible request until it is reset', async () => {
    for (const spoil of [
      ({ descriptor }: ReturnType<typeof guest>) => descriptor(1, 0xf_0000, 512, NEXT | WRITE, 2),
      ({ descriptor }: ReturnType<typeof guest>) => descriptor(1, DATA, 512, NEXT | WRITE, 1),
      ({ descriptor }: ReturnType<typeof guest>) => descriptor(1, DATA, 512, NEXT | WRITE, 200),
    ]) {
      const one = guest();
      one.begin();
      one.request(0, 0, 5, WRITE);
      spoil(one);
      one.publish(0);
      await turn();
      expect(one.seen.broken).not.toBe('');
      expect([one.answers.length, one.modern.read(20, 1) & 0x40]).toEqual([0, 0x40]);
      one.modern.write(20, 1, 0);
      expect(one.modern.read(20, 1)).toBe(0);
    }
  });

  test('tells how many segments a request has that fits into its queue', () => {
    expect(guest().modern.read(128 + 12, 4)).toBe(SIZE - 2);
  });

  test('goes on with no further range of a discard after its reset', async () => {
    const { view, answers, seen, modern, begin, request, descriptor, publish } = guest();
    begin();
    request(0, 11, 0, 0);
    descriptor(1, DATA, 32, NEXT, 2);
    for (const [at, value] of [2, 0, 3, 0, 7, 0, 1, 0].entries()) view.setUint32(DATA + 4 * at, value, true);
    publish(0);
    expect(seen.requests).toEqual(['trim 2 3']);
    modern.write(20, 1, 0);
    answers[0]?.();
    await turn();
    expect(seen.requests).toEqual(['trim 2 3']);
  });

  test('that is held is not repeated for a guest that has reset it, and holds nothing of its requests', async () => {
    const { view, answers, seen, patience, modern, begin, request, descriptor, publish } = guest('modern', {
      isPatient: true,
    });
    begin();
    for (const [first, block] of [
      [0, 2],
      [3, 5],
    ] as const) {
      request(first, 11, 0, 0);
      descriptor(first + 1, DATA + 16 * first, 16, NEXT, first + 2);
      for (const [at, value] of [block, 0, 1, 0].entries())
        view.setUint32(DATA + 16 * first + 4 * at, value, true);
    }
    publish(0, 3);
    answers[0]?.(new RpcError('NoSpace'));
    await turn();
    expect([seen.requests, seen.held]).toEqual([['trim 2 1', 'trim 5 1'], ['NoSpace']]);
    modern.write(20, 1, 0);
    answers[1]?.(new RpcError('NoSpace'));
    await turn();
    patience?.retry();
    await turn();
    expect([seen.requests, seen.held, seen.failed]).toEqual([['trim 2 1', 'trim 5 1'], ['NoSpace'], '']);
  });

  test('takes the next descriptor of a chain from an indirect table', async () => {
    const { bytes, view, answers, seen, begin, request, descriptor, publish } = guest();
    begin();
    request(0, 0, 5, WRITE);
    // The header as it is; data and status are in a table.
    for (const [place, [address, length, flags]] of [
      [DATA, 512, NEXT | WRITE],
      [STATUS, 1, WRITE],
    ].entries()) {
      view.setBigUint64(0x8000 + 16 * place, BigInt(address ?? 0), true);
      view.setUint32(0x8000 + 16 * place + 8, length ?? 0, true);
      view.setUint16(0x8000 + 16 * place + 12, flags ?? 0, true);
      view.setUint16(0x8000 + 16 * place + 14, place + 1, true);
    }
    descriptor(1, 0x8000, 32, 4);
    publish(0);
    answers[0]?.();
    await turn();
    expect([seen.broken, bytes[DATA], bytes[STATUS]]).toEqual(['', 5, 0]);
  });

  test('is broken by an indirect descriptor that leads to another one, or has a next one', async () => {
    for (const [address, flags] of [
      [DESCRIPTORS, 4],
      [0x8000, 4 | NEXT],
    ] as const) {
      const { seen, begin, request, descriptor, publish } = guest();
      begin();
      request(0, 0, 5, WRITE);
      descriptor(0, address, 48, flags, 1);
      publish(0);
      await turn();
      expect(seen.broken).toMatch(/an indirect descriptor/);
    }
  });
});

describe.each<Transport>(['legacy', 'modern'])('through its %s transport', (kind) => {
  /** The driver gives up what it has begun. */
  const resets: Readonly<Record<string, (one: ReturnType<typeof guest>) => void>> = {
    'a reset': ({ legacy, modern }) => (kind === 'legacy' ? legacy.write(18, 1, 0) : modern.write(20, 1, 0)),
    ...(kind === 'legacy' ? { 'a queue that is taken back': ({ legacy }) => legacy.write(8, 4, 0) } : {}),
  };

  test.each(Object.keys(resets))(
    'after %s the new driver waits until what was under way has ended',
    async (name) => {
      const one = guest(kind);
      const { bytes, answers, seen, begin, request, publish, usedCount, content } = one;
      begin();
      request(0, 1, 2, 0);
      request(3, 0, 5, WRITE);
      bytes.fill(0x77, DATA, DATA + 512);
      publish(0, 3);
      expect(answers.length).toBe(2);
      resets[name]?.(one);
      bytes.fill(0, AVAILABLE, AVAILABLE + 4);
      begin();
      request(0, 1, 2, 0);
      bytes.fill(0x88, DATA, DATA + 512);
      publish(0);
      expect(answers.length).toBe(2);
      answers[0]?.();
      await turn();
      expect(answers.length).toBe(2);
      answers[1]?.();
      await turn();
      expect([answers.length, usedCount(), content[2 * 512]]).toEqual([3, 0, 2]);
      answers[2]?.();
      await turn();
      expect([usedCount(), content[2 * 512], bytes[STATUS], seen.broken]).toEqual([1, 0x88, 0, '']);
    },
  );

  test('a driver that does not flush has its writes synchronised, each before its answer', async () => {
    const { answers, seen, begin, request, publish, usedCount } = guest(kind, { features: ~FLUSH });
    begin();
    request(0, 1, 2, 0);
    publish(0);
    answers[0]?.();
    await turn();
    expect([seen.requests, usedCount()]).toEqual([['sync'], 0]);
    answers[1]?.();
    await turn();
    expect(usedCount()).toBe(1);
  });

  test('a driver that works with the device is told by an interrupt that it needs a reset', async () => {
    const { seen, begin, request, descriptor, publish, interruptReason } = guest(kind);
    begin();
    request(0, 0, 5, WRITE);
    descriptor(1, DATA, 512, NEXT | WRITE, 200);
    publish(0);
    await turn();
    expect([seen.broken !== '', seen.interrupts, interruptReason()]).toEqual([true, 1, 2]);
  });

  test('goes on in another machine with what was under way, and without what was done', async () => {
    const before = guest(kind);
    before.begin();
    before.request(0, 1, 2, 0);
    before.bytes.fill(0x77, DATA, DATA + 512);
    before.request(3, 0, 5, WRITE);
    before.publish(0, 3);
    before.answers[0]?.();
    await turn();
    expect(before.usedCount()).toBe(1);
    const saved: unknown = JSON.parse(JSON.stringify(before.transport.state));
    const after = guest(kind);
    after.bytes.set(before.bytes);
    after.transport.restore(transportState(saved, 'state'));
    // Only the read was under way.
    expect([after.answers.length, after.interruptReason()]).toEqual([1, 1]);
    after.answers[0]?.();
    await turn();
    expect([after.usedCount(), after.used(1).head, after.bytes[DATA + 512]]).toEqual([2, 3, 5]);
    // The driver goes on with its queue where it was.
    after.request(0, 1, 3, 0);
    after.publish(0);
    after.answers[1]?.();
    await turn();
    expect([after.usedCount(), after.content[3 * 512], after.seen.broken]).toEqual([3, 0x77, '']);
  });

  test('whose queue was changed behind its back asks for a reset when it goes on', async () => {
    const before = guest(kind);
    before.begin();
    before.request(0, 0, 5, WRITE);
    before.publish(0);
    const after = guest(kind);
    after.bytes.set(before.bytes);
    after.descriptor(1, DATA, 512, NEXT | WRITE, 200);
    after.transport.restore(before.transport.state);
    expect(after.seen.broken).toContain('descriptor 200');
  });
});
