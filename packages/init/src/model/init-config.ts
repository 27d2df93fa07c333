import type { ConfigNode, Position } from '@ginit/core/config';
import type { HostGrantFact } from '@ginit/core/host';
import type { JailDemand } from '@ginit/core/system';
import type { RouteRule } from '../routing/rule.ts';

/*
 * The configuration of init as plain, validated data: what the sandbox runs, what the checker looks at.
 * Sizes are bytes. Every part keeps its place in the text, so that whatever is said about it later can name
 * that.
 */

/** A name and the place where it was written. */
export interface NamedPlace {
  readonly name: string;
  readonly position: Position;
}

/** A piece of the host that a driver was granted, with the place of the grant. */
export interface HostGrant extends HostGrantFact {
  readonly position: Position;
}

/** Where a child runs; whether a process is jailed is apart from that. */
export type Isolation = 'thread' | 'process';

/** A crashed child is started again at most `max` times within `periodS` seconds. */
export interface RestartBudget {
  readonly max: number;
  readonly periodS: number;
}

/** How long a step of a child's may take before the child is ended: see `Waits` of the sandbox. */
export interface StepBounds {
  /** Without getting anything done. */
  readonly boundMs: number;
  /** In all. */
  readonly ceilingMs: number;
}

/** A rectangle of the affinity space. */
export interface Affinity {
  readonly xpos: number;
  readonly ypos: number;
  readonly width: number;
  readonly height: number;
}

/** Trust in a package that the component imports. */
export interface Allowance {
  /** Name of the package. */
  readonly module: string;
  /** Modules of Node that its files may import, by their names without `node:`. */
  readonly uses: readonly string[];
  /** Whether it may import what cannot be looked into: modules whose names are computed, native code. */
  readonly anything: boolean;
  readonly position: Position;
}

export interface StartNode {
  readonly name: string;
  readonly version: string | undefined;
  /** Quota of memory in bytes. */
  readonly ram: number;
  /** Quota of capabilities. */
  readonly caps: number;
  /** Bound of V8's heap in bytes. */
  readonly heap: number | undefined;
  /** 0 is the most urgent; below `prioLevels`. */
  readonly priority: number;
  readonly managingSystem: boolean;
  readonly usesLinker: boolean;
  /** `undefined` leaves it to the runtime: drivers get a process of their own. */
  readonly isolation: Isolation | undefined;
  /** Whether its process is to be jailed: drivers are if their start node says so, all others unless it says no. */
  readonly jail: JailDemand;
  /**
   * Whether what it starts by a CPU session of its own must be jailed: so it is for who is jailed. A nested init starts what its
   * config says, unless it is surely jailed by its start node itself: then everything below it is.
   */
  readonly confines: boolean;
  readonly domain: string | undefined;
  readonly node: string | undefined;
  readonly ramLimit: number | undefined;
  readonly binary: NamedPlace;
  readonly provides: readonly NamedPlace[];
  /** Its own `<route>`; then the default route does not count at all. */
  readonly route: readonly RouteRule[] | undefined;
  readonly config: ConfigNode | undefined;
  readonly exitPropagate: boolean;
  readonly restart: RestartBudget | undefined;
  readonly host: readonly HostGrant[];
  /** Operations of a driver on the host that run at a time. */
  readonly hostDepth: number | undefined;
  readonly allowances: readonly Allowance[];
  readonly affinity: Affinity | undefined;
  readonly heartbeat: { readonly restartAfterSkipped: number } | undefined;
  readonly stepBounds: StepBounds;
  readonly position: Position;
}

export interface ReportOptions {
  readonly ids: boolean;
  readonly requested: boolean;
  readonly provided: boolean;
  readonly sessionArgs: boolean;
  readonly childRam: boolean;
  readonly childCaps: boolean;
  readonly initRam: boolean;
  readonly initCaps: boolean;
  readonly delayMs: number;
  readonly bufferBytes: number;
}

/**
 * A service that init offers to its parent; `node` holds the policies for `selectPolicy`, each with a
 * `<child>`.
 */
export interface ForwardedService extends NamedPlace {
  readonly node: ConfigNode;
}

/** Another name for a child in routes. */
export interface Alias extends NamedPlace {
  readonly child: NamedPlace;
}

export interface Quota {
  /** Bytes. */
  readonly ram: number;
  readonly caps: number;
}

export interface InitConfig {
  readonly node: ConfigNode;
  readonly version: string | undefined;
  readonly verbose: boolean;
  readonly summary: boolean;
  /** A power of two, 1 without priorities. */
  readonly prioLevels: number;
  readonly parentProvides: readonly NamedPlace[];
  readonly defaultRoute: readonly RouteRule[] | undefined;
  readonly defaults: { readonly ram: number | undefined; readonly caps: number | undefined };
  /** What init keeps for itself. */
  readonly preserve: Quota;
  readonly affinitySpace: { readonly width: number; readonly height: number };
  readonly report: ReportOptions | undefined;
  readonly heartbeatRateMs: number;
  /** For children that have none of their own. */
  readonly stepBounds: StepBounds;
  readonly starts: readonly StartNode[];
  /** Binaries that may be started beneath this init though no start node names them. */
  readonly binaries: readonly NamedPlace[];
  readonly services: readonly ForwardedService[];
  readonly aliases: readonly Alias[];
}

/** The rules that decide about a child's requests. */
export function rulesOf(config: InitConfig, start: StartNode): readonly RouteRule[] | undefined {
  return start.route ?? config.defaultRoute;
}
