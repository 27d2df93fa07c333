/** A carrier that is used before it is there: what is sent waits, bounded, until it is. */
import type { Carrier, SharedMemory } from '../../channel/carrier.ts';
import { assert } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import { SHARES_NO_MACHINE } from '../../memory/shared-memory.ts';

const OVERRUN = 'too much waits for a channel that is not there yet';

interface Waiting {
  readonly frame: Uint8Array;
  readonly left: (() => void) | undefined;
}

/** Stands for a carrier that comes later, or never. */
export class PendingCarrier implements Carrier {
  readonly sharing = SHARES_NO_MACHINE;
  #carrier: Carrier | undefined;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #handler: ((frame: Uint8Array, memory: SharedMemory) => void) | undefined;
  #closedHandler: ((reason?: string) => void) | undefined;
  #early: Uint8Array[] = [];
  #closed = false;
  /** Why it has ended, if its user has not closed it. */
  #ended: { readonly reason: string | undefined } | undefined;

  /** Whether it has come. */
  get isThere(): boolean {
    return this.#carrier !== undefined;
  }

  /** Whether its user has closed it, or it has ended. */
  get over(): boolean {
    return this.#closed || this.#ended !== undefined;
  }

  /** The carrier is there. One that comes too late is closed. */
  attach(carrier: Carrier): void {
    assert(this.#carrier === undefined, 'a carrier comes once');
    this.#carrier = carrier;
    carrier.closed((reason) => this.fail(reason));
    if (this.over) return carrier.close();
    carrier.receive((frame, memory) => {
      if (this.#handler) this.#handler(frame, memory);
      else this.#early.push(new Uint8Array(frame));
    });
    for (const { frame, left } of this.#waiting.splice(0)) {
      if (!carrier.send(frame, [], left)) left?.();
    }
  }

  /** It never comes, or has ended. */
  fail(reason: string | undefined): void {
    if (this.over) return;
    this.#ended = { reason };
    this.#waiting = [];
    this.#closedHandler?.(reason);
  }

  send(frame: Uint8Array, memory: SharedMemory, left?: () => void): boolean {
    if (this.over) return false;
    assert(memory.length === 0, 'memory does not travel to other machines');
    if (this.#carrier) return this.#carrier.send(frame, memory, left);
    this.#waitingBytes += frame.byteLength;
    if (this.#waiting.length >= LIMITS.ringWaitingFrames || this.#waitingBytes > LIMITS.ringWaitingBytes) {
      queueMicrotask(() => this.fail(OVERRUN));
      return true;
    }
    this.#waiting.push({ frame: new Uint8Array(frame), left });
    return true;
  }

  receive(handler: (frame: Uint8Array, memory: SharedMemory) => void): void {
    this.#handler = handler;
    for (const frame of this.#early.splice(0)) handler(frame, []);
  }

  closed(handler: (reason?: string) => void): void {
    this.#closedHandler = handler;
    if (this.#ended) handler(this.#ended.reason);
  }

  close(accused = false): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiting = [];
    this.#carrier?.close(accused);
  }
}
