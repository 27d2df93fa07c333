/** What `npm run fs-campaign` asks of a test that can try any number of seeds. */
import { leftOut } from '../../../test/harness/long.ts';

/** How many seeds are tried, and from which on. */
export interface Campaign {
  readonly count: number;
  readonly seed: number;
}

/** Without a campaign the seeds are always the same. */
const USUAL_SEED = 20_261_130;

/** What is asked for; undefined if it is another campaign. Long runs of all tests try a few seeds. */
export function campaignOf(kind: string, type: string, usual: number): Campaign | undefined {
  const wanted = process.env['GINIT_CAMPAIGN'];
  if (wanted === undefined) return leftOut(true) ? undefined : { count: usual, seed: USUAL_SEED };
  if (wanted !== `${kind} ${type}`) return undefined;
  return {
    count: Number(process.env['GINIT_CAMPAIGN_COUNT'] ?? usual),
    seed: Number(process.env['GINIT_CAMPAIGN_SEED'] ?? USUAL_SEED),
  };
}

/** Tells a campaign's script how far it is, so that it notices if an image keeps the thread. */
export class Progress {
  readonly #title: string;
  readonly #end: number;
  #next: number;

  readonly #every: number;

  /** @param every a line comes after so many seeds */
  constructor(title: string, first: number, count: number, every = 250) {
    this.#every = every;
    this.#title = title;
    this.#end = first + count;
    this.#next = first;
  }

  at(seed: number, counts: object): void {
    if (seed < this.#next || process.env['GINIT_CAMPAIGN'] === undefined) return;
    this.#next = seed + this.#every;
    console.log(`${this.#title}: seed ${seed} of ${this.#end}: ${JSON.stringify(counts)}`);
  }

  end(counts: object): void {
    if (process.env['GINIT_CAMPAIGN'] !== undefined)
      console.log(`${this.#title}: done: ${JSON.stringify(counts)}`);
  }
}
