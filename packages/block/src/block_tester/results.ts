/** Results of tests, as lines of the log and as a report. */
import { ConfigNode, formatBytes } from '@ginit/core/config';
import type { TestResult } from './test-run.ts';

const MIB = 1024 * 1024;

/** The line for a test that has ended. Without figures it is the same for every run. */
export function resultLine(result: TestResult, figures: boolean): string {
  const { name, requests, readBytes, writtenBytes, errors, latencies } = result;
  const outcome = errors === 0 ? 'ok' : `${errors} errors`;
  const amounts = [
    ...(readBytes > 0 ? [`${formatBytes(readBytes)} read`] : []),
    ...(writtenBytes > 0 ? [`${formatBytes(writtenBytes)} written`] : []),
  ];
  const line = [`${name}: ${outcome}`, `${requests} requests`, ...amounts].join(', ');
  if (!figures) return line;
  const { mibPerSecond, iops } = rates(result);
  const speed = `${mibPerSecond.toFixed(1)} MiB/s, ${Math.round(iops)} requests/s`;
  if (!latencies) return `${line}, ${speed}`;
  const { p50, p90, p99, max } = latencies;
  return `${line}, ${speed}, latency in us: p50 ${p50}, p90 ${p90}, p99 ${p99}, max ${max}`;
}

/** The report. */
export function resultsReport(results: readonly TestResult[], planned: number): ConfigNode {
  const finished = results.length === planned;
  return ConfigNode.make(
    'results',
    { finished, ok: finished && results.every(({ errors }) => errors === 0) },
    results.map((result) => {
      const { name, requests, readBytes, writtenBytes, durationUs, latencies, errors, problems } = result;
      const { mibPerSecond, iops } = rates(result);
      return ConfigNode.make(
        'result',
        {
          test: name,
          ok: errors === 0,
          requests,
          read_bytes: readBytes,
          written_bytes: writtenBytes,
          duration_us: durationUs,
          mib_per_second: mibPerSecond.toFixed(1),
          iops: Math.round(iops),
          latency_p50_us: latencies?.p50,
          latency_p90_us: latencies?.p90,
          latency_p99_us: latencies?.p99,
          latency_max_us: latencies?.max,
          errors,
        },
        problems.map((problem) => ConfigNode.make('problem', { text: problem })),
      );
    }),
  );
}

function rates({ requests, readBytes, writtenBytes, durationUs }: TestResult): {
  readonly mibPerSecond: number;
  readonly iops: number;
} {
  const seconds = Math.max(durationUs, 1) / 1e6;
  return { mibPerSecond: (readBytes + writtenBytes) / MIB / seconds, iops: requests / seconds };
}
