/** The virtio device of a shared folder, driven by hand. */
import { describe, expect, test } from 'vitest';
import { checkRange, type GuestMemory } from '../src/devices/guest-memory.ts';
import { PciTransport } from '../src/devices/virtio/pci-transport.ts';
import { SharedFolderDevice } from '../src/devices/virtio/shared-folder-device.ts';
import { SplitQueue } from '../src/devices/virtio/split-queue.ts';

const SIZE = 8;
const [DESCRIPTORS, AVAILABLE, USED] = [0x1000, 0x1100, 0x2000];
const [MESSAGE, ANSWER] = [0x4000, 0x5000];
const [NEXT, WRITE] = [1, 2];
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A guest with a shared folder, whose server answers when the test says so. */
function guest() {
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
  const seen = { interrupts: 0, broken: '', lost: '', closed: 0, messages: [] as number[][] };
  const answers: ((answer: Uint8Array | Error) => void)[] = [];
  const server = {
    messageBytes: 100,
    answer: (message: Uint8Array) => {
      seen.messages.push([...message]);
      return new Promise<Uint8Array>((resolve, reject) => {
        answers.push((answer) => (answer instanceof Error ? reject(answer) : resolve(answer)));
      });
    },
    close: async () => void seen.closed++,
  };
  const queue = new SplitQueue(memory, SIZE);
  const device = new SharedFolderDevice('home', () => server, memory, queue, {
    interrupt: () => transport.interrupt(),
    fail: (reason) => transport.fail(reason),
    lost: (error) => (seen.lost = String(error)),
  });
  const transport: PciTransport = new PciTransport(device, queue, {
    raiseInterrupt: () => seen.interrupts++,
    lowerInterrupt: () => {},
    broken: (reason) => (seen.broken = reason),
  });
  const { modern } = transport;
  const begin = (): void => {
    modern.write(20, 1, 3);
    modern.write(12, 4, modern.read(4, 4));
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
  let published = 0;
  /** Asks with a message, and room for so many bytes of an answer. */
  const ask = (message: readonly number[], room: number): void => {
    bytes.set(message, MESSAGE);
    for (const [index, [address, length, flags]] of (
      [
        [MESSAGE, message.length, NEXT],
        [ANSWER, room, WRITE],
      ] as const
    ).entries()) {
      const at = DESCRIPTORS + 16 * index;
      view.setUint32(at, address, true);
      view.setUint32(at + 8, length, true);
      view.setUint16(at + 12, flags, true);
      view.setUint16(at + 14, index + 1, true);
    }
    view.setUint16(AVAILABLE + 4 + 2 * (published % SIZE), 0, true);
    view.setUint16(AVAILABLE + 2, ++published, true);
    modern.write(68, 2, 0);
  };
  const used = (): readonly number[] => [view.getUint16(USED + 2, true), view.getUint32(USED + 8, true)];
  const answered = (count: number): number[] => [...bytes.subarray(ANSWER, ANSWER + count)];
  return { modern, transport, begin, ask, answers, seen, used, answered };
}

/** A message of so many bytes that says it has `size`. */
const message = (length: number, size = length): number[] =>
  Array.from({ length }, (_, index) => (index === 0 ? size : index === 4 ? 100 : index === 5 ? 9 : 0));

describe('a shared folder', () => {
  test('has its tag in its configuration, and is a 9P device for both kinds of drivers', () => {
    const { modern, transport } = guest();
    const name = Array.from({ length: 4 }, (_, index) => modern.read(130 + index, 1));
    expect([modern.read(128, 2), String.fromCharCode(...name)]).toEqual([4, 'home']);
    const space = transport.configSpace({ legacyPort: 0xd000, modernPort: 0xe000, interruptLine: 10 });
    expect([...space.subarray(0, 4)]).toEqual([0xf4, 0x1a, 0x09, 0x10]);
    expect(space[0x2e]).toBe(9);
  });

  test('brings messages to the server, and its answers back', async () => {
    const { begin, ask, answers, seen, used, answered } = guest();
    begin();
    ask(message(20), 64);
    expect(seen.messages).toEqual([message(20)]);
    answers[0]?.(Uint8Array.of(11, 0, 0, 0, 101, 9, 0, 1, 2, 3, 4));
    await turn();
    expect([used(), answered(11), seen.interrupts]).toEqual([
      [1, 11],
      [11, 0, 0, 0, 101, 9, 0, 1, 2, 3, 4],
      1,
    ]);
  });

  test.each([
    ['is shorter than a header', message(6), 64],
    ['says that it is longer than it is', message(20, 21), 64],
    ['says that it has no header', message(20, 3), 64],
    ['is longer than messages are', message(120), 64],
  ])('whose guest sends a message that %s is broken until its reset', async (_what, bytes, room) => {
    const { begin, ask, seen, used } = guest();
    begin();
    ask(bytes, room);
    await turn();
    expect([seen.broken !== '', seen.messages, used()[0]]).toEqual([true, [], 0]);
    begin();
    expect(seen.closed).toBeGreaterThan(0);
  });

  test('writes nothing beyond the room that the guest has left', async () => {
    const { begin, ask, answers, seen, used, answered } = guest();
    begin();
    ask(message(20), 10);
    answers[0]?.(new Uint8Array(11).fill(7));
    await turn();
    expect([seen.broken, used()[0], answered(10)]).toEqual([
      'an answer of 11 bytes has room for 10',
      0,
      Array.from({ length: 10 }, () => 0),
    ]);
  });

  test('gives an answer from before a reset to nobody', async () => {
    const { begin, ask, answers, seen, answered, modern } = guest();
    begin();
    ask(message(20), 64);
    modern.write(20, 1, 0);
    expect(seen.closed).toBe(1);
    answers[0]?.(new Uint8Array(11).fill(7));
    await turn();
    expect([answered(11), seen.interrupts, seen.broken]).toEqual([
      Array.from({ length: 11 }, () => 0),
      0,
      '',
    ]);
  });

  test('answers with an error when its server is lost', async () => {
    const { begin, ask, answers, seen, answered } = guest();
    begin();
    ask(message(20), 64);
    answers[0]?.(new Error('the server is gone'));
    await turn();
    expect([seen.lost, answered(11)]).toEqual([
      'Error: the server is gone',
      [11, 0, 0, 0, 7, 9, 0, 5, 0, 0, 0],
    ]);
  });
});
