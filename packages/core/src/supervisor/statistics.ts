/**
 * Asks components for their statistics. A component that does not answer in time is known by its
 * last answer.
 */
import { RpcError } from '../errors.ts';
import { LABEL_SEPARATOR } from '../label.ts';
import type { ComponentStatistics } from '../runtime/control.ts';
import type { ThreadProgress } from '../session/cpu.ts';
import type { Platform } from './platform.ts';

const TIMEOUT_US = 500_000;

/** A component, as far as it can be asked for its statistics. */
interface Counting {
  readonly label: string;
  /** Its latest answer. */
  statistics: ComponentStatistics | undefined;
  readonly control: { statistics(): Promise<ComponentStatistics> };
}

/** The statistics of all components. */
export class Statistics {
  readonly #platform: Pick<Platform, 'after'>;
  readonly #warn: (text: string) => void;
  /** Questions that are not answered yet, so that a component which hangs is not asked again. */
  readonly #asked = new Map<Counting, Promise<void>>();

  constructor(platform: Pick<Platform, 'after'>, warn: (text: string) => void) {
    this.#platform = platform;
    this.#warn = warn;
  }

  async ask(component: Counting): Promise<ComponentStatistics | undefined> {
    const answer = this.#asked.get(component) ?? this.#question(component);
    await new Promise<void>((resolve) => {
      const cancel = this.#platform.after(TIMEOUT_US, resolve);
      void answer.then(() => {
        cancel();
        resolve();
      });
    });
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

  #question(component: Counting): Promise<void> {
    const answer = component.control
      .statistics()
      .then((statistics) => {
        component.statistics = statistics;
      })
      .catch((error: unknown) => {
        if (!(error instanceof RpcError)) this.#warn(String(error));
      })
      .finally(() => this.#asked.delete(component));
    this.#asked.set(component, answer);
    return answer;
  }
}

function levelsIn(label: string): number {
  return label.split(LABEL_SEPARATOR).length;
}
