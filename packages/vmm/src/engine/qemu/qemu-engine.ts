/**
 * The engine QEMU: a process of the host, which is started in a sandbox and a private directory,
 * and meets us at its sockets. It has as many processors of 64 bits as are wanted. Its devices are
 * its own; what they show comes from sessions.
 */
import type { NbdDevice } from '@ginit/block/nbd';
import { RpcError } from '@ginit/core';
import { Condition, type Deferred, quietDeferred } from '@ginit/core/async';
import type { MachineDrive } from '@ginit/core/machine';
import { StateError, type StateSink, type StateSource } from '../../state/state-stream.ts';
import type { FramebufferMode } from '@ginit/core/framebuffer';
import { type Engine, type EngineEvents, type EngineMetrics, type Medium, MediumRefused } from '../engine.ts';
import type { MessageServer } from '../../devices/message-server.ts';
import { QemuDisplay } from './display/qemu-display.ts';
import { MediumDevice } from './medium-device.ts';
import {
  FLOPPY_USUAL_BYTES,
  mediumNode,
  QEMU_SOCKETS,
  type QemuDisk,
  type QemuDrive,
  type QemuFile,
  type QemuSetup,
  sharePort,
  TRANSLATIONS_MEBIBYTES,
} from './qemu-arguments.ts';
import { metricsOf } from './qemu-metrics.ts';
import { type QemuEnv, QemuError, QemuRun, type QemuRunParts } from './qemu-run.ts';
import { RfbError } from './display/rfb-client.ts';
import { SharePort, type SharePortEvents } from './share-port.ts';
import { QmpError, type QmpEvent } from './qmp-client.ts';
import { type Migration, migrationEnd, receiveState, sendState } from './saved-state.ts';

const MEBIBYTE = 1024 * 1024;
const PIXEL_BYTES = 4;
/** The least and the most memory of a machine. */
export const QEMU_MEMORY = { least: 32 * MEBIBYTE, most: 256 * 1024 * MEBIBYTE } as const;
/** The memory of a machine is a multiple of this. */
export const QEMU_MEMORY_UNIT = MEBIBYTE;
/** What QEMU takes beside the memory of its guest: itself, and translated instructions. */
export const QEMU_BESIDE_BYTES = (48 + TRANSLATIONS_MEBIBYTES) * MEBIBYTE;
/** The least memory of a screen. */
const SCREEN_MEMORY_LEAST_BYTES = 4 * MEBIBYTE;

/** The memory of the VGA for pictures up to this size: a power of two. */
function screenMemoryBytes({ width, height }: FramebufferMode): number {
  const bytes = width * height * PIXEL_BYTES;
  return Math.max(SCREEN_MEMORY_LEAST_BYTES, 2 ** Math.ceil(Math.log2(bytes)));
}

/** All that a screen takes: that memory, a picture in QEMU, and one here. */
export function qemuScreenBytes(largest: FramebufferMode): number {
  return screenMemoryBytes(largest) + 2 * largest.width * largest.height * PIXEL_BYTES;
}

/** The most processors of a machine. */
export const QEMU_PROCESSORS_MAX = 64;
/** The most shared folders. */
export const QEMU_SHARES_MAX = 16;
/** The most disks of each model. */
export const QEMU_DISKS_MAX = { virtio: 16, ide: 4 } as const;

/** What is given to the serial line at a time. */
const SERIAL_INPUT_BYTES = 256;
/** The port where a guest says which events of the power button it wants, and its bit there. */
const POWER_ENABLE_PORT = 0x602;
const POWER_BUTTON_ENABLED = 0x100;

/**
 * After a reset, SeaBIOS finds its own variables in memory and resets the machine once or twice
 * more. That is a matter of milliseconds; a guest that resets itself again and again for so long is
 * told of all the same.
 */
const RESETS_OF_BIOS = { withinMs: 1000, most: 3 } as const;

