/**
 * Making, checking and mapping memory files, for this thread: what `memory-file.ts` and `arena.ts`
 * do, with support.
 */
import { Arena, ARENA_BYTES_DEFAULT, ARENA_BYTES_MAX, type MapOptions, type Region } from './arena.ts';
import { checkInteger, SharedMemoryError } from './errors.ts';
import * as file from './memory-file.ts';
import { kernelOrThrow } from './support.ts';

const WASM_PAGE_BYTES = 65_536;
const ARENA_BYTES_MIN = 1024 * 1024;
/**
 * Arenas that a thread makes by itself. Each reserves about 10 GiB of its 128 TiB of address space.
 */
export const ARENAS_MAX = 256;

/**
 * Makes a memory file of fixed size, zeroed, sealed against every change of size, closed on exec.
 * The caller owns the descriptor. `name` (ASCII, up to 60 characters) shows in /proc/PID/maps.
 */
export function createMemory(sizeBytes: number, name = ''): number {
  return file.createMemory(kernelOrThrow(), sizeBytes, name);
}

/**
 * Makes a memory file that only its maker can write: `map` makes the maker's own writeable mapping,
 * then the file is sealed. Who gets the descriptor, or opens it again through /proc, can map it for
 * reading only. The caller owns `fd`.
 */
export function createReadOnlyMemory<Mapped = Region>(
  sizeBytes: number,
  name: string,
  map: (fd: number) => Mapped,
): { readonly fd: number; readonly mapped: Mapped } {
  return file.createReadOnlyMemory(kernelOrThrow(), sizeBytes, name, map);
}

/** As `createMemory`, to be sealed by `sealMemory` before anybody else gets it. */
export function createOpenMemory(sizeBytes: number, name = ''): number {
  return file.createOpenMemory(kernelOrThrow(), sizeBytes, name);
}

/** Seals what `createOpenMemory` has made, for good: once only. */
export function sealMemory(fd: number, options: file.SealOptions): void {
  file.sealMemory(kernelOrThrow(), fd, options);
}

/**
 * Checks a descriptor that came from elsewhere before it is mapped. Throws `NotMemory`, `NotSealed`
 * (it could still be cut short, and whoever has mapped it dies of SIGBUS), `WrongSize` or
 * `ReadOnly`. Does not close it.
 */
export function checkMemory(fd: number, sizeBytes: number, expected: file.ExpectedMemory): void {
  file.checkMemory(kernelOrThrow(), fd, sizeBytes, expected);
}

/** Closes a descriptor that this package handed out. */
export function closeDescriptor(fd: number): void {
  kernelOrThrow().close(fd);
}

/**
 * Reserves an arena: a power of two of bytes. With little address space or RLIMIT_DATA it may be
 * `LimitExceeded`.
 */
export function createArena(sizeBytes = ARENA_BYTES_DEFAULT): Arena {
  checkInteger('sizeBytes', sizeBytes, ARENA_BYTES_MIN, ARENA_BYTES_MAX);
  if (!Number.isInteger(Math.log2(sizeBytes)) || sizeBytes % WASM_PAGE_BYTES !== 0) {
    throw new SharedMemoryError(
      'InvalidArgument',
      `the size of an arena is a power of two, not ${sizeBytes}`,
    );
  }
  return new Arena(kernelOrThrow(), sizeBytes);
}

const arenas: Arena[] = [];

/** Maps a memory file into one of this thread's arenas; makes another one if they are full. */
export function mapMemory(fd: number, sizeBytes: number, options: MapOptions = {}): Region {
  checkInteger('sizeBytes', sizeBytes, 1, file.MEMORY_BYTES_MAX);
  for (const arena of arenas) {
    const region = arena.tryMap(fd, sizeBytes, options);
    if (region) return region;
  }
  if (arenas.length >= ARENAS_MAX) {
    throw new SharedMemoryError('LimitExceeded', `all of the ${ARENAS_MAX} arenas of this thread are full`);
  }
  const arena = anotherArena(sizeBytes);
  arenas.push(arena);
  return arena.map(fd, sizeBytes, options);
}

/** An arena that has room for `sizeBytes`, of the usual size if possible. */
function anotherArena(sizeBytes: number): Arena {
  // The header takes a small part: one of just the size would be too small.
  const neededBytes = Math.min(
    2 ** Math.ceil(Math.log2(sizeBytes * 1.01 + WASM_PAGE_BYTES)),
    ARENA_BYTES_MAX,
  );
  for (let bytes = Math.max(ARENA_BYTES_DEFAULT, neededBytes); ; bytes /= 2) {
    try {
      return createArena(bytes);
    } catch (error) {
      const smaller = error instanceof SharedMemoryError && error.code === 'LimitExceeded';
      if (!smaller || bytes / 2 < Math.max(neededBytes, ARENA_BYTES_MIN)) throw error;
    }
  }
}
