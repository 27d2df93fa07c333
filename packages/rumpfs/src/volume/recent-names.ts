/** More names are not remembered before all of them are made durable: some 100 KiB. */
const NAMES_MAX = 1024;

/** Where a name is: the buffer that holds it, and the directory. */
interface RecentName {
  readonly block: number;
  /** The directory's number. */
  readonly within: number;
}

/**
 * The newest name of each node that got one since everything was durable, by the node's number:
 * nodes leave memory and come back, while their names may still have to reach the device. With a
 * log there are none, because there a name and its removal become durable together.
 */
export class RecentNames {
  #names = new Map<number, RecentName>();
  /** Those that are being made durable. */
  #settling: Map<number, RecentName> | undefined = undefined;

  /** Whether there is no room for one more: then `settle` must be called. */
  get full(): boolean {
    return this.#names.size >= NAMES_MAX;
  }

  note(id: number, block: number, within: number): void {
    this.#names.set(id, { block, within });
  }

  /** The buffers with the newest name of a node, and of the directories that lead there. */
  *blocksOf(id: number): Generator<number> {
    // A number may be that of another node by now, so a way that never ends is cut off.
    let steps = this.#names.size + (this.#settling?.size ?? 0);
    for (let name = this.#find(id); name !== undefined && steps > 0; name = this.#find(name.within)) {
      yield name.block;
      steps -= 1;
    }
  }

  /** Forgets the names that there are now, once `flush` has made them durable. */
  async settle(flush: () => Promise<void>): Promise<void> {
    if (this.#settling !== undefined) return flush();
    const settling = this.#names;
    this.#settling = settling;
    this.#names = new Map();
    try {
      await flush();
    } catch (error) {
      for (const [id, name] of this.#names) settling.set(id, name);
      this.#names = settling;
      throw error;
    } finally {
      this.#settling = undefined;
    }
  }

  #find(id: number): RecentName | undefined {
    return this.#names.get(id) ?? this.#settling?.get(id);
  }
}
