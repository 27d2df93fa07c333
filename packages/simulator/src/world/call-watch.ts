/**
 * Records every call that has been made and not been answered, by its frames: which component waits
 * for which, and since when.
 */
import { FrameKind } from '@ginit/core/platform';
import { isCall, kindOf, wordOf } from './frame-words.ts';

/** A call without an answer. */
export interface OpenCall {
  readonly caller: number;
  readonly callee: number;
  /** The key of the call's operation. */
  readonly operation: number;
  readonly sinceUs: number;
}

/** Calls under way in a system. */
export class CallWatch {
  /**
   * The calls by caller and callee, then by the number of the call, in the order in which they were
   * made.
   */
  readonly #open = new Map<string, Map<number, OpenCall>>();

  /** Takes a frame that is sent. */
  sent(caller: number, callee: number, frame: Uint8Array, nowUs: number): void {
    if (!isCall(frame)) return;
    const key = `${caller}>${callee}`;
    const calls = this.#open.get(key) ?? new Map<number, OpenCall>();
    calls.set(wordOf(frame, 0), { caller, callee, operation: wordOf(frame, 2), sinceUs: nowUs });
    this.#open.set(key, calls);
  }

  /** The operation that a frame from `callee` to `caller` answers. */
  answeredBy(callee: number, caller: number, frame: Uint8Array): number | undefined {
    const kind = kindOf(frame);
    if (kind !== FrameKind.result && kind !== FrameKind.failure) return undefined;
    return this.#open.get(`${caller}>${callee}`)?.get(wordOf(frame, 0))?.operation;
  }

  /** Takes a frame that arrives. */
  arrived(from: number, to: number, frame: Uint8Array): void {
    const kind = kindOf(frame);
    if (kind !== FrameKind.result && kind !== FrameKind.failure) return;
    this.#open.get(`${to}>${from}`)?.delete(wordOf(frame, 0));
  }

  /** Drops the calls over the carrier between two components, which is gone. */
  ended(first: number, second: number): void {
    this.#open.delete(`${first}>${second}`);
    this.#open.delete(`${second}>${first}`);
  }

  /** Drops the calls of a component that is gone, and those to it. */
  gone(component: number): void {
    for (const [key, calls] of this.#open) {
      for (const { caller, callee } of calls.values()) {
        if (caller === component || callee === component) this.#open.delete(key);
        break;
      }
    }
  }

  /** The number of answers of `callee` that a caller waits for. */
  between(caller: number, callee: number): number {
    return this.#open.get(`${caller}>${callee}`)?.size ?? 0;
  }

  /** The calls that were made before `us`, the oldest first. */
  before(us: number): OpenCall[] {
    const found: OpenCall[] = [];
    for (const calls of this.#open.values()) {
      for (const call of calls.values()) {
        if (call.sinceUs > us) break;
        found.push(call);
      }
    }
    return found.toSorted((a, b) => a.sinceUs - b.sinceUs);
  }
}
