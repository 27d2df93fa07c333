import type { Position } from '@ginit/core/config';
import { rulesOf, type StartNode } from '../model/index.ts';
import { possibleRoutes } from '../routing/index.ts';
import type { ManifestFacts } from './facts.ts';
import type { CheckFindings } from './findings.ts';
import type { Scope } from './scope.ts';

/*
 * Finds children that need one another. A component that opens its sessions before it announces its
 * own service waits for a server that waits for it; a component that announces first does not wait.
 * The order cannot be seen from outside, so a cycle is a warning and no error.
 */

interface Need {
  readonly service: string;
  readonly server: string;
  readonly position: Position;
}

/** Warns of each cycle among services that components cannot do without. */
export function checkCycles(
  scope: Scope,
  factsOf: (start: StartNode) => ManifestFacts | undefined,
  findings: CheckFindings,
): void {
  const needs = new Map<string, Need[]>();
  for (const start of scope.config.starts) {
    const required = factsOf(start)?.requires ?? [];
    needs.set(
      start.name,
      required.flatMap((service) => needOf(scope, start, service) ?? []),
    );
  }
  prune(needs);
  const seen = new Set<string>();
  for (const start of scope.config.starts) {
    const cycle = walk(start.name, needs, seen);
    if (cycle !== undefined) report(cycle, needs, findings);
  }
}

/** The child that serves all requests of a child for a service, if there is just one. */
function needOf(scope: Scope, start: StartNode, service: string): Need | undefined {
  const routes = possibleRoutes(rulesOf(scope.config, start), service, scope.directory);
  let need: Need | undefined;
  for (const { outcome } of routes) {
    if (outcome.kind === 'denied') continue;
    if (outcome.kind === 'parent' || outcome.kind === 'local') return undefined;
    if (need !== undefined && need.server !== outcome.name) return undefined;
    need ??= { service, server: outcome.name, position: outcome.position };
  }
  return need;
}

/**
 * Takes away, again and again, every child that needs nobody. The children that are left are in a
 * cycle or need a child that is in one.
 */
function prune(needs: Map<string, Need[]>): void {
  const clients = new Map<string, string[]>();
  for (const [client, list] of needs) {
    for (const { server } of list) {
      const others = clients.get(server);
      if (others === undefined) clients.set(server, [client]);
      else others.push(client);
    }
  }
  const free = [...needs].filter(([, list]) => list.length === 0).map(([name]) => name);
  for (let name = free.pop(); name !== undefined; name = free.pop()) {
    needs.delete(name);
    for (const client of clients.get(name) ?? []) {
      const list = needs.get(client);
      if (list === undefined) continue;
      const rest = list.filter((need) => need.server !== name);
      needs.set(client, rest);
      if (rest.length === 0) free.push(client);
    }
  }
}

/**
 * Follows the first need of each child until one comes up again; `undefined` if that was seen
 * before.
 */
function walk(from: string, needs: ReadonlyMap<string, Need[]>, seen: Set<string>): string[] | undefined {
  const path: string[] = [];
  let name: string | undefined = from;
  while (name !== undefined && !seen.has(name)) {
    seen.add(name);
    path.push(name);
    name = needs.get(name)?.[0]?.server;
  }
  const start = name === undefined ? -1 : path.indexOf(name);
  return start < 0 ? undefined : path.slice(start);
}

function report(cycle: readonly string[], needs: ReadonlyMap<string, Need[]>, findings: CheckFindings): void {
  const parts: string[] = [];
  let position: Position | undefined;
  for (const client of cycle) {
    const need = needs.get(client)?.[0];
    if (need === undefined) return;
    position ??= need.position;
    parts.push(`"${client}" needs "${need.service}" from "${need.server}"`);
  }
  if (position === undefined) return;
  findings.warn(`children may wait for one another for ever: ${parts.join(', ')}`, position);
}
