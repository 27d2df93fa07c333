/** The tables of `ginit ps` and `ginit top`. */
import { formatBytes } from '@ginit/core/config';
import { visibleText } from '@ginit/core/system';
import type { SystemTree, TreeNode } from '../control/tree.ts';
import {
  type MachineActivity,
  machineActivity,
  MACHINE_COLUMNS,
  type MachineLook,
} from './machine-tables.ts';
import { tableLines } from './table-lines.ts';

function stateText({ state, exitCode }: TreeNode): string {
  return state === 'exited' && exitCode !== undefined ? `exited ${exitCode}` : state;
}

function placeOf({ isolation, domain, pid, thread, jailed, node }: TreeNode): string {
  if (node !== undefined) {
    const which = pid === undefined ? '' : `, process ${pid}${jailed === true ? ', jailed' : ''}`;
    return `node ${visibleText(node)}${which}`;
  }
  if (pid === undefined) return isolation;
  if (isolation === 'process') return `process ${pid}${jailed === true ? ', jailed' : ''}`;
  const which = thread === undefined ? '' : ` thread ${thread}`;
  return `${visibleText(domain ?? '')} ${pid}${which}`;
}

function ramOf({ ram, assigned }: TreeNode): string {
  if (ram) return `${formatBytes(ram.used)} of ${formatBytes(ram.quota)}`;
  return assigned ? `- of ${formatBytes(assigned.ram)}` : '-';
}

function capsOf({ caps, assigned }: TreeNode): string {
  if (caps) return `${caps.used} of ${caps.quota}`;
  return assigned ? `- of ${assigned.caps}` : '-';
}

/** The lines of `ginit ps`. */
export function psLines({ components }: SystemTree): string[] {
  const headings = ['component', 'state', 'runs in', 'RAM used', 'caps used', 'restarts', 'reason'];
  const rows = components.map((node) => [
    `${'  '.repeat(node.depth)}${visibleText(node.name)}`,
    stateText(node),
    placeOf(node),
    ramOf(node),
    capsOf(node),
    String(node.restarts),
    visibleText(node.why ?? ''),
  ]);
  return tableLines([headings, ...rows]);
}

/** What a component has done per second between two looks at it; missing where nobody knows. */
export interface Activity {
  readonly label: string;
  /** Percent of one CPU. */
  readonly cpuPercent: number | undefined;
  readonly cpuUs: number | undefined;
  readonly callsPerS: number | undefined;
  readonly packetsPerS: number | undefined;
  readonly wakeUpsPerS: number | undefined;
  readonly ram: TreeNode['ram'];
  readonly caps: TreeNode['caps'];
  readonly heapUsed: number | undefined;
  /** Of the virtual machine in it, if there is one that says what it does. */
  readonly machine: MachineActivity | undefined;
}

/**
 * What the live components have done since `before`, the busiest first. A component that is not in
 * `before`, or was another instance then, is measured from its start.
 */
export function activities(before: MachineLook | undefined, now: MachineLook): Activity[] {
  const earlier = new Map(before?.components.map((node) => [node.label, node]));
  const seconds = before ? Math.max(1, now.atUs - before.atUs) / 1_000_000 : undefined;
  const live = now.components.filter(({ ram }) => ram !== undefined);
  const rows = live.map((node) => {
    const was = earlier.get(node.label);
    const same = was && was.pid === node.pid && was.thread === node.thread ? was : undefined;
    const perSecond = (key: 'cpuUs' | 'calls' | 'packets' | 'wakeUps'): number | undefined => {
      const value = node[key];
      if (value === undefined || seconds === undefined) return undefined;
      // A new instance may have the place of the old one.
      const since = Math.min(value, same?.[key] ?? 0);
      return (value - since) / seconds;
    };
    const cpu = perSecond('cpuUs');
    return {
      label: node.label,
      cpuPercent: cpu === undefined ? undefined : cpu / 10_000,
      cpuUs: node.cpuUs,
      callsPerS: perSecond('calls'),
      packetsPerS: perSecond('packets'),
      wakeUpsPerS: perSecond('wakeUps'),
      ram: node.ram,
      caps: node.caps,
      heapUsed: node.heapUsed,
      machine: machineActivity(node.label, same && before, now, seconds),
    };
  });
  return rows.toSorted(
    (a, b) => (b.cpuPercent ?? 0) - (a.cpuPercent ?? 0) || (b.callsPerS ?? 0) - (a.callsPerS ?? 0),
  );
}

const MIB = 1024 * 1024;

/** A rate with as many digits as one can read. */
function rate(value: number | undefined): string {
  if (value === undefined) return '-';
  return value >= 100 || value === 0 ? value.toFixed(0) : value.toFixed(1);
}

interface Column {
  readonly heading: string;
  readonly cell: (row: Activity) => string;
  /** Whether the host tells the value of any component. */
  readonly known: (row: Activity) => boolean;
}

const COLUMNS: readonly Column[] = [
  { heading: 'component', cell: ({ label }) => visibleText(label), known: () => true },
  { heading: 'CPU %', cell: ({ cpuPercent }) => rate(cpuPercent), known: ({ cpuUs }) => cpuUs !== undefined },
  {
    heading: 'CPU time',
    cell: ({ cpuUs }) => (cpuUs === undefined ? '-' : `${(cpuUs / 1_000_000).toFixed(2)}s`),
    known: ({ cpuUs }) => cpuUs !== undefined,
  },
  { heading: 'calls/s', cell: ({ callsPerS }) => rate(callsPerS), known: () => true },
  { heading: 'packets/s', cell: ({ packetsPerS }) => rate(packetsPerS), known: () => true },
  {
    heading: 'wake-ups/s',
    cell: ({ wakeUpsPerS }) => rate(wakeUpsPerS),
    known: ({ cpuUs }) => cpuUs !== undefined,
  },
  {
    heading: 'RAM used',
    cell: ({ ram }) => (ram ? `${formatBytes(ram.used)} of ${formatBytes(ram.quota)}` : '-'),
    known: () => true,
  },
  {
    heading: 'caps used',
    cell: ({ caps }) => (caps ? `${caps.used} of ${caps.quota}` : '-'),
    known: () => true,
  },
  {
    heading: 'heap',
    cell: ({ heapUsed }) => (heapUsed === undefined ? '-' : `${(heapUsed / MIB).toFixed(1)}M`),
    known: ({ heapUsed }) => heapUsed !== undefined,
  },
  ...MACHINE_COLUMNS.map(({ heading, value }) => ({
    heading,
    cell: ({ machine }: Activity) => rate(machine && value(machine)),
    known: ({ machine }: Activity) => machine !== undefined && value(machine) !== undefined,
  })),
];

/** The lines of `ginit top`. Columns of which nothing is known are left out. */
export function topLines(rows: readonly Activity[]): string[] {
  const shown = COLUMNS.filter(({ known }) => rows.some(known));
  const cells = rows.map((row) => shown.map(({ cell }) => cell(row)));
  return tableLines([shown.map(({ heading }) => heading), ...cells]);
}
