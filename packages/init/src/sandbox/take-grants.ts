import type { Capability, Env } from '@ginit/core';
import type { HostGrant } from '@ginit/core/host';
import type { StartNode } from '../model/index.ts';

/** Takes the grants of a start node from the grants that init itself has. */
export function takeGrants(
  { host }: Pick<Env, 'host'>,
  start: StartNode,
): Promise<Capability<typeof HostGrant>[]> {
  return Promise.all(start.host.map(({ kind, path, access }) => host.grant({ kind, path, access })));
}
