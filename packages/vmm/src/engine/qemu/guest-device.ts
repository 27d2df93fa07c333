/**
 * A Block session as QEMU has it. QEMU itself stops the machine when a disk has no space, holds the
 * request, and tries again when the machine goes on. So whatever somebody can mend is told to QEMU
 * as a lack of space; what the medium fails reaches the guest.
 */
import { ExportedDevice, type ExportedSession, type Extent, type NbdDevice } from '@ginit/block/nbd';
import { hasCode, RpcError } from '@ginit/core';

const MENDABLE = ['NoSpace', 'Gone', 'PeerGone'];

/** Who is told of failures. */
export interface GuestDeviceEvents {
  /** A request is held, if it is to be held when it fails; else nothing. */
  readonly held: ((code: string) => void) | undefined;
  /** A request has failed, and the guest learns of it. */
  readonly failed: (error: RpcError) => void;
}

/** One disk. */
export class GuestDevice implements NbdDevice {
  readonly #device: ExportedDevice;
  readonly #writeable: boolean;
  readonly #events: GuestDeviceEvents;

  constructor(session: ExportedSession, writeable: boolean, events: GuestDeviceEvents) {
    this.#device = new ExportedDevice(session);
    this.#writeable = writeable;
    this.#events = events;
  }

  get sizeBytes(): number {
    return this.#device.sizeBytes;
  }

  get writeable(): boolean {
    return this.#writeable && this.#device.writeable;
  }

  get minimumBytes(): number {
    return this.#device.minimumBytes;
  }

  read(
    position: number,
    bytes: number,
    use: (payload: Uint8Array, release?: () => void) => void,
  ): Promise<void> {
    return this.#told(this.#device.read(position, bytes, use));
  }

  write(position: number, bytes: number, parts: readonly Uint8Array[]): Promise<void> {
    return this.#told(this.#device.write(position, bytes, parts));
  }

  flush(): Promise<void> {
    return this.#told(this.#device.flush());
  }

  trim(position: number, bytes: number): Promise<void> {
    return this.#told(this.#device.trim(position, bytes));
  }

  writeZeroes(position: number, bytes: number): Promise<void> {
    return this.#told(this.#device.writeZeroes(position, bytes));
  }

  extents(position: number, bytes: number): Promise<readonly Extent[]> {
    return this.#device.extents(position, bytes);
  }

  async #told(request: Promise<void>): Promise<void> {
    try {
      await request;
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      const { held, failed } = this.#events;
      if (!held || !MENDABLE.some((code) => hasCode(error, code))) {
        failed(error);
        throw error;
      }
      held(error.code);
      throw new RpcError('NoSpace', error.message);
    }
  }
}
