import { formatBytes } from '@ginit/core/config';
import { type InitConfig, type Quota, type StartNode, startCost } from '../model/index.ts';
import type { CheckFindings } from './findings.ts';
import { stateReportCost } from './state-report.ts';

/** What an init has before it starts, and what its own start takes of that. */
export interface InitQuota {
  readonly whole: Quota;
  readonly ownStart: Quota;
}

/**
 * The quotas of all children together must fit in what init has, less what it needs to start and
 * what it keeps for itself. Its state reports are paid from what it keeps; if they take more, that
 * is missing for the children. A child that goes on while its replacement is started counts twice.
 */
export function checkQuotas(config: InitConfig, quota: InitQuota, findings: CheckFindings): void {
  checkSum('ram', quota, config, (value) => `${formatBytes(value)} of ram`, findings);
  checkSum('caps', quota, config, (value) => `${value} caps`, findings);
}

/** A child must be able to pay for what every component has. */
export function checkStartCost(start: StartNode, findings: CheckFindings): void {
  const { ram, caps } = startCost(start);
  const costs = `of start node "${start.name}" is less than it costs to start it:`;
  // A missing quota has been reported already.
  if (start.ram > 0 && start.ram < ram) {
    findings.error(`the ram ${costs} ${formatBytes(ram)}`, start.position);
  }
  if (start.caps > 0 && start.caps < caps) findings.error(`the caps ${costs} ${caps}`, start.position);
}

function checkSum(
  kind: keyof Quota,
  { whole, ownStart }: InitQuota,
  config: InitConfig,
  format: (value: number) => string,
  findings: CheckFindings,
): void {
  const once = config.starts.reduce((sum, start) => sum + start[kind], 0);
  const again = config.starts.reduce((sum, start) => sum + (start.replaceReady ? start[kind] : 0), 0);
  const needed = once + again;
  const reports = stateReportCost(config)[kind];
  const preserve = config.preserve[kind];
  const kept = Math.max(preserve, reports);
  if (needed === 0 || needed + kept + ownStart[kind] <= whole[kind]) return;
  const has = `init has ${format(whole[kind])}, of which its own start takes ${format(ownStart[kind])}`;
  const keeps =
    kept > preserve ? `and its state reports take ${format(kept)}` : `and keeps ${format(kept)} for itself`;
  const twice = again === 0 ? '' : `, ${format(again)} of it for replacements (replace="ready")`;
  const text = `the children need ${format(needed)} together${twice}, but ${has}, ${keeps}`;
  findings.error(text, config.node.position);
}
