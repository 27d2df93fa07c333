/**
 * Heartbeats: whether children still respond (reference: Genode's init). Every child that has a
 * `<heartbeat>` is asked once in a period, by its runtime, which answers between two turns of the
 * component. A child that has not answered by the next beat has skipped one; an answer takes all of
 * them back. Nothing is counted before the child's main function was called.
 */
import type { CancelTimeout } from '@ginit/core';

/** The heart of one child. */
export class Heartbeat {
  readonly #ask: () => Promise<void>;
  /** The beats since the last answer. */
  #outstanding = 0;
  #asking = false;
  #noticed = 0;

  /** `ask` settles when the child has answered. */
  constructor(ask: () => Promise<void>) {
    this.#ask = ask;
  }

  /** The beats that the child has skipped: the newest may still be answered. */
  get skipped(): number {
    return Math.max(0, this.#outstanding - 1);
  }

  /**
   * Asks the child, unless it has yet to answer an earlier beat: one question is under way at most.
   */
  beat(): void {
    this.#outstanding++;
    if (this.#asking) return;
    this.#asking = true;
    const answered = (): void => {
      this.#asking = false;
      this.#outstanding = 0;
    };
    // A child that cannot be asked any more is ending: its end is noticed elsewhere.
    this.#ask().then(answered, () => void (this.#asking = false));
  }

  /** Forgets what was skipped: nobody watches the child any more. */
  rest(): void {
    this.#outstanding = 0;
  }

  /** Whether another number is skipped than when this was called before. */
  takeChange(): boolean {
    const { skipped } = this;
    const changed = skipped !== this.#noticed;
    this.#noticed = skipped;
    return changed;
  }
}

/** A child that may have a heartbeat. */
export interface BeatingChild {
  readonly name: string;
  /** Missing if the start node has no `<heartbeat>`. */
  readonly heartbeatOptions: { readonly restartAfterSkipped: number } | undefined;
  readonly heartbeat: Heartbeat;
  /** Whether its main function was called and it has not ended. */
  readonly alive: boolean;
}

/** The services of the sandbox that the heartbeats need. */
export interface HeartbeatsHost {
  after(ms: number, handler: () => void): CancelTimeout;
  children(): Iterable<BeatingChild>;
  /** The number of beats that some child has skipped is another one than before. */
  skipped(): void;
  /** The child has skipped more beats than its start node allows. */
  restart(child: string, skipped: number): void;
}

/** The heartbeats of one sandbox. No time is measured unless a child has one. */
export class Heartbeats {
  readonly #host: HeartbeatsHost;
  #rateMs = 0;
  #cancel: CancelTimeout | undefined;

  constructor(host: HeartbeatsHost) {
    this.#host = host;
  }

  /** The period of the config. To be called also when a child has got a heartbeat, or lost it. */
  apply(rateMs: number): void {
    for (const child of this.#host.children()) if (!child.heartbeatOptions) child.heartbeat.rest();
    if (rateMs === this.#rateMs && this.#cancel) return;
    this.end();
    this.#rateMs = rateMs;
    this.#arm();
  }

  /** No child is asked any more. */
  end(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #arm(): void {
    const watched = [...this.#host.children()].some(({ heartbeatOptions }) => heartbeatOptions);
    this.#cancel = watched ? this.#host.after(this.#rateMs, () => this.#beat()) : undefined;
  }

  #beat(): void {
    let changed = false;
    // A restart changes the list.
    const children = [...this.#host.children()];
    for (const child of children) changed = this.#beatOf(child) || changed;
    this.#arm();
    if (changed) this.#host.skipped();
  }

  /** Whether the child has skipped another number of beats than at the last one. */
  #beatOf({ name, heartbeatOptions, heartbeat, alive }: BeatingChild): boolean {
    if (!heartbeatOptions || !alive) return false;
    heartbeat.beat();
    const { skipped } = heartbeat;
    const { restartAfterSkipped } = heartbeatOptions;
    if (restartAfterSkipped > 0 && skipped > restartAfterSkipped) this.#host.restart(name, skipped);
    return heartbeat.takeChange();
  }
}
