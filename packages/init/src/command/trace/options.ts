/** The command line of `ginit trace`, and its help. */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { formatBytes, parseBytes } from '@ginit/core/config';
import { LIMITS } from '@ginit/core/system';
import { parseTime } from '../running/options.ts';
import { isPolicyProblem, readPolicy, STOCK_POLICIES } from '@ginit/core/trace';

/** The help text of `ginit trace`. */
export const TRACE_HELP = `ginit trace: what passes in components of a running system

  ginit trace [OPTIONS] [LABEL...]

Shows the events of these components as they come, or of all, until Ctrl-C. LABEL is a whole label ("init -> fs"), one
without "init", or the end of one if that fits a single component. A component that is started again is traced again.

  --policy POLICY    what the events hold: ${[...STOCK_POLICIES.keys()].join(', ')} (several, separated by commas),
                     or a file with a module of your own (default: rpc_name)
  --perfetto FILE    writes FILE at the end, for ui.perfetto.dev or chrome://tracing, and shows nothing meanwhile
  --summary          at the end, a table of operations: how often, how long, how many bytes; nothing meanwhile
  --otlp URL         sends the calls to a collector of OpenTelemetry (OTLP over HTTP, JSON: .../v1/traces)
  --duration TIME    ends after this time (10s, 500ms)
  --events N         keeps so many events for --perfetto and --summary (default 1000000)
  --buffer SIZE      the buffer of each component (default 256K)
  --system NAME      the system, if several run
  --json             each event as one line of JSON

A policy runs in the traced thread and may hold it up. docs/tracing.md says more.`;

/** What is to be traced, and what becomes of it. */
export interface TraceOptions {
  readonly labels: readonly string[];
  readonly system: string | undefined;
  /** Names of stock policies, or the text of a module. */
  readonly policy: string;
  readonly perfetto: string | undefined;
  readonly summary: boolean;
  readonly otlp: URL | undefined;
  readonly durationMs: number | undefined;
  readonly eventsMax: number;
  readonly bufferBytes: number | undefined;
  readonly json: boolean;
}

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  system: { type: 'string' },
  policy: { type: 'string', default: 'rpc_name' },
  perfetto: { type: 'string' },
  summary: { type: 'boolean', default: false },
  otlp: { type: 'string' },
  duration: { type: 'string' },
  events: { type: 'string', default: '1000000' },
  buffer: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const;

/** Reads the command line. A string as the result says what is wrong with it. */
export function parseTrace(args: readonly string[]): TraceOptions | 'help' | { readonly problem: string } {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
    if (values.help) return 'help';
    const policy = policyText(values.policy);
    if (typeof policy !== 'string') return policy;
    const bufferBytes = values.buffer === undefined ? undefined : parseBytes(values.buffer);
    if (values.buffer !== undefined && bufferBytes === undefined) {
      return { problem: `--buffer ${values.buffer}: not a size (for example 1M)` };
    }
    const { traceBufferBytesMin: least, traceBufferBytesMax: most } = LIMITS;
    if (bufferBytes !== undefined && (bufferBytes < least || bufferBytes > most)) {
      return { problem: `--buffer ${values.buffer}: not from ${formatBytes(least)} to ${formatBytes(most)}` };
    }
    const durationMs = values.duration === undefined ? undefined : parseTime(values.duration);
    if (values.duration !== undefined && durationMs === undefined) {
      return { problem: `--duration ${values.duration}: not a time (for example 10s or 500ms)` };
    }
    const eventsMax = Number(values.events);
    if (!Number.isInteger(eventsMax) || eventsMax < 1) {
      return { problem: `--events ${values.events}: not a whole number above 0` };
    }
    const otlp = values.otlp === undefined ? undefined : collector(values.otlp);
    if (otlp !== undefined && !(otlp instanceof URL)) return otlp;
    const { system, perfetto, summary, json } = values;
    return {
      labels: positionals,
      system,
      policy,
      perfetto,
      summary,
      otlp,
      durationMs,
      eventsMax,
      bufferBytes,
      json,
    };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

function policyText(given: string): string | { readonly problem: string } {
  const isFile = /[./]/.test(given);
  let policy: string;
  try {
    policy = isFile ? readFileSync(given, 'utf8') : given.replaceAll(',', ' ');
  } catch (error) {
    return { problem: `--policy ${given}: ${error instanceof Error ? error.message : String(error)}` };
  }
  const read = readPolicy(policy);
  return isPolicyProblem(read) ? { problem: `--policy ${given}: ${read.problem}` } : policy;
}

function collector(text: string): URL | { readonly problem: string } {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:';
  return url && isHttp ? url : { problem: `--otlp ${text}: not a URL of http or https` };
}
