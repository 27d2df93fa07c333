/** The faults that a config asks for. All sessions share them: requests are counted over all. */
import type { BlockErrorCode } from '@ginit/core/block';
import { Random } from '../lib/random.ts';
import { type FaultRequest, FaultTrigger } from './fault-trigger.ts';
import { Reordering } from './reordering.ts';
import { type FaultBlockConfig, STUCK_MAX } from './schema.ts';

/** What happens to a request before it is carried out. */
export interface Fate {
  readonly delayMs: number;
  /** The error with which it ends instead. */
  readonly error: BlockErrorCode | undefined;
  readonly stuck: boolean;
  /** The share of a write that is carried out before it fails; `undefined`: it does not fail so. */
  readonly tornShare: number | undefined;
  /** Whether a SYNC is answered without being carried out. */
  readonly lost: boolean;
}

/** What faults need of the component. */
export interface FaultWorld {
  sleep(ms: number): Promise<void>;
  /** Told of every fault that strikes. */
  struck(text: string): void;
  /** The power goes. Settles when it is off. */
  powerCut(): Promise<void>;
}

/** A fault of one kind, with its own conditions. */
interface Armed<Details> {
  readonly trigger: FaultTrigger;
  readonly random: Random;
  readonly details: Details;
}

/** The faults. */
export class Faults {
  readonly #world: FaultWorld;
  readonly #delays: readonly Armed<{ readonly min_ms: number; readonly max_ms: number }>[];
  readonly #errors: readonly Armed<{ readonly code: BlockErrorCode }>[];
  readonly #torn: readonly Armed<unknown>[];
  readonly #lost: readonly Armed<unknown>[];
  readonly #stuckBy: readonly Armed<unknown>[];
  readonly #reordering: Reordering | undefined;
  readonly #cutAfter: number;
  readonly #counts = new Map<string, number>();
  #requests = 0;
  #stuck = 0;
  #cut: Promise<void> | undefined;

  constructor(config: FaultBlockConfig, world: FaultWorld) {
    const { seed, $children: children } = config;
    this.#world = world;
    const armed = <Details extends ConstructorParameters<typeof FaultTrigger>[0]>(
      name: string,
      list: readonly Details[],
    ): Armed<Details>[] =>
      list.map((details, index) => ({
        trigger: new FaultTrigger(details, new Random(seed, `${name} ${index} strikes`)),
        random: new Random(seed, `${name} ${index}`),
        details,
      }));
    this.#delays = armed('delay', children.delay);
    this.#errors = armed('error', children.error);
    this.#torn = armed('torn-write', children['torn-write']);
    this.#lost = armed('lost-sync', children['lost-sync']);
    this.#stuckBy = armed('stuck', children.stuck);
    const { reorder, 'power-cut': cut } = children;
    const sleep = (ms: number): Promise<void> => world.sleep(ms);
    this.#reordering =
      reorder &&
      new Reordering(
        { window: reorder.window, holdMs: reorder.hold_ms, order: reorder.order },
        new Random(seed, 'reorder'),
        sleep,
      );
    this.#cutAfter = cut?.after ?? Infinity;
  }

  /** How often each kind of fault has struck, for the log. */
  get summary(): string {
    const parts = [...this.#counts].map(([what, count]) => `${what}: ${count}`);
    return parts.length === 0 ? 'no fault has struck' : parts.join(', ');
  }

  /** What is to happen to a request. It is asked once for each, in the order in which they come. */
  fateOf(request: FaultRequest): Fate {
    this.#requests++;
    let delayMs = 0;
    for (const { trigger, random, details } of this.#delays) {
      if (!trigger.strikes(request)) continue;
      const { min_ms: minMs, max_ms: maxMs } = details;
      const drawnMs = minMs + random.below(Math.max(0, maxMs - minMs) + 1);
      delayMs += drawnMs;
      this.#note('delays', request, `begins ${drawnMs} ms later`);
    }
    let error: BlockErrorCode | undefined;
    for (const { trigger, details } of this.#errors) {
      if (!trigger.strikes(request)) continue;
      error = details.code;
      this.#note('errors', request, `fails with ${details.code}`);
    }
    const canStick = error === undefined && this.#stuck < STUCK_MAX;
    const stuck = striking(this.#stuckBy, request, canStick) !== undefined;
    if (stuck) {
      this.#stuck++;
      this.#note('stuck', request, 'is not answered');
    }
    const carriedOut = error === undefined && !stuck;
    const torn = request.operation === 'write' ? striking(this.#torn, request, carriedOut) : undefined;
    if (torn) this.#note('torn writes', request, 'is carried out in part');
    const tornShare = torn && torn.random.below(1000) / 1000;
    const lost = request.operation === 'sync' && striking(this.#lost, request, carriedOut) !== undefined;
    if (lost) this.#note('lost SYNCs', request, 'is answered and not carried out');
    return { delayMs, error, stuck, tornShare, lost };
  }

  /** A stuck request has ended. */
  unstuck(): void {
    this.#stuck--;
  }

  /** Holds a request back, if requests are to be reordered. */
  gate(): Promise<void> | undefined {
    return this.#reordering?.pass();
  }

  /** Lets go what is held back. */
  release(): void {
    this.#reordering?.release();
  }

  sleep(ms: number): Promise<void> {
    return this.#world.sleep(ms);
  }

  /** Cuts the power when its time has come; settles at once before that. */
  powerCutBefore(): Promise<void> | undefined {
    if (this.#requests <= this.#cutAfter) return undefined;
    this.#cut ??= this.#world.powerCut();
    return this.#cut;
  }

  #note(what: string, { operation, first, count }: FaultRequest, fault: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
    const range = operation === 'sync' ? '' : ` of ${count} blocks from ${first} on`;
    this.#world.struck(`request ${this.#requests}, ${operation}${range}, ${fault}`);
  }
}

/** The first of them that strikes. Each is asked, so that none changes the fate of another. */
function striking(
  faults: readonly Armed<unknown>[],
  request: FaultRequest,
  open: boolean,
): Armed<unknown> | undefined {
  let first: Armed<unknown> | undefined;
  for (const fault of faults) if (fault.trigger.strikes(request, open)) first ??= fault;
  return first;
}
