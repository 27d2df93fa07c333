/** A fault plan: what is to go wrong in a simulated run. Which of it goes wrong when is up to the seed. */
import type { HostileRole, HostileStep, HostileWay } from '../world/hostility.ts';
import type { DiskFault } from './disk-faults.ts';

/** Which of its dealings with its parent a component does wrongly, and how; the seed picks what is not said. */
export interface PlannedHostility {
  readonly kind: 'hostile';
  readonly component: string | undefined;
  readonly role: HostileRole | undefined;
  readonly step: HostileStep | undefined;
  readonly way: HostileWay | undefined;
  readonly ms: number;
}

/** One fault, as often as it happens. */
export type PlannedFault = { readonly within: number; readonly count: number } & (
  | { readonly kind: 'crash'; readonly component: string | undefined; readonly process: boolean }
  | { readonly kind: 'stall'; readonly component: string | undefined; readonly ms: number }
  | { readonly kind: 'clock-jump'; readonly byS: number }
  | { readonly kind: 'power-cut'; readonly torn: boolean }
  | DiskFault
  | PlannedHostility
  | { readonly kind: 'out-of-memory'; readonly component: string | undefined }
  | { readonly kind: 'out-of-quota'; readonly component: string | undefined; readonly of: 'ram' | 'caps' }
);

/** All of a plan. */
export type FaultPlan = readonly PlannedFault[];
