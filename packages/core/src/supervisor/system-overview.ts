/**
 * The whole running system at one moment: every live component with its place, account, counts and
 * use of the CPU, and what each init says of its children.
 */
import type { ComponentStatistics } from '../runtime/control.ts';
import { quietDeferred } from '../async/deferred.ts';
import type { ChildAction, ChildrenOverview, PlannedLine } from '../runtime/overview-shapes.ts';
import { splitLabel } from '../label.ts';
import type { AccountState, Resources } from '../session/pd.ts';
import type { Components, LiveComponent } from './components.ts';
import { ROOT_LABEL } from './cpu-session.ts';
import type { Placement, Platform, ThreadUse } from './platform.ts';
import { Questions } from './questions.ts';

/** A live component. */
export interface ComponentOverview {
  readonly id: number;
  readonly label: string;
  readonly placement: Placement;
  /** What it waits for before it can begin, in one phrase. */
  readonly waits?: string | undefined;
  /** The number of its thread at the host's kernel, where that is known. */
  readonly thread: number | undefined;
  readonly account: AccountState;
  /** The most RAM that was in use at a time, in bytes. */
  readonly ramPeak: number;
  /** The bound of its heap in bytes, if it has one. */
  readonly heapBytes: number | undefined;
  /** What it has counted; its last answer, if it does not answer now. */
  readonly statistics: ComponentStatistics | undefined;
  /** The use of the CPU by its thread, where the host tells that. */
  readonly use: ThreadUse | undefined;
  /**
   * What it says of its children, if it runs any: `silent` if it has not answered in time.
   */
  readonly children: ChildrenOverview | 'silent' | undefined;
}

/** The system at one moment. */
export interface SystemOverview {
  /** The time, on a clock that never goes back. */
  readonly atUs: number;
  /** The live components in the order of their start; root init is the first. */
  readonly components: readonly ComponentOverview[];
  /** All quota of the system. */
  readonly total: Resources;
}

/** An init may be busy with a config that it was given just before. */
const PLAN_TIMEOUT_US = 5_000_000;

/** An answer about children, apart from no answer. */
interface Answer {
  readonly children: ChildrenOverview | undefined;
}

/** Makes overviews. */
export class SystemOverviews {
  readonly #components: Components;
  readonly #platform: Platform;
  readonly #questions: Questions<LiveComponent, Answer>;

  constructor(components: Components, platform: Platform, warn: (text: string) => void) {
    this.#components = components;
    this.#platform = platform;
    this.#questions = new Questions(platform, warn, async ({ control }) => ({
      children: await control.overview(),
    }));
  }

  /** Asks all components; settles within a second, whoever does not answer. */
  async now(total: Resources): Promise<SystemOverview> {
    const components = await Promise.all(Array.from(this.#components.live, (live) => this.#of(live)));
    return { atUs: this.#platform.monotonicUs(), components, total };
  }

  /**
   * The changes that another config would bring to the children of a component; `undefined` if it
   * cannot say that, or does not answer in time.
   */
  async plan(label: string, config: Uint8Array): Promise<readonly PlannedLine[] | undefined> {
    const asked = [...this.#components.live].find((component) => component.label === label);
    if (!asked) return undefined;
    const late = quietDeferred<undefined>();
    const cancel = this.#platform.after(PLAN_TIMEOUT_US, () => late.resolve(undefined));
    try {
      return await Promise.race([asked.control.plan(config), late.promise]);
    } finally {
      cancel();
    }
  }

  /** Acts on a component by its label. The result says why that is impossible. */
  async act(action: ChildAction, label: string): Promise<string | undefined> {
    const { prefix, last } = splitLabel(label);
    if (label === ROOT_LABEL) return 'root init ends with ginit only: send ginit SIGTERM';
    const parent = [...this.#components.live].find((component) => component.label === prefix);
    if (!parent) return `there is no component "${label}"`;
    return parent.control.act(action, last);
  }

  async #of(live: LiveComponent): Promise<ComponentOverview> {
    const { placement, waits } = live.running;
    // A component that waits for its place is not there to be asked.
    const asked =
      waits === undefined
        ? ([this.#components.statisticsOf(live), this.#questions.ask(live)] as const)
        : ([undefined, { children: undefined }] as const);
    const [statistics, answer] = await Promise.all(asked);
    const { id, label, account, heapBytes, thread } = live;
    const { pid } = placement;
    const known = pid !== undefined && thread !== undefined && placement.node === undefined;
    return {
      id,
      label,
      placement: { ...placement, pid },
      waits,
      thread,
      account: account.state,
      ramPeak: account.ramPeak,
      heapBytes,
      statistics,
      use: known ? this.#platform.threadUse?.(pid, thread) : undefined,
      children: answer ? answer.children : 'silent',
    };
  }
}
