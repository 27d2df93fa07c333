/**
 * The tree of components as a table for people: where each ran, how much of its quota and of V8's
 * heap it used, and how many requests it served.
 */
import { formatBytes } from '@ginit/core/config';
import type { ComponentSummary } from '@ginit/core/supervisor';

const MIB = 1024 * 1024;
const HEADINGS = [
  'component',
  'runs as',
  'RAM used (peak) of quota',
  'caps',
  'heap used of bound',
  'requests served',
];

/** The use of V8's heap. It is apart from the RAM quota, which counts dataspaces and sessions. */
function heapOf({ heapUsed, heapBytes }: ComponentSummary): string {
  const used = heapUsed === undefined ? '-' : `${(heapUsed / MIB).toFixed(1)}M`;
  return heapBytes === undefined ? used : `${used} of ${formatBytes(heapBytes)}`;
}

function rowOf(summary: ComponentSummary): string[] {
  const { label, placement, account, ramPeak, requests, ended } = summary;
  const { kind, domain, pid, jail } = placement;
  const jailed = jail?.jailed ? ', jailed' : '';
  const where =
    kind === 'process' ? `process ${pid ?? '?'}${jailed}` : `thread of "${domain}" (${pid ?? '?'})`;
  return [
    label,
    ended ? `${where}, ended` : where,
    `${formatBytes(account.ramUsed)} (${formatBytes(ramPeak)}) of ${formatBytes(account.ramQuota)}`,
    `${account.capUsed} of ${account.capQuota}`,
    heapOf(summary),
    requests === undefined ? '-' : String(requests),
  ];
}

/** Lines of the table. */
export function formatSummary(summaries: readonly ComponentSummary[]): string[] {
  const rows = [HEADINGS, ...summaries.map(rowOf)];
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const processes = new Set(summaries.map(({ placement }) => placement.pid)).size;
  const requests = summaries.reduce((sum, summary) => sum + (summary.requests ?? 0), 0);
  return [...lines, `${summaries.length} components in ${processes} processes, ${requests} requests served`];
}
