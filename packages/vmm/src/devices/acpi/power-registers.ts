/**
 * The fixed power registers of ACPI (PM1; ACPI specification 4.8.3): the power button sets a bit
 * and raises an interrupt until the guest has taken it back; a guest switches its machine off by a
 * sleep type and a bit that means "now".
 */
import { integer, record, type ShapeType } from '@ginit/core';
import type { RegisterBlock } from '../virtio/pci-transport.ts';

/** Where the registers are, behind their port. */
export const POWER_REGISTERS = { events: 0, control: 4 } as const;
/** The sleep type that means off; the tables tell the guest. */
export const SLEEP_TYPE_OFF = 5;

const BLOCK_BYTES = 8;
const ENABLE_AT = 2;
const POWER_BUTTON = 1 << 8;
const ACPI_IS_ON = 1;
const SLEEP_NOW = 1 << 13;
const SLEEP_TYPE_SHIFT = 10;
const SLEEP_TYPE_MASK = 7;

/** What the registers do. */
export interface PowerHost {
  raiseInterrupt(): void;
  lowerInterrupt(): void;
  /** The guest has switched its machine off. */
  off(): void;
}

/** The content of the registers. */
export const powerState = record({ status: integer(0, 0xffff), enabled: integer(0, 0xffff) });

/** The registers of one machine. */
export class PowerRegisters {
  readonly block: RegisterBlock;
  readonly #host: PowerHost;
  #status = 0;
  #enabled = 0;

  constructor(host: PowerHost) {
    this.#host = host;
    this.block = {
      size: BLOCK_BYTES,
      read: (offset, bytes) => this.#read(offset, bytes),
      write: (offset, bytes, value) => this.#write(offset, bytes, value),
    };
  }

  /** Whether the guest listens to the power button. */
  get isListening(): boolean {
    return (this.#enabled & POWER_BUTTON) !== 0;
  }

  /** Presses the power button. */
  press(): void {
    this.#status |= POWER_BUTTON;
    this.#update();
  }

  /** As after power on. */
  reset(): void {
    this.#status = 0;
    this.#enabled = 0;
    this.#update();
  }

  get state(): ShapeType<typeof powerState> {
    return { status: this.#status, enabled: this.#enabled };
  }

  /** Takes over what was in the registers. The interrupt stands as it did. */
  restore({ status, enabled }: ShapeType<typeof powerState>): void {
    this.#status = status;
    this.#enabled = enabled;
  }

  #update(): void {
    if ((this.#status & this.#enabled) === 0) this.#host.lowerInterrupt();
    else this.#host.raiseInterrupt();
  }

  /** All registers as one number; the guest reads parts of it. */
  #read(offset: number, bytes: number): number {
    const low = this.#status | (this.#enabled << 16);
    const all = offset < POWER_REGISTERS.control ? low >>> (8 * offset) : ACPI_IS_ON >>> (8 * (offset - 4));
    return bytes === 4 ? all >>> 0 : all & (2 ** (8 * bytes) - 1);
  }

  #write(offset: number, bytes: number, value: number): void {
    // A register of two bytes may be written in halves, and two registers at once.
    for (let at = 0; at < bytes; at++) this.#writeByte(offset + at, (value >>> (8 * at)) & 0xff);
  }

  #writeByte(offset: number, value: number): void {
    const shift = 8 * (offset % 2);
    const register = offset - (offset % 2);
    const bits = value << shift;
    switch (register) {
      case POWER_REGISTERS.events:
        // Writing a one takes it back.
        this.#status &= ~bits & 0xffff;
        return this.#update();
      case ENABLE_AT:
        this.#enabled = (this.#enabled & ~(0xff << shift)) | bits;
        return this.#update();
      case POWER_REGISTERS.control:
        this.#control(bits);
        return;
      default:
      // Nothing else is there.
    }
  }

  #control(bits: number): void {
    const type = (bits >> SLEEP_TYPE_SHIFT) & SLEEP_TYPE_MASK;
    // Both are in the upper half of the register, so they come together.
    if ((bits & SLEEP_NOW) !== 0 && type === SLEEP_TYPE_OFF) this.#host.off();
  }
}
