/**
 * A device that keeps all that happens to it, so that one can see which states a power cut at any
 * moment may leave: what a sync covered is there; of later writes any sectors may be missing.
 */
import type { ByteDevice } from '../../src/image/byte-device.ts';
import { MemoryDevice } from './memory-device.ts';

const SECTOR_BYTES = 512;

/** A change of the device; `ended` is the moment at which it had ended. */
interface Change {
  readonly kind: 'write' | 'size' | 'discard';
  ended: number;
}

type Event =
  | (Change & { readonly kind: 'write'; readonly at: number; readonly bytes: Uint8Array })
  | (Change & { readonly kind: 'size'; readonly sizeBytes: number })
  | (Change & { readonly kind: 'discard'; readonly at: number; readonly length: number })
  /** `began` is its moment: it covers what had ended before. */
  | { readonly kind: 'sync'; readonly began: number; readonly ended: number };

/** A device in memory that records. */
export class RecordingDevice implements ByteDevice {
  readonly writeable = true;
  readonly #device: MemoryDevice;
  readonly #base: Uint8Array;
  readonly events: Event[] = [];
  #moment = 0;

  /** `turns` says how long each operation takes, as in `MemoryDevice`. */
  constructor(base: Uint8Array, turns: () => number = () => 1) {
    this.#base = base.slice();
    this.#device = new MemoryDevice(base.slice());
    this.#device.turns = turns;
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

  write(from: Uint8Array, position: number): Promise<void> {
    const event: Event = { kind: 'write', at: position, bytes: from.slice(), ended: Infinity };
    return this.#change(event, () => this.#device.write(from, position));
  }

  async sync(): Promise<void> {
    const began = this.#moment++;
    await this.#device.sync();
    this.events.push({ kind: 'sync', began, ended: this.#moment++ });
  }

  setSize(sizeBytes: number): Promise<void> {
    return this.#change({ kind: 'size', sizeBytes, ended: Infinity }, () => this.#device.setSize(sizeBytes));
  }

  discard(position: number, length: number): Promise<void> {
    return this.#change({ kind: 'discard', at: position, length, ended: Infinity }, () =>
      this.#device.discard(position, length),
    );
  }

  async #change(event: Exclude<Event, { kind: 'sync' }>, work: () => Promise<void>): Promise<void> {
    this.events.push(event);
    await work();
    event.ended = this.#moment++;
  }

  async zero(): Promise<boolean> {
    return false;
  }

  /**
   * The device as a power cut after the first `events` events may leave it. `keeps` says of each
   * sector that no sync has covered whether it was kept; all are if it is missing.
   */
  async after(events: number, keeps: () => boolean = () => true): Promise<Uint8Array> {
    const device = new MemoryDevice(this.#base.slice());
    // Changes took effect when they ended; those under way may have.
    const happened = this.events
      .slice(0, events)
      .toSorted((one, other) => (one.ended < other.ended ? -1 : 1));
    const synced = Math.max(-1, ...happened.map((event) => (event.kind === 'sync' ? event.began : -1)));
    for (const event of happened) {
      apply(device, event, event.kind === 'write' && event.ended > synced ? keeps : () => true);
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
