/** One machine: what the config says, put together from sessions, run, and put in order. */
import type { Env } from '@ginit/core';
import type { MachineMetrics, MachineState } from '@ginit/core/machine';
import { TerminalClient } from '@ginit/core/terminal';
import { type ActedOn, Actions, goesOn } from './actions.ts';
import type { AssemblyEvents } from './assembly.ts';
import { complaints } from './complaints.ts';
import { MachineControl } from './control.ts';
import { Course } from './course.ts';
import { type OpenDisk, openDisks, synchronise } from './disks.ts';
import { openImages } from './images.ts';
import { MachineDisplay } from './display.ts';
import { assembleFirst } from './first-assembly.ts';
import { MachineReports, type ReportedMachine } from './machine-report.ts';
import type { Drives } from './media.ts';
import { Metrics } from './metrics.ts';
import { refusedAt } from './refused.ts';
import type { Saving } from './saving.ts';
import { SerialLine } from './serial-line.ts';
import type { ControlConfig, VmmConfig } from './schema.ts';

/** The time that the terminal has at the end to take what the guest has written. */
const LAST_OUTPUT_MS = 2000;
/** A guest that breaks its disk again and again does not fill the log. */
const TOLD_MAX = 8;
/** How often is said that a guest is waited for. */
const PROGRESS_MS = 2000;

/** The part of `env` that a machine uses. */
export type MachineEnv = Pick<
  Env,
  'connect' | 'close' | 'host' | 'quota' | 'ram' | 'timer' | 'log' | 'warning' | 'error' | 'exit' | 'signal'
>;

/** A machine that runs until the guest switches it off. */
export class Machine implements ActedOn {
  readonly course: Course;
  readonly metrics = new Metrics();
  disks: readonly OpenDisk[] = [];
  drives: Drives | undefined;
  saving: Saving | undefined;
  display: MachineDisplay | undefined;
  readonly #env: MachineEnv;
  readonly #actions: Actions;
  readonly #serial: SerialLine | undefined;
  #control: MachineControl | undefined;
  #reports: MachineReports | undefined;
  #about = '';
  /** The component is being stopped, so nobody waits for its exit. */
  #isStopping = false;
  #stopped: Promise<boolean> | undefined;
  #end: () => void = () => {};
  readonly #ended = new Promise<void>((resolve) => (this.#end = resolve));

