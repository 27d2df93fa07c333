/** Words for the reason why a component or a domain process has ended. */

/** Said of a component that has used up its heap. */
export const HEAP_FULL = 'its heap is full (raise heap= in its start node)';
/** Said of a component in a process whose memory the kernel bounds. */
const MEMORY_FULL = 'its memory is full (raise heap= in its start node)';
const ALLOCATION_FAILED = /allocation failed|out of memory|bad_alloc|cannot allocate memory|ENOMEM/i;
/**
 * The signals by which a process ends that aborts itself: because it gets no memory, for instance,
 * and may be unable to say so.
 */
export const ABORTS: ReadonlySet<string> = new Set(['SIGABRT', 'SIGTRAP', 'SIGILL', 'SIGSEGV', 'SIGBUS']);

function firstFrame(stack: string | undefined): string | undefined {
  const frame = stack?.split('\n').find((line) => /^\s+at .*:\d+:\d+\)?$/.test(line));
  return frame?.trim();
}

/**
 * Why a worker thread died of an error. `bounded` says that the kernel bounds its process's memory.
 */
export function describeCrash(error: unknown, bounded = false): string {
  if (!(error instanceof Error)) return `threw ${String(error).slice(0, 200)}`;
  if (Reflect.get(error, 'code') === 'ERR_WORKER_OUT_OF_MEMORY') return HEAP_FULL;
  if (bounded && ALLOCATION_FAILED.test(error.message)) return `${MEMORY_FULL}: ${error.message}`;
  // These errors tell users what is wrong with their config, and a place in our code would not help
  // them.
  if (error.name === 'ConfigError' || error.name === 'SessionError') return error.message;
  const frame = firstFrame(error.stack);
  return `${error.name}: ${error.message}${frame ? ` (${frame})` : ''}`;
}

/**
 * The facts of a fatal error report of Node (`--report-on-fatalerror`): which thread died, and why.
 */
export interface FatalReport {
  readonly threadId: number | undefined;
  readonly reason: string;
}

/** How many characters of a report's own words are told. */
const EVENT_CHARACTERS = 200;

/**
 * Reads a fatal error report, which is one line of JSON. It is not trusted, because component code
 * in the process may have written it.
 */
export function parseFatalReport(line: string): FatalReport | undefined {
  if (!line.startsWith('{"header"')) return undefined;
  const event = /"event":"((?:[^"\\]|\\.)*)"/.exec(line)?.[1]?.slice(0, EVENT_CHARACTERS) ?? 'fatal error';
  const threadId = /"threadId":(\d+)/.exec(line)?.[1];
  const reason = ALLOCATION_FAILED.test(event) ? `${HEAP_FULL}: ${event}` : event;
  return { threadId: threadId === undefined ? undefined : Number(threadId), reason };
}

/** Whether a line on the standard error of a dying process says that it got no memory. */
export function saysNoMemory(line: string): boolean {
  return ALLOCATION_FAILED.test(line);
}

/**
 * Why a process has ended that wrote no such report. `bounded` says that the kernel bounds its
 * memory.
 */
export function describeEnd(
  code: number | null,
  signal: NodeJS.Signals | null,
  { bounded, saidNoMemory }: { readonly bounded: boolean; readonly saidNoMemory: boolean },
): string {
  const end = signal ? `its process was ended by ${signal}` : `its process ended with code ${code ?? '?'}`;
  if (!bounded) return end;
  if (saidNoMemory) return `${MEMORY_FULL}: ${end}`;
  return signal && ABORTS.has(signal) ? `${end}, perhaps because ${MEMORY_FULL}` : end;
}
