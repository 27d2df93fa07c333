/** How one child stands, as the state report and people have it. */
import { type InitConfig, type ReportOptions, requestingChild } from '../model/index.ts';
import { type ChildReport, type MissingSession, whyPhrase } from '../report/index.ts';
import { denialPhrase, resolveRequest, type ServiceDirectory } from '../routing/index.ts';
import type { Child } from './child.ts';

/** What is around the children. */
export interface Surroundings {
  readonly config: InitConfig;
  /** The services that are declared at this moment. */
  readonly directory: ServiceDirectory;
}

/** A child in the state report, with its account if `options` asks for that. */
export async function childReport(
  child: Child,
  options: ReportOptions,
  around: Surroundings,
): Promise<ChildReport> {
  const { start, id, exitCode, heartbeat, requested, standings, server, assigned } = child;
  return {
    name: start.name,
    binary: start.binary.name,
    version: start.version,
    id,
    incomplete: isIncomplete(child),
    exited: exitCode,
    skippedHeartbeats: start.heartbeat ? heartbeat.skipped : 0,
    why: whyOf(child, around),
    assigned: child.quota.active ? assigned : { ram: start.ram, caps: start.caps },
    account: options.childRam || options.childCaps ? await child.accountState() : undefined,
    wanted: requested,
    requested: standings,
    provided: server.standings,
  };
}

/** Whether its environment is not complete, or has lost something. */
function isIncomplete({ over, stuck, running }: Child): boolean {
  if (stuck) return true;
  return over ? over.how === 'failed' : !running;
}

/**
 * Why a child is incomplete, stuck or waiting, in one phrase; `undefined` for a child that gets on,
 * and for one that has exited. `waits` is whether it counts that a server has yet to answer.
 */
export function whyOf(child: Child, around: Surroundings, waits = true): string | undefined {
  const { over, stuck, start, heartbeat, requested } = child;
  if (over) return over.how === 'exited' && !over.undecided ? undefined : over.why;
  if (stuck) return stuckPhrase(child, around) ?? stuck.why;
  const { heartbeatRateMs: rateMs } = around.config;
  const phrase = whyPhrase({
    missing: missingOf(child, waits),
    wanted: requested,
    heartbeat: {
      skipped: start.heartbeat ? heartbeat.skipped : 0,
      restartAfterSkipped: start.heartbeat?.restartAfterSkipped ?? 0,
      rateMs,
    },
  });
  return phrase ?? child.replacing;
}

/**
 * A child that runs and offers what it is to offer has done without the sessions that it was
 * refused.
 */
function missingOf({ missing, running, server }: Child, waits: boolean): MissingSession[] {
  const needsAll = !running || !server.isComplete;
  return missing.filter(({ reason, lost }) => lost ?? (reason.kind === 'waiting' ? waits : needsAll));
}

/** The first of the sessions of a stuck child that has no route by the config of now. */
function stuckPhrase({ stuck, start }: Child, { config, directory }: Surroundings): string | undefined {
  const asking = requestingChild(config, start);
  for (const { service, label } of stuck?.sessions ?? []) {
    const route = resolveRequest(asking, { service, label }, directory);
    if (route.kind === 'denied') return denialPhrase(route, { service, label, childName: start.name });
  }
  return undefined;
}