/** What the machine is made of. */
export interface QemuParts {
  readonly env: QemuEnv;
  readonly program: string;
  readonly setup: Omit<
    QemuSetup,
    'disks' | 'drives' | 'floppyIsLarge' | 'shares' | 'files' | 'screenMebibytes' | 'awaitsState'
  >;
  /** What the machine starts with. */
  readonly files: ReadonlyMap<QemuFile, Uint8Array>;
  readonly disks: readonly QemuDiskParts[];
  readonly shares: readonly QemuShareParts[];
  /** Its drives, and the media in them at the start. */
  readonly drives: readonly MachineDrive[];
  readonly media: Readonly<Partial<Record<MachineDrive, Medium>>>;
  /** The largest picture of its screen; missing if it has neither screen nor keyboard. */
  readonly screen: FramebufferMode | undefined;
}

/** A shared folder with what is behind it. */
export interface QemuShareParts {
  readonly tag: string;
  readonly makeServer: () => MessageServer;
  readonly events: SharePortEvents;
}

/** A disk with what is behind it. */
export interface QemuDiskParts extends QemuDisk {
  readonly device: NbdDevice;
}

/** Starts QEMU; its processors do not run yet. Rejects with `QemuError`, or `HostError`. */
export async function startQemu(parts: QemuParts, events: EngineEvents): Promise<Engine> {
  const engine = new QemuEngine(parts, events);
  await engine.start(false);
  return engine;
}

class QemuEngine implements Engine {
  readonly name = 'qemu';
  version = 'QEMU';
  readonly #parts: QemuParts;
  readonly #events: EngineEvents;
  readonly display: QemuDisplay | undefined;
  /** Whatever QEMU may ask for over NBD, by the names of the exports. */
  readonly #devices = new Map<string, NbdDevice>();
  /** The names of what lies in the drives. */
  readonly #media = new Map<MachineDrive, string>();
  #mediaSoFar = 0;
  /** QEMU's drive keeps the form of the disk that it begins with, or the usual one. */
  readonly #floppyIsLarge: boolean;
  #shares: readonly SharePort[] = [];
  #qemu: QemuRun | undefined;
  /** The guest has switched the machine off. */
  #isOff = false;
  #serialIsHeld = false;
  readonly #serialGoesOn = new Condition();
  /** The migration that is under way. */
  #moved: Deferred<boolean> | undefined;
  #isTyping = false;
  /** How many resets may still be those of the BIOS. */
  #resetsOfBios = 0;

  constructor(parts: QemuParts, events: EngineEvents) {
    this.#parts = parts;
    this.#events = events;
    const { disks, drives, media, screen } = parts;
    for (const { name, device } of disks) this.#devices.set(name, device);
    for (const drive of drives) this.#export(drive, media[drive]);
    this.#floppyIsLarge = isLarge(media.floppy);
    this.display = screen && new QemuDisplay(screen, (error) => this.#screenLost(error));
  }

  /** Starts a process for the machine. */
  async start(awaitsState: boolean): Promise<void> {
    const { env, program, setup, files, disks, drives, shares, screen } = this.#parts;
    const run: QemuRunParts = {
      env,
      program,
      files,
      setup: {
        ...setup,
        disks,
        drives: drives.map((drive) => this.#driveOf(drive)),
        floppyIsLarge: this.#floppyIsLarge,
        shares: shares.map(({ tag }) => tag),
        files: new Set(files.keys()),
        screenMebibytes: screen && screenMemoryBytes(screen) / MEBIBYTE,
        awaitsState,
      },
      devices: this.#devices,
    };
    const qemu = await QemuRun.start(run, {
      event: (event) => this.#event(event),
      serial: (bytes) => this.#serialOutput(bytes),
      ended: (reason) => this.#ended(reason),
    });
    this.#qemu = qemu;
    this.version = `QEMU ${qemu.version}`;
    this.#shares = shares.flatMap(({ makeServer, events }, index) => {
      const port = qemu.ports[index];
      return port ? [new SharePort(port, makeServer, events)] : [];
    });
    for (const share of this.#shares) void share.serve();
    await this.#attachDisplay(qemu);
  }

  async #attachDisplay({ workplace, control }: QemuRun): Promise<void> {
    if (!this.display) return;
    const connection = await workplace.connect(QEMU_SOCKETS.screen);
    await this.display.attach(connection, (events) => control.execute('input-send-event', { events }));
  }

