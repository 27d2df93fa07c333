/**
 * An arena: a stretch of address space, as one SharedArrayBuffer, into which memory files are
 * mapped page by page. A shared WebAssembly.Memory reserves about 10 GiB of address space, whatever
 * its size: so one for many memory files.
 *
 * The memory that V8 would give it is replaced at once by one sparse shared mapping, the backdrop.
 * It costs neither memory until somebody writes to it nor RLIMIT_DATA ever. The backdrop is mapped
 * twice: where the SharedArrayBuffer sees it, and right behind, in the part of V8's reservation
 * that the memory could grow into but never does.
 *
 *     address:   | header | free … | file A | free … | file B | … |  the backdrop, whole  |  rest of the reservation
 *                |<------------- the SharedArrayBuffer ---------->|
 *
 * A memory file is mapped over the backdrop; unmapping maps the backdrop there again from its
 * second place, which drops the file's pages and needs no descriptor. A view that somebody kept
 * then reads and writes the backdrop: not what it wants, but nothing faults, nothing of the file is
 * reachable, and what was written there is thrown away when the place is used again. When the last
 * buffer of an arena is collected, V8 unmaps all of it.
 */
import { fstatSync } from 'node:fs';
import { ArenaHeader, headerBytes } from './arena-header.ts';
import { assert, checkInteger, SharedMemoryError } from './errors.ts';
import type { Kernel } from './kernel.ts';
import { withDataRoom } from './data-room.ts';
import { PageAllocator } from './page-allocator.ts';

/** The part of Node's API that is used here; Node's types lack it. */
declare const WebAssembly: {
  readonly Memory: new (descriptor: {
    readonly initial: number;
    readonly maximum: number;
    readonly shared: true;
  }) => { readonly buffer: ArrayBufferLike };
};

const WASM_PAGE_BYTES = 65_536;
/** Size of an arena unless told. */
export const ARENA_BYTES_DEFAULT = 256 * 1024 * 1024;
/** With its second half in the reservation an arena comes to the 4 GiB of a wasm memory. */
export const ARENA_BYTES_MAX = 2 ** 31;

export interface MapOptions {
  /** Maps for reading only: **a write from JavaScript then ends the process** by SIGSEGV. */
  readonly readOnly?: boolean;
}

/** A memory file that is mapped in an arena. */
export class Region {
  /** The whole arena: the memory is the bytes from `byteOffset` on. May be posted to workers. */
  readonly buffer: SharedArrayBuffer;
  readonly byteOffset: number;
  readonly byteLength: number;
  readonly readOnly: boolean;
  #release: (() => void) | undefined;

  /** For `Arena`. */
  constructor(
    buffer: SharedArrayBuffer,
    byteOffset: number,
    byteLength: number,
    readOnly: boolean,
    release: () => void,
  ) {
    this.buffer = buffer;
    this.byteOffset = byteOffset;
    this.byteLength = byteLength;
    this.readOnly = readOnly;
    this.#release = release;
  }

  get mapped(): boolean {
    return this.#release !== undefined;
  }

  /** A view of the bytes. */
  bytes(): Uint8Array<SharedArrayBuffer> {
    return new Uint8Array(this.buffer, this.byteOffset, this.byteLength);
  }

  /** A view as 32-bit words, for Atomics. Up to three bytes at the end are left out. */
  words(): Int32Array<SharedArrayBuffer> {
    return new Int32Array(this.buffer, this.byteOffset, Math.floor(this.byteLength / 4));
  }

  /**
   * Ends the mapping, in all threads. Views that are left show other memory from now on.
   * Idempotent.
   */
  unmap(): void {
    const release = this.#release;
    this.#release = undefined;
    release?.();
  }

  [Symbol.dispose](): void {
    this.unmap();
  }
}

/**
 * A reservation of address space. It belongs to the thread that made it; its buffer may go to
 * others.
 */
export class Arena {
  readonly #kernel: Kernel;
  readonly #buffer: SharedArrayBuffer;
  readonly #address: number;
  readonly #header: ArenaHeader;
  readonly #allocator: PageAllocator;
  readonly #regions = new Set<Region>();

