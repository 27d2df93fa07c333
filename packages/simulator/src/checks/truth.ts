/**
 * Compares what the supervisor says of the system, in summaries and to components that ask for a
 * quota, with the actual state. This is done while nothing is on its way, when a difference has no
 * excuse.
 */
import type { Simulation } from '../world/simulation.ts';
import type { ComponentStanding } from '@ginit/core/supervisor';
import type { Resources } from '@ginit/core/system';

/** The state of the system as the supervisor knows it. */
export interface Standing {
  readonly components: readonly ComponentStanding[];
  readonly total: Resources;
}

/** Returns the first thing that the supervisor is wrong about. */
export function whereCoreIsWrong(
  platform: Pick<Simulation['platform'], 'live' | 'processOf'>,
  { components, total }: Standing,
  whole: Resources,
): string | undefined {
  const there: string[] = [];
  for (const { label, domain, ending } of platform.live) {
    if (ending) return undefined;
    there.push(`[${label}] in process ${platform.processOf(domain)}`);
  }
  return (
    wrongNames(there, components) ??
    components.map(wrongAccount).find((text) => text !== undefined) ??
    wrongTotal(total, whole)
  );
}

/** Consumes `there`. */
function wrongNames(there: string[], components: readonly ComponentStanding[]): string | undefined {
  for (const { label, placement, ended } of components) {
    if (ended) continue;
    const name = `[${label}] in process ${placement.pid ?? 'unknown'}`;
    const index = there.indexOf(name);
    if (index === -1) return `core says that ${name} is running, and it is not`;
    there.splice(index, 1);
  }
  return there[0] === undefined ? undefined : `${there[0]} is running, and core does not say so`;
}

function wrongAccount({ label, account, ended }: ComponentStanding): string | undefined {
  const { ramQuota, ramUsed, capQuota, capUsed } = account;
  const amounts = [ramQuota, ramUsed, capQuota, capUsed];
  const sound = amounts.every((amount) => Number.isSafeInteger(amount) && amount >= 0);
  if (ended || (sound && ramUsed <= ramQuota && capUsed <= capQuota)) return undefined;
  return `core says that [${label}] uses ${ramUsed} of ${ramQuota} bytes and ${capUsed} of ${capQuota} caps`;
}

/**
 * Says whether quota has come from nothing or is lost. Neither may ever happen, not even while
 * quota is being moved.
 */
export function wrongTotal(total: Resources, whole: Resources): string | undefined {
  if (total.ram === whole.ram && total.caps === whole.caps) return undefined;
  const amounts = `${total.ram} bytes of RAM quota and ${total.caps} caps`;
  return `all accounts together have ${amounts}, and not ${whole.ram} and ${whole.caps}`;
}
