/**
 * How a component is traced, at the component: it is given a policy and a sink, takes the sink's
 * buffer into use, and sets the hooks. Where it shares no memory with the tracer it has a ring of
 * its own, from which the events go to the sink in calls, one at a time: what comes too fast for
 * that is lost in the ring, and counted.
 */
import { hasCode, RpcError } from '../errors.ts';
import type { Capability } from '../interface/interface.ts';
import { LIMITS } from '../limits.ts';
import type { TraceSink } from '../session/trace/declaration.ts';
import { isPolicyProblem, readPolicy } from '../trace/policy-module.ts';
import { RingReader } from '../trace/ring-reader.ts';
import { RingWriter } from '../trace/ring-writer.ts';
import type { Tracer, Tracing } from '../trace/tracer.ts';

/** What the supervisor says when a component is to be traced. */
export interface TraceOrder {
  /** Numbers the order. A later one replaces an earlier one. */
  readonly number: number;
  readonly component: number;
  readonly salt: { readonly high: number; readonly low: number };
  readonly policy: string;
  readonly sizeBytes: number;
  readonly sink: Capability<typeof TraceSink>;
}

/** Why an order cannot be carried out. */
export interface TraceRefusal {
  readonly code: 'INVALID_POLICY' | 'OUT_OF_RAM' | 'SOURCE_IS_DEAD';
  readonly reason: string;
}

/** A ring of a component that shares no memory with its tracer is not larger than this. */
const OWN_RING_BYTES_MAX = 1024 * 1024;

/** An order that is being carried out. */
interface Traced {
  readonly number: number;
  readonly sink: Capability<typeof TraceSink>;
  readonly tracing: Tracing;
  /** Sends what is in the own ring, if there is one; settles when the ring is empty. */
  readonly drain: (() => Promise<void>) | undefined;
  paused: boolean;
}

/** The tracing of one component, as its supervisor orders it. */
export class ComponentTracing {
  readonly #tracer: Tracer;
  readonly #ended: (number: number, reason: string) => void;
  readonly #schedule: (turn: () => void) => void;
  #traced: Traced | undefined;
  #newest = 0;

  /** `ended` is called when a policy or a sink has failed. */
  constructor(
    tracer: Tracer,
    schedule: (turn: () => void) => void,
    ended: (number: number, reason: string) => void,
  ) {
    this.#tracer = tracer;
    this.#schedule = schedule;
    this.#ended = ended;
  }

  /** Carries an order out; the result says why it cannot be. */
  async begin(order: TraceOrder): Promise<TraceRefusal | undefined> {
    const { number, sink } = order;
    this.#newest = number;
    try {
      const refusal = await this.#begin(order);
      if (refusal) sink[Symbol.dispose]();
      return refusal;
    } catch (error) {
      sink[Symbol.dispose]();
      const reason = error instanceof RpcError ? error.message : 'the buffer cannot be used';
      return { code: 'OUT_OF_RAM', reason: reason.slice(0, LIMITS.reasonBytes / 4) };
    }
  }

