import { formatBytes, type Position } from '@ginit/core/config';
import { type InitConfig, type Quota, type StartNode, startCost } from '../model/index.ts';
import type { CheckFindings } from './findings.ts';

/**
 * The quotas of all children together must fit in what init has, less what it keeps for itself. A
 * child that goes on while its replacement is started counts twice.
 */
export function checkQuotas(config: InitConfig, available: Quota, findings: CheckFindings): void {
  const { position } = config.node;
  checkSum('ram', available, config, position, (value) => `${formatBytes(value)} of ram`, findings);
  checkSum('caps', available, config, position, (value) => `${value} caps`, findings);
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
  available: Quota,
  config: InitConfig,
  position: Position,
  format: (value: number) => string,
  findings: CheckFindings,
): void {
  const once = config.starts.reduce((sum, start) => sum + start[kind], 0);
  const again = config.starts.reduce((sum, start) => sum + (start.replaceReady ? start[kind] : 0), 0);
  const needed = once + again;
  const kept = config.preserve[kind];
  if (needed === 0 || needed + kept <= available[kind]) return;
  const has = `init has ${format(available[kind])} and keeps ${format(kept)} for itself`;
  const twice = again === 0 ? '' : `, ${format(again)} of it for replacements (replace="ready")`;
  findings.error(`the children need ${format(needed)} together${twice}, but ${has}`, position);
}
