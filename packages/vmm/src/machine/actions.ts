/** What people outside can want of a machine, and how it is done. */
import { type Env, hasCode } from '@ginit/core';
import { MACHINE_DRIVES, type MachineAction, type MachineAnswer } from '@ginit/core/machine';
import { MediumRefused } from '../engine/engine.ts';
import { StateError } from '../state/state-stream.ts';
import type { Course } from './course.ts';
import type { OpenDisk } from './disks.ts';
import type { MachineDisplay } from './display.ts';
import { type Drives, MediumError } from './media.ts';
import { inMebibytes } from './memory.ts';
import type { Metrics } from './metrics.ts';
import type { Saving } from './saving.ts';
import { takeOver } from './take-over.ts';

const BEING_SAVED = 'its state is being saved or restored';
const OFF = 'the machine is off';
const PAUSED = 'the machine is paused';
const NOT_THERE = 'the guest is not there yet';
const NO_STATE = 'its config has no <state>';
const NO_DISPLAY = 'the machine has no screen and no keyboard: its config needs <display/>';
const NOBODY_LISTENS = 'the guest does not listen to its power button';

/** What is done with screen and keyboard. */
type DisplayAction = 'screen' | 'type' | 'key';

/** The parts of a machine that are acted on. What is missing may come later. */
export interface ActedOn {
  readonly course: Course;
  readonly metrics: Metrics;
  readonly disks: readonly OpenDisk[];
  readonly drives: Drives | undefined;
  readonly saving: Saving | undefined;
  readonly display: MachineDisplay | undefined;
  /** The machine is no more, and there is none in its place. */
  broke(reason: string): void;
}

/** Acts on one machine. */
export class Actions {
  readonly #env: Pick<Env, 'log'>;
  readonly #machine: ActedOn;

  constructor(env: Pick<Env, 'log'>, machine: ActedOn) {
    this.#env = env;
    this.#machine = machine;
  }

  /** Does what somebody wants, with the words that say more about it. */
  async answer(action: MachineAction, words: readonly string[]): Promise<MachineAnswer> {
    switch (action) {
      case 'screen':
      case 'type':
      case 'key':
        return this.#lookOrType(action, words);
      default:
        return answerOf(await this.act(action, words));
    }
  }

  /** Does what somebody wants. The result says why not. */
  async act(
    action: Exclude<MachineAction, DisplayAction>,
    words: readonly string[] = [],
  ): Promise<string | undefined> {
    const { course, disks } = this.#machine;
    if (course.isOver) return OFF;
    if (course.has('state')) return BEING_SAVED;
    switch (action) {
      case 'pause':
        course.pause('wish', 'by ginit vm');
        return undefined;
      case 'resume':
        course.pause('wish', undefined);
        course.pause('disk', undefined);
        for (const { patience } of disks) patience?.retry();
        return undefined;
      case 'reset':
        course.engine?.reset();
        // Whoever presses the button does not do so in a loop.
        course.startAnew();
        return undefined;
      case 'poweroff':
        if (course.isPaused) return PAUSED;
        return (await course.engine?.pressPowerButton()) === true ? undefined : NOBODY_LISTENS;
      case 'save':
        return this.#withState(async (saving) => {
          await this.#save(saving);
          course.pause('wish', `it was saved in "${saving.file}"`);
        });
      case 'restore':
        return this.#withState((saving) => this.#restore(saving));
      case 'media':
        return this.#changeMedium(words);
    }
  }

  async #lookOrType(action: DisplayAction, words: readonly string[]): Promise<MachineAnswer> {
    const { display } = this.#machine;
    if (!display) return answerOf(NO_DISPLAY);
    const problem = this.#whyNothingIsTyped(action);
    if (problem !== undefined) return answerOf(problem);
    try {
      if (action === 'screen') return { ...answerOf(undefined), content: await display.png() };
      await (action === 'type' ? display.type(words.join(' ')) : display.press(words));
      return answerOf(undefined);
    } catch (error) {
      if (!hasCode(error, 'InvalidArgument')) throw error;
      return answerOf(error instanceof Error ? error.message : String(error));
    }
  }

  #whyNothingIsTyped(action: DisplayAction): string | undefined {
    const { course } = this.#machine;
    if (course.isOver) return OFF;
    return action !== 'screen' && course.isPaused ? PAUSED : undefined;
  }

  /** Does something with the state of the machine, while that stands still. */
  async #withState(act: (saving: Saving) => Promise<void>): Promise<string | undefined> {
    const { course, saving } = this.#machine;
    if (!saving) return NO_STATE;
    try {
      course.pause('state', BEING_SAVED);
      await act(saving);
      return undefined;
    } catch (error) {
      if (!(error instanceof StateError)) throw error;
      return error.message;
    } finally {
      course.pause('state', undefined);
    }
  }

  async #save(saving: Saving): Promise<void> {
    const { course } = this.#machine;
    if (!course.assembly || course.has('reset')) throw new StateError(NOT_THERE);
    const sizeBytes = await saving.save(course.assembly);
    await this.#env.log(`the machine was saved in "${saving.file}": ${inMebibytes(sizeBytes)} MiB`);
  }

  /** Gives the machine as it is up, for the one in the state. */
  async #restore(saving: Saving): Promise<void> {
    const { course, display, metrics } = this.#machine;
    const before = course.assembly;
    if (!before) throw new StateError(NOT_THERE);
    try {
      const after = await takeOver(saving, before, async () => {
        await metrics.keep(before);
        await course.giveUp();
      });
      course.goOn(after);
      display?.exchange(after.engine);
      await this.#env.log(goesOn(saving.file));
    } catch (error) {
      if (!(error instanceof StateError)) throw error;
      if (!course.assembly) this.#machine.broke(error.message);
      throw error;
    }
  }

  async #changeMedium([word, file, ...more]: readonly string[]): Promise<string | undefined> {
    const { course, drives } = this.#machine;
    const drive = MACHINE_DRIVES.find((one) => one === word);
    if (!drive || more.length > 0) return `there is no drive "${word}"`;
    try {
      const medium = await drives?.change(drive, file);
      await course.engine?.changeMedium(drive, medium);
      return undefined;
    } catch (error) {
      if (!(error instanceof MediumError || error instanceof MediumRefused)) throw error;
      return error.message;
    }
  }
}

/** An answer that is nothing but a problem, or none. */
function answerOf(problem: string | undefined): MachineAnswer {
  return { problem, content: undefined, metrics: undefined };
}

/** Said when a machine goes on from a state. */
export function goesOn(file: string): string {
  return `the guest goes on from the state "${file}"`;
}