  /** Ends an order. Settles when the sink has all events. */
  async end(number: number): Promise<void> {
    const traced = this.#traced;
    if (this.#newest === number) this.#newest = 0;
    if (traced?.number !== number) return;
    this.#traced = undefined;
    this.#tracer.use(undefined);
    await traced.drain?.();
    traced.sink[Symbol.dispose]();
  }

  /** Takes the hooks off, or sets them again. */
  pause(number: number, paused: boolean): void {
    const traced = this.#traced;
    if (traced?.number !== number) return;
    traced.paused = paused;
    this.#tracer.use(paused ? undefined : traced.tracing);
  }

  async #begin(order: TraceOrder): Promise<TraceRefusal | undefined> {
    if (!this.#tracer.possible) return { code: 'INVALID_POLICY', reason: 'this platform cannot trace' };
    const policy = readPolicy(order.policy);
    if (isPolicyProblem(policy)) return { code: 'INVALID_POLICY', reason: policy.problem };
    const { number, sink, salt } = order;
    const { writer, reader } = await bufferOf(sink, order.sizeBytes);
    if (this.#newest !== number) return { code: 'SOURCE_IS_DEAD', reason: 'it was given up meanwhile' };
    const before = this.#traced;
    const drain = reader && new Drain(reader, sink, this.#schedule, (reason) => this.#fail(number, reason));
    const tracing: Tracing = {
      policy,
      writer,
      salt: [salt.high, salt.low],
      wrote: drain ? () => drain.wake() : () => {},
      failed: (reason) => this.#fail(number, reason),
    };
    this.#tracer.component = order.component;
    this.#traced = { number, sink, tracing, drain: drain && (() => drain.empty()), paused: false };
    this.#tracer.use(tracing);
    before?.sink[Symbol.dispose]();
    return undefined;
  }

  #fail(number: number, reason: string): void {
    const traced = this.#traced;
    if (traced?.number !== number) return;
    this.#traced = undefined;
    this.#tracer.use(undefined);
    this.#ended(number, reason);
    void traced.drain?.().finally(() => traced.sink[Symbol.dispose]());
    if (!traced.drain) traced.sink[Symbol.dispose]();
  }
}

/** The ring to write to: the sink's, or one of our own with a reader of it. */
async function bufferOf(
  sink: Capability<typeof TraceSink>,
  sizeBytes: number,
): Promise<{ readonly writer: RingWriter; readonly reader?: RingReader }> {
  try {
    const dataspace = await sink.dataspace();
    const memory = dataspace.attach();
    if (dataspace.sealed || memory.byteLength < LIMITS.traceBufferBytesMin) {
      throw new RpcError('OUT_OF_RAM', 'the buffer of the tracer is too small');
    }
    return { writer: new RingWriter(memory.buffer, memory.byteLength) };
  } catch (error) {
    // Core and other machines share no memory with us.
    if (!hasCode(error, 'NotShareable')) throw error;
  }
  const size = Math.max(LIMITS.traceBufferBytesMin, Math.min(OWN_RING_BYTES_MAX, sizeBytes));
  const memory = new SharedArrayBuffer(size);
  return { writer: new RingWriter(memory, size), reader: new RingReader(memory, size) };
}

/** Brings the events of an own ring to the sink. */
class Drain {
  readonly #reader: RingReader;
  readonly #sink: Capability<typeof TraceSink>;
  readonly #schedule: (turn: () => void) => void;
  readonly #failed: (reason: string) => void;
  #running: Promise<void> | undefined;
  #woken = false;

  constructor(
    reader: RingReader,
    sink: Capability<typeof TraceSink>,
    schedule: (turn: () => void) => void,
    failed: (reason: string) => void,
  ) {
    this.#reader = reader;
    this.#sink = sink;
    this.#schedule = schedule;
    this.#failed = failed;
  }

  /** There may be something to bring. */
  wake(): void {
    if (this.#woken) return;
    this.#woken = true;
    if (!this.#running) this.#schedule(() => void this.empty());
  }

  /** Settles when the ring is empty, or the sink is gone. */
  empty(): Promise<void> {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(): Promise<void> {
    try {
      do {
        this.#woken = false;
        const { entries, lost } = this.#reader.read();
        await this.#send(entries, lost);
      } while (this.#woken);
    } catch (error) {
      this.#failed(error instanceof RpcError ? `the tracer: ${error.code}` : 'the tracer takes no events');
    }
  }

  async #send(entries: Uint8Array, lost: number): Promise<void> {
    let missing = lost;
    for (let at = 0; at < entries.length; ) {
      const end = partEnd(entries, at);
      await this.#sink.append(entries.subarray(at, end), missing);
      missing = 0;
      at = end;
    }
  }
}

/** Where a message with entries from `at` on ends: none is cut. */
function partEnd(entries: Uint8Array, at: number): number {
  const view = new DataView(entries.buffer, entries.byteOffset, entries.byteLength);
  let end = at;
  while (end < entries.length) {
    const length = view.getUint32(end, true);
    if (end > at && end + length - at > LIMITS.traceAppendBytes) break;
    end += length;
  }
  return end;
}
