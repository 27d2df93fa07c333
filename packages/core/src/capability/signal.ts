/**
 * The right to send a signal, which is a wake-up without data: a component holds it to wake another
 * one's context (`signal-context.ts`).
 */
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
