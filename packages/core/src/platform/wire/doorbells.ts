/**
 * The doorbells of one process: of its threads, in one piece of memory, which each process that has a channel to one of
 * them maps. The first place has the number of threads of the process that are awake.
 */
import type { Place } from '../../memory/place.ts';
import { censusMemory, DOORBELL_BYTES, doorbellMemory, resetDoorbell } from './doorbell.ts';

/** Doorbells of a process that others can have; threads beyond that are reached in other ways. */
export const SHARED_DOORBELLS_MAX = 1023;

/** Bytes of the memory of all of them; what is not used costs nothing. */
export const DOORBELLS_BYTES = (SHARED_DOORBELLS_MAX + 1) * DOORBELL_BYTES;

/** Index of a thread that only threads of its own process can ring. */
export const PRIVATE_DOORBELL = 0;

/** Where the count of threads that are awake is. */
export function censusPlace({ buffer, byteOffset }: Place): Place {
  return { buffer, byteOffset, byteLength: 4 };
}

/** Where the doorbell with an index from 1 on is. */
export function doorbellPlace({ buffer, byteOffset }: Place, index: number): Place {
  return { buffer, byteOffset: byteOffset + index * DOORBELL_BYTES, byteLength: DOORBELL_BYTES };
}

/** The doorbells of this process. */
export class OwnDoorbells {
  readonly census: Place;
  readonly #shared: Place | undefined;

  /** `shared` is memory that other processes have too, if there is any. */
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
