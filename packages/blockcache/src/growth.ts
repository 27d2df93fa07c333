/**
 * Follows the quota: a cache without a fixed size asks its parent for more RAM when it is full, and
 * any cache gives some back when the parent asks for it. One request stands at a time, as long as
 * the parent takes; who has just given something back does not ask for a while.
 */
import { type Env, hasCode } from '@ginit/core';
import type { Resources } from '@ginit/core/system';

/** The memory of the cache, as far as growing is concerned. */
interface Growing {
  readonly bytes: number;
  readonly granuleBytes: number;
  whole(bytes: number): number;
  grow(bytes: number, pieces: number): Promise<void>;
  shrink(bytes: number): Promise<number>;
}

type GrowthEnv = Pick<Env, 'quota' | 'requestResources' | 'timer' | 'warning'>;

/** The part of its size for which a full cache asks. */
const STEP_PART = 1 / 4;
const STEP_BYTES_MIN = 64 * 1024;
/** After it has given memory back the cache does not ask for more for so long. */
const MODESTY_MS = 60_000;
/** This part of the free quota, and no less, stays for needs of sessions beyond their donations. */
const RESERVE_PART = 16;
const RESERVE_BYTES_MIN = 64 * 1024;

/** What of so much free quota the cache may use. */
export function usable(bytes: number): number {
  return bytes - Math.max(RESERVE_BYTES_MIN, Math.floor(bytes / RESERVE_PART));
}

export async function freeBytes(env: Pick<Env, 'quota'>): Promise<number> {
  const { ramQuota, ramUsed } = await env.quota();
  return ramQuota - ramUsed;
}

export class Growth {
  /** Whether the cache may ask for more. */
  wanted: boolean;
  readonly #env: GrowthEnv;
  readonly #memory: Growing;
  readonly #bytesMax: number;
  #asking = false;
  #modest = false;

  /** `bytesMax` is the size of the device: a larger cache is of no use. */
  constructor(env: GrowthEnv, memory: Growing, bytesMax: number, wanted: boolean) {
    this.#env = env;
    this.#memory = memory;
    this.#bytesMax = bytesMax;
    this.wanted = wanted;
  }

  /** The cache is full, and something has to go. */
  full(): void {
    if (!this.wanted || this.#asking || this.#modest || this.#memory.bytes >= this.#bytesMax) return;
    this.#asking = true;
    this.#ask().then(
      () => (this.#asking = false),
      // Nobody answers any more: the parent ends, and so does the component.
      (error: unknown) => {
        if (!hasCode(error, 'PeerGone')) void this.#env.warning(`cannot grow: ${String(error)}`);
      },
    );
  }

  /** The parent wants some memory back. */
  async yield({ ram }: Resources): Promise<void> {
    if (ram <= 0) return;
    this.#modest = true;
    this.#env.timer.after(MODESTY_MS, () => (this.#modest = false));
    await this.#memory.shrink(ram);
  }

  async #ask(): Promise<void> {
    const { bytes, granuleBytes } = this.#memory;
    const step = Math.max(STEP_BYTES_MIN, granuleBytes, this.#memory.whole(bytes * STEP_PART));
    const ram = Math.min(step, Math.max(granuleBytes, this.#bytesMax - bytes));
    const before = await freeBytes(this.#env);
    await this.#env.requestResources({ ram });
    const more = (await freeBytes(this.#env)) - before;
    try {
      await this.#memory.grow(Math.min(more, ram), 1);
    } catch (error) {
      // Sessions may have taken it, or there are no capabilities for more dataspaces.
      if (hasCode(error, 'OUT_OF_RAM')) return;
      if (!hasCode(error, 'OUT_OF_CAPS')) throw error;
      this.wanted = false;
    }
  }
}
