/**
 * The engine v86: an emulator of a PC in JavaScript and WebAssembly, unmodified from npm, in the
 * thread of the component. It has one processor of 32 bits. Its own devices are used as they are
 * (serial line, timers, IDE); ours are put on its PCI bus from outside.
 */
import type { FramebufferMode } from '@ginit/core/framebuffer';
import { V86 } from 'v86';
import { PowerRegisters, powerState } from '../../devices/acpi/power-registers.ts';
import { ACPI_TABLES_AT, acpiTables } from '../../devices/acpi/tables.ts';
import { FONT, FONT_LINES } from '../../devices/vga/font.ts';
import { GLYPH_BYTES } from '../../devices/vga/text-mode.ts';
import { setUpTextMode } from '../../devices/vga/text-setup.ts';
import { checkRange, type GuestMemory } from '../../devices/guest-memory.ts';
import { RequestCounts } from '../../devices/request-counts.ts';
import type { RegisterBlock } from '../../devices/virtio/pci-transport.ts';
import type { BootImage } from '../../linux/boot-image.ts';
import { integer, list, record, ShapeError } from '@ginit/core';
import type { MachineDrive } from '@ginit/core/machine';
import { StateError, type StateSink, type StateSource } from '../../state/state-stream.ts';
import type {
  Display,
  EmbeddedEngine,
  EngineEvents,
  EngineMetrics,
  InterruptLine,
  MachineParts,
  Medium,
  PciDevice,
} from '../engine.ts';
import { ConfigWindows } from './config-windows.ts';
import { floppyBytes } from './floppy.ts';
import { IdeImage } from './ide-image.ts';
import { IdleWaits } from './idle.ts';
import { V86Input } from './input.ts';
import { innerParts, V86_VERSION, type V86Loop } from './internals.ts';
import { restoreV86, saveV86 } from './saved-state.ts';
import { TurnCounts } from './turn-counts.ts';
import { V86Screen, VGA_MEMORY_BYTES_MIN, vgaMemoryBytes } from './screen.ts';

/** The least and the most memory of a machine. */
export const V86_MEMORY = { least: 16 * 1024 * 1024, most: 2047 * 1024 * 1024 } as const;
/** The memory of a machine is a multiple of this. */
export const V86_MEMORY_UNIT = 128 * 1024;
/** What a machine without a screen takes beside the memory of its guest. */
export const V86_DEVICE_BYTES = VGA_MEMORY_BYTES_MIN;

/**
 * The places of our devices on the bus: each has an interrupt line of its own, because v86 does not
 * share one safely between devices. Line 3 is free because there is no second serial line; v86 has
 * a sound card at line 5.
 */
const SLOTS = [
  { slot: 8, link: 3, line: 3 },
  { slot: 9, link: 0, line: 10 },
  { slot: 10, link: 1, line: 11 },
  { slot: 11, link: 2, line: 7 },
] as const;
/** The devices of ours that fit. */
export const PCI_DEVICES_MAX = SLOTS.length;
/** The power registers, and the interrupt that ACPI has for them in a PC. */
const POWER_PORT = 0xb000;
const POWER_INTERRUPT = 9;
const LEGACY_PORT = 0xd000;
const MODERN_PORT = 0xe000;
/** The IDE controller, and its timing register: both cables answer at their ports. */
const IDE = { id: 30 << 3, timingWord: 0x40 / 4, bothEnabled: 0x8000_8000 | 0 } as const;
/** Where the bridge keeps the interrupt lines of its four links. */
const LINK_REGISTERS = 0x60;

/** The registers of the Bochs VBE extensions, one of which ends their graphics modes. */
const BOCHS_INDEX = 0x1ce;
const BOCHS_DATA = 0x1cf;
const BOCHS_ENABLE = 4;
const TEXT_MEMORY_BYTES = 32 * 1024;
/** A blank, light grey on black. */
const BLANK_CELL = [0x20, 7];
/**
 * In which order a BIOS tries the kinds of disks, the first in the lowest digit: 1 is a floppy, 2 a
 * disk, 3 a CD.
 */
const BOOT_ORDER = { floppy: 0x231, cdrom: 0x123, disk: 0x132 } as const;

/** What the serial line keeps for a guest that has not read yet. */
const SERIAL_INPUT_BYTES = 16;
/** In the command byte of the keyboard controller: codes of set 2 become those of set 1. */
const KEYBOARD_TRANSLATES = 0x40;

/** `set_jit_config`: how many pages of a guest one compiled module covers, and how hot they are. */
const JIT_PAGES = { index: 1, value: 1 } as const;
const JIT_THRESHOLD = { index: 3, value: 50 } as const;

/** Parts of the engine that are not in the state of v86. */
const besideState = record({ serialInput: list(integer(0, 255), 4096), power: powerState });

