/** What a check of an image has found. */
const PROBLEMS_LISTED_MAX = 20;

/** The result of a check. */
export interface ImageCheck {
  /** What is wrong, each in a line; only the first ones are listed. */
  readonly problems: readonly string[];
  readonly problemCount: number;
  /** Clusters or blocks that nothing uses and that are not free: space that is lost, no more. */
  readonly leaks: number;
  /** Whether `repair` may help. */
  readonly repairable: boolean;
  /** The bytes of the disk that the image holds itself. */
  readonly dataBytes: number;
}

/** Collects what is wrong. */
export class Problems {
  readonly list: string[] = [];
  count = 0;

  add(text: string): void {
    this.count++;
    if (this.list.length < PROBLEMS_LISTED_MAX) this.list.push(text);
  }
}
