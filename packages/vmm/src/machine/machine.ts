/** One machine: what the config says, put together from sessions, run, and put in order. */
import { type Env, hasCode } from '@ginit/core';
import {
  MACHINE_DRIVES,
  type MachineAction,
  type MachineAnswer,
  type MachineState,
} from '@ginit/core/machine';
import { TerminalClient } from '@ginit/core/terminal';
import { type Engine, MediumRefused } from '../engine/engine.ts';
import { StateError } from '../state/state-stream.ts';
import type { Assembly, AssemblyEvents } from './assembly.ts';
import { complaints } from './complaints.ts';
import { MachineControl } from './control.ts';
import { type OpenDisk, openDisks, synchronise } from './disks.ts';
import { openImages } from './images.ts';
import { MachineDisplay } from './display.ts';
import { assembleFirst } from './first-assembly.ts';
import { type Drives, MediumError } from './media.ts';
import { inMebibytes } from './memory.ts';
import { takeOver } from './take-over.ts';
import { refusedAt } from './refused.ts';
import type { Saving } from './saving.ts';
import { SerialLine } from './serial-line.ts';
import type { ControlConfig, VmmConfig } from './schema.ts';

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
const BEING_SAVED = 'its state is being saved or restored';
const OFF = 'the machine is off';
const PAUSED = 'the machine is paused';
const NO_DISPLAY = 'the machine has no screen and no keyboard: its config needs <display/>';
const NOBODY_LISTENS = 'the guest does not listen to its power button';

/** What is done with screen and keyboard. */
type DisplayAction = 'screen' | 'type' | 'key';
/** Why a processor stands still. */
type PauseReason = 'wish' | 'disk' | 'serial' | 'reset' | 'state';
/** These come and go by themselves, so nobody is told of them. */
const PASSING: ReadonlySet<PauseReason> = new Set(['serial', 'reset']);

/** The part of `env` that a machine uses. */
export type MachineEnv = Pick<
  Env,
  'connect' | 'close' | 'host' | 'quota' | 'ram' | 'timer' | 'log' | 'warning' | 'error' | 'exit' | 'signal'
>;

