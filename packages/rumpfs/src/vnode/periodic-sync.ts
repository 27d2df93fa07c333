/** The parts that the periodic sync uses. */
export interface PeriodicSyncParts {
  sync(): Promise<void>;
  after(ms: number, handler: () => void): void;
  failed(error: unknown): void;
}

/**
 * Brings changes to the device some time after they were made, as NetBSD's syncer does. So a client
 * that does not ask for a sync loses little. No timer runs while nothing changes.
 */
export class PeriodicSync {
  readonly #parts: PeriodicSyncParts;
  readonly #intervalMs: number;
  #armed = false;

  constructor(intervalMs: number, parts: PeriodicSyncParts) {
    this.#intervalMs = intervalMs;
    this.#parts = parts;
  }

  /** Something was changed. */
  changed(): void {
    if (this.#armed) return;
    this.#armed = true;
    this.#parts.after(this.#intervalMs, () => {
      this.#armed = false;
      this.#parts.sync().catch(this.#parts.failed);
    });
  }
}
