/**
 * A finding of a checker. `harmless`: space is lost, or a summary is wrong, as after a power
 * failure; nothing that somebody stored is in danger. `damage`: contents are lost or in danger.
 */
export interface Finding {
  readonly kind: 'harmless' | 'damage';
  /** The structure and its place, and what is wrong with it. */
  readonly text: string;
}

/** The result of a check. */
export interface CheckReport {
  /** The format, as a config names it. */
  readonly type: string;
  readonly findings: readonly Finding[];
  /** The number of findings that were left out at the end. */
  readonly leftOut: number;
  readonly files: number;
  readonly directories: number;
}

/** The result of a repair: what was found at first, and what is left. */
export interface RepairReport {
  readonly before: CheckReport;
  readonly after: CheckReport;
}

/** The most findings that a report has: an image may be wrong everywhere. */
export const FINDINGS_MAX = 1000;

/** Collects what a checker finds. */
export class Findings {
  readonly list: Finding[] = [];
  leftOut = 0;
  files = 0;
  directories = 0;

  harmless(text: string): void {
    this.#add({ kind: 'harmless', text });
  }

  damage(text: string): void {
    this.#add({ kind: 'damage', text });
  }

  report(type: string): CheckReport {
    const { list, leftOut, files, directories } = this;
    return { type, findings: list, leftOut, files, directories };
  }

  #add(finding: Finding): void {
    if (this.list.length < FINDINGS_MAX) this.list.push(finding);
    else this.leftOut += 1;
  }
}