  #screenLost(error: unknown): void {
    // With its QEMU, the screen is gone; of that is told elsewhere.
    if (error instanceof RfbError && !this.#isOff) this.#events.failed(error.message);
    if (!(error instanceof RfbError || error instanceof RpcError)) throw error;
  }

  #driveOf(drive: MachineDrive): QemuDrive {
    const medium = this.#media.get(drive);
    const device = medium === undefined ? undefined : this.#devices.get(medium);
    return { drive, medium, writeable: device?.writeable === true };
  }

  /** Gives what lies in a drive a name of its own. */
  #export(drive: MachineDrive, medium: Medium | undefined): string | undefined {
    const before = this.#media.get(drive);
    if (before !== undefined) this.#devices.delete(before);
    this.#media.delete(drive);
    if (!medium) return undefined;
    const name = `${drive}${++this.#mediaSoFar}`;
    this.#devices.set(name, new MediumDevice(medium));
    this.#media.set(drive, name);
    return name;
  }

  run(): void {
    this.#command('cont');
    if (this.#resetsOfBios === 0) return;
    this.#parts.env.timer.after(RESETS_OF_BIOS.withinMs, () => (this.#resetsOfBios = 0));
  }

  pause(): void {
    this.#command('stop');
  }

  /** QEMU answers when its disks have answered everything. */
  async standsStill(): Promise<void> {
    await asStateError(async () => this.#running().control.execute('stop'));
  }

  async save(into: StateSink): Promise<void> {
    await this.standsStill();
    await asStateError(() => sendState(this.#migration(), into));
  }

  /** QEMU takes a state only as the first thing that it does, so it is started once more. */
  async restore(from: StateSource): Promise<void> {
    await this.display?.detach();
    await this.#qemu?.close();
    await this.start(true);
    await asStateError(() => receiveState(this.#migration(), from));
  }

  /** A guest that has locked its tray loses the medium all the same, and is told. */
  async changeMedium(drive: MachineDrive, medium: Medium | undefined): Promise<void> {
    if (drive === 'floppy' && medium && isLarge(medium) !== this.#floppyIsLarge)
      throw new MediumRefused(`its floppy drive is one for ${this.#floppyIsLarge ? 2880 : 1440} KiB`);
    try {
      await this.#exchange(this.#running().control, drive, medium);
    } catch (error) {
      if (!(error instanceof QmpError || error instanceof QemuError)) throw error;
      throw new MediumRefused(`QEMU does not take it: ${error.message}`);
    }
  }

  async #exchange(
    control: QemuRun['control'],
    drive: MachineDrive,
    medium: Medium | undefined,
  ): Promise<void> {
    const before = this.#media.get(drive);
    await control.execute('blockdev-open-tray', { id: drive, force: true });
    if (before !== undefined) {
      await control.execute('blockdev-remove-medium', { id: drive });
      await control.execute('blockdev-del', { 'node-name': before });
    }
    const name = this.#export(drive, medium);
    if (name === undefined) return;
    await control.execute('blockdev-add', mediumNode(name, medium?.write !== undefined));
    await control.execute('blockdev-insert-medium', { id: drive, 'node-name': name });
    await control.execute('blockdev-close-tray', { id: drive });
  }

  async pressPowerButton(): Promise<boolean> {
    try {
      const { control } = this.#running();
      const listens = await listensToPowerButton(control);
      if (listens) await control.execute('system_powerdown');
      return listens;
    } catch (error) {
      if (error instanceof QmpError || error instanceof QemuError) return false;
      throw error;
    }
  }

  reset(): void {
    this.#command('system_reset');
    this.#wasReset();
  }

  get serialRoom(): number {
    return this.#isTyping ? 0 : SERIAL_INPUT_BYTES;
  }

  serialInput(bytes: Uint8Array): void {
    this.#isTyping = true;
    const taken = (): void => {
      this.#isTyping = false;
      this.#events.turn();
    };
    // A line that breaks ends with its QEMU, of which is told.
    this.#qemu?.serialInput(bytes.slice()).then(taken, () => {});
  }

  holdSerial(is: boolean): boolean {
    this.#serialIsHeld = is;
    if (!is) this.#serialGoesOn.wakeAll();
    return true;
  }

  async metrics(): Promise<EngineMetrics | undefined> {
    const qemu = this.#qemu;
    return qemu && metricsOf(qemu.control, () => qemu.cpuUs());
  }

  async close(): Promise<void> {
    this.#isOff = true;
    this.holdSerial(false);
    await this.display?.detach();
    await this.#qemu?.close();
  }

  #running(): QemuRun {
    if (this.#qemu && !this.#isOff) return this.#qemu;
    throw new QemuError('the machine is off');
  }

  #migration(): Migration {
    const { control, workplace } = this.#running();
    this.#moved = quietDeferred<boolean>();
    return { control, workplace, done: this.#moved.promise };
  }

  #command(command: 'cont' | 'stop' | 'system_reset'): void {
    this.#qemu?.control.execute(command).catch((error: unknown) => {
      if (!(error instanceof QmpError)) throw error;
      // Its end is told by the end of the process.
      if (error.code === 'Refused') this.#events.failed(`QEMU refuses "${command}": ${error.message}`);
    });
  }

  async #serialOutput(bytes: Uint8Array): Promise<void> {
    for (const byte of bytes) this.#events.serialOutput(byte);
    this.#events.turn();
    while (this.#serialIsHeld) await this.#serialGoesOn.wait();
  }

  /**
   * States are not followed: after `stop` and a reset QEMU says "prelaunch" of a machine that ran.
   */
  #event(event: QmpEvent): void {
    const { name, data } = event;
    const end = migrationEnd(event);
    if (end !== undefined) this.#moved?.resolve(end);
    if (name === 'SHUTDOWN' && data['guest'] === true) this.#isOff = true;
    if (name === 'VSERPORT_CHANGE' && data['open'] === false)
      this.#shares.find((_, index) => sharePort(index) === data['id'])?.closed();
    // The one that we have asked for was told at once.
    if (name !== 'RESET' || data['guest'] !== true) return;
    if (this.#resetsOfBios > 0) this.#resetsOfBios--;
    else this.#wasReset();
  }

  #wasReset(): void {
    this.#resetsOfBios = RESETS_OF_BIOS.most;
    this.#events.reset();
  }

  #ended(reason: string): void {
    this.#moved?.reject(new StateError(reason));
    if (this.#isOff) this.#events.halted();
    else this.#events.failed(reason);
  }
}

function isLarge(medium: Medium | undefined): boolean {
  return medium !== undefined && medium.sizeBytes > FLOPPY_USUAL_BYTES;
}

/** A state cannot be moved if QEMU refuses, or is gone. */
async function asStateError(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const isOfQemu = error instanceof QmpError || error instanceof QemuError || error instanceof RpcError;
    throw isOfQemu ? new StateError(`QEMU does not move its state: ${error.message}`) : error;
  }
}

/**
 * Whether the guest wants to hear of its power button. No command of QMP tells that, but QEMU's
 * monitor for people reads the register of the machine.
 */
async function listensToPowerButton(control: QemuRun['control']): Promise<boolean> {
  const text = await control.execute('human-monitor-command', {
    'command-line': `i /h 0x${POWER_ENABLE_PORT.toString(16)}`,
  });
  const value = typeof text === 'string' ? /= 0x([0-9a-f]+)/.exec(text)?.[1] : undefined;
  // A QEMU that says it in another way may have a guest that listens.
  return value === undefined || (Number.parseInt(value, 16) & POWER_BUTTON_ENABLED) !== 0;
}
