/**
 * An engine runs one machine: processor, memory, and the devices that every PC has. The monitor
 * around it brings what comes from sessions: disks, serial lines, the kernel.
 */
import type { FramebufferMode, Rectangle } from '@ginit/core/framebuffer';
import type { InputEvent } from '@ginit/core/input';
import type { GuestMemory } from '../devices/guest-memory.ts';
import type { Picture } from '../devices/vga/picture.ts';
import type { RegisterBlock } from '../devices/virtio/pci-transport.ts';
import type { BootImage } from '../linux/boot-image.ts';

/** The engines that there are. */
export const ENGINE_NAMES = ['v86'] as const;
/** One of `ENGINE_NAMES`. */
export type EngineName = (typeof ENGINE_NAMES)[number];

/** A PCI device that is not the engine's own. */
export interface PciDevice {
  readonly name: string;
  /** Its configuration space, once it is known where its ports and its interrupt line are. */
  configSpace(place: { legacyPort: number; modernPort: number; interruptLine: number }): Uint8Array;
  readonly legacy: RegisterBlock;
  readonly modern: RegisterBlock;
}

/** The interrupt line of a PCI device. */
export interface InterruptLine {
  raise(): void;
  lower(): void;
}

/** A disk on the IDE bus: bytes by position, answered later. */
export interface IdeDisk {
  readonly sizeBytes: number;
  read(position: number, length: number): Promise<Uint8Array>;
  write(position: number, bytes: Uint8Array): Promise<void>;
}

/** What a machine is made of. */
export interface MachineParts {
  readonly memoryBytes: number;
  /** Disks on the IDE bus, at most two. */
  readonly ideDisks: readonly IdeDisk[];
  /** The largest picture of its screen; missing if it has neither screen nor keyboard. */
  readonly screen?: FramebufferMode | undefined;
}

/** The screen of a machine with its keyboard and its mouse. */
export interface Display {
  /** The picture as it was when `update` was called last. */
  readonly picture: Picture;
  /**
   * Brings the picture up to date. The result is what has changed since the last call; nothing if
   * nothing has.
   */
  update(): Rectangle | undefined;
  /** Gives the guest what somebody does. What it cannot take now is lost. */
  input(event: InputEvent): void;
}

/** What an engine tells the monitor. */
export interface EngineEvents {
  /** The guest has written to its serial line. */
  serialOutput(byte: number): void;
  /** A turn of the processor is over. */
  turn(): void;
  /** The guest has stopped its processor for good, or switched its machine off. */
  halted(): void;
  /** The machine was reset; its processor stands still until `boot`. */
  reset(): void;
}

/** A machine. */
export interface Engine {
  readonly name: EngineName;
  /** For reports: the engine with its version. */
  readonly version: string;
  readonly memory: GuestMemory;
  /** Missing if the machine has none. */
  readonly display: Display | undefined;
  /** Puts a device on the PCI bus. Throws `RangeError` if there is no room for it. */
  addPciDevice(device: PciDevice): InterruptLine;
  /** Puts a kernel into memory, and the processor at its entry. */
  boot(image: BootImage): void;
  run(): void;
  /** The processor stands still until `run`. */
  pause(): void;
  /** Presses the power button; whether the guest listens to it is the result. */
  pressPowerButton(): boolean;
  /** Presses the reset button; the event `reset` follows. */
  reset(): void;
  /** The bytes that the serial line can take now. */
  readonly serialRoom: number;
  /** Gives bytes to the serial line of the guest; at most `serialRoom`. */
  serialInput(bytes: Uint8Array): void;
  /** Ends the machine. */
  close(): void;
}