/** A machine that runs until the guest switches it off. */
export class Machine {
  readonly #env: MachineEnv;
  #disks: readonly OpenDisk[] = [];
  readonly #serial: SerialLine | undefined;
  #assembly: Assembly | undefined;
  #drives: Drives | undefined;
  #saving: Saving | undefined;
  #control: MachineControl | undefined;
  #display: MachineDisplay | undefined;
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
        hold: (is) => this.#holdSerial(is),
        lost: (error) => {
          if (!this.#isOff) void env.warning(`the terminal of the serial line is gone: ${textOf(error)}`);
        },
        told: (text) => void env.warning(text),
      });
  }

  /** Puts the machine together and starts it. Throws a `ConfigError`, or `TooLittleMemory`. */
  static async start(env: MachineEnv, config: VmmConfig): Promise<Machine> {
    const { control, disk, display, image, serial } = config.$children;
    const terminal =
      serial &&
      (await TerminalClient.connect(env, { label: serial.label }).catch(
        refusedAt(serial.$node, 'label', `there is no terminal "${serial.label}"`),
      ));
    const machine = new Machine(env, terminal);
    // When the component is stopped it is too late to open the session that this takes.
    await env.timer.sleep(0);
    if (control) await machine.#letControl(control);
    const held = (label: string) => (code: string) => machine.#held(label, code);
    const disks = await openDisks(env, disk, held);
    machine.#disks = [...disks, ...(await openImages(env, image, held))];
    if (display) machine.#display = await MachineDisplay.connect(env, display);
    await machine.#start(config);
    return machine;
  }

  async #start(config: VmmConfig): Promise<void> {
    const first = await assembleFirst(this.#env, config, this.#disks, this.#events());
    const { assembly } = first;
    this.#drives = first.drives;
    this.#saving = first.saving;
    this.#about = `${assembly.engine.version}, ${assembly.about}`;
    await this.#env.log(`${this.#about}: ${first.why}`);
    if (first.restored === undefined) assembly.boot();
    else await this.#env.log(goesOn(first.restored));
    await this.#run(assembly);
  }

  #events(): AssemblyEvents {
    return {
      serialOutput: (byte) => this.#serial?.written(byte),
      turn: () => this.#turn(),
      halted: () => void this.#switchedOff(),
      reset: () => this.#reset(),
      failed: (reason) => void this.#broke(reason),
      held: (label, code) => this.#held(label, code),
      broken: ({ label }) =>
        complaints(TOLD_MAX, (reason) =>
          this.#complain(`the guest has broken its disk "${label}": ${reason}`),
        ),
      ofShare: ({ tag }) => ({
        broken: complaints(TOLD_MAX, (reason) =>
          this.#complain(`the guest has broken its shared folder "${tag}": ${reason}`),
        ),
        lost: complaints(TOLD_MAX, (reason) => this.#complain(`the shared folder "${tag}" fails: ${reason}`)),
      }),
      diskFailed: ({ label }) => {
        const complain = complaints(Infinity, (code) =>
          this.#complain(`requests of the disk "${label}" fail: ${code}`),
        );
        return ({ code }) => complain(code);
      },
    };
  }

  async #run(assembly: Assembly): Promise<void> {
    this.#assembly = assembly;
    if (this.#pauses.size === 0) assembly.engine.run();
    await this.#display?.start(assembly.engine);
    this.#tell();
    void this.#control?.obey((action, words) => this.#answer(action, words));
    void this.#serial?.readAll(() => this.#turn());
  }

  get #engine(): Engine | undefined {
    return this.#assembly?.engine;
  }

  #holdSerial(is: boolean): void {
    if (this.#engine?.holdSerial(is) === true) return;
    this.#pause('serial', is ? 'its serial line waits for the terminal' : undefined);
  }

  /** The engine has ended by itself: the component ends, too, after its disks were synchronised. */
  async #broke(reason: string): Promise<void> {
    if (this.#isOff) return;
    await this.#env.error(`the engine has failed: ${reason}`);
    await this.stop();
    if (!this.#isStopping) this.#env.exit(1);
  }

  #complain(text: string): void {
    if (!this.#isOff) void this.#env.warning(text);
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

  /** Does what somebody wants, with the words that say more about it. */
  async #answer(action: MachineAction, words: readonly string[]): Promise<MachineAnswer> {
    switch (action) {
      case 'screen':
      case 'type':
      case 'key':
        return this.#lookOrType(action, words);
      default:
        return { problem: await this.#act(action, words), content: undefined };
    }
  }

  async #lookOrType(action: DisplayAction, words: readonly string[]): Promise<MachineAnswer> {
    const problem = this.#display ? this.#whyNothingIsTyped(action) : NO_DISPLAY;
    if (problem !== undefined || !this.#display) return { problem, content: undefined };
    try {
      if (action === 'screen') return { problem: undefined, content: await this.#display.png() };
      await (action === 'type' ? this.#display.type(words.join(' ')) : this.#display.press(words));
      return { problem: undefined, content: undefined };
    } catch (error) {
      if (!hasCode(error, 'InvalidArgument')) throw error;
      return { problem: textOf(error), content: undefined };
    }
  }

  #whyNothingIsTyped(action: MachineAction): string | undefined {
    if (this.#isOff) return OFF;
    return action !== 'screen' && (this.#pauses.has('wish') || this.#pauses.has('disk')) ? PAUSED : undefined;
  }

  /** Does what somebody wants. The result says why not. */
  async #act(
    action: Exclude<MachineAction, DisplayAction>,
    words: readonly string[] = [],
  ): Promise<string | undefined> {
    if (this.#isOff) return OFF;
    if (this.#pauses.has('state')) return BEING_SAVED;
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
        if (this.#pauses.has('wish') || this.#pauses.has('disk')) return PAUSED;
        return (await this.#engine?.pressPowerButton()) === true ? undefined : NOBODY_LISTENS;
      case 'save':
        return this.#withState(async (saving) => {
          await this.#save(saving);
          this.#pause('wish', `it was saved in "${saving.file}"`);
        });
      case 'restore':
        return this.#withState((saving) => this.#restore(saving));
      case 'media':
        return this.#changeMedium(words);
    }
  }

  /** Does something with the state of the machine, while that stands still. */
  async #withState(act: (saving: Saving) => Promise<void>): Promise<string | undefined> {
    const saving = this.#saving;
    if (!saving) return 'its config has no <state>';
    try {
      this.#pause('state', BEING_SAVED);
      await act(saving);
      return undefined;
    } catch (error) {
      if (!(error instanceof StateError)) throw error;
      return error.message;
    } finally {
      this.#pause('state', undefined);
    }
  }

  async #save(saving: Saving): Promise<void> {
    const assembly = this.#assembly;
    if (!assembly || this.#pauses.has('reset')) throw new StateError('the guest is not there yet');
    const sizeBytes = await saving.save(assembly);
    await this.#env.log(`the machine was saved in "${saving.file}": ${inMebibytes(sizeBytes)} MiB`);
  }

  /** Gives the machine as it is up, for the one in the state. */
  async #restore(saving: Saving): Promise<void> {
    const before = this.#assembly;
    if (!before) throw new StateError('the guest is not there yet');
    try {
      const after = await takeOver(saving, before, async () => {
        // From here on there is no way back. What the guest has asked of its disks is given up.
        this.#assembly = undefined;
        before.reset();
        this.#cancelStart();
        await before.engine.close();
      });
      this.#assembly = after;
      this.#display?.exchange(after.engine);
      for (const reason of ['wish', 'disk', 'reset', 'serial'] as const) this.#pauses.delete(reason);
      await this.#env.log(goesOn(saving.file));
    } catch (error) {
      if (!(error instanceof StateError)) throw error;
      if (!this.#assembly) void this.#broke(error.message);
      throw error;
    }
  }

  async #changeMedium([word, file, ...more]: readonly string[]): Promise<string | undefined> {
    const drive = MACHINE_DRIVES.find((one) => one === word);
    if (!drive || more.length > 0) return `there is no drive "${word}"`;
    try {
      const medium = await this.#drives?.change(drive, file);
      await this.#engine?.changeMedium(drive, medium);
      return undefined;
    } catch (error) {
      if (!(error instanceof MediumError || error instanceof MediumRefused)) throw error;
      return error.message;
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
    this.#assembly?.reset();
    this.#pause('reset', 'it was reset');
    this.#cancelStart();
    this.#cancelStart = this.#env.timer.after(RESET_MS, () => this.#startAnew());
  }

  /** Starts the same kernel once more. */
  #startAnew(): void {
    this.#cancelStart();
    if (this.#isOff) return;
    this.#assembly?.boot();
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
    if (this.#isOff || (await this.#act('poweroff')) !== undefined) return;
    for (let leftMs = graceMs; leftMs > 0; leftMs -= PROGRESS_MS) {
      await this.#env.log(`the power button is pressed; the guest has ${Math.ceil(leftMs / 1000)} s`);
      await Promise.race([this.#ended, this.#env.timer.sleep(Math.min(PROGRESS_MS, leftMs))]);
      if (this.#isOff) return;
    }
    await this.#env.warning('the guest has not switched off in time');
  }

  /**
   * Saves the state, before the component is stopped. The result says whether it could be done; the
   * log says why not.
   */
  async save(): Promise<boolean> {
    if (this.#isOff) return true;
    this.#isStopping = true;
    const problem = await this.#act('save');
    if (problem === undefined) return true;
    await this.#env.error(`the machine is not saved: ${problem}`);
    return false;
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

  async #settleDrives(): Promise<boolean> {
    const areWritten = (await this.#drives?.settled()) ?? true;
    if (!areWritten) await this.#env.error('the floppy disk lacks writes that its guest takes for done');
    return areWritten;
  }

  async #stop(): Promise<boolean> {
    this.#isOff = true;
    this.#end();
    const isClosed = this.#engine?.close();
    this.#display?.end();
    for (const { patience } of this.#disks) patience?.end();
    this.#tell();
    await isClosed;
    // Disks come first: neither another disk nor a terminal that nobody reads keeps one waiting.
    const areSafe = await Promise.all([
      ...this.#disks.map((disk) => synchronise(this.#env, disk)),
      this.#settleDrives(),
    ]);
    const written = this.#serial?.end();
    if (written) await Promise.race([written, this.#env.timer.sleep(LAST_OUTPUT_MS).catch(() => written)]);
    return areSafe.every((isSafe) => isSafe);
  }
}

function goesOn(file: string): string {
  return `the guest goes on from the state "${file}"`;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
