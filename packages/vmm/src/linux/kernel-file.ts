/**
 * Reads the file of a Linux kernel for x86: a bzImage (Linux/x86 boot protocol, 2.08 or newer), of
 * which the payload is the kernel itself, packed; or that kernel, an ELF file. The kernel is put in
 * place as it is, so neither a BIOS nor the code in front of the payload runs.
 */
import { gunzipSync } from 'node:zlib';

/** The file is no kernel that can be started. */
export class KernelError extends Error {
  override readonly name = 'KernelError';
}

/** The largest kernel, unpacked. */
export const KERNEL_BYTES_MAX = 256 * 1024 * 1024;
const MEBIBYTE = 1024 * 1024;
const HEADER_MAGIC = 0x5372_6448;
const HEADER_END = 0x268;
const VERSION_MIN = 0x208;
const ELF_MAGIC = 0x464c_457f;
/** `xloadflags`: the kernel is one for 64 bits. */
const FLAG_64_BITS = 1;
const NO_PAYLOAD = { unknown: 'without a payload, as Memtest86+ is, which is no Linux' } as const;

/** A kernel that is packed, or not. */
export interface KernelFile {
  /** The setup header of a bzImage, from offset 0x1f1 on; missing for an ELF file. */
  readonly setupHeader: Uint8Array | undefined;
  readonly is64Bits: boolean;
  readonly payload: Uint8Array;
  readonly packing: Packing;
}

/** How a payload is packed: in a way that can be unpacked here, or not. */
export type Packing = 'none' | 'gzip' | 'xz' | { readonly unknown: string };

/** Takes a kernel's file apart. Throws `KernelError`. */
export function readKernelFile(bytes: Uint8Array): KernelFile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.byteLength >= 52 && view.getUint32(0, true) === ELF_MAGIC) {
    return { setupHeader: undefined, is64Bits: bytes[4] === 2, payload: bytes, packing: 'none' };
  }
  if (bytes.byteLength < HEADER_END || view.getUint32(0x202, true) !== HEADER_MAGIC) {
    throw new KernelError('it is no Linux kernel: neither a bzImage nor an ELF file');
  }
  const version = view.getUint16(0x206, true);
  if (version < VERSION_MIN) {
    const [major, minor] = [version >> 8, (version & 0xff).toString().padStart(2, '0')];
    throw new KernelError(`its boot protocol is ${major}.${minor}, and it must be 2.08 or newer`);
  }
  const setupSectors = bytes[0x1f1] || 4;
  const start = (setupSectors + 1) * 512 + view.getUint32(0x248, true);
  const length = view.getUint32(0x24c, true);
  // Programs with the header of a kernel that are none say so: they start by their own code only.
  const hasPayload = length > 0;
  if (hasPayload && (start > bytes.byteLength || length > bytes.byteLength - start || length < 4)) {
    throw new KernelError('it is cut off: its payload goes beyond its end');
  }
  const end = Math.min(0x202 + (bytes[0x201] ?? 0), bytes.byteLength);
  const payload = bytes.subarray(start, start + length);
  const is64Bits = version >= 0x20c && (view.getUint16(0x236, true) & FLAG_64_BITS) !== 0;
  const packing = hasPayload ? packingOf(payload) : NO_PAYLOAD;
  return { setupHeader: bytes.subarray(0x1f1, end), is64Bits, payload, packing };
}

function packingOf(payload: Uint8Array): Packing {
  const begins = (...magic: number[]): boolean => magic.every((byte, index) => payload[index] === byte);
  if (begins(0x1f, 0x8b)) return 'gzip';
  if (begins(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0)) return 'xz';
  if (begins(0x7f, 0x45, 0x4c, 0x46)) return 'none';
  const known = [
    { name: 'zstd', magic: [0x28, 0xb5, 0x2f, 0xfd] },
    { name: 'lz4', magic: [0x02, 0x21] },
    { name: 'bzip2', magic: [0x42, 0x5a, 0x68] },
    { name: 'lzma', magic: [0x5d, 0, 0] },
    { name: 'lzo', magic: [0x89, 0x4c, 0x5a, 0x4f] },
  ].find(({ magic }) => begins(...magic));
  return { unknown: known ? `packed by ${known.name}` : 'packed in an unknown way' };
}

