/**
 * The doorbells of one process: those of all its threads, in one piece of memory. Every process
 * that has a channel to one of them maps it. The first place in it counts the threads of the
 * process that are awake.
 */
import type { Place } from '../../memory/place.ts';
import { censusMemory, DOORBELL_BYTES, doorbellMemory, resetDoorbell } from './doorbell.ts';

/** How many doorbells of a process others can have. Further threads are reached over sockets. */
export const SHARED_DOORBELLS_MAX = 1023;

/** Bytes of the memory of all doorbells. Parts that are not used cost nothing. */
export const DOORBELLS_BYTES = (SHARED_DOORBELLS_MAX + 1) * DOORBELL_BYTES;

/** The index of a thread that only threads of its own process can ring. */
export const PRIVATE_DOORBELL = 0;

/** The place of the count of awake threads. */
export function censusPlace({ buffer, byteOffset }: Place): Place {
  return { buffer, byteOffset, byteLength: 4 };
}

/** The place of the doorbell with this index, which is at least 1. */
export function doorbellPlace({ buffer, byteOffset }: Place, index: number): Place {
  return { buffer, byteOffset: byteOffset + index * DOORBELL_BYTES, byteLength: DOORBELL_BYTES };
}

/** The doorbells of this process. */
export class OwnDoorbells {
  readonly census: Place;
  readonly #shared: Place | undefined;

  /** `shared` is memory that other processes have too; missing where memory cannot be shared. */
  constructor(shared: Place | undefined) {
    this.#shared = shared;
    this.census = shared ? censusPlace(shared) : censusMemory();
  }

  /** A doorbell for a new thread. */
  take(index: number): Place {
    if (!this.#shared || index === PRIVATE_DOORBELL) return doorbellMemory(this.census);
    const place = doorbellPlace(this.#shared, index);
    resetDoorbell(place, this.census);
    return place;
  }
}
