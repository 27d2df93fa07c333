/**
 * The properties that must hold in every simulated run. Each check returns a text about the first
 * one that does not.
 */
import type { OpenCall } from '../world/call-watch.ts';
import type { Simulation } from '../world/simulation.ts';
import { type ComponentSummary, ROOT_LABEL } from '@ginit/core/supervisor';
import type { Census } from '@ginit/core/platform';
import type { Resources } from '@ginit/core/system';

/** The largest number of calls that are listed. */
const CALLS_LISTED_MAX = 8;
const CORE = 0;

type Watched = Pick<Simulation, 'platform' | 'scheduler' | 'titleOf'>;

/** Describes one call for people: the component that waits, and the one that it waits for. */
export function describeCall({ platform, scheduler, titleOf }: Watched, call: OpenCall): string {
  const { caller, callee, operation, sinceUs } = call;
  const seconds = ((scheduler.nowUs - sinceUs) / 1e6).toFixed(3);
  const names = `[${platform.labelOf(caller)}] waits for [${platform.labelOf(callee)}]`;
  return `${names} to answer ${titleOf(operation)} (${seconds} s)`;
}

/** Describes the first of these calls, and says how many more there are. */
export function whoWaits(system: Watched, calls: readonly OpenCall[]): string {
  if (calls.length === 0) return 'no call is open';
  const texts = calls.slice(0, CALLS_LISTED_MAX).map((call) => describeCall(system, call));
  const more = calls.length - texts.length;
  return texts.join(', ') + (more > 0 ? `, and ${more} more calls` : '');
}

/**
 * Compares both ends of every relation while nothing is on its way: the things that one component
 * holds of another must be exactly those that the other has given out to it.
 */
export function whereTheyDiffer(platform: Simulation['platform'], core: Census): string | undefined {
  const held = new Map<string, number>();
  const censuses: [number, Census][] = [[CORE, core]];
  for (const { id, runtime, ending } of platform.live) {
    if (!runtime || ending) return undefined;
    censuses.push([id, runtime.census()]);
  }
  for (const [id, { channels }] of censuses) {
    for (const { peer, imports } of channels) held.set(`${id}<${peer}`, imports);
  }
  for (const [id, { channels }] of censuses) {
    for (const { peer, exports } of channels) {
      const imports = held.get(`${peer}<${id}`);
      if (imports === undefined || imports === exports) continue;
      const names = `[${platform.labelOf(peer)}] holds ${imports} objects of [${platform.labelOf(id)}]`;
      return `${names}, which has given out ${exports}`;
    }
  }
  return undefined;
}

/** Checks that nothing is left after the end, and that all quota is back at the root. */
export function afterTheEnd(
  summary: readonly ComponentSummary[],
  census: Census & { readonly live: readonly string[] },
  whole: Resources | undefined,
): string | undefined {
  if (census.live.length > 0) return `components are still there after the end; ${census.live.join(', ')}`;
  if (census.channels.length > 0) return `${census.channels.length} channels of core are left after the end`;
  if (census.introductions > 0) return `${census.introductions} introductions to core are left half made`;
  const account = summary.find(({ label }) => label === ROOT_LABEL)?.account;
  if (!account || !whole) return undefined;
  const { ramQuota, ramUsed, capQuota, capUsed } = account;
  if (ramQuota === whole.ram && capQuota === whole.caps && ramUsed === 0 && capUsed === 0) return undefined;
  const ram = `${whole.ram - ramQuota} bytes of RAM quota are lost and ${ramUsed} in use`;
  return `quota is not conserved: ${ram}, ${whole.caps - capQuota} caps are lost and ${capUsed} in use`;
}
