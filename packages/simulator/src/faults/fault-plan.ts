/**
 * A fault plan: the faults that are to happen in a simulated run. The seed decides which of them
 * happens when.
 */
import type { HostileRole, HostileStep, HostileWay } from '../world/hostility.ts';
import type { DiskFault } from './disk-faults.ts';

/**
 * The step of its protocol with its parent that a component does wrongly, and the way; the seed
 * picks whatever is left open.
 */
export interface PlannedHostility {
  readonly kind: 'hostile';
  readonly component: string | undefined;
  readonly role: HostileRole | undefined;
  readonly step: HostileStep | undefined;
  readonly way: HostileWay | undefined;
  readonly ms: number;
}

/** The bus loses, doubles, delays and reorders so many of a thousand messages. */
export interface PlannedBusTrouble {
  readonly kind: 'bus-trouble';
  readonly lostPerMille: number;
  readonly doubledPerMille: number;
  readonly delayedPerMille: number;
  readonly reorderedPerMille: number;
  readonly delayMs: number;
  readonly ms: number;
}

/** The machine of a component does not reach the others. */
export interface PlannedPartition {
  readonly kind: 'partition';
  readonly component: string | undefined;
  readonly ms: number;
}

/** One kind of fault, and how often it happens. */
export type PlannedFault = { readonly within: number; readonly count: number } & (
  | { readonly kind: 'crash'; readonly component: string | undefined; readonly process: boolean }
  | { readonly kind: 'stall'; readonly component: string | undefined; readonly ms: number }
  /** A component answers no heartbeat for a while, and does everything else. */
  | { readonly kind: 'silence'; readonly component: string | undefined; readonly ms: number }
  /** A component is asked to give back quota. */
  | {
      readonly kind: 'yield';
      readonly component: string | undefined;
      readonly ram: number;
      readonly caps: number;
    }
  | { readonly kind: 'clock-jump'; readonly byS: number }
  | { readonly kind: 'power-cut'; readonly torn: boolean }
  | DiskFault
  | PlannedHostility
  | PlannedBusTrouble
  | PlannedPartition
  | { readonly kind: 'out-of-memory'; readonly component: string | undefined }
  | { readonly kind: 'out-of-quota'; readonly component: string | undefined; readonly of: 'ram' | 'caps' }
  /** The system gets another config: one of `SimulatedSystem.configs`, by its index. */
  | { readonly kind: 'config'; readonly index: number; readonly name: string }
  /** Somebody restarts or kills a component from outside. */
  | { readonly kind: 'restart' | 'kill'; readonly component: string | undefined }
);

/** A whole plan. */
export type FaultPlan = readonly PlannedFault[];

/** Whether the plan has faults that only a bus can have. */
export const needsBus = (plan: FaultPlan): boolean =>
  plan.some(({ kind }) => kind === 'bus-trouble' || kind === 'partition');
