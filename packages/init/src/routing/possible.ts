import {
  chooseTarget,
  type ChosenTarget,
  matchesService,
  noRoutes,
  type RouteDenial,
  type ServiceDirectory,
} from './resolve.ts';
import type { RouteRule } from './rule.ts';

/** The possible result of a request: its destination, and whether that depends on its label. */
export interface PossibleRoute {
  readonly outcome: ChosenTarget | RouteDenial;
  readonly isConditional: boolean;
}

/**
 * All that requests for a service may lead to, whatever their label: for checks before anything
 * runs, when only the service is known. In the order of the rules; never empty.
 */
export function possibleRoutes(
  rules: readonly RouteRule[] | undefined,
  service: string,
  directory: ServiceDirectory,
): PossibleRoute[] {
  if (rules === undefined) return [{ outcome: noRoutes(service), isConditional: false }];
  const routes: PossibleRoute[] = [];
  for (const rule of rules) {
    if (!matchesService(rule, service)) continue;
    const outcome = chooseTarget(rule, service, directory);
    if (outcome === undefined) continue;
    const isConditional = rule.filter !== undefined;
    routes.push({ outcome, isConditional });
    if (!isConditional) return routes;
  }
  const text = `no route to service "${service}"`;
  const outcome = { kind: 'denied', reason: 'no-rule', text, position: undefined } as const;
  return [...routes, { outcome, isConditional: false }];
}
