/** Every call that has been made and not been answered, as its frames tell: who waits for whom, and since when. */
import { FrameKind } from '@ginit/core/platform';
import { kindOf, wordOf } from './frame-words.ts';

/** A call without an answer. */
export interface OpenCall {
  readonly caller: number;
  readonly callee: number;
  /** Key of its operation. */
  readonly operation: number;
  readonly sinceUs: number;
}

/** Calls under way in a system. */
export class CallWatch {
  /** By caller and callee, then by the number of the call: in the order in which they were made. */
  readonly #open = new Map<string, Map<number, OpenCall>>();

  /** A frame goes out. */
  sent(caller: number, callee: number, frame: Uint8Array, nowUs: number): void {
    if (kindOf(frame) !== FrameKind.call) return;
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

  /** A frame arrives. */
  arrived(from: number, to: number, frame: Uint8Array): void {
    const kind = kindOf(frame);
    if (kind !== FrameKind.result && kind !== FrameKind.failure) return;
    this.#open.get(`${to}>${from}`)?.delete(wordOf(frame, 0));
  }

  /** The carrier between two is gone, and with it the calls over it. */
  ended(first: number, second: number): void {
    this.#open.delete(`${first}>${second}`);
    this.#open.delete(`${second}>${first}`);
  }

  /** A component is gone: nobody waits for it, nor does it wait. */
  gone(component: number): void {
    for (const [key, calls] of this.#open) {
      for (const { caller, callee } of calls.values()) {
        if (caller === component || callee === component) this.#open.delete(key);
        break;
      }
    }
  }

  /** How many answers of `callee` a caller waits for. */
  between(caller: number, callee: number): number {
    return this.#open.get(`${caller}>${callee}`)?.size ?? 0;
  }

  /** Calls made before `us`, the oldest first. */
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
