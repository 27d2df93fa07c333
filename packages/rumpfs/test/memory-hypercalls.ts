import type { BlockIo, Hypercalls } from '../src/hypercall/hypercalls.ts';

/** A repeatable stream of numbers from 0 to 1 (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface MemoryOptions {
  readonly sectorSizeBytes?: number;
  readonly writeable?: boolean;
  readonly memoryBytes?: number;
  /** Requests end in random order, and a write takes its bytes at a random moment. */
  readonly shuffleSeed?: number;
  /** Whether the device keeps what a crash could lose: see `crash`. */
  readonly volatile?: boolean;
  /** The reason why a request fails; undefined lets it through. */
  readonly fault?: (
    operation: 'read' | 'write' | 'sync',
    sector: number,
    count: number,
  ) => string | undefined;
}

/** A device in memory for the file systems under test. */
export class MemoryHypercalls implements Hypercalls {
  readonly bio: BlockIo;
  readonly memoryBytes: number;
  readonly lines: string[] = [];
  bytes: Uint8Array;
  timeMs = 1_700_000_000_123;
  requests = { read: 0, write: 0, sync: 0 };
  /** Requests for what is not on the device: no file system may make any. */
  readonly outside: string[] = [];
  readonly #options: MemoryOptions;
  readonly #random: () => number;
  #waiting: (() => void)[] = [];
  /**
   * The contents that are certainly on the platter, and the later writes, acknowledged or under
   * way.
   */
  readonly #durable: Uint8Array;
  #pending: { readonly offset: number; readonly bytes: Uint8Array; acknowledged: boolean }[] = [];

  constructor(bytes: Uint8Array, options: MemoryOptions = {}) {
    this.bytes = bytes;
    this.memoryBytes = options.memoryBytes ?? 4 * 1024 * 1024;
    this.#options = options;
    this.#durable = options.volatile === true ? bytes.slice() : new Uint8Array(0);
    this.#random = randomFrom(options.shuffleSeed ?? 1);
    const size = options.sectorSizeBytes ?? 512;
    this.bio = {
      sectorSizeBytes: size,
      sectorCount: Math.floor(bytes.length / size),
      writeable: options.writeable ?? true,
      read: (sector, into) => this.#transfer('read', sector, into),
      write: (sector, from) => this.#transfer('write', sector, from),
      sync: () => this.#transfer('sync', 0, new Uint8Array(0)),
    };
  }

  now(): Promise<number> {
    this.timeMs += 7;
    return Promise.resolve(this.timeMs);
  }

  random(into: Uint8Array): void {
    for (let index = 0; index < into.length; index += 1) into[index] = Math.floor(this.#random() * 256);
  }

  console(line: string): void {
    this.lines.push(line);
  }

  /**
   * The contents that the device could have if the power failed now: some sectors of the unsynced
   * writes, in any order.
   */
  crash(random: () => number): Uint8Array {
    const image = this.#durable.slice();
    const size = this.bio.sectorSizeBytes;
    for (const { offset, bytes } of this.#pending.toSorted(() => random() - 0.5)) {
      const fate = random();
      for (let position = 0; position < bytes.length; position += size) {
        if (random() < fate) image.set(bytes.subarray(position, position + size), offset + position);
      }
    }
    return image;
  }

  async #transfer(operation: 'read' | 'write' | 'sync', sector: number, memory: Uint8Array): Promise<void> {
    this.requests[operation] += 1;
    const offset = sector * this.bio.sectorSizeBytes;
    if (memory.length % this.bio.sectorSizeBytes !== 0 || offset + memory.length > this.bytes.length) {
      this.outside.push(`${operation} of ${memory.length} bytes at ${offset}`);
      throw new Error(`test: ${operation} of ${memory.length} bytes at ${offset} outside the device`);
    }
    const early = this.#options.shuffleSeed === undefined || this.#random() < 0.5;
    const fault = this.#options.fault?.(operation, sector, memory.length / this.bio.sectorSizeBytes);
    const done = this.#record(operation, offset, memory);
    if (operation === 'write' && early && fault === undefined) this.bytes.set(memory, offset);
    if (this.#options.shuffleSeed !== undefined) await this.#turn();
    if (fault !== undefined) throw new Error(fault);
    if (operation === 'write' && !early) this.bytes.set(memory, offset);
    if (operation === 'read') memory.set(this.bytes.subarray(offset, offset + memory.length));
    done();
  }

  /**
   * Records what a crash could lose. The result must be called when the request is acknowledged.
   */
  #record(operation: 'read' | 'write' | 'sync', offset: number, memory: Uint8Array): () => void {
    if (this.#options.volatile !== true || operation === 'read') return () => undefined;
    if (operation === 'write') {
      const write = { offset, bytes: memory.slice(), acknowledged: false };
      this.#pending.push(write);
      return () => {
        write.acknowledged = true;
      };
    }
    const before = new Set(this.#pending.filter((write) => write.acknowledged));
    return () => {
      for (const write of this.#pending) if (before.has(write)) this.#durable.set(write.bytes, write.offset);
      this.#pending = this.#pending.filter((write) => !before.has(write));
    };
  }

  /** Waits for a random place among the requests under way. */
  #turn(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#waiting.length === 0) setImmediate(() => this.#release());
      this.#waiting.push(resolve);
    });
  }

  #release(): void {
    const index = Math.floor(this.#random() * this.#waiting.length);
    const [resolve] = this.#waiting.splice(index, 1);
    resolve?.();
    if (this.#waiting.length > 0) setImmediate(() => this.#release());
  }
}
