/**
 * Virtio over PCI (Virtual I/O Device specification 1.2, 4.1), both ways of it: the legacy
 * registers of a transitional device, and the structures of the modern one, which capabilities in
 * the configuration space lead to. Both are in I/O space. Who cannot reach that finds a window in
 * the configuration space: one capability names a place, and its data are what is there. A device
 * has one queue.
 */
import { boolean, integer, list, record, type ShapeType, u32 } from '@ginit/core';
import { GuestFault } from '../guest-memory.ts';
import { queueState, type SplitQueue } from './split-queue.ts';
import { FEATURE, type VirtioDevice } from './device.ts';

/** Registers at consecutive I/O ports. Values are unsigned; `bytes` is 1, 2 or 4. */
export interface RegisterBlock {
  /** A power of two. */
  readonly size: number;
  read(offset: number, bytes: number): number;
  write(offset: number, bytes: number, value: number): void;
}

/** What the transport needs of its surroundings. */
export interface TransportHost {
  raiseInterrupt(): void;
  lowerInterrupt(): void;
  /**
   * The guest has told the device something impossible; the device is of no use until its reset.
   */
  broken(reason: string): void;
}

const STATUS_DRIVER_OK = 4;
const STATUS_FEATURES_OK = 8;
const STATUS_NEEDS_RESET = 0x40;
const ISR_QUEUE = 1;
const ISR_CONFIG = 2;
const PAGE_BYTES = 4096;
const NO_VECTOR = 0xffff;

const VENDOR = 0x1af4;
/** The PCI numbers of transitional devices, by the types of devices (4.1.2.1). */
const TRANSITIONAL_DEVICES: ReadonlyMap<number, number> = new Map([
  [2, 0x1001],
  [9, 0x1009],
]);
const CONFIG_SPACE_BYTES = 256;
const LEGACY_PORTS = 128;
const LEGACY_CONFIG_AT = 20;
const MODERN_PORTS = 256;
/** The structures of the modern transport, in the second bar. */
const COMMON_AT = 0;
const COMMON_BYTES = 56;
const ISR_AT = 64;
const NOTIFY_AT = 68;
const DEVICE_AT = 128;
const DEVICE_BYTES = 128;
/** The window: the type of its capability, and the fields of that (4.1.4.9). */
const WINDOW_TYPE = 5;
const WINDOW = { bar: 4, offset: 8, length: 12, data: 16 } as const;
/** Words of the addresses of a queue. */
const ADDRESS_WORDS = 6;

/** A transport at a moment, with its queue. */
export const transportState = record({
  acceptedLow: u32,
  acceptedHigh: u32,
  deviceFeatureWord: u32,
  driverFeatureWord: u32,
  selectedQueue: u32,
  status: integer(0, 255),
  isr: integer(0, 255),
  addresses: list(u32, ADDRESS_WORDS),
  enabled: boolean,
  queue: queueState,
});
/** See `transportState`. */
export type TransportState = ShapeType<typeof transportState>;

/** The transport of one device. */
export class PciTransport {
  readonly legacy: RegisterBlock;
  readonly modern: RegisterBlock;
  readonly #device: VirtioDevice;
  readonly #queue: SplitQueue;
  readonly #host: TransportHost;
  readonly #offered: readonly [number, number];
  #accepted: [number, number] = [0, 0];
  #deviceFeatureWord = 0;
  #driverFeatureWord = 0;
  #selectedQueue = 0;
  #status = 0;
  #isr = 0;
  /** What the driver of the modern transport has said about the queue before it enables it. */
  #addresses = new Uint32Array(ADDRESS_WORDS);
  #enabled = false;
  #windowAt = 0;

