/** What is put into memory to start Linux. */
import { expect, test } from 'vitest';
import { bootImage, COMMAND_LINE_BYTES_MAX } from '../src/linux/boot-image.ts';
import { readElf, readKernelFile } from '../src/linux/kernel-file.ts';
import { bzImageOf, elfOf } from './tiny-guest.ts';

const MEBIBYTE = 2 ** 20;
const ELF = elfOf([{ address: MEBIBYTE, bytes: Uint8Array.of(1, 2, 3), memoryBytes: 8 }]);

function imageWith(
  more: { initrd?: Uint8Array; commandLine?: string; memoryBytes?: number; elf?: Uint8Array } = {},
): ReturnType<typeof bootImage> {
  const { initrd, commandLine = '', memoryBytes = 16 * MEBIBYTE, elf = ELF } = more;
  const parts = { file: readKernelFile(bzImageOf(elf)), kernel: readElf(elf), initrd };
  return bootImage({ ...parts, commandLine, memoryBytes });
}

/** The memory of a machine after its parts were put in place, over bytes that were there before. */
function memoryOf({ parts }: ReturnType<typeof bootImage>, memoryBytes = 16 * MEBIBYTE): DataView {
  const memory = new Uint8Array(memoryBytes).fill(0xee);
  for (const part of parts) {
    if ('bytes' in part) memory.set(part.bytes, part.address);
    else memory.fill(0, part.address, part.address + part.zeroBytes);
  }
  return new DataView(memory.buffer);
}

test('the kernel is in its place, with zeros behind it', () => {
  const image = imageWith();
  const memory = memoryOf(image);
  expect(image.entry).toBe(MEBIBYTE);
  expect(new Uint8Array(memory.buffer, MEBIBYTE, 9)).toEqual(Uint8Array.of(1, 2, 3, 0, 0, 0, 0, 0, 0xee));
});

test('the zero page tells where initrd and command line are, and which memory there is', () => {
  const initrd = new Uint8Array(5000).fill(7);
  const image = imageWith({ initrd, commandLine: 'console=ttyS0' });
  const memory = memoryOf(image);
  const zeroPage = image.registers.esi ?? 0;
  const at = (offset: number): number => memory.getUint32(zeroPage + offset, true);
  const initrdAt = at(0x218);
  expect([initrdAt % 4096, at(0x21c)]).toEqual([0, 5000]);
  expect(new Uint8Array(memory.buffer, initrdAt, 5000)).toEqual(initrd);
  expect(initrdAt + 5000).toBeLessThanOrEqual(16 * MEBIBYTE);
  const line = new Uint8Array(memory.buffer, at(0x228), 14);
  expect(new TextDecoder().decode(line)).toBe('console=ttyS0\0');
  // The last range of the map begins at 1 MiB and ends with the memory.
  const last = zeroPage + 0x2d0 + (memory.getUint8(zeroPage + 0x1e8) - 1) * 20;
  expect(memory.getBigUint64(last, true) + memory.getBigUint64(last + 8, true)).toBe(BigInt(16 * MEBIBYTE));
  // The setup header of the file is there, too.
  expect(at(0x202)).toBe(0x5372_6448);
});

test('what does not fit is refused, and what is needed is said', () => {
  expect(() => imageWith({ initrd: new Uint8Array(15 * MEBIBYTE) })).toThrow(
    /need more than 17 MiB, and the guest has 16 MiB/,
  );
  expect(() => imageWith({ commandLine: 'x'.repeat(COMMAND_LINE_BYTES_MAX + 1) })).toThrow(
    /command line has 2048 bytes, more than 2047/,
  );
  expect(() => imageWith({ elf: elfOf([{ address: 0x9_0000, bytes: Uint8Array.of(1) }]) })).toThrow(
    /below 1 MiB/,
  );
});

test('a segment of impossible length is refused, and nothing of that length is made', () => {
  const elf = elfOf([{ address: MEBIBYTE, bytes: Uint8Array.of(1), memoryBytes: 0xffff_ffff }]);
  expect(() => imageWith({ elf })).toThrow(/need more than \d+ MiB/);
});

test('zeros behind a segment take no memory of the host', () => {
  const elf = elfOf([{ address: MEBIBYTE, bytes: Uint8Array.of(1), memoryBytes: 8 * MEBIBYTE }]);
  const image = imageWith({ elf });
  const bytes = image.parts.reduce((sum, part) => sum + ('bytes' in part ? part.bytes.byteLength : 0), 0);
  expect(bytes).toBeLessThan(MEBIBYTE);
  expect(memoryOf(image).getUint8(9 * MEBIBYTE - 1)).toBe(0);
});
