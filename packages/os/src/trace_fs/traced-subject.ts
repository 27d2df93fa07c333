/**
 * One subject as its files show it: what is wanted of it (enabled, policy, size of the buffer), and
 * what is (traced, or why not). Every change brings the one in line with the other.
 */
import { assert, hasCode, RpcError, type Session } from '@ginit/core';
import { Mutex } from '@ginit/core/async';
import {
  isPolicyProblem,
  readPolicy,
  type Trace,
  TraceBuffer,
  type TraceHome,
  type TraceSubject,
} from '@ginit/core/trace';
import { KeptEvents } from './kept-events.ts';

/** What all subjects of a session share. */
export interface TracedMeans {
  readonly home: TraceHome;
  readonly trace: Session<typeof Trace>;
  readonly bufferSize: number;
  readonly bufferSizeMax: number;
  /** Takes RAM out of `trace_quota`; throws `OUT_OF_RAM`. */
  reserve(bytes: number): void;
  giveBack(bytes: number): void;
}

/** A subject, with what its files hold. */
export class TracedSubject {
  info: TraceSubject;
  readonly kept = new KeptEvents();
  readonly #means: TracedMeans;
  readonly #lock = new Mutex();
  #enabled = false;
  #policy = '';
  #policyId: number | undefined;
  #bufferSize: number;
  #buffer: TraceBuffer | undefined;
  #problem = '';
  #cleaned = false;
  /** RAM that is taken for the text of events. */
  #keptBytes = 0;

  constructor(info: TraceSubject, means: TracedMeans) {
    this.info = info;
    this.#means = means;
    this.#bufferSize = means.bufferSize;
  }

  get enabled(): boolean {
    return this.#enabled;
  }

  /** Whether its hooks are on. */
  get active(): boolean {
    return this.#buffer !== undefined && this.info.state === 'traced';
  }

  get policy(): string {
    return this.#policy;
  }

  get bufferSize(): number {
    return this.#bufferSize;
  }

  /** Why it is not traced although it is enabled; empty if there is nothing to say. */
  get problem(): string {
    return this.info.reason ?? this.#problem;
  }

  /** Whether it was traced: then it stays after its death. */
  get wasTraced(): boolean {
    return this.kept.bytes > 0 || this.#buffer !== undefined;
  }

  /** Whether its directory is to go. */
  get cleaned(): boolean {
    return this.#cleaned;
  }

  /** Traces it from now on, if it has a policy; or not any more. Rejects if it cannot be traced. */
  enable(enabled: boolean): Promise<void> {
    return this.#changing(async () => {
      this.#enabled = enabled;
      await this.#apply();
    });
  }

  /** Gives it a policy. Rejects with `INVALID_POLICY`, and leaves the one before. */
  async setPolicy(text: string): Promise<void> {
    const read = readPolicy(text);
    if (isPolicyProblem(read)) {
      this.#problem = read.problem;
      throw new RpcError('INVALID_POLICY', read.problem);
    }
    await this.#changing(async () => {
      const before = this.#policyId;
      this.#policyId = await this.#means.trace.allocPolicy(text);
      this.#policy = text;
      if (this.#enabled) await this.#begin(this.#policyId);
      if (before !== undefined) await this.#means.trace.unloadPolicy(before);
    });
  }

  /** The size of the next buffer; clamped to the limit. */
  setBufferSize(bytes: number): void {
    this.#bufferSize = Math.min(this.#means.bufferSizeMax, Math.max(4096, bytes));
  }

  /** Takes the directory away; `false` if it is traced, or never was. */
  async cleanUp(): Promise<boolean> {
    if (this.#enabled || !this.wasTraced) return false;
    await this.close();
    this.#cleaned = true;
    return true;
  }

  /** Takes what is in the buffer. */
  drain(): void {
    if (!this.#buffer) return;
    const read = this.#buffer.read();
    if (read.events.length === 0 && read.lost === 0) return;
    this.kept.add(read, this.#means.bufferSizeMax);
    const more = this.kept.bytes - this.#keptBytes;
    try {
      if (more > 0) this.#means.reserve(more);
      else this.#means.giveBack(-more);
      this.#keptBytes = this.kept.bytes;
    } catch (error) {
      // What does not fit into the quota is not kept.
      if (!hasCode(error, 'OUT_OF_RAM')) throw error;
      this.kept.add({ events: [], lost: 0 }, this.#keptBytes);
      this.#means.giveBack(this.#keptBytes - this.kept.bytes);
      this.#keptBytes = this.kept.bytes;
    }
  }

  /** Ends everything that it uses. */
  close(): Promise<void> {
    return this.#changing(async () => {
      this.#enabled = false;
      await this.#end();
      await this.#means.trace.free(this.info.id).catch(ignoreGone);
      if (this.#policyId !== undefined) await this.#means.trace.unloadPolicy(this.#policyId);
      this.#policyId = undefined;
      this.#means.giveBack(this.#keptBytes);
      this.#keptBytes = 0;
    });
  }

  async #changing(change: () => Promise<void>): Promise<void> {
    await this.#lock.acquire();
    this.#problem = '';
    try {
      await change();
    } catch (error) {
      this.#problem = error instanceof RpcError ? `${error.code}: ${error.message}` : 'it failed';
      throw error;
    } finally {
      this.#lock.release();
    }
  }

  async #apply(): Promise<void> {
    if (!this.#enabled || this.#policyId === undefined) return this.#end();
    if (this.active) return undefined;
    await this.#end();
    return this.#begin(this.#policyId);
  }

  async #begin(policy: number): Promise<void> {
    const size = this.#bufferSize;
    this.#means.reserve(size);
    let buffer: TraceBuffer | undefined;
    try {
      buffer = await TraceBuffer.allocate(this.#means.home, size);
      await this.#means.trace.trace(this.info.id, policy, size, buffer.sink);
    } catch (error) {
      await buffer?.free();
      this.#means.giveBack(size);
      throw error;
    }
    const before = this.#buffer;
    this.drain();
    this.#buffer = buffer;
    this.info = { ...this.info, state: 'traced', reason: undefined };
    if (before) await this.#giveUp(before);
  }

  async #end(): Promise<void> {
    const buffer = this.#buffer;
    if (!buffer) return;
    if (this.info.state === 'traced' || this.info.state === 'error') {
      await this.#means.trace.free(this.info.id).catch(ignoreGone);
      this.info = { ...this.info, state: 'untraced', reason: undefined };
    }
    this.drain();
    assert(this.#buffer === buffer, 'whoever changes a subject has its lock');
    this.#buffer = undefined;
    await this.#giveUp(buffer);
  }

  async #giveUp(buffer: TraceBuffer): Promise<void> {
    await buffer.free();
    this.#means.giveBack(buffer.sizeBytes);
  }
}

/** The subject may have gone meanwhile. */
function ignoreGone(error: unknown): void {
  if (!hasCode(error, 'SOURCE_IS_DEAD') && !hasCode(error, 'INVALID_SUBJECT')) throw error;
}
