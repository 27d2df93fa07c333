/** A device in memory for tests of NBD, whose answers may be late and in another order. */
import type { Extent, NbdDevice } from '../src/nbd/server/nbd-device.ts';

export class RamDevice implements NbdDevice {
  readonly memory: Uint8Array;
  readonly minimumBytes: number;
  writeable = true;
  /** What was asked for. */
  readonly log: string[] = [];
  /** Called before each request is carried out; it may wait, or throw. */
  before: (what: string) => void | Promise<void> = () => {};

  constructor(sizeBytes: number, minimumBytes = 512) {
    this.memory = new Uint8Array(sizeBytes);
    this.minimumBytes = minimumBytes;
  }

  get sizeBytes(): number {
    return this.memory.byteLength;
  }

  async read(position: number, bytes: number, use: (payload: Uint8Array) => void): Promise<void> {
    await this.#begin(`read ${position} ${bytes}`);
    use(this.memory.subarray(position, position + bytes));
  }

  async write(position: number, bytes: number, parts: readonly Uint8Array[]): Promise<void> {
    await this.#begin(`write ${position} ${bytes}`);
    let at = position;
    for (const part of parts) {
      this.memory.set(part, at);
      at += part.byteLength;
    }
  }

  async flush(): Promise<void> {
    await this.#begin('flush');
  }

  async trim(position: number, bytes: number): Promise<void> {
    await this.#begin(`trim ${position} ${bytes}`);
  }

  async writeZeroes(position: number, bytes: number): Promise<void> {
    await this.#begin(`zero ${position} ${bytes}`);
    this.memory.fill(0, position, position + bytes);
  }

  async extents(position: number, bytes: number): Promise<readonly Extent[]> {
    await this.#begin(`extents ${position} ${bytes}`);
    return [{ bytes, zero: this.memory.subarray(position, position + bytes).every((byte) => byte === 0) }];
  }

  async #begin(what: string): Promise<void> {
    this.log.push(what);
    await this.before(what);
  }
}
