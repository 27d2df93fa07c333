/**
 * Memory files (memfd): memory with a descriptor but without a name, so nothing is left in any file
 * system. Whoever maps a file that is then cut short dies of SIGBUS; so each is sealed against a
 * change of size before anybody else gets it, and checked for that on receipt.
 *
 * Read-only sharing: a descriptor opened for reading can be opened again for writing through /proc,
 * so only a seal helps. F_SEAL_FUTURE_WRITE forbids new writeable mappings (and write calls) but
 * leaves the owner's, which must come first.
 */
import { fstatSync, statfsSync } from 'node:fs';
import { callFailure, checkInteger, SharedMemoryError } from './errors.ts';
import { ERRNO, type Kernel } from './kernel.ts';

const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const MFD_NOEXEC_SEAL = 8;

const F_GETFL = 3;
const F_ADD_SEALS = 1033;
const F_GET_SEALS = 1034;
const SEAL_SEAL = 1;
const SEAL_SHRINK = 2;
const SEAL_GROW = 4;
const SEAL_WRITE = 8;
const SEAL_FUTURE_WRITE = 16;
const SIZE_SEALS = SEAL_SEAL | SEAL_SHRINK | SEAL_GROW;

const ACCESS_MODE = 3;
const READ_WRITE = 2;
const TMPFS_MAGIC = 0x01021994;

/** Largest memory file: an arena has no room for a larger one. */
export const MEMORY_BYTES_MAX = 2 ** 31 - 2 ** 20;
/** The kernel's limit is 249 bytes; the name only shows in /proc/PID/maps. */
const NAME_LENGTH_MAX = 60;

/** Makes a memory file of fixed size, zeroed, closed on exec. The caller owns the descriptor. */
export function createMemory(kernel: Kernel, sizeBytes: number, name: string): number {
  const fd = createUnsealed(kernel, sizeBytes, name);
  return closingOnError(kernel, fd, () => {
    addSeals(kernel, fd, SIZE_SEALS);
    return fd;
  });
}

/**
 * Makes a memory file that nobody but its owner will ever write: `map` maps it for the owner, then
 * it is sealed. Who gets the descriptor can map it for reading only.
 */
export function createReadOnlyMemory<Mapped>(
  kernel: Kernel,
  sizeBytes: number,
  name: string,
  map: (fd: number) => Mapped,
): { readonly fd: number; readonly mapped: Mapped } {
  const fd = createUnsealed(kernel, sizeBytes, name);
  return closingOnError(kernel, fd, () => {
    const mapped = map(fd);
    addSeals(kernel, fd, SIZE_SEALS | SEAL_FUTURE_WRITE);
    return { fd, mapped };
  });
}

/**
 * Makes a memory file of fixed size that is to be sealed by `sealMemory` before anybody else gets
 * it: whether others may write is decided then. The caller owns the descriptor.
 */
export function createOpenMemory(kernel: Kernel, sizeBytes: number, name: string): number {
  const fd = createUnsealed(kernel, sizeBytes, name);
  return closingOnError(kernel, fd, () => {
    addSeals(kernel, fd, SEAL_SHRINK | SEAL_GROW);
    return fd;
  });
}

/** Seals what `createOpenMemory` has made, for good. Mappings that are there stay as they are. */
export function sealMemory(kernel: Kernel, fd: number, { readOnlyForOthers }: SealOptions): void {
  addSeals(kernel, fd, SIZE_SEALS | (readOnlyForOthers ? SEAL_FUTURE_WRITE : 0));
}

export interface SealOptions {
  /** Whether nobody who maps it from now on, ourselves included, can write to it. */
  readonly readOnlyForOthers: boolean;
}

export interface ExpectedMemory {
  /** Whether the receiver is going to write. */
  readonly writeable: boolean;
}

/**
 * Checks a descriptor that came from elsewhere before it is mapped: a memory file (`NotMemory`)
 * that can neither shrink nor grow (`NotSealed`), of exactly this size (`WrongSize`), and writeable
 * if asked for (`ReadOnly`). Does not close it.
 */
export function checkMemory(
  kernel: Kernel,
  fd: number,
  sizeBytes: number,
  { writeable }: ExpectedMemory,
): void {
  // Asked first: it fails on anything but memory without calling the file system behind the
  // descriptor.
  const seals = kernel.fcntl(fd, F_GET_SEALS, 0);
  if (seals < 0) throw new SharedMemoryError('NotMemory', 'the descriptor is no memory file');
  if ((seals & SIZE_SEALS) !== SIZE_SEALS) {
    throw new SharedMemoryError('NotSealed', 'the size of the memory file is not sealed');
  }
  // Huge pages have seals too, but may run out when they are touched.
  if (statfsSync(`/proc/self/fd/${fd}`).type !== TMPFS_MAGIC) {
    throw new SharedMemoryError('NotMemory', 'the memory file consists of huge pages');
  }
  const { size } = fstatSync(fd);
  if (size !== sizeBytes) {
    throw new SharedMemoryError('WrongSize', `the memory file has ${size} bytes, not ${sizeBytes}`);
  }
  if (!writeable) return;
  const readOnly = (kernel.fcntl(fd, F_GETFL, 0) & ACCESS_MODE) !== READ_WRITE;
  if (readOnly || (seals & (SEAL_WRITE | SEAL_FUTURE_WRITE)) !== 0) {
    throw new SharedMemoryError('ReadOnly', 'the memory file can be mapped for reading only');
  }
}

function createUnsealed(kernel: Kernel, sizeBytes: number, name: string): number {
  checkInteger('sizeBytes', sizeBytes, 1, MEMORY_BYTES_MAX);
  if (name.length > NAME_LENGTH_MAX || !/^[\x20-\x7e]*$/.test(name)) {
    throw new SharedMemoryError('InvalidArgument', `a name has up to ${NAME_LENGTH_MAX} ASCII characters`);
  }
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  let fd = kernel.memfdCreate(name, flags | MFD_NOEXEC_SEAL);
  // Kernels before 6.3 do not know how to forbid execution.
  if (fd === -ERRNO.EINVAL) fd = kernel.memfdCreate(name, flags);
  if (fd < 0) throw callFailure('memfd_create', fd);
  return closingOnError(kernel, fd, () => {
    kernel.truncate(fd, sizeBytes);
    return fd;
  });
}

function addSeals(kernel: Kernel, fd: number, seals: number): void {
  const result = kernel.fcntl(fd, F_ADD_SEALS, seals);
  if (result < 0) throw callFailure('fcntl(F_ADD_SEALS)', result);
}

function closingOnError<Result>(kernel: Kernel, fd: number, use: () => Result): Result {
  try {
    return use();
  } catch (error) {
    kernel.close(fd);
    throw error;
  }
}
