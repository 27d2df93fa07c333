import { messageOf } from '../../errors.ts';
import type { Device } from '../device.ts';
import type { Findings } from '../report.ts';
import type { Geometry } from './geometry.ts';

/** A block as the journal has it. */
export interface Logged {
  /** The block of the device that holds it, in the journal. */
  readonly block: number;
  /** Whether its first four bytes were replaced, because they are those of a journal's block. */
  readonly escaped: boolean;
}

const JOURNAL_MAGIC = 0xc03b_3998;

/** The blocks of a file system, as they are after the replay of its journal. */
export class Disk {
  readonly found: Findings;
  readonly #device: Device;
  readonly #blockBytes: number;
  /** What a replay would write, by the block that it belongs to. */
  readonly #logged: ReadonlyMap<number, Logged>;

  constructor(device: Device, geometry: Geometry, found: Findings, logged: ReadonlyMap<number, Logged>) {
    this.#device = device;
    this.#blockBytes = geometry.blockBytes;
    this.found = found;
    this.#logged = logged;
  }

  /**
   * The bytes of a block, not to be changed. Undefined, with a finding, where it cannot be read.
   */
  async block(number: number, what: string): Promise<Uint8Array | undefined> {
    const logged = this.#logged.get(number);
    try {
      const bytes = await this.#device.bytes((logged?.block ?? number) * this.#blockBytes, this.#blockBytes);
      if (logged?.escaped !== true) return bytes;
      const copy = bytes.slice();
      new DataView(copy.buffer).setUint32(0, JOURNAL_MAGIC);
      return copy;
    } catch (error) {
      this.found.damage(`${what}: block ${number}: ${messageOf(error)}`);
      return undefined;
    }
  }
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
