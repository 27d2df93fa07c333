/**
 * One ROM session: the steps of its timetable from the beginning, again and again. (Reference:
 * Genode's dynamic_rom.)
 */
import { type Env, type Implementation, type Label, type Rom, RomModule, SessionError } from '@ginit/core';
import { attribute, type ConfigOf, element } from '@ginit/core/config';
import { inlineText } from '../lib/inline-text.ts';

const ROM = element('rom', 'A ROM module: its steps are done in their order, again and again', {
  attributes: { name: attribute.text('Name of the module', { required: true }) },
  children: [
    element('inline', 'New content: a text, or elements', {
      attributes: { description: attribute.text('What is logged of it', { fallback: '' }) },
      anyContent: true,
    }),
    element('empty', 'The module is gone'),
    element('sleep', 'Time passes', {
      attributes: { milliseconds: attribute.integer('How much', { required: true, min: 1 }) },
      min: 1,
    }),
  ],
});

/** The config of `dynamic_rom`. */
export const DYNAMIC_ROM_CONFIG = element('config', 'ROM modules and their timetables', {
  attributes: { verbose: attribute.boolean('Whether every step is logged', { fallback: false }) },
  children: [ROM],
});

type Steps = ConfigOf<typeof ROM>['$content'];
type TimedEnv = Pick<Env, 'config' | 'timer' | 'log'>;

/**
 * Answers a ROM session request by the newest config. The last element of the label names the
 * module. Throws `SessionError` if there is none of that name.
 */
export function openTimedRom(env: TimedEnv, label: Label): Implementation<typeof Rom> {
  const { verbose, $children } = env.config.read(DYNAMIC_ROM_CONFIG);
  const rom = $children.rom.find(({ name }) => name === label.last);
  if (!rom) throw new SessionError('DENIED', `there is no ROM module "${label.last}"`);
  const log = (text: string): void => void (verbose && env.log(`${rom.name}: ${text}`));
  const timetable = new Timetable(env, rom.$content, log);
  return timetable.open();
}

class Timetable {
  readonly #env: TimedEnv;
  readonly #steps: Steps;
  readonly #log: (text: string) => void;
  readonly #module = new RomModule();
  #next = 0;
  #cancel = (): void => {};

  constructor(env: TimedEnv, steps: Steps, log: (text: string) => void) {
    this.#env = env;
    this.#steps = steps;
    this.#log = log;
  }

  /** The session. The steps up to the first sleep are done before it is there. */
  open(): Implementation<typeof Rom> {
    this.#run();
    return this.#module.open(() => this.#cancel());
  }

  /** Does steps until one of them is a sleep, of which there is at least one. */
  #run(): void {
    for (;;) {
      const step = this.#steps[this.#next];
      this.#next = (this.#next + 1) % this.#steps.length;
      switch (step?.$type) {
        case 'inline':
          this.#log(`change (${step.description})`);
          this.#module.replace(new TextEncoder().encode(inlineText(step.$node)));
          break;
        case 'empty':
          this.#log('remove');
          this.#module.replace(undefined);
          break;
        case 'sleep':
          this.#log(`sleep ${step.milliseconds} milliseconds`);
          this.#cancel = this.#env.timer.after(step.milliseconds, () => this.#run());
          return;
        case undefined:
          return;
      }
    }
  }
}
