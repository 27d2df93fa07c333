/** One machine: what the config says, put together from sessions, run, and put in order. */
import { type Env, RpcError } from '@ginit/core';
import { type MachineAction, type MachineState } from '@ginit/core/machine';
import { TerminalClient } from '@ginit/core/terminal';
import type { Engine } from '../engine/engine.ts';
import { startV86 } from '../engine/v86/v86-engine.ts';
import { type BootImage, bootImage } from '../linux/boot-image.ts';
import {
  KERNEL_BYTES_MAX,
  KernelError,
  readElf,
  readKernelFile,
  unpackKernel,
} from '../linux/kernel-file.ts';
import { MachineControl } from './control.ts';
import { addVirtioDisk, ideDisk, type OpenDisk, openDisks } from './disks.ts';
import { GuestFiles } from './guest-files.ts';
import { freeForGuest, inMebibytes, reserveGuestMemory } from './memory.ts';
import { refusedAt } from './refused.ts';
import { SerialLine } from './serial-line.ts';
import type { ControlConfig, VmmConfig } from './schema.ts';
import { unxz } from './unxz.ts';

const PROCESSORS_MAX = 1;
/** The time that the terminal has at the end to take what the guest has written. */
const LAST_OUTPUT_MS = 2000;
/** A guest that breaks its disk, or resets itself, again and again does not fill the log. */
const TOLD_MAX = 8;
/**
 * The time that a guest stands still after it has reset itself: one that does so in a loop would
 * take a whole processor.
 */
const RESET_MS = 1000;
/** How often is said that a guest is waited for. */
const PROGRESS_MS = 2000;
const NOBODY_LISTENS = 'the guest does not listen to its power button';

/** Why a processor stands still. */
type PauseReason = 'wish' | 'disk' | 'serial' | 'reset';
/** These come and go by themselves, so nobody is told of them. */
const PASSING: ReadonlySet<PauseReason> = new Set(['serial', 'reset']);

/** The part of `env` that a machine uses. */
export type MachineEnv = Pick<
  Env,
  'connect' | 'close' | 'quota' | 'ram' | 'timer' | 'log' | 'warning' | 'error' | 'exit'
>;

/** A machine that runs until the guest switches it off. */
export class Machine {
  readonly #env: MachineEnv;
  #disks: readonly OpenDisk[] = [];
  readonly #serial: SerialLine | undefined;
  readonly #resets: (() => void)[] = [];
  #engine: Engine | undefined;
  #image: BootImage | undefined;
  #memoryBytes = 0;
  #control: MachineControl | undefined;
  /** The reasons for which the processor stands still. */
  readonly #pauses = new Map<PauseReason, string>();
  #about = '';
  #isOff = false;
  /** The component is being stopped, so nobody waits for its exit. */
  #isStopping = false;
  #stopped: Promise<boolean> | undefined;
  #startsAnew = 0;
  #cancelStart: () => void = () => {};
  #end: () => void = () => {};
  readonly #ended = new Promise<void>((resolve) => (this.#end = resolve));