  constructor(device: VirtioDevice, queue: SplitQueue, host: TransportHost) {
    this.#device = device;
    this.#queue = queue;
    this.#host = host;
    const word = (from: number): number =>
      device.features.reduce(
        (bits, bit) => (bit >= from && bit < from + 32 ? (bits | (1 << (bit - from))) >>> 0 : bits),
        0,
      );
    this.#offered = [word(0), word(32)];
    this.legacy = {
      size: LEGACY_PORTS,
      read: (offset, bytes) => this.#readLegacy(offset, bytes),
      write: (offset, _bytes, value) => this.#guarded(() => this.#writeLegacy(offset, value)),
    };
    this.modern = {
      size: MODERN_PORTS,
      read: (offset, bytes) => this.#readModern(offset, bytes),
      write: (offset, _bytes, value) => this.#guarded(() => this.#writeModern(offset, value)),
    };
  }

  /** Whether the driver has taken this feature. */
  accepted(bit: number): boolean {
    const word = this.#accepted[bit < 32 ? 0 : 1];
    return ((word >>> (bit % 32)) & 1) === 1;
  }

  /** Tells the driver that the queue has something for it. */
  interrupt(): void {
    this.#interruptFor(ISR_QUEUE);
  }

  /** Gives the device up until the driver resets it. */
  fail(reason: string): void {
    if ((this.#status & STATUS_NEEDS_RESET) !== 0) return;
    this.#status |= STATUS_NEEDS_RESET;
    this.#device.reset();
    // A driver that works with the device learns of it (2.1.2).
    if ((this.#status & STATUS_DRIVER_OK) !== 0) this.#interruptFor(ISR_CONFIG);
    this.#host.broken(reason);
  }

  /** As after power on. */
  reset(): void {
    this.#device.reset();
    this.#queue.reset();
    this.#accepted = [0, 0];
    this.#deviceFeatureWord = 0;
    this.#driverFeatureWord = 0;
    this.#selectedQueue = 0;
    this.#status = 0;
    this.#addresses = new Uint32Array(ADDRESS_WORDS);
    this.#enabled = false;
    this.#acknowledge();
  }

  get state(): TransportState {
    return {
      acceptedLow: this.#accepted[0],
      acceptedHigh: this.#accepted[1],
      deviceFeatureWord: this.#deviceFeatureWord,
      driverFeatureWord: this.#driverFeatureWord,
      selectedQueue: this.#selectedQueue,
      status: this.#status,
      isr: this.#isr,
      addresses: [...this.#addresses],
      enabled: this.#enabled,
      queue: this.#queue.state,
    };
  }

  /**
   * Is as another transport was, of a device of the same kind, and goes on with what that had under
   * way. The interrupt line stands as it did.
   */
  restore(state: TransportState): void {
    this.#accepted = [
      (state.acceptedLow & this.#offered[0]) >>> 0,
      (state.acceptedHigh & this.#offered[1]) >>> 0,
    ];
    this.#deviceFeatureWord = state.deviceFeatureWord;
    this.#driverFeatureWord = state.driverFeatureWord;
    this.#selectedQueue = state.selectedQueue;
    this.#status = state.status;
    this.#isr = state.isr;
    this.#addresses = new Uint32Array(ADDRESS_WORDS);
    this.#addresses.set(state.addresses);
    this.#enabled = state.enabled;
    this.#queue.restore(state.queue);
    if (!this.#isAtWork) return;
    this.#device.driverReady((bit) => this.accepted(bit));
    this.#guarded(() => this.#device.resumed());
  }

  /** The configuration space; the ports of the two blocks and the interrupt line stand in it. */
  configSpace(place: { legacyPort: number; modernPort: number; interruptLine: number }): Uint8Array {
    const space = new Uint8Array(CONFIG_SPACE_BYTES);
    const view = new DataView(space.buffer);
    view.setUint16(0, VENDOR, true);
    view.setUint16(2, TRANSITIONAL_DEVICES.get(this.#device.type) ?? 0, true);
    // I/O, memory and bus mastering are on; there is a list of capabilities.
    view.setUint16(4, 7, true);
    view.setUint16(6, 0x10, true);
    const [base, sub, programming] = this.#device.pciClass;
    space.set([programming, sub, base], 9);
    view.setUint32(0x10, place.legacyPort | 1, true);
    view.setUint32(0x14, place.modernPort | 1, true);
    view.setUint16(0x2c, VENDOR, true);
    view.setUint16(0x2e, this.#device.type, true);
    space[0x3c] = place.interruptLine;
    space[0x3d] = 1;
    const structures = [
      { type: 1, offset: COMMON_AT, length: COMMON_BYTES },
      { type: 2, offset: NOTIFY_AT, length: 4, multiplier: 0 },
      { type: 3, offset: ISR_AT, length: 1 },
      { type: 4, offset: DEVICE_AT, length: DEVICE_BYTES },
      { type: WINDOW_TYPE, offset: 0, length: 0 },
    ];
    let at = 0x40;
    space[0x34] = at;
    for (const [index, { type, offset, length, multiplier }] of structures.entries()) {
      const bytes = multiplier === undefined && type !== WINDOW_TYPE ? 16 : 20;
      if (type === WINDOW_TYPE) this.#windowAt = at;
      const next = index === structures.length - 1 ? 0 : at + bytes;
      space.set([9, next, bytes, type, 1, 0, 0, 0], at);
      view.setUint32(at + 8, offset, true);
      view.setUint32(at + 12, length, true);
      at += bytes;
    }
    return space;
  }

  /** Where the data of the window are in the configuration space. */
  get windowDataAt(): number {
    return this.#windowAt + WINDOW.data;
  }

  /**
   * Reads, or writes, the place that the window leads to, as the fields in the configuration space
   * say. A place that there is not reads as zero.
   */
  throughWindow(space: Uint8Array, written?: number): number {
    const view = new DataView(space.buffer, space.byteOffset + this.#windowAt);
    const block = [this.legacy, this.modern][view.getUint8(WINDOW.bar)];
    const offset = view.getUint32(WINDOW.offset, true);
    const bytes = view.getUint32(WINDOW.length, true);
    const isPlace = [1, 2, 4].includes(bytes) && offset % bytes === 0;
    if (!block || !isPlace || offset + bytes > block.size) return 0;
    if (written === undefined) return block.read(offset, bytes);
    block.write(offset, bytes, bytes === 4 ? written : written & (2 ** (8 * bytes) - 1));
    return 0;
  }

  #interruptFor(reason: number): void {
    this.#isr |= reason;
    this.#host.raiseInterrupt();
  }

  #guarded(write: () => void): void {
    try {
      write();
    } catch (error) {
      if (!(error instanceof GuestFault)) throw error;
      this.fail(error.message);
    }
  }

  #readLegacy(offset: number, bytes: number): number {
    if (offset >= LEGACY_CONFIG_AT) return this.#config(offset - LEGACY_CONFIG_AT, bytes);
    switch (offset) {
      case 0:
        return this.#offered[0];
      case 4:
        return this.#accepted[0];
      case 8:
        return this.#selectedQueue === 0 ? Math.floor((this.#queue.place?.descriptors ?? 0) / PAGE_BYTES) : 0;
      case 12:
        return this.#selectedQueue === 0 ? this.#queue.sizeMax : 0;
      case 14:
        return this.#selectedQueue;
      case 18:
        return this.#status;
      case 19:
        return this.#acknowledge();
      default:
        return 0;
    }
  }

  #writeLegacy(offset: number, value: number): void {
    switch (offset) {
      case 4:
        this.#accepted[0] = (value & this.#offered[0]) >>> 0;
        return;
      case 8:
        if (this.#selectedQueue === 0) this.#placeLegacy(value);
        return;
      case 14:
        this.#selectedQueue = value;
        return;
      case 16:
        if (value === 0) this.#notify();
        return;
      case 18:
        this.#setStatus(value & 0xff);
        return;
      default:
      // Nothing else can be written.
    }
  }

  /** The legacy driver says in which page the queue begins; the rest follows from its size. */
  #placeLegacy(page: number): void {
    const descriptors = page * PAGE_BYTES;
    if (descriptors === 0) {
      // The driver takes its queue back, and with it whatever is under way.
      this.#device.reset();
      this.#queue.reset();
      return;
    }
    const available = descriptors + this.#queue.size * 16;
    const availableEnd = available + 6 + 2 * this.#queue.size;
    const used = Math.ceil(availableEnd / PAGE_BYTES) * PAGE_BYTES;
    this.#queue.enable({ descriptors, available, used });
  }

  #readModern(offset: number, bytes: number): number {
    if (offset >= DEVICE_AT) return this.#config(offset - DEVICE_AT, bytes);
    if (offset === ISR_AT) return this.#acknowledge();
    const ours = this.#selectedQueue === 0;
    switch (offset) {
      case 0:
        return this.#deviceFeatureWord;
      case 4:
        return this.#offered[this.#deviceFeatureWord] ?? 0;
      case 8:
        return this.#driverFeatureWord;
      case 12:
        return this.#accepted[this.#driverFeatureWord] ?? 0;
      case 16:
      case 26:
        return NO_VECTOR;
      case 18:
        return 1;
      case 20:
        return this.#status;
      case 22:
        return this.#selectedQueue;
      case 24:
        return ours ? this.#queue.size : 0;
      case 28:
        return ours && this.#enabled ? 1 : 0;
      default:
        return offset >= 32 && offset < COMMON_BYTES && ours ? (this.#addresses[(offset - 32) >> 2] ?? 0) : 0;
    }
  }

  #writeModern(offset: number, value: number): void {
    const ours = this.#selectedQueue === 0;
    switch (offset) {
      case 0:
        this.#deviceFeatureWord = value;
        return;
      case 8:
        this.#driverFeatureWord = value;
        return;
      case 12:
        if (this.#driverFeatureWord < 2) this.#accept(this.#driverFeatureWord, value);
        return;
      case 20:
        this.#setStatus(value & 0xff);
        return;
      case 22:
        this.#selectedQueue = value;
        return;
      case 24:
        if (ours) this.#queue.resize(value);
        return;
      case 28:
        if (ours && value === 1) this.#enableModern();
        return;
      case NOTIFY_AT:
        if (value === 0) this.#notify();
        return;
      default:
        if (offset >= 32 && offset < COMMON_BYTES && ours) this.#addresses[(offset - 32) >> 2] = value;
    }
  }

  #accept(word: number, value: number): void {
    const offered = this.#offered[word] ?? 0;
    this.#accepted[word === 0 ? 0 : 1] = (value & offered) >>> 0;
  }

  #enableModern(): void {
    const address = (index: number): number =>
      (this.#addresses[index] ?? 0) + (this.#addresses[index + 1] ?? 0) * 2 ** 32;
    this.#enabled = true;
    this.#queue.enable({ descriptors: address(0), available: address(2), used: address(4) });
  }

  #config(offset: number, bytes: number): number {
    const { config } = this.#device;
    if (offset + bytes > config.byteLength) return 0;
    let value = 0;
    for (let index = bytes - 1; index >= 0; index--) value = value * 256 + (config[offset + index] ?? 0);
    return value;
  }

  #setStatus(status: number): void {
    if (status === 0) return this.reset();
    // The driver of the modern transport asks whether its choice of features will do.
    const asksFeatures = (status & STATUS_FEATURES_OK) !== 0 && (this.#status & STATUS_FEATURES_OK) === 0;
    const refused = asksFeatures && !this.accepted(FEATURE.version1);
    this.#status = (refused ? status & ~STATUS_FEATURES_OK : status) | (this.#status & STATUS_NEEDS_RESET);
    if ((this.#status & STATUS_DRIVER_OK) === 0) return;
    this.#device.driverReady((bit) => this.accepted(bit));
    // Requests that came before the driver was ready.
    this.#notify();
  }

  #notify(): void {
    if (this.#isAtWork) this.#device.notified();
  }

  get #isAtWork(): boolean {
    return (this.#status & (STATUS_DRIVER_OK | STATUS_NEEDS_RESET)) === STATUS_DRIVER_OK;
  }

  /** Reading why there was an interrupt takes it back. */
  #acknowledge(): number {
    const isr = this.#isr;
    this.#isr = 0;
    this.#host.lowerInterrupt();
    return isr;
  }
}