const CODE_SEGMENT = 0x10;
const DATA_SEGMENT = 0x18;
const SEGMENTS = 6;
const CODE_INDEX = 1;
const REGISTERS = { eax: 0, ebx: 3, esi: 6 } as const;
const PROTECTED = 1;

/** Makes a machine, whose processor does not run yet. */
export async function startV86(parts: MachineParts, events: EngineEvents): Promise<EmbeddedEngine> {
  const counts = new RequestCounts();
  const images = parts.ideDisks.map((disk) => new IdeImage(disk, counts));
  const [first, second] = images;
  const { cdrom, floppy } = parts.media;
  const { bios, vgaBios } = parts.firmware ?? {};
  const emulator = new V86({
    wasm_path: decodeURIComponent(new URL('v86.wasm', import.meta.resolve('v86')).pathname),
    memory_size: parts.memoryBytes,
    vga_memory_size: vgaMemoryBytes(parts.screen),
    autostart: false,
    boot_order: floppy ? BOOT_ORDER.floppy : cdrom ? BOOT_ORDER.cdrom : BOOT_ORDER.disk,
    disable_keyboard: true,
    disable_mouse: true,
    disable_speaker: true,
    // Without a type there is no network card.
    net_device: {},
    ...(first ? { hda: first } : {}),
    ...(second ? { hdb: second } : {}),
    ...(cdrom ? { cdrom: imageFor('cdrom', cdrom, counts) } : {}),
    ...(bios ? { bios: { buffer: bios.slice().buffer } } : {}),
    ...(vgaBios ? { vga_bios: { buffer: vgaBios.slice().buffer } } : {}),
  });
  await new Promise<void>((resolve) => emulator.add_listener('emulator-ready', () => resolve()));
  const engine = new V86Engine(emulator, { images, counts, screen: parts.screen }, events);
  if (floppy) await engine.changeMedium('floppy', floppy);
  return engine;
}

function imageFor(drive: MachineDrive, medium: Medium, counts: RequestCounts): IdeImage {
  const sizeBytes = drive === 'floppy' ? floppyBytes(medium.sizeBytes) : medium.sizeBytes;
  return new IdeImage(medium, counts, sizeBytes);
}

/** What an emulator was made with. */
interface EmulatorParts {
  readonly images: readonly IdeImage[];
  /** The requests of all images. */
  readonly counts: RequestCounts;
  readonly screen: FramebufferMode | undefined;
}

class V86Engine implements EmbeddedEngine {
  readonly name = 'v86';
  readonly version = `v86 ${V86_VERSION}`;
  readonly memory: GuestMemory;
  readonly display: Display | undefined;
  readonly #emulator: V86;
  readonly #loop: V86Loop;
  readonly #waits = new IdleWaits();
  readonly #power: PowerRegisters;
  readonly #windows: ConfigWindows;
  readonly #counts: RequestCounts;
  readonly #turns: TurnCounts;
  #devices = 0;
  /** The counter of time stamps of a machine that stands still. */
  #pausedAt: Uint32Array | undefined = undefined;

