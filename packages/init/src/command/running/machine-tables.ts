/** What `ginit vm list` and `ginit top` show of virtual machines. */
import type { MachineMetrics } from '@ginit/core/machine';
import { visibleText } from '@ginit/core/system';
import type { SystemTree } from '../control/tree.ts';
import type { ShownMachine } from '../machine-requests.ts';
import { tableLines } from './table-lines.ts';

/** A system with its machines. */
export interface MachineLook extends SystemTree {
  readonly machines: readonly ShownMachine[];
}

const UNKNOWN = '-';
const US_IN_S = 1e6;
const MILLION = 1e6;

/** The lines of `ginit vm list`: what each machine has done since its component started. */
export function machineLines(machines: readonly ShownMachine[]): string[] {
  const headings = ['MACHINE', 'STATE', 'BUSY', 'INSTRUCTIONS', 'IDLE', 'READ', 'WRITTEN', 'FRAMES', 'ABOUT'];
  const rows = machines.map(({ label, state, about, metrics }) => [
    visibleText(label),
    state,
    ...(metrics ? doneCells(metrics) : headings.slice(2, -1).map(() => UNKNOWN)),
    visibleText(about),
  ]);
  return tableLines([headings, ...rows]);
}

function doneCells(metrics: MachineMetrics): string[] {
  const { busyUs, instructions, exits, idles, reads, readBytes, writes, writtenBytes, frames } = metrics;
  return [
    busyUs === undefined ? UNKNOWN : `${(busyUs / US_IN_S).toFixed(2)}s`,
    instructions === undefined ? UNKNOWN : `${Math.round(instructions / MILLION)} million`,
    idles === undefined || exits === undefined ? UNKNOWN : `${idles} of ${exits} exits`,
    `${megabytes(readBytes)} in ${reads}`,
    `${megabytes(writtenBytes)} in ${writes}`,
    `${frames}`,
  ];
}

function megabytes(bytes: number): string {
  return `${(bytes / MILLION).toFixed(1)}MB`;
}

/** What a machine has done per second between two looks at it; missing where nobody knows. */
export interface MachineActivity {
  /** Percent of one CPU for which its guest was busy. */
  readonly busyPercent: number | undefined;
  readonly millionInstructionsPerS: number | undefined;
  readonly exitsPerS: number | undefined;
  readonly diskRequestsPerS: number | undefined;
  readonly diskMegabytesPerS: number | undefined;
  readonly framesPerS: number | undefined;
}

/** That of the machine in a component; nothing if there is none, or it does not say. */
export function machineActivity(
  label: string,
  before: MachineLook | undefined,
  now: MachineLook,
  seconds: number | undefined,
): MachineActivity | undefined {
  const after = metricsIn(label, now);
  if (!after) return undefined;
  const earlier = metricsIn(label, before);
  const perSecond = (of: (metrics: MachineMetrics) => number | undefined): number | undefined => {
    const value = of(after);
    if (value === undefined || seconds === undefined) return undefined;
    // A new machine may have the place of the old one.
    return (value - Math.min(value, (earlier && of(earlier)) ?? 0)) / seconds;
  };
  const scaled = (value: number | undefined, by: number): number | undefined =>
    value === undefined ? undefined : value / by;
  return {
    busyPercent: scaled(
      perSecond(({ busyUs }) => busyUs),
      US_IN_S / 100,
    ),
    millionInstructionsPerS: scaled(
      perSecond(({ instructions }) => instructions),
      MILLION,
    ),
    exitsPerS: perSecond(({ exits }) => exits),
    diskRequestsPerS: perSecond(({ reads, writes, flushes }) => reads + writes + flushes),
    diskMegabytesPerS: scaled(
      perSecond(({ readBytes, writtenBytes }) => readBytes + writtenBytes),
      MILLION,
    ),
    framesPerS: perSecond(({ frames }) => frames),
  };
}

function metricsIn(label: string, look: MachineLook | undefined): MachineMetrics | undefined {
  return look?.machines.find((machine) => machine.label === label)?.metrics;
}

/** The columns of `ginit top` for machines. */
export const MACHINE_COLUMNS: readonly {
  readonly heading: string;
  readonly value: (activity: MachineActivity) => number | undefined;
}[] = [
  { heading: 'guest %', value: ({ busyPercent }) => busyPercent },
  { heading: 'guest MIPS', value: ({ millionInstructionsPerS }) => millionInstructionsPerS },
  { heading: 'exits/s', value: ({ exitsPerS }) => exitsPerS },
  { heading: 'disk/s', value: ({ diskRequestsPerS }) => diskRequestsPerS },
  { heading: 'disk MB/s', value: ({ diskMegabytesPerS }) => diskMegabytesPerS },
  { heading: 'frames/s', value: ({ framesPerS }) => framesPerS },
];
