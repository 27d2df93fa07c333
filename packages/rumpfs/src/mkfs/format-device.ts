/** The device on which a file system is made. */
import { FsError, messageOf } from '../errors.ts';
import type { BlockIo } from '../hypercall/hypercalls.ts';

/** A device that may be able to make sectors read as zeros without being sent them. */
export interface FormatDevice extends BlockIo {
  zero?(sector: number, count: number): Promise<void>;
}

/** Is told how much of the work is done, from 0 to 1. May throw to stop it. */
export type FormatProgress = (share: number) => void;

/** What whoever makes a file system gives. */
export interface FormatWorld {
  readonly nowMs: number;
  random(into: Uint8Array): void;
  readonly progress?: FormatProgress;
}

const ZERO_BYTES = 1024 * 1024;

/** Writes at byte positions that are multiples of the sector size. */
export class FormatWriter {
  readonly #device: FormatDevice;
  #zeroes: Uint8Array | undefined;

  /** Throws `ReadOnly`, or `InvalidArgument` for a position that is in no sector. */
  constructor(device: FormatDevice) {
    if (!device.writeable) throw new FsError('ReadOnly', 'the device cannot be written');
    this.#device = device;
  }

  get sizeBytes(): number {
    return this.#device.sectorCount * this.#device.sectorSizeBytes;
  }

  async write(position: number, bytes: Uint8Array): Promise<void> {
    await this.#told(() => this.#device.write(this.#sector(position), bytes));
  }

  async zero(position: number, length: number): Promise<void> {
    if (length === 0) return;
    const [first, count] = [this.#sector(position), this.#sector(length)];
    const { zero } = this.#device;
    if (zero) return this.#told(() => zero.call(this.#device, first, count));
    this.#zeroes ??= new Uint8Array(ZERO_BYTES);
    for (let done = 0; done < length; done += ZERO_BYTES) {
      await this.write(position + done, this.#zeroes.subarray(0, Math.min(ZERO_BYTES, length - done)));
    }
  }

  sync(): Promise<void> {
    return this.#told(() => this.#device.sync());
  }

  #sector(bytes: number): number {
    const sector = bytes / this.#device.sectorSizeBytes;
    if (Number.isInteger(sector)) return sector;
    const why = `${bytes} bytes are no whole sectors of ${this.#device.sectorSizeBytes}`;
    throw new FsError('InvalidArgument', why);
  }

  async #told(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (error instanceof FsError) throw error;
      throw new FsError('InputOutput', `the device cannot be written: ${messageOf(error)}`);
    }
  }
}
