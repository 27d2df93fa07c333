import { type Position, quotedList, shown } from '@ginit/core/config';
import { labelProblem, prependLabel } from '@ginit/core/system';
import { requestingChild, rulesOf, type StartNode } from '../model/index.ts';
import {
  matchesService,
  possibleRoutes,
  type RouteDenial,
  resolveRequest,
  type RouteRule,
} from '../routing/index.ts';
import type { ManifestFacts } from './facts.ts';
import type { CheckFindings } from './findings.ts';
import { problemAbove, type Scope } from './scope.ts';

/*
 * Checks that a child gets the sessions that it cannot do without. The sessions of its environment
 * (PD, CPU, LOG and the ROM with its binary) have known labels and are resolved exactly. Of the
 * sessions that its manifest requires only the service is known, so one label that finds a server
 * is enough.
 */

interface Missing {
  readonly what: string;
  readonly denial: RouteDenial;
}

export function checkRequests(
  scope: Scope,
  start: StartNode,
  facts: ManifestFacts | undefined,
  broken: ReadonlySet<RouteRule>,
  findings: CheckFindings,
): void {
  const rules = rulesOf(scope.config, start);
  if (rules === undefined) {
    const text = `start node "${start.name}" has no routes: there is neither a <route> nor a <default-route>`;
    findings.error(text, start.position);
    return;
  }
  // The consequences of a broken rule were listed with the rule.
  const isExcused = (service: string) =>
    rules.some((rule) => broken.has(rule) && matchesService(rule, service));
  checkEnvironment(scope, start, isExcused, findings);
  checkBinary(scope, start, findings);
  for (const service of facts?.requires ?? []) {
    if (!isExcused(service)) checkRequired(scope, start, rules, service, findings);
  }
}

function checkEnvironment(
  scope: Scope,
  start: StartNode,
  isExcused: (service: string) => boolean,
  findings: CheckFindings,
): void {
  const missing: Missing[] = [];
  for (const service of ['PD', 'CPU', 'LOG', 'ROM']) {
    if (isExcused(service)) continue;
    const request = { service, label: start.name };
    const route = resolveRequest(requestingChild(scope.config, start), request, scope.directory);
    const what = service === 'ROM' ? `"ROM" (its binary ${shown(start.binary.name)})` : `"${service}"`;
    if (route.kind === 'denied') missing.push({ what, denial: route });
    if (route.kind === 'parent') reportAbove(scope, start, service, route.label, findings);
  }
  const unrouted = missing.filter(({ denial }) => denial.reason === 'no-rule');
  if (unrouted.length > 0) {
    const what = unrouted.map((one) => one.what).join(', ');
    const text = `start node "${start.name}" has no route to what every component needs: ${what}`;
    findings.error(text + parentHint(scope), start.position);
  }
  for (const { what, denial } of missing) {
    if (denial.reason === 'no-rule') continue;
    findings.error(`start node "${start.name}" cannot have ${what}: ${denial.text}`, placeOf(start, denial));
  }
}

/**
 * The supervisor knows a binary by its name, and a component holds it as a ROM session with the
 * supervisor.
 */
function checkBinary(scope: Scope, start: StartNode, findings: CheckFindings): void {
  const { name, position } = start.binary;
  if (name === 'config') {
    findings.error('no binary can be named "config", as the ROM of a configuration is', position);
    return;
  }
  const problem = labelProblem(rootLabel(scope, name));
  if (problem !== undefined)
    findings.error(
      `the binary of start node "${start.name}" has the label ${shown(name)}, ${problem}`,
      position,
    );
  const request = { service: 'ROM', label: start.name };
  const route = resolveRequest(requestingChild(scope.config, start), request, scope.directory);
  if (route.kind !== 'child') return;
  const server = `child ${shown(route.child)}, whose content is not started`;
  const text = `the binary of start node "${start.name}" would come from ${server}`;
  const way = `(route <service name="ROM" unscoped_label="${name}"> to <parent/>)`;
  findings.warn(`${text} ${way}`, route.position);
}

/**
 * The label of a session as the supervisor sees it, provided that no init on the way rewrites it.
 */
function rootLabel({ above }: Scope, label: string): string {
  return above === undefined
    ? prependLabel('init', label)
    : rootLabel(above.scope, prependLabel(above.start.name, label));
}

function checkRequired(
  scope: Scope,
  start: StartNode,
  rules: readonly RouteRule[],
  service: string,
  findings: CheckFindings,
): void {
  const outcomes = possibleRoutes(rules, service, scope.directory).map(({ outcome }) => outcome);
  const denial = outcomes.findLast((outcome) => outcome.kind === 'denied');
  if (denial !== undefined && outcomes.every((outcome) => outcome.kind === 'denied')) {
    const lead = `component ${shown(start.binary.name)} needs service "${service}"`;
    const text =
      denial.reason === 'no-rule'
        ? `${lead}, to which start node "${start.name}" has no route${providerHint(scope, service)}`
        : `${lead}: ${denial.text}`;
    findings.error(text, placeOf(start, denial));
    return;
  }
  const onlyParent = outcomes.every((outcome) => outcome.kind === 'parent' || outcome.kind === 'denied');
  if (onlyParent) reportAbove(scope, start, service, undefined, findings);
}

function reportAbove(
  scope: Scope,
  start: StartNode,
  service: string,
  label: string | undefined,
  findings: CheckFindings,
): void {
  const problem = problemAbove(scope, service, label);
  if (problem === undefined || scope.above === undefined) return;
  const above = `start node "${scope.above.start.name}"`;
  const lead = `start node "${start.name}" needs service "${service}" from above`;
  const text = `${lead}, but ${above} cannot have it`;
  findings.error(`${text}: ${problem}`, start.position);
}

/**
 * The place that an error names. With a route of its own that is the rule that denied. The default
 * route is shared by many children, so there the start node says more.
 */
function placeOf(start: StartNode, denial: RouteDenial): Position {
  return start.route === undefined ? start.position : (denial.position ?? start.position);
}

function parentHint(scope: Scope): string {
  const { parentProvides, everyParentService } = scope.config;
  return parentProvides.length === 0 && !everyParentService ? ': there is no <parent-provides>' : '';
}

function providerHint(scope: Scope, service: string): string {
  const children = scope.directory.childrenProviding(service);
  if (children.length > 0) return ` (it is provided by ${quotedList(children.slice(0, 5))})`;
  return scope.directory.parentProvides(service) ? ' (it is in <parent-provides>)' : ' (nothing provides it)';
}

/** Tells where the request for the ROM `config` goes, for a child without an inline `<config>`. */
export function configRoute(scope: Scope, start: StartNode): ReturnType<typeof resolveRequest> {
  const request = { service: 'ROM', label: prependLabel(start.name, 'config') };
  return resolveRequest(requestingChild(scope.config, start), request, scope.directory);
}
