/** What was traced as a table: for each operation how often, how long, and how many bytes. */
import { formatBytes } from '@ginit/core/config';
import { visibleText } from '@ginit/core/system';
import { type CallSpan, spansOf, type TracedComponent } from '@ginit/core/trace';

/** One row: an operation at one end. */
export interface OperationSummary {
  readonly component: string;
  readonly end: CallSpan['end'];
  readonly name: string;
  readonly count: number;
  readonly failed: number;
  /** Calls whose end was not seen. */
  readonly unfinished: number;
  readonly bytes: number;
  /** Microseconds; of no meaning if no call has ended. */
  readonly meanUs: number;
  readonly p50Us: number;
  readonly p90Us: number;
  readonly p99Us: number;
  readonly mostUs: number;
  /** How many calls took up to 1, 2, 4, … microseconds: powers of two by their exponent. */
  readonly histogram: readonly number[];
}

const BUCKETS = 32;

/** Rows for all operations, those that took longest in all first. */
export function summaryOf(components: readonly TracedComponent[]): OperationSummary[] {
  const groups = new Map<string, CallSpan[]>();
  for (const call of spansOf(components).calls) {
    const key = `${call.component.label}\n${call.end}\n${call.name}`;
    const group = groups.get(key) ?? [];
    group.push(call);
    groups.set(key, group);
  }
  return Array.from(groups.values(), summarized).toSorted(
    (one, other) => other.meanUs * other.count - one.meanUs * one.count || other.count - one.count,
  );
}

function summarized(calls: readonly CallSpan[]): OperationSummary {
  const [first] = calls;
  const times = calls
    .flatMap(({ beginUs, endUs }) => (endUs === undefined ? [] : endUs - beginUs))
    .toSorted((one, other) => one - other);
  const histogram = Array.from({ length: BUCKETS }, () => 0);
  for (const us of times) {
    const bucket = Math.min(BUCKETS - 1, Math.max(0, Math.ceil(Math.log2(Math.max(us, 1)))));
    histogram[bucket] = (histogram[bucket] ?? 0) + 1;
  }
  const at = (part: number): number =>
    times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0;
  return {
    component: first?.component.label ?? '',
    end: first?.end ?? 'client',
    name: first?.name ?? '',
    count: calls.length,
    failed: calls.filter(({ failed }) => failed).length,
    unfinished: calls.length - times.length,
    bytes: calls.reduce((sum, { bytes }) => sum + bytes, 0),
    meanUs: times.reduce((sum, us) => sum + us, 0) / Math.max(1, times.length),
    p50Us: at(0.5),
    p90Us: at(0.9),
    p99Us: at(0.99),
    mostUs: times.at(-1) ?? 0,
    histogram: histogram.slice(0, histogram.findLastIndex((count) => count > 0) + 1),
  };
}

const BARS = '▁▂▃▄▅▆▇█';

/** The table as rows of cells, with its head. */
export function summaryRows(summary: readonly OperationSummary[]): string[][] {
  const head = [
    'component',
    'end',
    'operation',
    'count',
    'failed',
    'bytes',
    'mean',
    'p50',
    'p90',
    'p99',
    'max',
  ];
  return [
    [...head, 'from 1 us, by powers of 2'],
    ...summary.map((row) => [
      visibleText(row.component),
      row.end,
      visibleText(row.name),
      String(row.count),
      String(row.failed),
      formatBytes(row.bytes),
      ...[row.meanUs, row.p50Us, row.p90Us, row.p99Us, row.mostUs].map((us) =>
        row.count === row.unfinished ? '-' : timeText(us),
      ),
      bars(row.histogram),
    ]),
  ];
}

function timeText(us: number): string {
  if (us < 1000) return `${us.toFixed(us < 10 ? 1 : 0)} us`;
  return us < 1_000_000 ? `${(us / 1000).toFixed(1)} ms` : `${(us / 1_000_000).toFixed(2)} s`;
}

function bars(histogram: readonly number[]): string {
  const most = Math.max(1, ...histogram);
  return histogram
    .map((count) => (count === 0 ? '·' : (BARS[Math.ceil((count / most) * BARS.length) - 1] ?? '')))
    .join('');
}
