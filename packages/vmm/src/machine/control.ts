/** How people act on a machine: a Machine session that is routed to ginit. */
import { type Env, type Session } from '@ginit/core';
import {
  Machine,
  type MachineAction,
  type MachineAnswer,
  type MachineMetrics,
  type MachineState,
} from '@ginit/core/machine';

/** Does what is wanted. */
export interface Obedient {
  act(action: MachineAction, words: readonly string[]): Promise<MachineAnswer>;
  /** What the machine has done. */
  metrics(): Promise<MachineMetrics | undefined>;
}

/** A machine as it is shown. */
export class MachineControl {
  readonly #session: Session<typeof Machine>;
  readonly #lost: (error: unknown) => void;

  private constructor(session: Session<typeof Machine>, lost: (error: unknown) => void) {
    this.#session = session;
    this.#lost = lost;
  }

  /** Opens the session. Rejects with `SessionError`. */
  static async connect(
    env: Pick<Env, 'connect'>,
    label: string,
    lost: (error: unknown) => void,
  ): Promise<MachineControl> {
    return new MachineControl(await env.connect(Machine, { label }), lost);
  }

  /** Shows how the machine is. */
  async tell(state: MachineState): Promise<void> {
    await this.#session.tell(state).catch(this.#lost);
  }

  /**
   * Does what is wanted, one thing after the other, until the session ends. Whoever only looks at
   * the machine does not wait for that.
   */
  async obey(machine: Obedient): Promise<void> {
    let done: Promise<unknown> = Promise.resolve();
    try {
      for (;;) {
        const wish = await this.#session.wish();
        if (!wish) return;
        const { number, action, words } = wish;
        if (action === 'metrics') void this.#answer(number, metricsAnswer(machine.metrics()));
        else done = done.then(() => this.#answer(number, machine.act(action, words)));
      }
    } catch (error) {
      this.#lost(error);
    }
  }

  async #answer(number: number, answer: Promise<MachineAnswer>): Promise<void> {
    const found = await answer;
    await this.#session.answer(number, found).catch(this.#lost);
  }
}

async function metricsAnswer(metrics: Promise<MachineMetrics | undefined>): Promise<MachineAnswer> {
  return { problem: undefined, content: undefined, metrics: await metrics };
}
