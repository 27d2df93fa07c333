/**
 * An engine runs one machine: processor, memory, and the devices that every PC has. The monitor
 * around it brings what comes from sessions: disks, serial lines, the kernel.
 */
import type { FramebufferMode, Rectangle } from '@ginit/core/framebuffer';
import type { InputEvent } from '@ginit/core/input';
import type { MachineDrive } from '@ginit/core/machine';
import type { GuestMemory } from '../devices/guest-memory.ts';
import type { RequestTotals } from '../devices/request-counts.ts';
import type { Picture } from '../devices/vga/picture.ts';
import type { RegisterBlock } from '../devices/virtio/pci-transport.ts';
import type { BootImage } from '../linux/boot-image.ts';
import type { StateSink, StateSource } from '../state/state-stream.ts';

/** The engines that there are. */
export const ENGINE_NAMES = ['v86', 'qemu'] as const;
/** One of `ENGINE_NAMES`. */
export type EngineName = (typeof ENGINE_NAMES)[number];

/** A PCI device that is not the engine's own. */
export interface PciDevice {
  readonly name: string;
  /** Its configuration space, once it is known where its ports and its interrupt line are. */
  configSpace(place: { legacyPort: number; modernPort: number; interruptLine: number }): Uint8Array;
  readonly legacy: RegisterBlock;
  readonly modern: RegisterBlock;
  /** A word of the configuration space that leads to one of the blocks, as other fields say. */
  readonly window?: ConfigWindow;
}

/** See `PciDevice`. */
export interface ConfigWindow {
  /** Where the word is, once the configuration space is made. */
  readonly windowDataAt: number;
  /** Reads what is behind it, or writes there; `space` is the configuration space. */
  throughWindow(space: Uint8Array, written?: number): number;
}

/** The interrupt line of a PCI device. */
export interface InterruptLine {
  raise(): void;
  lower(): void;
}

/** A medium in a drive: bytes by position, answered later. */
export interface Medium {
  readonly sizeBytes: number;
  read(position: number, length: number): Promise<Uint8Array>;
  /** Missing if the guest cannot write to it. */
  write?(position: number, bytes: Uint8Array): Promise<void>;
}

/** An engine does not take a medium. */
export class MediumRefused extends Error {
  override readonly name = 'MediumRefused';
}

/** A disk on the IDE bus. */
export interface IdeDisk extends Medium {
  write(position: number, bytes: Uint8Array): Promise<void>;
}

/** Programs that a machine runs first, if no kernel is put into its memory. */
export interface Firmware {
  readonly bios: Uint8Array;
  readonly vgaBios: Uint8Array | undefined;
}

/** What a machine is made of. */
export interface MachineParts {
  readonly memoryBytes: number;
  /** Disks on the IDE bus, at most two. */
  readonly ideDisks: readonly IdeDisk[];
  /** The media in its drives at the start. */
  readonly media: Readonly<Partial<Record<MachineDrive, Medium>>>;
  readonly firmware: Firmware | undefined;
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
  /** Missing if `update` is enough; else settles when that gives the picture of now. */
  refresh?(): Promise<void>;
  /** The time that a guest needs for each key that is typed, if it is not the usual one. */
  readonly keyMs?: number;
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
  /** The machine was reset; its processor stands still until `boot`, if the engine has that. */
  reset(): void;
  /** The engine has ended by itself, which no guest should be able to bring about. */
  failed(reason: string): void;
}

/**
 * What a machine has done since its engine was started: the requests are those of the engine's own
 * disks and drives. See `MachineMetrics` of the Machine session.
 */
export interface EngineMetrics extends RequestTotals {
  readonly busyUs: number | undefined;
  readonly instructions: number | undefined;
  readonly exits: number | undefined;
  readonly idles: number | undefined;
}

/** A machine, whichever engine runs it. */
export interface Engine {
  readonly name: EngineName;
  /** For reports: the engine with its version. */
  readonly version: string;
  /** Missing if the machine has none. */
  readonly display?: Display | undefined;
  run(): void;
  /** The processors stand still until `run`. */
  pause(): void;
  /** Settles when they do, and the disks are asked for nothing more. Rejects with `StateError`. */
  standsStill(): Promise<void>;
  /**
   * Writes the state of processor, memory and the engine's own devices. Only while the machine is
   * paused and none of the requests of its IDE disks and drives is open.
   */
  save(into: StateSink): Promise<void>;
  /**
   * Takes a state over, on a machine of the same parts that has not run yet. If it rejects, the
   * machine is of no use. Throws `StateError` if that is no state of this engine.
   */
  restore(from: StateSource): Promise<void>;
  /**
   * Puts something else into a drive; nothing empties it. The guest notices that. Rejects with
   * `MediumRefused`.
   */
  changeMedium(drive: MachineDrive, medium: Medium | undefined): Promise<void>;
  /** Presses the power button; whether the guest listens to it is the result. */
  pressPowerButton(): Promise<boolean>;
  /** Presses the reset button; the event `reset` follows before this returns. */
  reset(): void;
  /** The bytes that the serial line can take now. */
  readonly serialRoom: number;
  /** Gives bytes to the serial line of the guest; at most `serialRoom`. */
  serialInput(bytes: Uint8Array): void;
  /**
   * Takes no more from the serial line of the guest, or takes it again. False if the engine cannot
   * do that: then the machine has to be paused.
   */
  holdSerial(is: boolean): boolean;
  /** Nothing if it does not answer any more. */
  metrics(): Promise<EngineMetrics | undefined>;
  /** Ends the machine. Settles when it asks nothing of its disks any more. */
  close(): Promise<void>;
}

/**
 * A machine in the thread of the component: its memory and its buses are at hand, and its devices
 * and its kernel are put there.
 */
export interface EmbeddedEngine extends Engine {
  readonly memory: GuestMemory;
  /** Puts a device on the PCI bus. Throws `RangeError` if there is no room for it. */
  addPciDevice(device: PciDevice): InterruptLine;
  /**
   * Puts a kernel into memory, and the processor at its entry. Without one, the firmware begins.
   */
  boot(image: BootImage | undefined): void;
}
