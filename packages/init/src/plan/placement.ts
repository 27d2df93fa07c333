/** Compares where and with what two start nodes make their child run. */
import type { StartNode } from '../model/index.ts';

/**
 * Why a running child does not fit its start node any more though all of its routes do. Genode has
 * none of these attributes. A change of them restarts the child, because it could not take effect
 * otherwise: a grant that was taken out of the config must be gone. `undefined` if nothing has
 * changed.
 */
export function whyPlacedAnew(before: StartNode, after: StartNode): string | undefined {
  if (grantsOf(before) !== grantsOf(after)) return 'its grants of the host have changed';
  if (before.heap !== after.heap) return 'the bound of its heap has changed';
  if (placeOf(before) !== placeOf(after)) return 'it is to run elsewhere';
  return undefined;
}

function placeOf({ isolation, jail, confines, domain, place }: StartNode): string {
  return JSON.stringify([isolation, jail, confines, domain, place]);
}

function grantsOf({ host, hostDepth }: StartNode): string {
  const grants = host.map(({ kind, path, access }) => JSON.stringify([kind, path, access]));
  return JSON.stringify([grants.toSorted(), hostDepth]);
}