  /**
   * For this package; others call `createArena`. Throws `LimitExceeded` if the address space cannot
   * be had.
   */
  constructor(kernel: Kernel, sizeBytes: number) {
    assert(sizeBytes % WASM_PAGE_BYTES === 0 && sizeBytes <= ARENA_BYTES_MAX, 'an arena has whole pages');
    this.#kernel = kernel;
    this.#buffer = withDataRoom(kernel, () => {
      const buffer = reserve(sizeBytes);
      const address = kernel.addressOf(new Uint8Array(buffer));
      assert(address % kernel.pageBytes === 0, 'an arena starts at a page');
      kernel.mapSparse(address, sizeBytes);
      return buffer;
    });
    this.#address = kernel.addressOf(new Uint8Array(this.#buffer));
    kernel.mapAgain(this.#address, this.#backdrop(0), sizeBytes);
    const pages = sizeBytes / kernel.pageBytes;
    this.#header = ArenaHeader.create(this.#buffer, this.#address, kernel.pageBytes);
    this.#allocator = new PageAllocator(Math.ceil(headerBytes(pages) / kernel.pageBytes), pages);
  }

  /** Size of the reservation, header included. */
  get sizeBytes(): number {
    return this.#buffer.byteLength;
  }

  /** Bytes that are free, in one piece or many. */
  get freeBytes(): number {
    return this.#allocator.freePages * this.#kernel.pageBytes;
  }

  /** Memory files that are mapped. */
  get regionCount(): number {
    return this.#regions.size;
  }

  /** As `tryMap`, but an arena without room is an error, `LimitExceeded`. */
  map(fd: number, sizeBytes: number, options: MapOptions = {}): Region {
    const region = this.tryMap(fd, sizeBytes, options);
    if (region) return region;
    throw new SharedMemoryError('LimitExceeded', `the arena has no ${sizeBytes} adjacent bytes left`);
  }

  /**
   * Maps the first `sizeBytes` of a memory file; undefined if the arena has no room. The descriptor
   * is not kept and may be closed. The file must never become shorter: use `checkMemory` on one
   * that came from elsewhere.
   */
  tryMap(fd: number, sizeBytes: number, { readOnly = false }: MapOptions = {}): Region | undefined {
    checkInteger('sizeBytes', sizeBytes, 1, ARENA_BYTES_MAX);
    if (fstatSync(fd).size < sizeBytes) {
      throw new SharedMemoryError('WrongSize', `the memory file is shorter than ${sizeBytes} bytes`);
    }
    const { pageBytes } = this.#kernel;
    const count = Math.ceil(sizeBytes / pageBytes);
    const page = this.#allocator.allocate(count);
    if (page === undefined) return undefined;
    const byteOffset = page * pageBytes;
    try {
      this.#kernel.mapFile(this.#address + byteOffset, count * pageBytes, fd, !readOnly);
    } catch (error) {
      this.#restore(page, count);
      throw error;
    }
    this.#header.mark(page, count, true);
    const region = new Region(this.#buffer, byteOffset, sizeBytes, readOnly, () => {
      this.#regions.delete(region);
      this.#header.mark(page, count, false);
      this.#restore(page, count);
    });
    this.#regions.add(region);
    return region;
  }

  /** Unmaps whatever is mapped. The address space goes when nobody has the buffer any more. */
  unmapAll(): void {
    for (const region of this.#regions) region.unmap();
  }

  /** Puts the backdrop where a file was, without what views that were kept have left there. */
  #restore(page: number, count: number): void {
    const byteOffset = page * this.#kernel.pageBytes;
    const byteLength = count * this.#kernel.pageBytes;
    this.#kernel.discard(this.#backdrop(byteOffset), byteLength);
    try {
      this.#kernel.mapAgain(this.#backdrop(byteOffset), this.#address + byteOffset, byteLength);
    } catch {
      // mremap wants to be three mappings below the kernel's limit (vm.max_map_count), mmap does
      // not.
      this.#kernel.mapSparse(this.#address + byteOffset, byteLength);
    }
    this.#allocator.release(page, count);
  }

  /** Second place of the backdrop. */
  #backdrop(byteOffset: number): number {
    return this.#address + this.#buffer.byteLength + byteOffset;
  }
}

/** A SharedArrayBuffer in front of as much address space that is V8's but never used. */
function reserve(sizeBytes: number): SharedArrayBuffer {
  const initial = sizeBytes / WASM_PAGE_BYTES;
  try {
    const { buffer } = new WebAssembly.Memory({ initial, maximum: initial * 2, shared: true });
    assert(buffer instanceof SharedArrayBuffer, 'a shared memory has a shared buffer');
    return buffer;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new SharedMemoryError('LimitExceeded', `no address space for an arena of ${sizeBytes} bytes`);
  }
}
