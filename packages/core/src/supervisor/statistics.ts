/**
 * Asks components for their statistics. A component that does not answer in time is known by its
 * last answer.
 */
import { LABEL_SEPARATOR } from '../label.ts';
import type { ComponentStatistics } from '../runtime/control.ts';
import type { ThreadProgress } from '../session/cpu.ts';
import type { Platform } from './platform.ts';
import { Questions } from './questions.ts';

/** A component, as far as it can be asked for its statistics. */
interface Counting {
  readonly label: string;
  /** Its latest answer. */
  statistics: ComponentStatistics | undefined;
  readonly control: { statistics(): Promise<ComponentStatistics> };
}

/** The statistics of all components. */
export class Statistics {
  readonly #questions: Questions<Counting, void>;

  constructor(platform: Pick<Platform, 'after'>, warn: (text: string) => void) {
    this.#questions = new Questions(platform, warn, async (component) => {
      component.statistics = await component.control.statistics();
    });
  }

  async ask(component: Counting): Promise<ComponentStatistics | undefined> {
    await this.#questions.ask(component);
    return component.statistics;
  }

  /** The number also changes when a component ends, because it includes how many live. */
  async progress(label: string, live: readonly Counting[]): Promise<ThreadProgress> {
    const below = `${label}${LABEL_SEPARATOR}`;
    const tree = live.filter((component) => component.label === label || component.label.startsWith(below));
    const counts = await Promise.all(tree.map((component) => this.ask(component)));
    const levels = tree.map((component) => levelsIn(component.label) - levelsIn(label));
    const completed = counts.reduce((sum, count) => sum + (count?.completed ?? 0) + 1, 0);
    return { completed, levelsBelow: Math.max(0, ...levels) };
  }
}

function levelsIn(label: string): number {
  return label.split(LABEL_SEPARATOR).length;
}
