/** An initiator's attempt to make a link: says hello again and again until it is answered. */
import type { BusClock } from './bus-clock.ts';
import type { EphemeralKey } from './keys.ts';

const FIRST_PAUSE_US = 200_000;
const PAUSE_US_MAX = 5_000_000;

/** A pause before the next attempt of something, a little shorter or longer than it is meant. */
export function jittered(pauseUs: number, clock: BusClock): number {
  const [chance = 0] = clock.chance(1);
  return Math.floor(pauseUs * (0.75 + chance / 512));
}

/** One attempt. */
export class LinkAttempt {
  readonly hello: Uint8Array;
  readonly ephemeral: EphemeralKey;
  readonly #clock: BusClock;
  readonly #say: (hello: Uint8Array) => void;
  #pauseUs = FIRST_PAUSE_US;
  #cancel: (() => void) | undefined;
  #over = false;

  constructor(hello: Uint8Array, ephemeral: EphemeralKey, clock: BusClock, say: (hello: Uint8Array) => void) {
    this.hello = hello;
    this.ephemeral = ephemeral;
    this.#clock = clock;
    this.#say = say;
    this.#again();
  }

  /** Says it now: the bus has just come back. */
  sayNow(): void {
    if (this.#over) return;
    this.#cancel?.();
    this.#pauseUs = FIRST_PAUSE_US;
    this.#again();
  }

  end(): void {
    this.#over = true;
    this.#cancel?.();
  }

  #again(): void {
    this.#say(this.hello);
    const pauseUs = jittered(this.#pauseUs, this.#clock);
    this.#pauseUs = Math.min(this.#pauseUs * 2, PAUSE_US_MAX);
    this.#cancel = this.#clock.after(pauseUs, () => this.#again());
  }
}
