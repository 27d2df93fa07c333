/** How people act on a machine: a Machine session that is routed to ginit. */
import { type Env, type Session } from '@ginit/core';
import { Machine, type MachineAction, type MachineAnswer, type MachineState } from '@ginit/core/machine';

/** Does what is wanted. */
export type Obey = (
  action: MachineAction,
  words: readonly string[],
) => MachineAnswer | Promise<MachineAnswer>;

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

  /** Does what is wanted, one thing after the other, until the session ends. */
  async obey(act: Obey): Promise<void> {
    try {
      for (;;) {
        const wish = await this.#session.wish();
        if (!wish) return;
        await this.#session.answer(wish.number, await act(wish.action, wish.words));
      }
    } catch (error) {
      this.#lost(error);
    }
  }
}
