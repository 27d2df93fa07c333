/** Tracing by the program that runs the supervisor: `ginit trace`, for instance. */
import { RpcError } from '../errors.ts';
import type { Entrypoint } from '../runtime/entrypoint.ts';
import { type TraceSubject, TraceSink } from '../session/trace/declaration.ts';
import type { TraceSession } from './trace-service.ts';

/** A session of the program's own, which sees everything and pays nothing. */
export class SupervisorTrace {
  readonly #session: TraceSession;
  readonly #entrypoint: Entrypoint;
  readonly #sinks: object[] = [];

  constructor(session: TraceSession, entrypoint: Entrypoint) {
    this.#session = session;
    this.#entrypoint = entrypoint;
  }

  /** The components of the system. */
  subjects(): TraceSubject[] {
    return this.#session.subjects();
  }

  /** A policy; throws `INVALID_POLICY`. */
  policy(source: string): number {
    return this.#session.allocPolicy(source);
  }

  /**
   * Traces a subject. `take` is called with entries (`trace/event.ts`) as they come; the subject
   * sends no more until the promise that it gives has settled, and counts those that are lost
   * meanwhile.
   */
  async trace(
    subject: number,
    policy: number,
    sizeBytes: number,
    take: (entries: Uint8Array, lost: number) => Promise<void>,
  ): Promise<void> {
    const sink = {
      dataspace: () => {
        throw new RpcError('NotShareable', 'core shares no memory with components');
      },
      append: take,
    };
    this.#sinks.push(sink);
    await this.#session.trace(subject, policy, sizeBytes, this.#entrypoint.export(TraceSink, sink));
  }

  /** Ends the tracing of a subject. Settles when `take` has had all its events. */
  free(subject: number): Promise<void> {
    return this.#session.free(subject);
  }

  /** Ends all of it. */
  async close(): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
    for (const sink of this.#sinks) this.#entrypoint.revoke(sink);
  }
}
