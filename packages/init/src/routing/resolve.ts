import { type Position, quotedList, shown } from '@ginit/core/config';
import { labelProblem } from '@ginit/core/system';
import { matchesLabel, rewriteLabel } from './labels.ts';
import type { RouteRule, RouteTarget } from './rule.ts';

/*
 * Route resolution of init, by the rules of today's Genode. The rules are tried in their order, and
 * within a rule its targets in theirs; a target fails if it does not provide the service. A
 * `<service>` rule that matches decides: if none of its targets works, the request is denied. An
 * `<any-service>` rule leaves it to the next rule. A request whose server is declared but not up
 * yet is not denied: it has a route, and waits.
 */

/** A session request as init sees it; `label` as in `matchesLabel`. */
export interface RouteRequest {
  readonly service: string;
  readonly label: string;
  readonly childName: string;
}

/**
 * The services that are declared: those of the parent that may be used, those that the component
 * provides itself which runs the children, and those in the children's `<provides>`.
 */
export interface ServiceDirectory {
  parentProvides(service: string): boolean;
  localProvides(service: string): boolean;
  /** False also if there is no such child. */
  childProvides(child: string, service: string): boolean;
  childrenProviding(service: string): readonly string[];
}

export type DenialReason =
  /** There is neither a route nor a default route. */
  | 'no-routes'
  /** No rule is for this request. */
  | 'no-rule'
  /** The rule for this service has no target that provides it. */
  | 'no-provider'
  /** `<any-child>` and more than one child provides the service. */
  | 'ambiguous'
  /** The label that the server would see is no label. */
  | 'bad-label';

export interface RouteDenial {
  readonly kind: 'denied';
  readonly reason: DenialReason;
  readonly text: string;
  /** The rule or target that denied; `undefined` if none did. */
  readonly position: Position | undefined;
  /** The rule none of whose targets provides the service. */
  readonly rule?: RouteRule;
}

/**
 * The place that a request goes to; `label` is the label that the server sees, `position` the place
 * of the target that decided.
 */
export type Route =
  | { readonly kind: 'parent'; readonly label: string; readonly position: Position }
  | { readonly kind: 'local'; readonly label: string; readonly position: Position }
  | { readonly kind: 'child'; readonly child: string; readonly label: string; readonly position: Position };

/**
 * Resolves a request by the rules of its client: its `<route>`, else the `<default-route>`, else
 * `undefined`.
 */
export function resolveRoute(
  rules: readonly RouteRule[] | undefined,
  request: RouteRequest,
  directory: ServiceDirectory,
): Route | RouteDenial {
  if (rules === undefined) return noRoutes(request.service);
  for (const rule of rules) {
    if (!matchesService(rule, request.service)) continue;
    if (!matchesLabel(rule.filter, request.label, request.childName)) continue;
    const choice = chooseTarget(rule, request.service, directory);
    if (choice === undefined) continue;
    return choice.kind === 'denied' ? choice : routeTo(choice, request.label);
  }
  return noRule(request);
}

export function matchesService(rule: RouteRule, service: string): boolean {
  return rule.service === undefined || rule.service === service;
}

/** A target that works. An `any-child` has become the child that was found. */
export type ChosenTarget =
  | (RouteTarget & { readonly kind: 'parent' | 'local' | 'child' })
  | { readonly kind: 'found-child'; readonly name: string; readonly position: Position };

/**
 * The first target of a rule that provides the service; `undefined` if the next rule is to be
 * tried.
 */
export function chooseTarget(
  rule: RouteRule,
  service: string,
  directory: ServiceDirectory,
): ChosenTarget | RouteDenial | undefined {
  for (const target of rule.targets) {
    switch (target.kind) {
      case 'parent':
        if (directory.parentProvides(service)) return target;
        break;
      case 'local':
        if (directory.localProvides(service)) return target;
        break;
      case 'child':
        if (directory.childProvides(target.name, service)) return target;
        break;
      case 'any-child': {
        const [name, ...others] = directory.childrenProviding(service);
        if (name === undefined) break;
        if (others.length > 0) return ambiguous(service, [name, ...others], target.position);
        return { kind: 'found-child', name, position: target.position };
      }
    }
  }
  return rule.service === undefined ? undefined : noProvider(service, rule);
}

function routeTo(target: ChosenTarget, clientLabel: string): Route | RouteDenial {
  const { position } = target;
  const label = target.kind === 'found-child' ? clientLabel : rewriteLabel(target.rewrite, clientLabel);
  const problem = labelProblem(label);
  if (problem !== undefined) {
    return {
      kind: 'denied',
      reason: 'bad-label',
      text: `the server would see the label ${shown(label)}, ${problem}`,
      position,
    };
  }
  if (target.kind === 'parent' || target.kind === 'local') return { kind: target.kind, label, position };
  return { kind: 'child', child: target.name, label, position };
}

export function noRoutes(service: string): RouteDenial {
  const text = `no route to service "${service}": there is neither a <route> nor a <default-route>`;
  return { kind: 'denied', reason: 'no-routes', text, position: undefined };
}

function noRule({ service, label }: RouteRequest): RouteDenial {
  const text = `no route to service "${service}" (label=${shown(label)})`;
  return { kind: 'denied', reason: 'no-rule', text, position: undefined };
}

function noProvider(service: string, rule: RouteRule): RouteDenial {
  const text =
    rule.targets.length === 0
      ? `the route of service "${service}" has no target`
      : `no target of this route provides service "${service}"`;
  return { kind: 'denied', reason: 'no-provider', text, position: rule.position, rule };
}

function ambiguous(service: string, children: readonly string[], position: Position): RouteDenial {
  const named = children.length > 5 ? `${quotedList(children.slice(0, 5))}, …` : quotedList(children);
  const text = `<any-child> is ambiguous: service "${service}" is provided by ${named}`;
  return { kind: 'denied', reason: 'ambiguous', text, position };
}
