/** Words for why a component or a domain process came to its end. */

const HEAP_FULL = 'its heap is full (raise heap= in its start node)';

function firstFrame(stack: string | undefined): string | undefined {
  const frame = stack?.split('\n').find((line) => /^\s+at .*:\d+:\d+\)?$/.test(line));
  return frame?.trim();
}

/** Why a worker thread died of an error. */
export function describeCrash(error: unknown): string {
  if (!(error instanceof Error)) return `threw ${String(error).slice(0, 200)}`;
  if (Reflect.get(error, 'code') === 'ERR_WORKER_OUT_OF_MEMORY') return HEAP_FULL;
  // Errors that tell users what is wrong with their config need no place in our code.
  if (error.name === 'ConfigError' || error.name === 'SessionError') return error.message;
  const frame = firstFrame(error.stack);
  return `${error.name}: ${error.message}${frame ? ` (${frame})` : ''}`;
}

/** What a fatal error report of Node (`--report-on-fatalerror`) says about who died and why. */
export interface FatalReport {
  readonly threadId: number | undefined;
  readonly reason: string;
}

/** Reads a fatal error report, one line of JSON. */
export function parseFatalReport(line: string): FatalReport | undefined {
  if (!line.startsWith('{"header"')) return undefined;
  const event = /"event":"((?:[^"\\]|\\.)*)"/.exec(line)?.[1] ?? 'fatal error';
  const threadId = /"threadId":(\d+)/.exec(line)?.[1];
  const reason = /heap out of memory|Array buffer allocation/i.test(event) ? `${HEAP_FULL}: ${event}` : event;
  return { threadId: threadId === undefined ? undefined : Number(threadId), reason };
}
