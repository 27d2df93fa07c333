/**
 * A disk that has patience: while its server is out of space, or has lost what is behind it, a
 * request is not failed but held, and the machine stands still. It is tried again when somebody has
 * mended that and lets the machine go on; the guest never learns of it. What the medium itself
 * fails reaches the guest.
 */
import { hasCode, RpcError } from '@ginit/core';
import type { BlockClient } from '@ginit/core/block';
import type { BlockDisk } from '../devices/virtio/block-device.ts';

/** What a disk of any model asks of its session. */
export type GuestDisk = BlockDisk & Pick<BlockClient, 'read' | 'write'>;

/** Told of a request that is held, with the code of its error. */
export type Held = (code: string) => void;

const MENDABLE = ['NoSpace', 'Gone', 'PeerGone'];

/** A disk over another one. */
export class PatientDisk implements GuestDisk {
  readonly #disk: GuestDisk;
  readonly #hold: Held;
  #waiting: ((again: boolean) => void)[] = [];
  /** Grows when those who have asked are gone, so that their requests find that out. */
  #generation = 0;
  #isEnded = false;

  constructor(disk: GuestDisk, held: Held) {
    this.#disk = disk;
    this.#hold = held;
  }

  get info(): GuestDisk['info'] {
    return this.#disk.info;
  }

  get requestBlocksMax(): number {
    return this.#disk.requestBlocksMax;
  }

  read(block: number, count: number, into: Uint8Array): Promise<void> {
    return this.#insist(() => this.#disk.read(block, count, into));
  }

  write(block: number, count: number, from: Uint8Array): Promise<void> {
    return this.#insist(() => this.#disk.write(block, count, from));
  }

  readWith<Result>(block: number, count: number, use: (payload: Uint8Array) => Result): Promise<Result> {
    return this.#insist(() => this.#disk.readWith(block, count, use));
  }

  writeWith(block: number, count: number, fill: (payload: Uint8Array) => void): Promise<void> {
    return this.#insist(() => this.#disk.writeWith(block, count, fill));
  }

  sync(): Promise<void> {
    return this.#insist(() => this.#disk.sync());
  }

  trim(block: number, count: number): Promise<void> {
    return this.#insist(() => this.#disk.trim(block, count));
  }

  /** Requests that are held. */
  get held(): number {
    return this.#waiting.length;
  }

  /** Tries again what is held. */
  retry(): void {
    for (const go of this.#waiting.splice(0)) go(true);
  }

  /**
   * Those who have asked are gone: whatever is held fails, and so does, without being held, what is
   * under way. Repeated later, it would act on the disk of whoever comes next.
   */
  giveUp(): void {
    this.#generation++;
    for (const go of this.#waiting.splice(0)) go(false);
  }

  /** Whatever is held fails, and nothing is held any more. */
  end(): void {
    this.#isEnded = true;
    this.giveUp();
  }

  async #insist<Result>(request: () => Promise<Result>): Promise<Result> {
    const generation = this.#generation;
    for (;;) {
      try {
        return await request();
      } catch (error) {
        const isMendable = MENDABLE.some((code) => hasCode(error, code));
        const isWanted = !this.#isEnded && generation === this.#generation;
        if (!(error instanceof RpcError) || !isMendable || !isWanted) throw error;
        const again = new Promise<boolean>((resolve) => this.#waiting.push(resolve));
        this.#hold(error.code);
        if (!(await again)) throw error;
      }
    }
  }
}
