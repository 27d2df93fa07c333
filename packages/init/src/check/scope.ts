import { prependLabel } from '@ginit/core/system';
import {
  directoryOf,
  heldBy,
  type InitConfig,
  type NamedPlace,
  requestingChild,
  rulesOf,
  type StartNode,
} from '../model/index.ts';
import { possibleRoutes, resolveRequest, type ServiceDirectory } from '../routing/index.ts';

/**
 * One init of the tree, or one step of a sequence: its configuration, and the start node above that
 * it runs from.
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

/** A start node somewhere in the tree, with its path (`sub -> disk`). */
export interface StartPlace {
  readonly path: string;
  readonly start: StartNode;
  /** For each sequence that it is in, by the path of that: the step at which it is there. */
  readonly steps: ReadonlyMap<string, number>;
}

/**
 * Lists all start nodes of a configuration and of those that are nested in it, those above before
 * those below. They say which components a tree is made of, and under which path the checker looks
 * for their manifests.
 */
export function startsOf(config: InitConfig): StartPlace[] {
  return startsIn(scopeOf(config), new Map());
}

/** Whether two components may be there at the same time: not in different steps of a sequence. */
export function mayMeet(one: StartPlace, two: StartPlace): boolean {
  return [...one.steps].every(([sequence, step]) => (two.steps.get(sequence) ?? step) === step);
}

/** The binaries that a configuration and those nested in it name beside their start nodes. */
export function binariesOf(config: InitConfig): NamedPlace[] {
  const nested = startsOf(config).flatMap(({ start }) => heldBy(start)?.configs ?? []);
  return [config, ...nested].flatMap(({ binaries }) => binaries);
}

function startsIn(scope: Scope, steps: StartPlace['steps']): StartPlace[] {
  const here = scope.config.starts.map((start) => ({ path: pathOf(scope, start), start, steps }));
  const below = scope.config.starts.flatMap((start) => {
    const configs = heldBy(start)?.configs ?? [];
    return configs.flatMap((config, step) => {
      const further = configs.length > 1 ? new Map([...steps, [pathOf(scope, start), step]]) : steps;
      return startsIn(scopeOf(config, { scope, start }), further);
    });
  });
  return [...here, ...below];
}
