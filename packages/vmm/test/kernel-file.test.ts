/** The files of kernels: what is taken, and what is refused with which words. */
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { xzAsync } from 'node-liblzma/wasm';
import { describe, expect, test } from 'vitest';
import {
  KERNEL_BYTES_MAX,
  KernelError,
  readElf,
  readKernelFile,
  unpackKernel,
} from '../src/linux/kernel-file.ts';
import { unxz } from '../src/machine/unxz.ts';
import { bzImageOf, elfOf } from './tiny-guest.ts';

const CODE = Uint8Array.from([1, 2, 3, 4, 5]);
const ELF = elfOf([{ address: 0x10_0000, bytes: CODE, memoryBytes: 16 }]);
const sizeAtTheEnd = (packed: Uint8Array): Uint8Array => Uint8Array.from([...packed, 0, 1, 0, 0]);

/** An xz file without its end. */
const CUT_OFF = (await xzAsync(new Uint8Array(5000))).subarray(0, 40);
/** How often others had their turn while a kernel was unpacked. */
let turns = 0;
const turn = (): Promise<void> => Promise.resolve(void turns++);

async function unpacked(file: Uint8Array, bytesMax = KERNEL_BYTES_MAX): Promise<Uint8Array> {
  return unpackKernel(readKernelFile(file), (packed, most) => unxz(packed, most, turn), bytesMax);
}

async function loaded(file: Uint8Array): Promise<ReturnType<typeof readElf>> {
  const { entry, segments } = readElf(await unpacked(file));
  return {
    entry,
    segments: segments.map(({ address, bytes, memoryBytes }) => ({
      address,
      bytes: Uint8Array.from(bytes),
      memoryBytes,
    })),
  };
}

describe('a kernel is read', () => {
  const whole = { entry: 0x10_0000, segments: [{ address: 0x10_0000, bytes: CODE, memoryBytes: 16 }] };

  test('from an ELF file', async () => {
    expect(await loaded(ELF)).toEqual(whole);
  });

  test('from a bzImage packed by gzip, by xz, or not at all', async () => {
    expect(await loaded(bzImageOf(gzipSync(ELF)))).toEqual(whole);
    expect(await loaded(bzImageOf(sizeAtTheEnd(await xzAsync(ELF))))).toEqual(whole);
    expect(await loaded(bzImageOf(ELF))).toEqual(whole);
  });

  test('in pieces, between which others have their turn', async () => {
    const large = elfOf([{ address: 0x10_0000, bytes: new Uint8Array(3 * 2 ** 20).fill(7) }]);
    const packed = bzImageOf(sizeAtTheEnd(await xzAsync(large)));
    turns = 0;
    expect(Buffer.from(large).equals(await unpacked(packed))).toBe(true);
    expect(turns).toBeGreaterThanOrEqual(3);
  });

  test('with what it says of 64 bits', () => {
    expect(readKernelFile(bzImageOf(ELF, { xloadflags: 1 })).is64Bits).toBe(true);
    expect(readKernelFile(bzImageOf(ELF, { xloadflags: 2 })).is64Bits).toBe(false);
    expect(readKernelFile(Uint8Array.from(ELF, (byte, at) => (at === 4 ? 2 : byte))).is64Bits).toBe(true);
  });
});

describe('a kernel is refused', () => {
  test.each([
    ['that is none', new Uint8Array(4096), /no Linux kernel/],
    ['that is empty', new Uint8Array(0), /no Linux kernel/],
    ['of an old boot protocol', bzImageOf(ELF, { version: 0x205 }), /boot protocol is 2\.05/],
    ['that is cut off', bzImageOf(ELF).subarray(0, 2060), /cut off/],
    ['that is no Linux', bzImageOf(new Uint8Array(0)), /without a payload, as Memtest86\+ is/],
    ['packed by zstd', bzImageOf(Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd])), /packed by zstd/],
    ['packed in an unknown way', bzImageOf(new Uint8Array(9)), /packed in an unknown way/],
    ['whose gzip is broken', bzImageOf(Uint8Array.from([0x1f, 0x8b, 9, 9])), /cannot be unpacked/],
    ['whose xz is cut off', bzImageOf(sizeAtTheEnd(CUT_OFF)), /cannot be unpacked: it is cut off/],
    [
      'whose xz is broken',
      bzImageOf(Uint8Array.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 1, 2, 0, 0, 0, 0])),
      /cannot be unpacked/,
    ],
    ['whose payload is no ELF file', bzImageOf(gzipSync(new Uint8Array(99))), /payload is no ELF file/],
    ['with nothing to load', elfOf([{ address: 0, bytes: CODE, type: 4 }]), /no segment to load/],
    [
      'with an impossible segment',
      elfOf([{ address: 0, bytes: CODE, memoryBytes: 1 }]),
      /segments is impossible/,
    ],
    ['with a table beyond its end', ELF.subarray(0, 60), /table of segments is impossible/],
    [
      'of another processor',
      Uint8Array.from(ELF, (byte, at) => (at === 18 ? 40 : byte)),
      /no ELF file of the 386/,
    ],
  ])('%s', async (_, file, message) => {
    const error: unknown = await loaded(file).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(KernelError);
    expect(String(error)).toMatch(message);
  });

  test.each(['gzip', 'xz'])(
    'packed by %s, if it is larger than it may be, before all of it is there',
    async (packing) => {
      const large = elfOf([{ address: 0x10_0000, bytes: new Uint8Array(4 * 2 ** 20) }]);
      const packed = packing === 'gzip' ? gzipSync(large) : sizeAtTheEnd(await xzAsync(large));
      turns = 0;
      await expect(unpacked(bzImageOf(packed), 2 ** 20)).rejects.toThrow(
        /unpacked, it has more than the 1 MiB that it may have here/,
      );
      expect(turns).toBeLessThanOrEqual(3);
    },
  );

  test('with a KernelError, whatever stands in it', async () => {
    const spoiled = fc.tuple(
      fc.constantFrom(ELF, bzImageOf(ELF), bzImageOf(gzipSync(ELF))),
      fc.array(fc.tuple(fc.nat(2200), fc.nat(255)), { maxLength: 6 }),
    );
    await fc.assert(
      fc.asyncProperty(spoiled, async ([file, changes]) => {
        const bytes = file.slice();
        for (const [at, value] of changes) bytes[at % bytes.byteLength] = value;
        const result: unknown = await loaded(bytes).catch((error: unknown) => error);
        if (result instanceof Error && !(result instanceof KernelError)) throw result;
      }),
    );
  });
});
