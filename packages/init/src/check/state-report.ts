import { COSTS, prependLabel } from '@ginit/core/system';
import { type InitConfig, type Quota, requestingChild, STATE_LABEL } from '../model/index.ts';
import { resolveRequest } from '../routing/index.ts';
import type { CheckFindings } from './findings.ts';
import { problemAbove, type Scope } from './scope.ts';

/**
 * Checks that the state reports of a nested init get somewhere: it asks for the Report session as
 * any child does, along the routes of its start node. Without one it goes on and makes no reports,
 * so that is a warning.
 */
export function checkStateReport({ config, above }: Scope, findings: CheckFindings): void {
  if (config.report === undefined || above === undefined) return;
  const { scope, start } = above;
  const request = { service: 'Report', label: prependLabel(start.name, STATE_LABEL) };
  const route = resolveRequest(requestingChild(scope.config, start), request, scope.directory);
  const problem =
    route.kind === 'denied'
      ? route.text
      : route.kind === 'parent' && problemAbove(scope, request.service, route.label);
  if (!problem) return;
  const position = config.node.child('report')?.position ?? config.node.position;
  const lead = `there will be no state reports: start node "${start.name}"`;
  findings.warn(`${lead} cannot have service "Report" for them: ${problem}`, position);
}

/** What init donates for the session of its state reports, whose buffer counts most. */
export function stateReportCost({ report }: InitConfig): Quota {
  if (report === undefined) return { ram: 0, caps: 0 };
  return { ram: COSTS.session.ram + report.bufferBytes, caps: COSTS.session.caps };
}
