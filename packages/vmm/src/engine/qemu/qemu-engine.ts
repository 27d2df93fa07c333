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
import type { Engine, EngineEvents } from '../engine.ts';
import { type QemuDisk, type QemuSetup, TRANSLATIONS_MEBIBYTES } from './qemu-arguments.ts';
import { type QemuEnv, QemuError, QemuRun, type QemuRunParts } from './qemu-run.ts';
import { QmpError, type QmpEvent } from './qmp-client.ts';
import { type Migration, migrationEnd, receiveState, sendState } from './saved-state.ts';

const MEBIBYTE = 1024 * 1024;
/** The least and the most memory of a machine. */
export const QEMU_MEMORY = { least: 32 * MEBIBYTE, most: 256 * 1024 * MEBIBYTE } as const;
/** The memory of a machine is a multiple of this. */
export const QEMU_MEMORY_UNIT = MEBIBYTE;
/** What QEMU takes beside the memory of its guest: itself, and translated instructions. */
export const QEMU_BESIDE_BYTES = (48 + TRANSLATIONS_MEBIBYTES) * MEBIBYTE;
/** The most processors of a machine. */
export const QEMU_PROCESSORS_MAX = 64;
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
  readonly setup: Omit<QemuSetup, 'disks' | 'hasInitrd' | 'awaitsState'>;
  readonly kernel: Uint8Array;
  readonly initrd: Uint8Array | undefined;
  readonly disks: readonly QemuDiskParts[];
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
  }

  /** Starts a process for the machine. */
  async start(awaitsState: boolean): Promise<void> {
    const { env, program, setup, kernel, initrd, disks } = this.#parts;
    const run: QemuRunParts = {
      env,
      program,
      kernel,
      initrd,
      setup: { ...setup, disks, hasInitrd: initrd !== undefined, awaitsState },
      devices: new Map(disks.map(({ name, device }) => [name, device])),
    };
    this.#qemu = await QemuRun.start(run, {
      event: (event) => this.#event(event),
      serial: (bytes) => this.#serialOutput(bytes),
      ended: (reason) => this.#ended(reason),
    });
    this.version = `QEMU ${this.#qemu.version}`;
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
    await this.#qemu?.close();
    await this.start(true);
    await asStateError(() => receiveState(this.#migration(), from));
  }

  async changeMedium(drive: MachineDrive): Promise<void> {
    throw new RangeError(`a machine of the engine qemu has no drive "${drive}"`);
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

  async close(): Promise<void> {
    this.#isOff = true;
    this.holdSerial(false);
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
