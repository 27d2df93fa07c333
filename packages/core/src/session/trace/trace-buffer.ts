/** The tracer's end of one traced subject: the buffer, and what comes out of it. */
import { RpcError } from '../../errors.ts';
import type { Capability, Implementation, Interface } from '../../interface/interface.ts';
import { LIMITS } from '../../limits.ts';
import type { Dataspace } from '../../memory/dataspace.ts';
import { readEntries, type TraceEvent } from '../../trace/event.ts';
import { RingReader } from '../../trace/ring-reader.ts';
import { TraceSink } from './declaration.ts';
import { TraceInbox } from './trace-inbox.ts';

/** Some events, and how many were lost before them. */
export interface TracedEvents {
  readonly events: readonly TraceEvent[];
  readonly lost: number;
}

/** The parts of `env` that a buffer needs. */
export interface TraceHome {
  readonly ram: {
    allocate(sizeBytes: number): Promise<Dataspace>;
    free(dataspace: Dataspace): Promise<void>;
  };
  capability<I extends Interface>(interface_: I, implementation: Implementation<I>): Capability<I>;
  revoke(implementation: object): void;
}

/** A buffer of a tracer. It is of no use for a second trace: each gets one of its own. */
export class TraceBuffer {
  readonly sizeBytes: number;
  readonly #env: TraceHome;
  readonly #dataspace: Dataspace;
  readonly #reader: RingReader;
  readonly #inbox: TraceInbox;
  readonly #implementation: Implementation<typeof TraceSink>;

  /** Allocates it. Rejects with `OUT_OF_RAM` or `OUT_OF_CAPS`. */
  static async allocate(env: TraceHome, sizeBytes: number): Promise<TraceBuffer> {
    if (sizeBytes < LIMITS.traceBufferBytesMin || sizeBytes > LIMITS.traceBufferBytesMax) {
      const { traceBufferBytesMin: least, traceBufferBytesMax: most } = LIMITS;
      throw new RpcError('InvalidArgument', `a trace buffer has ${least} to ${most} bytes`);
    }
    return new TraceBuffer(env, await env.ram.allocate(sizeBytes), sizeBytes);
  }

  private constructor(env: TraceHome, dataspace: Dataspace, sizeBytes: number) {
    this.#env = env;
    this.#dataspace = dataspace;
    this.sizeBytes = sizeBytes;
    this.#reader = new RingReader(dataspace.attach().buffer, sizeBytes);
    this.#inbox = new TraceInbox(sizeBytes);
    this.#implementation = {
      dataspace: () => dataspace,
      append: (entries, lost) => this.#inbox.append(entries, lost),
    };
  }

  /** To be handed to the TRACE session with the subject. */
  get sink(): Capability<typeof TraceSink> {
    return this.#env.capability(TraceSink, this.#implementation);
  }

  /** The events since the last time; also those of a subject that has died. */
  read(): TracedEvents {
    const { entries, lost } = this.#reader.read();
    if (entries.length > 0 || lost > 0) return { events: readEntries(entries), lost };
    return this.#inbox.take();
  }

  /** Gives its memory back. The subject must not be traced with it any more. */
  async free(): Promise<void> {
    this.#env.revoke(this.#implementation);
    await this.#env.ram.free(this.#dataspace);
  }
}
