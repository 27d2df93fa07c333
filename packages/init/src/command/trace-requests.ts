/** The request that traces components and sends what passes in them. */
import { list, optional, record, RpcError, text, u53 } from '@ginit/core';
import type { Supervisor } from '@ginit/core/supervisor';
import { LIMITS } from '@ginit/core/system';
import type { TraceSubject } from '@ginit/core/trace';
import {
  CONTROL_LIMITS,
  type ControlCall,
  ControlError,
  type ControlHandlers,
  meantBy,
} from './control/index.ts';

const traceArguments = record({
  /** None means all. */
  labels: list(text(CONTROL_LIMITS.labelCharacters), CONTROL_LIMITS.labels),
  /** Names of stock policies, or a module. */
  policy: text(LIMITS.tracePolicyCharacters),
  bufferBytes: optional(u53),
});

const BUFFER_BYTES = 256 * 1024;
/** How often the system is looked at for components that have come since. */
const LOOK_MS = 300;

type Tracing = ReturnType<Supervisor['openTrace']>;

/** Answers it. */
export function traceRequests(supervisor: Pick<Supervisor, 'openTrace'>): ControlHandlers {
  return {
    trace: async (args, call) => {
      const { labels, policy, bufferBytes = BUFFER_BYTES } = traceArguments(args, 'with');
      if (bufferBytes < LIMITS.traceBufferBytesMin || bufferBytes > LIMITS.traceBufferBytesMax) {
        throw new ControlError('BAD_REQUEST', 'the size of a buffer is out of range');
      }
      const trace = supervisor.openTrace();
      try {
        const run = new TraceRun(trace, policyOf(trace, policy), { labels, bufferBytes, call });
        await run.untilGivenUp();
        return {};
      } finally {
        await trace.close();
      }
    },
  };
}

function policyOf(trace: Tracing, source: string): number {
  try {
    return trace.policy(source);
  } catch (error) {
    throw new ControlError('REFUSED', error instanceof RpcError ? error.message : String(error));
  }
}

interface RunOptions {
  readonly labels: readonly string[];
  readonly bufferBytes: number;
  readonly call: ControlCall;
}

/** One such request while it runs. */
class TraceRun {
  readonly #trace: Tracing;
  readonly #policy: number;
  readonly #options: RunOptions;
  /** Subjects that were begun, and those of which was said that they cannot be traced. */
  readonly #begun = new Set<number>();
  readonly #told = new Set<number>();

  constructor(trace: Tracing, policy: number, options: RunOptions) {
    this.#trace = trace;
    this.#policy = policy;
    this.#options = options;
  }

  async untilGivenUp(): Promise<void> {
    const { signal } = this.#options.call;
    const given = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    for (let first = true; !signal.aborted; first = false) {
      await this.#look(first);
      await Promise.race([given, new Promise((resolve) => setTimeout(resolve, LOOK_MS).unref())]);
    }
  }

  async #look(first: boolean): Promise<void> {
    const subjects = this.#trace.subjects();
    const { labels } = this.#options;
    const known = subjects.map(({ label }) => label);
    const wanted = new Set<string>();
    for (const label of labels) {
      const found = meantBy(label, known);
      if (found !== undefined) wanted.add(found);
      else if (first) throw new ControlError('NOT_FOUND', `there is no component "${label}"`);
    }
    for (const subject of subjects) {
      if (labels.length > 0 && !wanted.has(subject.label)) continue;
      if (subject.state === 'error') await this.#tell(subject, subject.reason ?? 'its policy has failed');
      else if (subject.state !== 'dead' && !this.#begun.has(subject.id)) await this.#begin(subject);
    }
  }

  async #begin(subject: TraceSubject): Promise<void> {
    this.#begun.add(subject.id);
    const { bufferBytes, call } = this.#options;
    const { component, label, node } = subject;
    await call.send({ subject: { component, label, node } });
    try {
      await this.#trace.trace(subject.id, this.#policy, bufferBytes, async (entries, lost) => {
        if (call.signal.aborted) return;
        await call.send({ component, entries: Buffer.from(entries).toString('base64'), lost });
      });
    } catch (error) {
      await this.#tell(subject, error instanceof RpcError ? error.message : String(error));
    }
  }

  async #tell({ id, component }: TraceSubject, problem: string): Promise<void> {
    if (this.#told.has(id)) return;
    this.#told.add(id);
    await this.#options.call.send({ component, problem });
  }
}