  private constructor(env: MachineEnv, terminal: TerminalClient | undefined) {
    this.#env = env;
    this.#serial =
      terminal &&
      new SerialLine(terminal, {
        hold: (is) => this.#pause('serial', is ? 'its serial line waits for the terminal' : undefined),
        lost: (error) => {
          if (!this.#isOff) void env.warning(`the terminal of the serial line is gone: ${textOf(error)}`);
        },
        told: (text) => void env.warning(text),
      });
  }

  /** Puts the machine together and starts it. Throws a `ConfigError`, or `TooLittleMemory`. */
  static async start(env: MachineEnv, config: VmmConfig): Promise<Machine> {
    const { kernel, initrd, cmdline, control, cpu, disk, serial } = config.$children;
    if (cpu && cpu.count > PROCESSORS_MAX) {
      throw cpu.$node.errorAt(`the engine v86 has ${PROCESSORS_MAX} processor`, 'count');
    }
    const terminal =
      serial &&
      (await TerminalClient.connect(env, { label: serial.label }).catch(
        refusedAt(serial.$node, 'label', `there is no terminal "${serial.label}"`),
      ));
    const machine = new Machine(env, terminal);
    // When the component is stopped it is too late to open the session that this takes.
    await env.timer.sleep(0);
    if (control) await machine.#letControl(control);
    machine.#disks = await openDisks(env, disk, (label) => (code) => machine.#held(label, code));
    const files = new GuestFiles(env);
    const kernelBytes = await files.read(kernel);
    const initrdBytes = initrd && (await files.read(initrd));
    await files.close();
    try {
      const file = readKernelFile(kernelBytes);
      if (file.is64Bits) {
        throw new KernelError('it is a kernel for 64 bits, and the processor of the engine v86 has 32');
      }
      const bytesMax = Math.min(KERNEL_BYTES_MAX, await freeForGuest(env));
      // A call of the parent gives others their turn.
      const elf = await unpackKernel(file, (packed, most) => unxz(packed, most, () => env.quota()), bytesMax);
      const keptBytes = elf.buffer.byteLength + (initrdBytes?.buffer.byteLength ?? 0);
      const kernelParts = { file, kernel: readElf(elf), initrd: initrdBytes };
      const commandLine = cmdline?.$node.text.trim() ?? '';
      const memoryBytes = await reserveGuestMemory(env, keptBytes);
      machine.#image = bootImage({ ...kernelParts, commandLine, memoryBytes });
      machine.#memoryBytes = memoryBytes;
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      throw kernel.$node.errorAt(`the kernel cannot be started: ${error.message}`);
    }
    await machine.#run();
    return machine;
  }

  async #run(): Promise<void> {
    const memoryBytes = this.#memoryBytes;
    const ideDisks = this.#disks.filter(({ config }) => config.model === 'ide');
    const engine = await startV86(
      {
        memoryBytes,
        ideDisks: ideDisks.map((disk) => ideDisk(disk, this.#failed(disk))),
        media: {},
        firmware: undefined,
      },
      {
        serialOutput: (byte) => this.#serial?.written(byte),
        turn: () => this.#turn(),
        halted: () => void this.#switchedOff(),
        reset: () => this.#reset(),
      },
    );
    this.#engine = engine;
    for (const disk of this.#disks.filter(({ config }) => config.model === 'virtio')) {
      const events = {
        broken: this.#broken(disk),
        failed: this.#failed(disk),
      };
      this.#resets.push(addVirtioDisk(engine, disk, events));
    }
    this.#about = `${engine.version}, 1 processor, ${inMebibytes(memoryBytes)} MiB`;
    await this.#env.log(this.#about);
    if (this.#image) engine.boot(this.#image);
    engine.run();
    this.#tell();
    void this.#control?.obey((action) => ({ problem: this.#act(action) }));
    void this.#serial?.readAll(() => this.#turn());
  }

  /** Tells that the guest has broken a disk, once for each reason and not without end. */
  #broken({ label }: OpenDisk): (reason: string) => void {
    const told = new Set<string>();
    return (reason) => {
      if (told.has(reason) || told.size === TOLD_MAX) return;
      told.add(reason);
      const last = told.size === TOLD_MAX ? '; no more is said of it' : '';
      void this.#env.warning(`the guest has broken its disk "${label}": ${reason}${last}`);
    };
  }

  /** Tells of a disk that fails, once for each reason. */
  #failed({ label }: OpenDisk): (error: RpcError) => void {
    const told = new Set<string>();
    return ({ code }) => {
      if (told.has(code) || this.#isOff) return;
      told.add(code);
      void this.#env.warning(`requests of the disk "${label}" fail: ${code}`);
    };
  }

  #turn(): void {
    if (this.#engine && !this.#isOff) this.#serial?.turn(this.#engine);
  }

  async #letControl({ label, $node: node }: ControlConfig): Promise<void> {
    const lost = (error: unknown): void => {
      if (!this.#isOff) void this.#env.warning(`nobody can act on the machine any more: ${textOf(error)}`);
    };
    this.#control = await MachineControl.connect(this.#env, label, lost).catch(
      refusedAt(node, 'label', 'the machine cannot be acted on'),
    );
  }

  /** Does what somebody wants. The result says why not. */
  #act(action: MachineAction): string | undefined {
    if (this.#isOff) return 'the machine is off';
    switch (action) {
      case 'pause':
        this.#pause('wish', 'by ginit vm');
        return undefined;
      case 'resume':
        this.#pause('wish', undefined);
        this.#pause('disk', undefined);
        for (const { patience } of this.#disks) patience?.retry();
        return undefined;
      case 'reset':
        this.#engine?.reset();
        // Whoever presses the button does not do so in a loop.
        this.#startAnew();
        return undefined;
      case 'poweroff':
        if (this.#pauses.has('wish') || this.#pauses.has('disk')) return 'the machine is paused';
        return this.#engine?.pressPowerButton() === true ? undefined : NOBODY_LISTENS;
      case 'save':
      case 'restore':
      case 'media':
        return `this machine knows no "${action}"`;
    }
  }

  /** Somebody has, or no longer has, a reason why the processor should stand still. */
  #pause(reason: PauseReason, why: string | undefined): void {
    const before = this.#pauses.size;
    if (why === undefined) this.#pauses.delete(reason);
    else this.#pauses.set(reason, why);
    if (this.#isOff) return;
    if (before === 0 && this.#pauses.size > 0) this.#engine?.pause();
    if (before > 0 && this.#pauses.size === 0) this.#engine?.run();
    if (!PASSING.has(reason)) this.#tell();
  }

  /** A request of a disk is held until somebody has mended what it failed for. */
  #held(label: string, code: string): void {
    const why = `the disk "${label}" fails: ${code}`;
    if (this.#pauses.get('disk') !== why) void this.#env.warning(`the machine is paused: ${why}`);
    this.#pause('disk', why);
  }

  #tell(): void {
    const state: MachineState['state'] = this.#isOff ? 'off' : this.#pauses.size > 0 ? 'paused' : 'runs';
    const about = [this.#about, ...this.#pauses.values()].join('; ');
    void this.#control?.tell({ state, about });
  }

  /** The machine was reset: it starts anew after a while. */
  #reset(): void {
    for (const reset of this.#resets) reset();
    this.#pause('reset', 'it was reset');
    this.#cancelStart();
    this.#cancelStart = this.#env.timer.after(RESET_MS, () => this.#startAnew());
  }

  /** Starts the same kernel once more. */
  #startAnew(): void {
    this.#cancelStart();
    if (this.#isOff) return;
    if (this.#engine && this.#image) this.#engine.boot(this.#image);
    this.#pause('reset', undefined);
    const times = ++this.#startsAnew;
    // Of the later ones, the log has every one that is twice as many as the one before.
    if (times > TOLD_MAX && !Number.isInteger(Math.log2(times))) return;
    void this.#env.log(`the guest starts anew${times > 1 ? ` (${times} times so far)` : ''}`);
  }

  /**
   * Presses the power button, and waits for the guest to switch off. Returns at once if the guest
   * does not listen to the button.
   */
  async powerOff(graceMs: number): Promise<void> {
    this.#isStopping = true;
    if (this.#isOff || this.#act('poweroff') !== undefined) return;
    for (let leftMs = graceMs; leftMs > 0; leftMs -= PROGRESS_MS) {
      await this.#env.log(`the power button is pressed; the guest has ${Math.ceil(leftMs / 1000)} s`);
      await Promise.race([this.#ended, this.#env.timer.sleep(Math.min(PROGRESS_MS, leftMs))]);
      if (this.#isOff) return;
    }
    await this.#env.warning('the guest has not switched off in time');
  }

  /** The guest is done. */
  async #switchedOff(): Promise<void> {
    // While one of them is held, there may still be space for it.
    for (const { writes } of this.#disks) await writes.settled();
    if (this.#isOff) return;
    const isSafe = await this.stop();
    await this.#env.log('the guest has stopped its processor');
    if (!this.#isStopping) this.#env.exit(isSafe ? 0 : 1);
  }

  /**
   * Ends the machine as a power cut would, but what it has written to its disks is brought to
   * stable storage. Settles with whether all of it is there; whoever asks again gets the same.
   */
  stop(): Promise<boolean> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<boolean> {
    this.#isOff = true;
    this.#end();
    this.#engine?.close();
    for (const { patience } of this.#disks) patience?.end();
    this.#tell();
    // Disks come first: neither another disk nor a terminal that nobody reads keeps one waiting.
    const areSafe = await Promise.all(this.#disks.map((disk) => this.#synchronise(disk)));
    const written = this.#serial?.end();
    if (written) await Promise.race([written, this.#env.timer.sleep(LAST_OUTPUT_MS).catch(() => written)]);
    return areSafe.every((isSafe) => isSafe);
  }

  async #synchronise({ client, label, writes }: OpenDisk): Promise<boolean> {
    try {
      const areWritten = await writes.settled();
      await client.sync();
      if (!areWritten)
        await this.#env.error(`the disk "${label}" lacks writes that its guest takes for done`);
      return areWritten;
    } catch (error) {
      await this.#env.error(`the disk "${label}" is not synchronised: ${textOf(error)}`);
      return false;
    }
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