  constructor(emulator: V86, { images, counts, screen }: EmulatorParts, events: EngineEvents) {
    this.#emulator = emulator;
    this.#counts = counts;
    const loop = innerParts(emulator);
    const { cpu } = loop;
    this.#loop = loop;
    this.#turns = new TurnCounts({
      nowMs: () => loop.constructor.microtick(),
      instructions: () => cpu.instruction_counter[0] ?? 0,
    });
    this.display = screen && this.#makeDisplay(screen);
    const sizeBytes = cpu.memory_size[0] ?? 0;
    this.memory = {
      sizeBytes,
      view: (address, length) => {
        checkRange(sizeBytes, address, length);
        return cpu.mem8.subarray(address, address + length);
      },
      written: (address, length) => {
        if (length > 0) cpu.jit_dirty_cache(address, address + length);
      },
    };
    cpu.set_jit_config(JIT_PAGES.index, JIT_PAGES.value);
    cpu.set_jit_config(JIT_THRESHOLD.index, JIT_THRESHOLD.value);
    const wait = loop.yield.bind(loop);
    loop.yield = (ms, tick) => {
      const next = this.#waits.next(ms);
      this.#turns.end(next > 0);
      events.turn();
      wait(next, tick);
    };
    const goOn = loop.yield_callback.bind(loop);
    loop.yield_callback = (tick) => {
      this.#turns.begin();
      goOn(tick);
    };
    emulator.add_listener('serial0-output-byte', (byte) => {
      this.#waits.stir();
      events.serialOutput(byte);
    });
    listen(emulator, 'cpu-event-halt', () => events.halted());
    this.#power = new PowerRegisters({
      raiseInterrupt: () => {
        this.#waits.stir();
        cpu.device_raise_irq(POWER_INTERRUPT);
      },
      lowerInterrupt: () => cpu.device_lower_irq(POWER_INTERRUPT),
      off: () => events.halted(),
    });
    this.#register(this.#power.block, POWER_PORT, this.#power);
    this.#windows = new ConfigWindows(cpu);
    const reboot = cpu.reboot_internal.bind(cpu);
    cpu.reboot_internal = () => {
      this.#turns.take();
      reboot();
      this.#turns.wasSet();
      // Without a BIOS there is nothing to go on with. v86 counts instructions from zero again, so
      // a guest that went on at once, and reset itself again and again, would never give up its
      // turn.
      cpu.in_hlt[0] = 1;
      // v86 itself goes on with what the disks are asked for, and that would reach the new kernel.
      for (const image of images) image.reset();
      const channel = cpu.devices.ide?.primary;
      channel?.master.device_reset();
      channel?.slave.device_reset();
      this.#power.reset();
      events.reset();
    };
  }

  addPciDevice(device: PciDevice): InterruptLine {
    const index = this.#devices++;
    const place = SLOTS[index];
    if (!place) throw new RangeError(`there is room for ${PCI_DEVICES_MAX} devices`);
    const legacyPort = LEGACY_PORT + index * device.legacy.size;
    const modernPort = MODERN_PORT + index * device.modern.size;
    const { pci } = this.#loop.cpu.devices;
    // Its ports have to be there when the device is registered.
    this.#register(device.legacy, legacyPort, device);
    this.#register(device.modern, modernPort, device);
    const id = place.slot << 3;
    pci.register_device({
      name: device.name,
      pci_id: id,
      pci_space: [...device.configSpace({ legacyPort, modernPort, interruptLine: place.line })],
      pci_bars: [{ size: device.legacy.size }, { size: device.modern.size }],
    });
    if (device.window) this.#windows.add(id, device.window);
    // No BIOS runs that would do this.
    pci.isa_bridge_space8[LINK_REGISTERS + place.link] = place.line;
    return {
      raise: () => {
        this.#waits.stir();
        pci.raise_irq(id);
      },
      lower: () => pci.lower_irq(id),
    };
  }

  boot(image: BootImage | undefined): void {
    const { cpu } = this.#loop;
    cpu.in_hlt[0] = 0;
    // A reset has put the processor at the beginning of the firmware.
    if (!image) return;
    if (this.display) this.#setUpScreen();
    // A BIOS does so, too; without it Linux takes the cables for switched off.
    const ide = cpu.devices.ide && cpu.devices.pci.device_spaces[IDE.id];
    if (ide) ide[IDE.timingWord] = IDE.bothEnabled;
    // A BIOS does this. Without it Linux expects codes of set 2, and v86 has those of set 1 only.
    cpu.devices.ps2.command_register |= KEYBOARD_TRANSLATES;
    // So does this: a kernel that knows no more than to wait for codes would get none.
    cpu.devices.ps2.enable_keyboard_stream = true;
    const acpi = acpiTables({ powerPort: POWER_PORT, powerInterrupt: POWER_INTERRUPT, slots: SLOTS });
    for (const part of [...image.parts, { address: ACPI_TABLES_AT, bytes: acpi }]) {
      const length = 'bytes' in part ? part.bytes.byteLength : part.zeroBytes;
      const place = this.memory.view(part.address, length);
      if ('bytes' in part) place.set(part.bytes);
      else place.fill(0);
      this.memory.written(part.address, length);
    }
    cpu.cr[0] = PROTECTED;
    cpu.protected_mode[0] = 1;
    // Interrupts are off.
    cpu.flags[0] = 2;
    cpu.is_32[0] = 1;
    cpu.stack_size_32[0] = 1;
    for (let segment = 0; segment < SEGMENTS; segment++) {
      cpu.segment_is_null[segment] = 0;
      cpu.segment_offsets[segment] = 0;
      cpu.segment_limits[segment] = 0xffff_ffff;
      cpu.sreg[segment] = segment === CODE_INDEX ? CODE_SEGMENT : DATA_SEGMENT;
    }
    cpu.reg32.fill(0);
    for (const name of ['eax', 'ebx', 'esi'] as const)
      cpu.reg32[REGISTERS[name]] = image.registers[name] ?? 0;
    cpu.instruction_pointer[0] = (cpu.get_seg_cs() + image.entry) | 0;
    cpu.update_state_flags();
  }

  run(): void {
    this.#turnBackTime();
    this.#pausedAt = undefined;
    void this.#emulator.run();
  }

  pause(): void {
    if (this.#pausedAt === undefined) {
      const { cpu } = this.#loop;
      cpu.store_current_tsc();
      this.#pausedAt = cpu.current_tsc.slice();
    }
    void this.#emulator.stop();
  }

  /**
   * The processor's counter of time stamps follows the host's clock. For a guest that was paused it
   * goes on from where it stood, or its kernel takes the pause for a processor that was stuck.
   */
  #turnBackTime(): void {
    const [low, high] = this.#pausedAt ?? [];
    if (low !== undefined && high !== undefined) this.#loop.cpu.set_tsc(low, high);
  }

  /** It stands still at once; what its disks have not answered is known elsewhere. */
  async standsStill(): Promise<void> {}

  async save(into: StateSink): Promise<void> {
    this.#turnBackTime();
    const serialInput = this.#loop.cpu.devices.uart0.input.slice();
    await saveV86(this.#loop, { serialInput, power: this.#power.state }, into);
  }

  async restore(from: StateSource): Promise<void> {
    const beside = await restoreV86(this.#loop, from);
    this.#pausedAt = undefined;
    // The state has a counter of its own.
    this.#turns.wasSet();
    try {
      const { serialInput, power } = besideState(beside, 'state');
      this.#power.restore(power);
      this.#loop.cpu.devices.uart0.input.push(...serialInput);
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
      throw new StateError(`a part of it is not as it should be: ${error.message}`);
    }
  }

  async changeMedium(drive: MachineDrive, medium: Medium | undefined): Promise<void> {
    const { cdrom, fdc } = this.#loop.cpu.devices;
    const image = medium && imageFor(drive, medium, this.#counts);
    this.#waits.stir();
    switch (drive) {
      case 'cdrom':
        cdrom.eject();
        if (image) cdrom.set_cdrom(image);
        return;
      case 'floppy':
        fdc.drives[0].eject_disk();
        // The second argument keeps the guest from writing.
        if (image) fdc.drives[0].insert_disk(image, medium?.write === undefined);
        return;
    }
  }

  async pressPowerButton(): Promise<boolean> {
    this.#power.press();
    return this.#power.isListening;
  }

  reset(): void {
    this.#loop.cpu.reboot_internal();
  }

  get serialRoom(): number {
    return Math.max(0, SERIAL_INPUT_BYTES - this.#loop.cpu.devices.uart0.input.length);
  }

  serialInput(bytes: Uint8Array): void {
    this.#waits.stir();
    this.#emulator.serial_send_bytes(0, bytes);
  }

  holdSerial(): boolean {
    return false;
  }

  async metrics(): Promise<EngineMetrics> {
    const { busyUs, instructions, exits, idles } = this.#turns;
    return { busyUs, instructions, exits, idles, ...this.#counts };
  }

  async close(): Promise<void> {
    this.pause();
  }

  #makeDisplay(largest: FramebufferMode): Display {
    const { cpu } = this.#loop;
    const screen = new V86Screen(cpu, largest);
    const input = new V86Input(cpu.devices.ps2);
    return {
      get picture() {
        return screen.picture;
      },
      update: () => screen.update(),
      input: (event) => {
        this.#waits.stir();
        input.take(event);
      },
    };
  }

  /** No BIOS runs that would do this. */
  #setUpScreen(): void {
    const { io, devices } = this.#loop.cpu;
    io.port_write16(BOCHS_INDEX, BOCHS_ENABLE);
    io.port_write16(BOCHS_DATA, 0);
    setUpTextMode({
      read: (port) => io.port_read8(port),
      write: (port, value) => io.port_write8(port, value),
    });
    for (let at = 0; at < TEXT_MEMORY_BYTES; at += 2) devices.vga.vga_memory.set(BLANK_CELL, at);
    const characters = FONT.byteLength / FONT_LINES;
    for (let character = 0; character < characters; character++) {
      const glyph = FONT.subarray(character * FONT_LINES, (character + 1) * FONT_LINES);
      devices.vga.plane2.set(glyph, character * GLYPH_BYTES);
    }
    devices.vga.set_font_bitmap(true);
  }

  #register(block: RegisterBlock, base: number, device: object): void {
    const { io } = this.#loop.cpu;
    for (let offset = 0; offset < block.size; offset++) {
      const read = (bytes: number) => (): number => block.read(offset, bytes) | 0;
      const write =
        (bytes: number) =>
        (value: number): void =>
          block.write(offset, bytes, value >>> 0);
      io.register_read(base + offset, device, read(1), read(2), read(4));
      io.register_write(base + offset, device, write(1), write(2), write(4));
    }
  }
}

/** Listens to an event that the types of v86 do not name. */
function listen(emulator: V86, event: string, handler: () => void): void {
  const add: unknown = Reflect.get(emulator, 'add_listener');
  if (typeof add === 'function') Reflect.apply(add, emulator, [event, handler]);
}
