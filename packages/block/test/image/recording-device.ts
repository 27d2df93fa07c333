/**
 * A device that keeps all that happens to it, so that one can see which states a power cut at any
 * moment may leave: what a sync covered is there; of later writes any sectors may be missing.
 */
import type { ByteDevice } from '../../src/image/byte-device.ts';
import { MemoryDevice } from './memory-device.ts';

const SECTOR_BYTES = 512;

type Event =
  | { readonly kind: 'write'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'sync' }
  | { readonly kind: 'size'; readonly sizeBytes: number }
  | { readonly kind: 'discard'; readonly at: number; readonly length: number };

/** A device in memory that records. */
export class RecordingDevice implements ByteDevice {
  readonly writeable = true;
  readonly #device: MemoryDevice;
  readonly #base: Uint8Array;
  readonly events: Event[] = [];

  constructor(base: Uint8Array) {
    this.#base = base.slice();
    this.#device = new MemoryDevice(base.slice());
  }

  get sizeBytes(): number {
    return this.#device.sizeBytes;
  }

  content(): Uint8Array {
    return this.#device.content();
  }

  read(into: Uint8Array, position: number): Promise<void> {
    return this.#device.read(into, position);
  }

  async write(from: Uint8Array, position: number): Promise<void> {
    this.events.push({ kind: 'write', at: position, bytes: from.slice() });
    await this.#device.write(from, position);
  }

  async sync(): Promise<void> {
    await this.#device.sync();
    this.events.push({ kind: 'sync' });
  }

  async setSize(sizeBytes: number): Promise<void> {
    this.events.push({ kind: 'size', sizeBytes });
    await this.#device.setSize(sizeBytes);
  }

  async discard(position: number, length: number): Promise<void> {
    this.events.push({ kind: 'discard', at: position, length });
    await this.#device.discard(position, length);
  }

  async zero(): Promise<boolean> {
    return false;
  }

  /**
   * The device as a power cut after the first `events` events may leave it. `keeps` says of each
   * sector written since the last sync whether it was kept; all are if it is missing.
   */
  async after(events: number, keeps: () => boolean = () => true): Promise<Uint8Array> {
    const device = new MemoryDevice(this.#base.slice());
    const synced = this.events.slice(0, events).findLastIndex(({ kind }) => kind === 'sync');
    for (const [index, event] of this.events.slice(0, events).entries()) {
      apply(device, event, index > synced ? keeps : () => true);
    }
    return device.content();
  }
}

function apply(device: MemoryDevice, event: Event, keeps: () => boolean): void {
  switch (event.kind) {
    case 'sync':
      return;
    case 'size':
      device.sizeNow(event.sizeBytes);
      return;
    case 'discard':
      device.writeNow(new Uint8Array(event.length), event.at);
      return;
    case 'write': {
      const { at, bytes } = event;
      // The size of the file is as the host had it, whatever it kept.
      if (at + bytes.byteLength > device.sizeBytes) device.sizeNow(at + bytes.byteLength);
      for (let from = 0; from < bytes.byteLength; ) {
        const length = Math.min(SECTOR_BYTES - ((at + from) % SECTOR_BYTES), bytes.byteLength - from);
        if (keeps()) device.writeNow(bytes.subarray(from, from + length), at + from);
        from += length;
      }
    }
  }
}
