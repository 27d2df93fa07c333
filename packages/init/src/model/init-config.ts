import type { PolicyConfig, PolicySelection } from '@ginit/core';
import type { ConfigNode, Position } from '@ginit/core/config';
import type { HostGrantFact } from '@ginit/core/host';
import type { JailDemand, PlaceDemand } from '@ginit/core/system';
import type { RouteRule } from '../routing/rule.ts';

/*
 * The configuration of init as plain, validated data, which the sandbox runs and the checker
 * checks. Sizes are bytes. Every part keeps its place in the text, so that a later message about it
 * can name that place.
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

/** The place where a child runs. Whether its process is jailed is a separate setting. */
export type Isolation = 'thread' | 'process';

/**
 * A child that has crashed, or has exited with another value than 0, is started again at most `max`
 * times within `periodS` seconds. `always` starts it again after every exit.
 */
export interface RestartBudget {
  readonly on: 'crash' | 'always';
  readonly max: number;
  readonly periodS: number;
}

/** How long a step of a child's may take before the child is ended: see `Waits` of the sandbox. */
export interface StepBounds {
  /** The time without progress. */
  readonly boundMs: number;
  /** The whole time. */
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
  /**
   * Whether the package may import things that cannot be inspected: modules whose names are
   * computed, native code.
   */
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
  /** The priority, from 0 (the most urgent) to below `prioLevels`. */
  readonly priority: number;
  readonly managingSystem: boolean;
  readonly usesLinker: boolean;
  /** `undefined` leaves the choice to the runtime: drivers get a process of their own. */
  readonly isolation: Isolation | undefined;
  /**
   * Whether its process is to be jailed. A driver is jailed if its start node says so; every other
   * child is jailed unless its start node says no.
   */
  readonly jail: JailDemand;
  /**
   * Whether the components that it starts by a CPU session of its own must be jailed: they must if
   * it is jailed itself. A nested init starts its children as its config says, unless its own start
   * node surely jails it: then everything below it is jailed, too.
   */
  readonly confines: boolean;
  readonly domain: string | undefined;
  /**
   * Which machine of the cluster it runs on, or who attaches it; missing for the machine of who
   * starts it.
   */
  readonly place: PlaceDemand | undefined;
  readonly ramLimit: number | undefined;
  /** Whether it is handed new sessions in the place of those that lose their servers. */
  readonly reattach: boolean;
  /** Whether it goes on until the instance that takes its place offers all of its services. */
  readonly replaceReady: boolean;
  readonly binary: NamedPlace;
  readonly provides: readonly NamedPlace[];
  /** Its own `<route>`; then the default route does not count at all. */
  readonly route: readonly RouteRule[] | undefined;
  readonly config: ConfigNode | undefined;
  /** The name of the ROM that it gets in the place of the ROM `config`. */
  readonly configFile: string | undefined;
  readonly exitPropagate: boolean;
  readonly restart: RestartBudget | undefined;
  readonly host: readonly HostGrant[];
  /** The largest number of a driver's host operations that run at the same time. */
  readonly hostDepth: number | undefined;
  readonly allowances: readonly Allowance[];
  readonly affinity: Affinity | undefined;
  readonly heartbeat: { readonly restartAfterSkipped: number } | undefined;
  readonly stepBounds: StepBounds;
  /** The element itself, as it was written. */
  readonly element: ConfigNode;
  readonly position: Position;
}

/** The release of Genode after which the state report is worded. */
export type ReportVocabulary = '24.08' | '26.04';

/** The label of the session of the state report. */
export const STATE_LABEL = 'state';

/** What the state report holds, and when it goes out. */
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
  readonly vocabulary: ReportVocabulary;
  /** Whether it says why a child waits. */
  readonly why: boolean;
}

/** A policy of a service that init offers to its parent: which child serves which sessions. */
export interface ForwardingPolicy extends PolicySelection {
  readonly child: NamedPlace;
  /** The label that the child sees; that of the client, if it is missing. */
  readonly childLabel: string | undefined;
}

/** A service that init offers to its parent, with its policies for `selectPolicy`. */
export type ForwardedService = NamedPlace & PolicyConfig<ForwardingPolicy, ForwardingPolicy>;

/** Another name for a child in routes. */
export interface Alias extends NamedPlace {
  readonly child: NamedPlace;
}

export interface Quota {
  /** The RAM quota in bytes. */
  readonly ram: number;
  readonly caps: number;
}

export interface InitConfig {
  readonly node: ConfigNode;
  readonly version: string | undefined;
  readonly verbose: boolean;
  readonly summary: boolean;
  /** The number of priority levels: a power of two, and 1 without priorities. */
  readonly prioLevels: number;
  readonly parentProvides: readonly NamedPlace[];
  /** Whether children may use every service of the parent; in a config of init never. */
  readonly everyParentService: boolean;
  /**
   * The services of the component itself that runs the children (`<local/>` in routes). Configs do
   * not name them: a sandbox adds those that it was made with.
   */
  readonly localServices: readonly string[];
  readonly defaultRoute: readonly RouteRule[] | undefined;
  readonly defaults: { readonly ram: number | undefined; readonly caps: number | undefined };
  /** The quota that init keeps for itself. */
  readonly preserve: Quota;
  readonly affinitySpace: { readonly width: number; readonly height: number };
  readonly report: ReportOptions | undefined;
  /** The syntax of the state report. */
  readonly reportSyntax: 'xml' | 'hid';
  readonly heartbeatRateMs: number;
  /** The bounds for children that have none of their own. */
  readonly stepBounds: StepBounds;
  readonly starts: readonly StartNode[];
  /** Binaries that may be started beneath this init though no start node names them. */
  readonly binaries: readonly NamedPlace[];
  readonly services: readonly ForwardedService[];
  readonly aliases: readonly Alias[];
}

/** The rules that decide about a child's requests: its own, or the default route. */
export function rulesOf(config: InitConfig, start: StartNode): readonly RouteRule[] | undefined {
  return start.route ?? config.defaultRoute;
}
