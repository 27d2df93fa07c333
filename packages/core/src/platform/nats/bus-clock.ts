/**
 * The clock of a node on the bus, and its chance: Node's, or those of a simulated world. The time
 * goes on while the machine is suspended.
 */
export interface BusClock {
  nowUs(): number;
  /** Calls `handler` once after `us` microseconds; the result cancels it. */
  after(us: number, handler: () => void): () => void;
  /** Runs a turn soon, after the present one. */
  soon(turn: () => void): void;
  /** Bytes that nobody can guess. */
  chance(bytes: number): Uint8Array;
}
