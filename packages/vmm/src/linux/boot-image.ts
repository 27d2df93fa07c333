/**
 * What is put into the memory of a machine to start Linux in it without a BIOS: the kernel at its
 * physical addresses, the initial RAM disk at the top, and below 1 MiB the "zero page" (boot_params
 * of the Linux/x86 boot protocol) and the command line. The processor starts in 32-bit mode at the
 * entry of the kernel.
 */
import { ACPI_TABLES_AT } from '../devices/acpi/tables.ts';
import { KernelError, type KernelFile, type LoadedKernel } from './kernel-file.ts';

/** Bytes to be put at an address, or so many zeros. */
export type Placed =
  | { readonly address: number; readonly bytes: Uint8Array }
  | { readonly address: number; readonly zeroBytes: number };

/** A machine's memory and registers at the start of a kernel. */
export interface BootImage {
  readonly entry: number;
  /** The registers that the kernel wants something in; the others are zero. */
  readonly registers: { readonly eax?: number; readonly ebx?: number; readonly esi?: number };
  readonly parts: readonly Placed[];
}

const ZERO_PAGE_AT = 0x9_0000;
const ZERO_PAGE_BYTES = 4096;
const COMMAND_LINE_AT = 0x9_1000;
/** The longest command line that Linux for x86 takes. */
export const COMMAND_LINE_BYTES_MAX = 2047;
const LOW_END = 0x9_fc00;
const MEBIBYTE = 0x10_0000;
const PAGE_BYTES = 4096;
/** The part of memory that a 32-bit kernel can reach from the beginning. */
const LOW_MEMORY_END = 0x3780_0000;
const USABLE = 1;
const RESERVED = 2;
const UNKNOWN_LOADER = 0xff;
const LOADED_HIGH = 1;

/** What is started. */
export interface BootParts {
  readonly file: KernelFile;
  readonly kernel: LoadedKernel;
  readonly initrd: Uint8Array | undefined;
  readonly commandLine: string;
  readonly memoryBytes: number;
  /** Whether the machine has a screen, which is in text mode 3. */
  readonly hasScreen?: boolean;
}

/** Puts it together. Throws `KernelError` if it does not fit. */
export function bootImage(parts: BootParts): BootImage {
  const { file, kernel, initrd, commandLine, memoryBytes, hasScreen = false } = parts;
  const text = new TextEncoder().encode(commandLine);
  if (text.byteLength > COMMAND_LINE_BYTES_MAX) {
    throw new KernelError(
      `its command line has ${text.byteLength} bytes, more than ${COMMAND_LINE_BYTES_MAX}`,
    );
  }
  const kernelEnd = Math.max(...kernel.segments.map(({ address, memoryBytes: bytes }) => address + bytes));
  const top = Math.min(memoryBytes, LOW_MEMORY_END);
  const initrdBytes = initrd?.byteLength ?? 0;
  const initrdAt = Math.floor((top - initrdBytes) / PAGE_BYTES) * PAGE_BYTES;
  if (kernelEnd > initrdAt) {
    const needed = Math.ceil((kernelEnd + initrdBytes) / MEBIBYTE);
    const has = Math.floor(memoryBytes / MEBIBYTE);
    throw new KernelError(`kernel and initrd need more than ${needed} MiB, and the guest has ${has} MiB`);
  }
  if (kernel.segments.some(({ address }) => address < MEBIBYTE)) {
    throw new KernelError('one of its segments lies below 1 MiB');
  }
  const page = zeroPage(file.setupHeader, initrdAt, initrdBytes, memoryBytes);
  if (hasScreen) describeScreen(page);
  const commandLineBytes = new Uint8Array(text.byteLength + 1);
  commandLineBytes.set(text);
  return {
    entry: kernel.entry,
    // It wants the address of the zero page.
    registers: { esi: ZERO_PAGE_AT },
    parts: [
      ...kernel.segments.map(({ address, bytes }) => ({ address, bytes })),
      ...kernel.segments.map(({ address, bytes, memoryBytes: whole }) => ({
        address: address + bytes.byteLength,
        zeroBytes: whole - bytes.byteLength,
      })),
      ...(initrd ? [{ address: initrdAt, bytes: initrd }] : []),
      { address: COMMAND_LINE_AT, bytes: commandLineBytes },
      { address: ZERO_PAGE_AT, bytes: page },
    ],
  };
}

/** Tells the kernel of a VGA in text mode 3: columns, rows, and the lines of a character. */
function describeScreen(page: Uint8Array): void {
  page[0x06] = 3;
  page[0x07] = 80;
  page[0x0e] = 25;
  page[0x0f] = 1;
  page[0x10] = 16;
}

function zeroPage(
  header: Uint8Array | undefined,
  initrdAt: number,
  initrdBytes: number,
  memoryBytes: number,
): Uint8Array {
  const page = new Uint8Array(ZERO_PAGE_BYTES);
  const view = new DataView(page.buffer);
  if (header) page.set(header, 0x1f1);
  page[0x210] = UNKNOWN_LOADER;
  page[0x211] = (page[0x211] ?? 0) | LOADED_HIGH;
  if (initrdBytes > 0) {
    view.setUint32(0x218, initrdAt, true);
    view.setUint32(0x21c, initrdBytes, true);
  }
  view.setUint32(0x70, ACPI_TABLES_AT, true);
  view.setUint32(0x228, COMMAND_LINE_AT, true);
  const map = [
    { start: 0, end: LOW_END, kind: USABLE },
    { start: LOW_END, end: MEBIBYTE, kind: RESERVED },
    { start: MEBIBYTE, end: memoryBytes, kind: USABLE },
  ];
  page[0x1e8] = map.length;
  for (const [index, { start, end, kind }] of map.entries()) {
    const at = 0x2d0 + index * 20;
    view.setBigUint64(at, BigInt(start), true);
    view.setBigUint64(at + 8, BigInt(end - start), true);
    view.setUint32(at + 16, kind, true);
  }
  return page;
}
