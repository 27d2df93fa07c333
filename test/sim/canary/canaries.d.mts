/** One change to a compiled module. */
export interface Canary {
  /** How its path ends. */
  readonly module: string;
  readonly from: string;
  readonly to: string;
}

/** By their names. */
export const CANARIES: Readonly<Record<string, Canary>>;