/** Unpacks xz; it comes from outside, because it takes a library. */
export type Unxz = (packed: Uint8Array, bytesMax: number) => Promise<Uint8Array>;

/**
 * The kernel itself, an ELF file. Throws `KernelError`, also if it has more than `bytesMax` bytes.
 */
export async function unpackKernel(
  { payload, packing }: KernelFile,
  unxz: Unxz,
  bytesMax: number,
): Promise<Uint8Array> {
  if (typeof packing === 'object') {
    const can = 'kernels packed by gzip or xz, and vmlinux, can be unpacked here';
    throw new KernelError(`it is ${packing.unknown}; ${can}`);
  }
  try {
    switch (packing) {
      case 'none':
        return payload;
      case 'gzip':
        return gunzipSync(payload, { maxOutputLength: Math.max(1, bytesMax) });
      case 'xz':
        // The last four bytes of the payload are the size of what is packed.
        return await unxz(payload.subarray(0, -4), bytesMax);
    }
  } catch (error) {
    if (error instanceof RangeError) {
      throw new KernelError(
        `unpacked, it has more than the ${Math.floor(bytesMax / MEBIBYTE)} MiB that it may have here`,
      );
    }
    throw new KernelError(
      `its payload cannot be unpacked: ${error instanceof Error ? error.message : error}`,
    );
  }
}

/** A part of a kernel that is put at a physical address. */
export interface LoadedSegment {
  readonly address: number;
  readonly bytes: Uint8Array;
  /** Its length in memory; what is beyond `bytes` is zero. */
  readonly memoryBytes: number;
}

/** A kernel as it is put in memory. */
export interface LoadedKernel {
  readonly entry: number;
  readonly segments: readonly LoadedSegment[];
}

const LOAD = 1;
const SEGMENTS_MAX = 64;

/** Takes the ELF file of a kernel for 32 bits apart. Throws `KernelError`. */
export function readElf(elf: Uint8Array): LoadedKernel {
  const view = new DataView(elf.buffer, elf.byteOffset, elf.byteLength);
  if (elf.byteLength < 52 || view.getUint32(0, true) !== ELF_MAGIC) {
    throw new KernelError('its payload is no ELF file');
  }
  if (elf[4] !== 1 || elf[5] !== 1 || view.getUint16(18, true) !== 3) {
    throw new KernelError('its payload is no ELF file of the 386');
  }
  const table = view.getUint32(28, true);
  const size = view.getUint16(42, true);
  const count = view.getUint16(44, true);
  if (size < 32 || count > SEGMENTS_MAX || table > elf.byteLength || count * size > elf.byteLength - table) {
    throw new KernelError('its table of segments is impossible');
  }
  const segments: LoadedSegment[] = [];
  const named = view.getUint32(24, true);
  let entry: number | undefined;
  for (let index = 0; index < count; index++) {
    const at = table + index * size;
    if (view.getUint32(at, true) !== LOAD) continue;
    const offset = view.getUint32(at + 4, true);
    const address = view.getUint32(at + 12, true);
    const fileBytes = view.getUint32(at + 16, true);
    const memoryBytes = view.getUint32(at + 20, true);
    if (offset > elf.byteLength || fileBytes > elf.byteLength - offset || memoryBytes < fileBytes) {
      throw new KernelError('one of its segments is impossible');
    }
    segments.push({ address, bytes: elf.subarray(offset, offset + fileBytes), memoryBytes });
    entry ??= within(named, view.getUint32(at + 8, true), memoryBytes, address);
  }
  if (segments.length === 0) throw new KernelError('it has no segment to load');
  // Linux names its entry by the address where it lies, others by the one where it thinks to be.
  for (const { address, memoryBytes } of segments) entry ??= within(named, address, memoryBytes, address);
  if (entry === undefined) throw new KernelError('its entry is in none of its segments');
  return { entry, segments };
}

/** Where an address of a segment lies, if it is one. */
function within(named: number, start: number, bytes: number, address: number): number | undefined {
  return named >= start && named - start < bytes ? address + (named - start) : undefined;
}
