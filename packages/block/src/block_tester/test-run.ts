/** Runs one test: keeps as many requests under way as its plan says, and counts. */
import { hasCode, RpcError } from '@ginit/core';
import { inLanes } from '@ginit/core/async';
import type { BlockClient } from '@ginit/core/block';
import { Random } from '../lib/random.ts';
import { Latencies, type Percentiles } from './latencies.ts';
import { fillPattern, patternProblem } from './pattern.ts';
import type { TestPlan, TestRequest } from './plan.ts';

/** The most problems of one test that are told; all are counted. */
const PROBLEMS_TOLD_MAX = 8;

/** The seed of patterns and samples. */
const SEED = 0x5eed;

/** What the run of a test has come to. */
export interface TestResult {
  readonly name: string;
  readonly requests: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly durationUs: number;
  readonly latencies: Percentiles | undefined;
  /** Requests that have failed, and blocks that were not what they should be. */
  readonly errors: number;
  /** The first of them. */
  readonly problems: readonly string[];
}

/** Gives the time in microseconds, by a call that takes some itself. */
export type Clock = () => Promise<number>;

/** A run. */
export class TestRun {
  readonly #device: BlockClient;
  readonly #plan: TestPlan;
  readonly #clock: Clock;
  readonly #latencyOneIn: number;
  readonly #stopOnError: boolean;
  readonly #latencies = new Latencies(new Random(SEED, 'latencies'));
  /** The number of the last write of each unit; 0: unknown content. */
  readonly #generations: Uint32Array;
  /** Units that a request is using, if the test verifies. */
  readonly #busy = new Map<number, Promise<void>>();
  #requests = 0;
  #readBytes = 0;
  #writtenBytes = 0;
  #errors = 0;
  readonly #problems: string[] = [];

  constructor(
    device: BlockClient,
    plan: TestPlan,
    clock: Clock,
    options: { readonly latencyOneIn: number; readonly stopOnError: boolean },
  ) {
    this.#device = device;
    this.#plan = plan;
    this.#clock = clock;
    this.#latencyOneIn = options.latencyOneIn;
    this.#stopOnError = options.stopOnError;
    this.#generations = new Uint32Array(plan.verify ? plan.range.units : 0);
  }

  /** Runs the test. Rejects only if the device's server is gone. */
  async run(): Promise<TestResult> {
    const begin = await this.#clock();
    for (const pass of this.#plan.passes) {
      if (!this.#stopped) await this.#pass(pass()[Symbol.iterator]());
    }
    return {
      name: this.#plan.name,
      requests: this.#requests,
      readBytes: this.#readBytes,
      writtenBytes: this.#writtenBytes,
      durationUs: (await this.#clock()) - begin,
      latencies: this.#latencies.percentiles(),
      errors: this.#errors,
      problems: this.#problems,
    };
  }

  get #stopped(): boolean {
    return this.#stopOnError && this.#errors > 0;
  }

  /** Several lanes take the requests of one pass, each one after the other. */
  async #pass(requests: Iterator<TestRequest>): Promise<void> {
    await inLanes(this.#plan.underWayMax, async () => {
      while (!this.#stopped) {
        const next = requests.next();
        if (next.done === true) return;
        await this.#request(next.value);
      }
    });
  }

  async #request(request: TestRequest): Promise<void> {
    const measured = this.#requests++ % this.#latencyOneIn === 0;
    const begin = measured ? await this.#clock() : 0;
    try {
      await (this.#plan.verify ? this.#alone(request) : this.#perform(request));
    } catch (error) {
      if (!(error instanceof RpcError) || hasCode(error, 'PeerGone')) throw error;
      const { operation, first, count } = request;
      this.#problem(`${operation} of ${count} blocks from ${first} on: ${error.message}`);
    }
    if (measured) this.#latencies.add((await this.#clock()) - begin);
  }

  /** Waits for requests to the same place, so that it is certain what has to be there. */
  async #alone(request: TestRequest): Promise<void> {
    if (request.operation === 'sync') return this.#perform(request);
    const unit = this.#unitOf(request);
    for (let other = this.#busy.get(unit); other !== undefined; other = this.#busy.get(unit)) await other;
    const work = this.#perform(request);
    const quiet = work.catch(() => {});
    this.#busy.set(unit, quiet);
    try {
      await work;
    } finally {
      if (this.#busy.get(unit) === quiet) this.#busy.delete(unit);
    }
  }

  async #perform({ operation, first, count }: TestRequest): Promise<void> {
    const device = this.#device;
    const { blockSize } = device.info;
    switch (operation) {
      case 'read':
        await device.readWith(first, count, (payload) => this.#check(payload, first));
        this.#readBytes += count * blockSize;
        return;
      case 'write':
        await this.#write(first, count);
        this.#writtenBytes += count * blockSize;
        return;
      case 'sync':
        return device.sync();
      case 'trim':
        return device.trim(first, count);
      case 'zeroes':
        return device.writeZeroes(first, count);
    }
  }

  async #write(first: number, count: number): Promise<void> {
    const { verify } = this.#plan;
    const { blockSize } = this.#device.info;
    if (!verify) return this.#device.writeWith(first, count, (payload) => void payload.fill(first));
    const unit = this.#unitOf({ operation: 'write', first, count });
    const generation = (this.#generations[unit] ?? 0) + 1;
    // Until the write has succeeded nobody knows what is there.
    this.#generations[unit] = 0;
    await this.#device.writeWith(first, count, (payload) =>
      fillPattern(payload, first, blockSize, SEED, generation),
    );
    this.#generations[unit] = generation;
  }

  #check(payload: Uint8Array, first: number): void {
    if (!this.#plan.verify) return;
    const generation = this.#generations[this.#unitOf({ operation: 'read', first, count: 1 })] ?? 0;
    if (generation === 0) return;
    const problem = patternProblem(payload.slice(), first, this.#device.info.blockSize, SEED, generation);
    if (problem !== undefined) this.#problem(problem);
  }

  #unitOf({ first }: TestRequest): number {
    const { range } = this.#plan;
    return (first - range.first) / range.unit;
  }

  #problem(text: string): void {
    this.#errors++;
    if (this.#problems.length < PROBLEMS_TOLD_MAX) this.#problems.push(text);
  }
}
