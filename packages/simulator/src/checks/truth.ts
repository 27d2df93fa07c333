/**
 * What core says of the system, in summaries and to whoever asks for a quota, against what is there: compared while
 * nothing is on its way, when there is no excuse for a difference.
 */
import type { Simulation } from '../world/simulation.ts';
import type { ComponentStanding } from '@ginit/core/supervisor';
import type { Resources } from '@ginit/core';

/** What core believes. */
export interface Standing {
  readonly components: readonly ComponentStanding[];
  readonly total: Resources;
}

/** The first thing that core is wrong about. */
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

/** `there` is used up. */
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

/** Whether quota has come about from nothing, or is lost: it never may, not even while it is moved. */
export function wrongTotal(total: Resources, whole: Resources): string | undefined {
  if (total.ram === whole.ram && total.caps === whole.caps) return undefined;
  const amounts = `${total.ram} bytes of RAM quota and ${total.caps} caps`;
  return `all accounts together have ${amounts}, and not ${whole.ram} and ${whole.caps}`;
}
