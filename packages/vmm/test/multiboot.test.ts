/** Kernels by the Multiboot specification. */
import { describe, expect, test } from 'vitest';
import type { BootImage } from '../src/linux/boot-image.ts';
import { multibootImage } from '../src/linux/multiboot.ts';
import { elfOf } from './tiny-guest.ts';

const MEBIBYTE = 1024 * 1024;
const MAGIC = 0x1bad_b002;
const LOAD = 0x10_0000;

/** The words of a header, with a checksum that is right. */
function header(flags: number, ...addresses: readonly number[]): Uint8Array {
  const words = [MAGIC, flags, -(MAGIC + flags), ...addresses];
  const bytes = new Uint8Array(4 * words.length);
  for (const [index, word] of words.entries()) new DataView(bytes.buffer).setUint32(4 * index, word, true);
  return bytes;
}

/** A kernel by the addresses in its header, which stands 16 bytes from its beginning. */
function plainKernel(demands = 0): Uint8Array<ArrayBuffer> {
  const file = new Uint8Array(256).fill(0x90);
  file.set(header(0x1_0000 | demands, LOAD + 16, LOAD, LOAD + 200, LOAD + 5000, LOAD + 64), 16);
  return file;
}

function imageOf(file: Uint8Array, module?: Uint8Array): BootImage {
  return multibootImage({ file, module, commandLine: 'one two', memoryBytes: 16 * MEBIBYTE });
}

/** The memory of a machine with such an image in it. */
function memoryWith({ parts }: BootImage): DataView {
  const memory = new Uint8Array(16 * MEBIBYTE);
  for (const part of parts) if ('bytes' in part) memory.set(part.bytes, part.address);
  return new DataView(memory.buffer);
}

function textAt(memory: DataView, address: number): string {
  const bytes = new Uint8Array(memory.buffer, address, 100);
  return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
}

describe('a Multiboot kernel', () => {
  test('is loaded by the addresses in its header, and finds what a loader leaves for it', () => {
    const image = imageOf(plainKernel(0b11), Uint8Array.of(7, 8, 9));
    expect(image).toMatchObject({ entry: LOAD + 64, registers: { eax: 0x2bad_b002 } });
    const memory = memoryWith(image);
    const info = image.registers.ebx ?? 0;
    const word = (offset: number): number => memory.getUint32(info + offset, true);
    expect(word(0)).toBe(1 | 4 | 8 | 64 | 512);
    expect([word(4), word(8)]).toEqual([639, 15 * 1024]);
    expect([textAt(memory, word(16)), textAt(memory, word(64))]).toEqual(['one two', 'ginit']);
    const [start, end] = [memory.getUint32(word(24), true), memory.getUint32(word(24) + 4, true)];
    expect([word(20), end - start, start % 4096, memory.getUint8(start)]).toEqual([1, 3, 0, 7]);
    // It is behind all that the kernel takes, its zeros among it.
    expect(start).toBeGreaterThanOrEqual(LOAD + 5000);
    expect(word(44)).toBe(3 * 24);
    expect(memory.getUint32(word(48) + 2 * 24 + 4, true)).toBe(MEBIBYTE);
  });

  test('is loaded as the ELF file that it is', () => {
    const bytes = new Uint8Array(64);
    bytes.set(header(0), 8);
    const image = imageOf(elfOf([{ address: LOAD, bytes, memoryBytes: 100 }]));
    expect(image.entry).toBe(LOAD);
    expect(image.parts).toContainEqual({ address: LOAD + 64, zeroBytes: 36 });
  });

  test('begins where it lies, not where it thinks to be', () => {
    const bytes = new Uint8Array(64);
    bytes.set(header(0), 8);
    const high = { address: LOAD, virtual: 0xc100_0000, bytes };
    expect(imageOf(elfOf([high], 0xc100_0010)).entry).toBe(LOAD + 16);
    // As Linux has it.
    expect(imageOf(elfOf([high], LOAD + 8)).entry).toBe(LOAD + 8);
  });

  test.each<[string, Uint8Array, RegExp]>([
    [
      'that begins nowhere',
      elfOf([{ address: LOAD, bytes: header(0) }], 0xc100_0000),
      /in none of its segments/,
    ],
    ['without a header', new Uint8Array(9000), /it has no Multiboot header/],
    [
      'with a wrong checksum',
      plainKernel().map((byte, at) => (at === 24 ? byte ^ 1 : byte)),
      /no Multiboot header/,
    ],
    ['that is cut off in its header', plainKernel().subarray(0, 30), /it is cut off/],
    ['that demands something else', plainKernel(0b1000), /it demands 0x8, which nobody has here/],
    [
      'with impossible addresses',
      plainKernel().subarray(0, 100),
      /addresses in its Multiboot header are impossible/,
    ],
    [
      'that is too large',
      elfOf([{ address: LOAD, bytes: header(0), memoryBytes: 17 * MEBIBYTE }]),
      /kernel and module need 19 MiB, and the guest has 16 MiB|need 18 MiB/,
    ],
    ['below 1 MiB', elfOf([{ address: 0x1000, bytes: header(0) }]), /lies below 1 MiB/],
  ])('%s is refused', (_, file, reason) => {
    expect(() => imageOf(file)).toThrow(reason);
  });
});
