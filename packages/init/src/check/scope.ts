import { prependLabel } from '@ginit/core/system';
import {
  directoryOf,
  type InitConfig,
  type InitConfigReading,
  type NamedPlace,
  readInitConfig,
  requestingChild,
  rulesOf,
  type StartNode,
} from '../model/index.ts';
import { possibleRoutes, resolveRequest, type ServiceDirectory } from '../routing/index.ts';

/**
 * One init of the tree: its configuration, and the start node in the init above that it runs from.
 */
export interface Scope {
  readonly config: InitConfig;
  readonly directory: ServiceDirectory;
  readonly startByName: ReadonlyMap<string, StartNode>;
  readonly above: { readonly scope: Scope; readonly start: StartNode } | undefined;
}

export function scopeOf(config: InitConfig, above?: Scope['above']): Scope {
  const startByName = new Map(config.starts.toReversed().map((start) => [start.name, start]));
  return { config, directory: directoryOf(config), startByName, above };
}

/** The path of a child from the outermost init, as in the label of its sessions: `sub -> disk`. */
export function pathOf(scope: Scope, start: StartNode): string {
  const { above } = scope;
  return above === undefined ? start.name : prependLabel(pathOf(above.scope, above.start), start.name);
}

/**
 * Says why a session that an init routes to its parent comes to nothing further up; `undefined` if
 * it arrives. If no label is given, any label that would arrive is enough.
 */
export function problemAbove(scope: Scope, service: string, label: string | undefined): string | undefined {
  const { above } = scope;
  if (above === undefined) return undefined;
  const { config, directory } = above.scope;
  if (label === undefined) {
    const outcomes = possibleRoutes(rulesOf(config, above.start), service, directory).map(
      ({ outcome }) => outcome,
    );
    const denial = outcomes.find((outcome) => outcome.kind === 'denied');
    const parent = outcomes.some((outcome) => outcome.kind === 'parent');
    if (outcomes.every((outcome) => outcome.kind === 'denied')) return denial?.text;
    return outcomes.some((outcome) => outcome.kind !== 'denied' && outcome.kind !== 'parent') || !parent
      ? undefined
      : problemAbove(above.scope, service, undefined);
  }
  const request = { service, label: prependLabel(above.start.name, label) };
  const route = resolveRequest(requestingChild(config, above.start), request, directory);
  if (route.kind === 'denied') return route.text;
  return route.kind === 'parent' ? problemAbove(above.scope, service, route.label) : undefined;
}

/** Whether a start node runs an init of its own. */
export function isInit(start: StartNode): boolean {
  return start.binary.name === 'init';
}

/** A start node somewhere in the tree, with its path (`sub -> disk`). */
export interface StartPlace {
  readonly path: string;
  readonly start: StartNode;
}

/**
 * Lists all start nodes of a configuration and of the inits nested in it, those above before those
 * below. They say which components a tree is made of, and under which path the checker looks for
 * their manifests.
 */
export function startsOf(config: InitConfig): StartPlace[] {
  return startsIn(scopeOf(config));
}

/** The binaries that a configuration and the inits nested in it name beside their start nodes. */
export function binariesOf(config: InitConfig): NamedPlace[] {
  const nested = startsOf(config).flatMap(({ start }) => nestedReading(start)?.config ?? []);
  return [config, ...nested].flatMap(({ binaries }) => binaries);
}

function startsIn(scope: Scope): StartPlace[] {
  const here = scope.config.starts.map((start) => ({ path: pathOf(scope, start), start }));
  const below = scope.config.starts.flatMap((start) => {
    const nested = nestedReading(start);
    return nested === undefined ? [] : startsIn(scopeOf(nested.config, { scope, start }));
  });
  return [...here, ...below];
}

/** The configuration of a nested init, if it is given inline. */
export function nestedReading(start: StartNode): InitConfigReading | undefined {
  return isInit(start) && start.config !== undefined ? readInitConfig(start.config) : undefined;
}
