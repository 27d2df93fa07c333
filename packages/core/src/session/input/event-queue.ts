/**
 * Events on their way to a client, bounded. A key that is pressed keeps a place for its release, so
 * that no key ever stays down for the client because the queue was full.
 */
import type { InputEvent, MoveEvent } from './event.ts';

/** A queue of at most `capacity` events. */
export class EventQueue {
  readonly #capacity: number;
  #events: InputEvent[] = [];
  /** Keys whose press was taken and whose release was not. */
  readonly #down = new Set<number>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** The number of events in the queue. */
  get length(): number {
    return this.#events.length;
  }

  /** Takes an event in; the result says whether something of it reaches the client. */
  push(event: InputEvent): boolean {
    switch (event.kind) {
      case 'press':
        if (!this.#down.has(event.code)) {
          if (this.#room < 2) return false;
          this.#down.add(event.code);
        } else if (this.#room < 1) return false;
        break;
      case 'release':
        // The place is kept; a key that is not down for the client needs none.
        if (!this.#down.delete(event.code)) return false;
        break;
      case 'motion':
      case 'position':
      case 'wheel':
        if (this.#room >= 1) break;
        return this.#addToLast(event);
    }
    this.#events.push(event);
    return true;
  }

  /** Releases every key that is down for the client. */
  releaseAll(): void {
    for (const code of this.#down) this.push({ kind: 'release', code });
  }

  /** Gives all of them out. */
  takeAll(): readonly InputEvent[] {
    return this.#events.splice(0);
  }

  /** The places that no release needs. */
  get #room(): number {
    return this.#capacity - this.#events.length - this.#down.size;
  }

  /** A movement that finds no place is added to the last event, if that is one of its kind. */
  #addToLast(event: MoveEvent): boolean {
    const last = this.#events.at(-1);
    if (!last || 'code' in last || last.kind !== event.kind) return false;
    const { kind, x, y } = event;
    const sum: MoveEvent = { kind, x: clamped(last.x + x), y: clamped(last.y + y) };
    this.#events[this.#events.length - 1] = kind === 'position' ? event : sum;
    return true;
  }
}

const LARGEST = 0x7fff_ffff;

function clamped(value: number): number {
  return Math.max(-LARGEST, Math.min(LARGEST, value));
}
