/** What an index of a directory can do, of whatever kind. */
export interface MadeIndex {
  /** Whether it is complete and has not lost its memory. */
  readonly usable: boolean;
  /** Says that all of the directory was added. */
  complete(): void;
  /** Says that it was used. */
  touch(): void;
  /** Gives up its memory. */
  drop(): void;
}

/**
 * The index of one directory, which is made when it is first asked for, and again when it has lost
 * its memory. One that once did not fit is not tried again.
 */
export class LazyIndex<Index extends MadeIndex> {
  readonly #make: () => Index;
  readonly #fill: (index: Index) => Promise<boolean>;
  #index: Index | undefined = undefined;
  #building: Promise<void> | undefined = undefined;
  #tooLarge = false;

  /** @param fill adds all of the directory; false where there was no memory for it */
  constructor(make: () => Index, fill: (index: Index) => Promise<boolean>) {
    this.#make = make;
    this.#fill = fill;
  }

  /** The index that changes are to be noted in, if there is one. */
  get made(): Index | undefined {
    return this.#index;
  }

  /** The index; undefined without memory for it. Rejects when the directory cannot be read. */
  async use(): Promise<Index | undefined> {
    const ready = this.#ready();
    if (ready !== undefined || this.#tooLarge) return ready;
    this.#building ??= this.#build();
    try {
      await this.#building;
    } finally {
      this.#building = undefined;
    }
    return this.#ready();
  }

  drop(): void {
    this.#index?.drop();
    this.#index = undefined;
  }

  #ready(): Index | undefined {
    if (this.#index?.usable !== true) return undefined;
    this.#index.touch();
    return this.#index;
  }

  async #build(): Promise<void> {
    const index = this.#make();
    this.#index = undefined;
    let fits: boolean;
    try {
      fits = await this.#fill(index);
    } catch (error) {
      index.drop();
      throw error;
    }
    if (!fits) {
      this.#tooLarge = true;
      return;
    }
    index.complete();
    this.#index = index;
  }
}
