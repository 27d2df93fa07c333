/**
 * Signal contexts. However often one is submitted before its handler has run, the handler runs
 * once, and must look at the state itself. A handler never runs twice at the same time: a signal
 * that arrives while it runs makes it run once more afterwards.
 */

/** A signal context of this component: the handler, and whether it has to run. */
export class SignalContext {
  readonly kind = 'signal';
  /** How many tables of channels it is in. */
  tables = 0;
  readonly paid = false;
  readonly #handler: () => void | Promise<void>;
  readonly #schedule: (turn: () => void) => void;
  readonly #report: (error: unknown) => void;
  #pending = false;
  #running = false;
  #dissolved = false;

  /** `schedule` runs a turn soon; `report` takes errors that a handler throws. */
  constructor(
    handler: () => void | Promise<void>,
    schedule: (turn: () => void) => void,
    report: (error: unknown) => void,
  ) {
    this.#handler = handler;
    this.#schedule = schedule;
    this.#report = report;
  }

  /** Marks the context and sees to it that the handler runs. */
  submit(): void {
    if (this.#pending || this.#dissolved) return;
    this.#pending = true;
    if (!this.#running) this.#schedule(() => void this.#run());
  }

  /** From now on the handler does not run any more. */
  dissolve(): void {
    this.#dissolved = true;
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#pending && !this.#dissolved) {
      this.#pending = false;
      try {
        await this.#handler();
      } catch (error) {
        this.#report(error);
      }
    }
    this.#running = false;
  }
}
