/**
 * The children that a config would make if nothing went wrong: what a plan is made from while no
 * system runs.
 */
import { prependLabel } from '@ginit/core/system';
import {
  directoryOf,
  ENVIRONMENT_COST,
  type InitConfig,
  requestingChild,
  type StartNode,
} from '../model/index.ts';
import { resolveRequest, type Route, type RouteDenial } from '../routing/index.ts';
import type { Destination, ExistingChild, RoutedSession, ServedBy } from './existing.ts';

/**
 * The services that a component is going to ask for, as its manifest says them, by the start node.
 */
export type ServicesNeeded = (start: StartNode) => readonly string[];

/**
 * Children as they are expected to be. Which labels they ask for is known only when they run: each
 * service that they need is taken to be asked for once, without a label.
 */
export function expectedChildren(config: InitConfig, needs: ServicesNeeded): ExistingChild[] {
  const directory = directoryOf(config);
  return config.starts.map((start): ExistingChild => {
    const asking = requestingChild(config, start);
    const { name } = start;
    const configLabel = prependLabel(name, 'config');
    const requests = [
      ...['PD', 'CPU', 'ROM', 'LOG'].map((service) => ({ service, label: name })),
      { service: 'ROM', label: configLabel },
      ...needs(start)
        .filter((service) => !['PD', 'CPU', 'ROM', 'LOG'].includes(service))
        .map((service) => ({ service, label: prependLabel(name, '') })),
    ];
    const sessions = requests.flatMap(({ service, label }): RoutedSession[] => {
      const route = resolveRequest(asking, { service, label }, directory);
      if (label === configLabel && (route.kind === 'denied' || route.kind === 'parent')) {
        // Nobody above the root has a config for one of its children.
        return [{ service, label, to: { kind: 'no config', refused: refusedBy(route) } }];
      }
      if (route.kind === 'denied') return [];
      const session = { service, label, to: destinationOf(route) };
      // Nobody says before it runs which of its sessions a component can do anew.
      const own = label === name && Object.hasOwn(ENVIRONMENT_COST, service);
      return [start.reattach && !own ? { ...session, reattach: true } : session];
    });
    return {
      start,
      standing: 'alive',
      sessions,
      assigned: { ram: start.ram, caps: start.caps },
      ready: true,
    };
  });
}

function refusedBy(route: RouteDenial | (Route & { readonly kind: 'parent' })): ServedBy | undefined {
  return route.kind === 'parent' ? { kind: 'parent', label: route.label } : undefined;
}

function destinationOf(route: Route | { readonly kind: 'config' }): Destination {
  switch (route.kind) {
    case 'config':
      return { kind: 'config' };
    case 'parent':
    case 'local':
      return { kind: route.kind, label: route.label };
    case 'child':
      return { kind: 'child', child: route.child, label: route.label };
  }
}