  private constructor(env: MachineEnv, terminal: TerminalClient | undefined) {
    this.#env = env;
    this.course = new Course(env, () => this.#tell());
    this.#actions = new Actions(env, this);
    this.#serial =
      terminal &&
      new SerialLine(terminal, {
        hold: (is) => this.#holdSerial(is),
        lost: (error) => this.#complain(`the terminal of the serial line is gone: ${textOf(error)}`),
        told: (text) => void env.warning(text),
      });
  }

  /** Puts the machine together and starts it. Throws a `ConfigError`, or `TooLittleMemory`. */
  static async start(env: MachineEnv, config: VmmConfig): Promise<Machine> {
    const { control, disk, display, image, report, serial } = config.$children;
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
    machine.disks = [...disks, ...(await openImages(env, image, held))];
    if (display) machine.display = await MachineDisplay.connect(env, display);
    await machine.#start(config);
    if (report) machine.#reports = new MachineReports(env, report, () => machine.#reported());
    machine.#tell();
    return machine;
  }

  async #start(config: VmmConfig): Promise<void> {
    const first = await assembleFirst(this.#env, config, this.disks, this.#events());
    const { assembly } = first;
    const { engine } = assembly;
    this.drives = first.drives;
    this.saving = first.saving;
    this.#about = `${engine.version}, ${assembly.about}`;
    await this.#env.log(`${this.#about}: ${first.why}`);
    if (first.restored === undefined) assembly.boot();
    else await this.#env.log(goesOn(first.restored));
    this.course.begin(assembly);
    await this.display?.start(engine);
    void this.#control?.obey({
      act: (action, words) => this.#actions.answer(action, words),
      metrics: () => this.#measured(),
    });
    void this.#serial?.readAll(() => this.#turn());
  }

  #events(): AssemblyEvents {
    return {
      serialOutput: (byte) => this.#serial?.written(byte),
      turn: () => this.#turn(),
      halted: () => void this.#switchedOff(),
      reset: () => this.course.wasReset(),
      failed: (reason) => this.broke(reason),
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

  #holdSerial(is: boolean): void {
    if (this.course.engine?.holdSerial(is) === true) return;
    this.course.pause('serial', is ? 'its serial line waits for the terminal' : undefined);
  }

  broke(reason: string): void {
    void this.#broke(reason);
  }

  /** The engine has ended by itself: the component ends, too, after its disks were synchronised. */
  async #broke(reason: string): Promise<void> {
    if (this.course.isOver) return;
    await this.#env.error(`the engine has failed: ${reason}`);
    await this.stop();
    if (!this.#isStopping) this.#env.exit(1);
  }

  #complain(text: string): void {
    if (!this.course.isOver) void this.#env.warning(text);
  }

  #turn(): void {
    const { engine, isOver } = this.course;
    if (engine && !isOver) this.#serial?.turn(engine);
  }

  async #letControl({ label, $node: node }: ControlConfig): Promise<void> {
    const lost = (error: unknown): void =>
      this.#complain(`nobody can act on the machine any more: ${textOf(error)}`);
    this.#control = await MachineControl.connect(this.#env, label, lost).catch(
      refusedAt(node, 'label', 'the machine cannot be acted on'),
    );
  }

  /** A request of a disk is held until somebody has mended what it failed for. */
  #held(label: string, code: string): void {
    const why = `the disk "${label}" fails: ${code}`;
    if (this.course.held(why)) void this.#env.warning(`the machine is paused: ${why}`);
  }

  get #state(): MachineState['state'] {
    const { isOver, whys } = this.course;
    return isOver ? 'off' : whys.length > 0 ? 'paused' : 'runs';
  }

  #tell(): void {
    const about = [this.#about, ...this.course.whys].join('; ');
    void this.#control?.tell({ state: this.#state, about });
    this.#reports?.submit();
  }

  /** What it has done; nothing before it is there. */
  #measured(): Promise<MachineMetrics | undefined> {
    return this.metrics.of(this.course.assembly, this.display?.frames ?? 0);
  }

  async #reported(): Promise<ReportedMachine> {
    const metrics = await this.#measured();
    return { state: this.#state, about: this.#about, whys: this.course.whys, metrics };
  }

  /**
   * Presses the power button, and waits for the guest to switch off. Returns at once if the guest
   * does not listen to the button.
   */
  async powerOff(graceMs: number): Promise<void> {
    this.#isStopping = true;
    if (this.course.isOver || (await this.#actions.act('poweroff')) !== undefined) return;
    for (let leftMs = graceMs; leftMs > 0; leftMs -= PROGRESS_MS) {
      await this.#env.log(`the power button is pressed; the guest has ${Math.ceil(leftMs / 1000)} s`);
      await Promise.race([this.#ended, this.#env.timer.sleep(Math.min(PROGRESS_MS, leftMs))]);
      if (this.course.isOver) return;
    }
    await this.#env.warning('the guest has not switched off in time');
  }

  /**
   * Saves the state, before the component is stopped. The result says whether it could be done; the
   * log says why not.
   */
  async save(): Promise<boolean> {
    if (this.course.isOver) return true;
    this.#isStopping = true;
    const problem = await this.#actions.act('save');
    if (problem === undefined) return true;
    await this.#env.error(`the machine is not saved: ${problem}`);
    return false;
  }

  /** The guest is done. */
  async #switchedOff(): Promise<void> {
    // While one of them is held, there may still be space for it.
    for (const { writes } of this.disks) await writes.settled();
    if (this.course.isOver) return;
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
    const areWritten = (await this.drives?.settled()) ?? true;
    if (!areWritten) await this.#env.error('the floppy disk lacks writes that its guest takes for done');
    return areWritten;
  }

  async #stop(): Promise<boolean> {
    this.course.end();
    this.#end();
    const isClosed = this.course.engine?.close();
    this.display?.end();
    for (const { patience } of this.disks) patience?.end();
    this.#tell();
    await isClosed;
    // Disks come first: neither another disk nor a terminal that nobody reads keeps one waiting.
    const areSafe = await Promise.all([
      ...this.disks.map((disk) => synchronise(this.#env, disk)),
      this.#settleDrives(),
    ]);
    const last = Promise.all([this.#serial?.end(), this.#reports?.end()]);
    await Promise.race([last, this.#env.timer.sleep(LAST_OUTPUT_MS).catch(() => last)]);
    return areSafe.every((isSafe) => isSafe);
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
