/**
 * What is put into the memory of a machine to start a kernel by the Multiboot specification
 * (version 0.6.96) without a boot loader: the kernel at its addresses, a module behind it, and
 * below 1 MiB the information that a loader leaves for it. Nobody sets a video mode.
 */
import { COMMAND_LINE_BYTES_MAX, type BootImage, type Placed } from './boot-image.ts';
import { KernelError, type LoadedKernel, readElf } from './kernel-file.ts';

const HEADER_MAGIC = 0x1bad_b002;
const LOADER_MAGIC = 0x2bad_b002;
/** The header stands in the first bytes of the file, at a multiple of four. */
const HEADER_WITHIN = 8192;
const HEADER_BYTES = 12;
const ADDRESSES_BYTES = 32;
const HAS_ADDRESSES = 1 << 16;
/** Demands of a kernel that are met: aligned modules, memory sizes. A video mode is none. */
const DEMANDS_KNOWN = 0b111;

const INFO_AT = 0x9_0000;
const INFO_BYTES = 116;
const MODULES_AT = 0x9_0100;
const MAP_AT = 0x9_0200;
const NAME_AT = 0x9_0300;
const COMMAND_LINE_AT = 0x9_1000;
const LOW_END = 0x9_fc00;
const MEBIBYTE = 0x10_0000;
const PAGE_BYTES = 4096;
const KIBIBYTE = 1024;
const GIVEN = { memory: 1, commandLine: 4, modules: 8, map: 64, name: 512 } as const;
const USABLE = 1;
const RESERVED = 2;

/** The kernel that is started, and what it gets. */
export interface MultibootParts {
  readonly file: Uint8Array;
  readonly module: Uint8Array | undefined;
  readonly commandLine: string;
  readonly memoryBytes: number;
}

/** Puts it together. Throws `KernelError` if it is no such kernel, or does not fit. */
export function multibootImage({ file, module, commandLine, memoryBytes }: MultibootParts): BootImage {
  const { entry, segments } = loaded(file);
  const text = cString(commandLine);
  if (text.byteLength > COMMAND_LINE_BYTES_MAX + 1) {
    throw new KernelError(`its command line has more than ${COMMAND_LINE_BYTES_MAX} bytes`);
  }
  if (segments.some(({ address }) => address < MEBIBYTE)) {
    throw new KernelError('one of its segments lies below 1 MiB');
  }
  const kernelEnd = Math.max(...segments.map(({ address, memoryBytes: bytes }) => address + bytes));
  const moduleAt = Math.ceil(kernelEnd / PAGE_BYTES) * PAGE_BYTES;
  const moduleBytes = module?.byteLength ?? 0;
  if (moduleAt + moduleBytes > memoryBytes) {
    const needed = Math.ceil((moduleAt + moduleBytes) / MEBIBYTE);
    const has = Math.floor(memoryBytes / MEBIBYTE);
    throw new KernelError(`kernel and module need ${needed} MiB, and the guest has ${has} MiB`);
  }
  const parts: Placed[] = segments.flatMap(({ address, bytes, memoryBytes: whole }): Placed[] => [
    { address, bytes },
    { address: address + bytes.byteLength, zeroBytes: whole - bytes.byteLength },
  ]);
  if (module) parts.push({ address: moduleAt, bytes: module });
  parts.push(
    { address: COMMAND_LINE_AT, bytes: text },
    { address: NAME_AT, bytes: cString('ginit') },
    { address: MODULES_AT, bytes: words([moduleAt, moduleAt + moduleBytes, 0, 0]) },
    { address: MAP_AT, bytes: memoryMap(memoryBytes) },
    { address: INFO_AT, bytes: information(memoryBytes, module !== undefined) },
  );
  return { entry, registers: { eax: LOADER_MAGIC, ebx: INFO_AT }, parts };
}

/** The kernel in the file, by the addresses in its header or as an ELF file. */
function loaded(file: Uint8Array): LoadedKernel {
  const { view, at, flags } = headerOf(file);
  const demanded = flags & 0xffff & ~DEMANDS_KNOWN;
  if (demanded !== 0) throw new KernelError(`it demands 0x${demanded.toString(16)}, which nobody has here`);
  if ((flags & HAS_ADDRESSES) === 0) return readElf(file);
  if (at + ADDRESSES_BYTES > file.byteLength) throw new KernelError('it is cut off');
  const word = (index: number): number => view.getUint32(at + HEADER_BYTES + 4 * index, true);
  const [headerAddress, load, loadEnd, bssEnd, entry] = [word(0), word(1), word(2), word(3), word(4)];
  const from = at - (headerAddress - load);
  const length = loadEnd === 0 ? file.byteLength - from : loadEnd - load;
  if (from < 0 || length <= 0 || from + length > file.byteLength) {
    throw new KernelError('the addresses in its Multiboot header are impossible');
  }
  const memoryBytes = Math.max(length, bssEnd === 0 ? 0 : bssEnd - load);
  return { entry, segments: [{ address: load, bytes: file.subarray(from, from + length), memoryBytes }] };
}

function headerOf(file: Uint8Array): { view: DataView; at: number; flags: number } {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const end = Math.min(HEADER_WITHIN, file.byteLength) - HEADER_BYTES;
  for (let at = 0; at <= end; at += 4) {
    if (view.getUint32(at, true) !== HEADER_MAGIC) continue;
    const flags = view.getUint32(at + 4, true);
    if (((HEADER_MAGIC + flags + view.getUint32(at + 8, true)) & 0xffff_ffff) === 0)
      return { view, at, flags };
  }
  throw new KernelError('it has no Multiboot header');
}

function information(memoryBytes: number, hasModule: boolean): Uint8Array {
  const info = new Uint8Array(INFO_BYTES);
  const view = new DataView(info.buffer);
  const given = GIVEN.memory | GIVEN.commandLine | GIVEN.map | GIVEN.name | (hasModule ? GIVEN.modules : 0);
  view.setUint32(0, given, true);
  view.setUint32(4, LOW_END / KIBIBYTE, true);
  view.setUint32(8, (memoryBytes - MEBIBYTE) / KIBIBYTE, true);
  view.setUint32(16, COMMAND_LINE_AT, true);
  view.setUint32(20, hasModule ? 1 : 0, true);
  view.setUint32(24, MODULES_AT, true);
  view.setUint32(44, memoryMap(memoryBytes).byteLength, true);
  view.setUint32(48, MAP_AT, true);
  view.setUint32(64, NAME_AT, true);
  return info;
}

/** Each entry says how long its rest is, then base and length in 64 bits, and the kind. */
function memoryMap(memoryBytes: number): Uint8Array {
  const entry = (start: number, end: number, kind: number): number[] => [20, start, 0, end - start, 0, kind];
  return words([
    ...entry(0, LOW_END, USABLE),
    ...entry(LOW_END, MEBIBYTE, RESERVED),
    ...entry(MEBIBYTE, memoryBytes, USABLE),
  ]);
}

function words(values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  for (const [index, value] of values.entries()) view.setUint32(4 * index, value, true);
  return bytes;
}

function cString(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\0`);
}
