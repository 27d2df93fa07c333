/** Signals: wake-ups without data. What a component holds to wake somebody else's context (`signal-context.ts`). */
import type { Reference } from './reference.ts';

/** The right to wake somebody's signal context. */
export class SignalCapability implements Disposable {
  readonly reference: Reference;

  constructor(reference: Reference) {
    this.reference = reference;
  }

  /** Wakes the context. Never blocks, never fails; ignored when its owner is gone. */
  submit(): void {
    this.reference.submit();
  }

  [Symbol.dispose](): void {
    this.reference.release();
  }
}
