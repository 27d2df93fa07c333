/** Types for the tests that use `rooms.mjs`. */

/** The plan of the rooms, as `test/house/rooms.json` has it. */
export interface Plan {
  readonly packages: readonly string[];
  /** By package: rows of rooms, highest first, by their paths from `src/`. */
  readonly rooms: Readonly<Record<string, readonly (readonly string[])[]>>;
}

/** The room that a file lies in. */
export interface Place {
  readonly packageName: string;
  readonly name: string;
  /** From 0, the highest. */
  readonly row: number;
}

export function placeOf(plan: Plan, file: string): Place | undefined;
