/**
 * Follows the best of the other policies. For a sample of the chunks, chosen by a hash of their
 * numbers, a small shadow directory of each policy says what it would have hit (a sample of chunks
 * behaves as the whole does, if its directory is as much smaller: C. Waldspurger et al., "Cache
 * Modeling and Optimization using Miniature Simulations", ATC 2017). Each other policy is compared
 * with the one that is used: what counts are the uses that one of the two has hit and the other has
 * not. If the difference is larger than chance would make it, the other policy takes over the
 * chunks, in the order in which they would have gone.
 */
import { hashOf } from '../directory/chunk-numbers.ts';
import type { FixedPolicyName, PolicyMemory, ReplacementPolicy } from './replacement-policy.ts';
import { Shadow } from './shadow.ts';

export type MakeFixed = (name: FixedPolicyName, memory: PolicyMemory) => ReplacementPolicy;

/**
 * The policies to choose from, the one to begin with first. SIEVE is not among them: where it is
 * the best one, S3-FIFO is a few hundredths of a point behind it, and its shadow would cost as much
 * as the others'.
 */
const CANDIDATES: readonly FixedPolicyName[] = ['lru', 'arc', 's3fifo', 'w-tinylfu'];
/** The least number of slots of a shadow, unless the cache has fewer; and the least part of it. */
const SHADOW_SLOTS_MIN = 512;
const SHADOW_PART_MIN = 1 / 256;
const HASHES = 2 ** 32;
const SAMPLE_SEED = 0x9e37_79b1;
/** It is looked after so many sampled uses whether another policy is better: a power of two. */
const CHECK_USES = 16;
/** The past fades so many times in the uses that a shadow has slots, by this part each time. */
const FADES = 8;
const FADE_PART = 1 / 128;
/** Another policy is better if it leads by so many uses, and by so many standard deviations. */
const LEAD_MIN = 8;
const DEVIATIONS_MIN = 3;

export class Auto implements ReplacementPolicy {
  readonly #memory: PolicyMemory;
  readonly #make: MakeFixed;
  /** The number of the policy that is used, among the candidates. */
  #used = 0;
  #policy: ReplacementPolicy;
  #shadows: readonly Shadow[] = [];
  #sampleMax = 0;
  /** Uses that each candidate has hit and the used policy has not, and the other way around. */
  readonly #better = new Float64Array(CANDIDATES.length);
  readonly #worse = new Float64Array(CANDIDATES.length);
  #uses = 0;
  #fadeUses = 0;
  #changes = 0;

  constructor(memory: PolicyMemory, make: MakeFixed) {
    this.#memory = memory;
    this.#make = make;
    this.#policy = make(this.chosen, memory);
    this.#makeShadows();
  }

  get chosen(): FixedPolicyName {
    return CANDIDATES[this.#used] ?? 'lru';
  }

  /** How often another policy has taken over. */
  get changes(): number {
    return this.#changes;
  }

  get byteLength(): number {
    return this.#shadows.reduce((sum, shadow) => sum + shadow.byteLength, this.#policy.byteLength);
  }

  get ghostHits(): number {
    return this.#policy.ghostHits;
  }

  hit(slot: number): void {
    this.#policy.hit(slot);
    this.#use(this.#memory.chunks[slot] ?? 0);
  }

  insert(slot: number, chunk: number): void {
    this.#policy.insert(slot, chunk);
    this.#use(chunk);
  }

  remove(slot: number): void {
    this.#policy.remove(slot);
  }

  evict(incoming: number, mayGo: (slot: number) => boolean): number {
    return this.#policy.evict(incoming, mayGo);
  }

  move(from: number, to: number): void {
    this.#policy.move(from, to);
  }

  adopt(slot: number): void {
    this.#policy.adopt(slot);
  }

  each(visit: (slot: number) => void): void {
    this.#policy.each(visit);
  }

  resized(): void {
    this.#policy.resized();
    this.#makeShadows();
  }

  #makeShadows(): void {
    const { slots, chunkCount } = this.#memory;
    const part = Math.min(1, Math.max(SHADOW_PART_MIN, SHADOW_SLOTS_MIN / slots));
    const shadowSlots = Math.ceil(slots * part);
    this.#sampleMax = part * HASHES;
    this.#fadeUses = Math.ceil(shadowSlots / FADES);
    this.#shadows = CANDIDATES.map(
      (name) => new Shadow((memory) => this.#make(name, memory), shadowSlots, chunkCount),
    );
    this.#forget();
  }

  #use(chunk: number): void {
    if (Math.imul(hashOf(chunk), SAMPLE_SEED) >>> 0 < this.#sampleMax) this.#sample(chunk);
  }

  #sample(chunk: number): void {
    let hits = 0;
    for (let at = 0; at < this.#shadows.length; at++) {
      if (this.#shadows[at]?.use(chunk) === true) hits |= 1 << at;
    }
    const hit = (hits >> this.#used) & 1;
    for (let at = 0; at < this.#shadows.length; at++) {
      const other = (hits >> at) & 1;
      if (other > hit) this.#better[at] = (this.#better[at] ?? 0) + 1;
      else if (other < hit) this.#worse[at] = (this.#worse[at] ?? 0) + 1;
    }
    this.#uses++;
    if (this.#uses % CHECK_USES === 0) this.#check();
  }

  #check(): void {
    let best = -1;
    let most = 0;
    for (let at = 0; at < this.#shadows.length; at++) {
      const [better, worse] = [this.#better[at] ?? 0, this.#worse[at] ?? 0];
      const lead = better - worse;
      if (lead < LEAD_MIN || lead <= DEVIATIONS_MIN * Math.sqrt(better + worse) || lead <= most) continue;
      best = at;
      most = lead;
    }
    if (this.#uses >= this.#fadeUses) this.#fade();
    if (best >= 0) this.#change(best);
  }

  #fade(): void {
    this.#uses = 0;
    for (let at = 0; at < this.#shadows.length; at++) {
      this.#better[at] = (this.#better[at] ?? 0) * (1 - FADE_PART);
      this.#worse[at] = (this.#worse[at] ?? 0) * (1 - FADE_PART);
    }
  }

  #change(to: number): void {
    const order: number[] = [];
    this.#policy.each((slot) => void order.push(slot));
    for (const slot of order) this.#memory.queues.remove(slot);
    this.#used = to;
    this.#changes++;
    this.#policy = this.#make(this.chosen, this.#memory);
    for (const slot of order) this.#policy.adopt(slot);
    this.#policy.resemble?.(this.#shadows[to]?.policy);
    this.#forget();
  }

  #forget(): void {
    this.#better.fill(0);
    this.#worse.fill(0);
    this.#uses = 0;
  }
}
