import { formatBytes, type Position } from '@ginit/core';
import type { InitConfig, Quota } from '../model/index.ts';
import type { CheckFindings } from './findings.ts';

/** The quotas of all children together must fit in what init has, less what it keeps for itself. */
export function checkQuotas(config: InitConfig, available: Quota, findings: CheckFindings): void {
  const { position } = config.node;
  checkSum('ram', available, config, position, (value) => `${formatBytes(value)} of ram`, findings);
  checkSum('caps', available, config, position, (value) => `${value} caps`, findings);
}

function checkSum(
  kind: keyof Quota,
  available: Quota,
  config: InitConfig,
  position: Position,
  format: (value: number) => string,
  findings: CheckFindings,
): void {
  const needed = config.starts.reduce((sum, start) => sum + start[kind], 0);
  const kept = config.preserve[kind];
  if (needed === 0 || needed + kept <= available[kind]) return;
  const has = `init has ${format(available[kind])} and keeps ${format(kept)} for itself`;
  findings.error(`the children need ${format(needed)} together, but ${has}`, position);
}
