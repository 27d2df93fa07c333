import { FsError } from '../errors.ts';

const LINES_MAX = 16;

/** The contradictions to its format that a mounted file system has met. The first few are told. */
export class Complaints {
  readonly #formatName: string;
  readonly #console: (line: string) => void;
  #count = 0;

  constructor(formatName: string, console: (line: string) => void) {
    this.#formatName = formatName;
    this.#console = console;
  }

  get any(): boolean {
    return this.#count > 0;
  }

  /** The error for a structure that contradicts the format. */
  corrupt(what: string): FsError {
    this.#count += 1;
    const message = `${this.#formatName}: ${what}`;
    if (this.#count <= LINES_MAX) this.#console(message);
    return new FsError('Corrupt', message);
  }
}
