/**
 * Words of the configuration spaces of our PCI devices that lead to their registers. v86 answers
 * requests to a configuration space from memory; so its ports for the data of these are taken over,
 * and what is none of ours is done as v86 does it.
 *
 * v86 fails when a guest writes to a device that there is not; such writes go nowhere.
 *
 * A register may change when it is read. So it is read when the data are, not when their address is
 * written, as v86 does it.
 */
import type { ConfigWindow } from '../engine.ts';
import type { V86Cpu } from './internals.ts';

const DATA_PORT = 0xcfc;
const WORD_BYTES = 4;

/** The windows of one machine. */
export class ConfigWindows {
  readonly #pci: V86Cpu['devices']['pci'];
  readonly #windows = new Map<number, ConfigWindow>();

  constructor({ io, devices: { pci } }: Pick<V86Cpu, 'io' | 'devices'>) {
    this.#pci = pci;
    for (let at = 0; at < WORD_BYTES; at++) {
      const read = (bytes: number) => () => this.#read(at, bytes);
      const write = (bytes: number) => (value: number) => this.#write(at, bytes, value);
      io.register_read(DATA_PORT + at, this, read(1), read(2), read(4));
      io.register_write(DATA_PORT + at, this, write(1), write(2), write(4));
    }
  }

  /** A device with a window, by its number. */
  add(id: number, window: ConfigWindow): void {
    this.#windows.set(id, window);
  }

  /** The window that the address leads to, and the configuration space that it is in. */
  #window(): { window: ConfigWindow; space: Uint8Array } | undefined {
    const address = this.#pci.pci_addr32[0] ?? 0;
    const id = (address >> 8) & 0xffff;
    const window = this.#windows.get(id);
    const space = this.#pci.device_spaces[id];
    if (!window || !space || (address & 0xfc) !== window.windowDataAt) return undefined;
    return { window, space: new Uint8Array(space.buffer, space.byteOffset, space.byteLength) };
  }

  #read(at: number, bytes: number): number {
    const found = at === 0 ? this.#window() : undefined;
    if (found) return found.window.throughWindow(found.space) | 0;
    let value = 0;
    for (let index = 0; index < bytes && at + index < WORD_BYTES; index++)
      value |= (this.#pci.pci_response[at + index] ?? 0) << (8 * index);
    return value;
  }

  #write(at: number, bytes: number, value: number): void {
    const found = at === 0 ? this.#window() : undefined;
    if (found) return void found.window.throughWindow(found.space, value >>> 0);
    const address = ((this.#pci.pci_addr32[0] ?? 0) + at) | 0;
    if (!this.#pci.device_spaces[(address >> 8) & 0xffff]) return;
    switch (bytes) {
      case 1:
        return this.#pci.pci_write8(address, value);
      case 2:
        return this.#pci.pci_write16(address, value);
      default:
        return this.#pci.pci_write32(address, value);
    }
  }
}
