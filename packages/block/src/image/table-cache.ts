/**
 * Tables of one cluster each that are kept in memory: L2 tables, or refcount blocks. Those that
 * have changed stay until they are written back; of the others the ones used last stay. The two are
 * kept apart, so that what may go is found without a look at what must stay.
 */

/** A table in memory. */
export interface CachedTable {
  readonly key: number;
  readonly view: DataView;
  /** Users that are about to change it; it stays while there are any. */
  pins: number;
}

/** A cache of tables by a number. */
export class TableCache {
  /** Those that are as the file has them, in the order of their use. */
  readonly #clean = new Map<number, CachedTable>();
  /** Those that differ from what the file has. */
  readonly #dirty = new Map<number, CachedTable>();
  readonly #loading = new Map<number, Promise<CachedTable>>();
  readonly #tableBytes: number;
  readonly #tablesMax: number;
  readonly #read: (key: number, into: Uint8Array) => Promise<void>;

  /** `read` fills a table that is not in memory. */
  constructor(tableBytes: number, tablesMax: number, read: (key: number, into: Uint8Array) => Promise<void>) {
    this.#tableBytes = tableBytes;
    this.#tablesMax = tablesMax;
    this.#read = read;
  }

  /** The number of tables that have changed. */
  get dirtyTables(): number {
    return this.#dirty.size;
  }

  /** Whether so many tables have changed that they should be written back. */
  get isCrowded(): boolean {
    return this.#dirty.size * 2 >= this.#tablesMax;
  }

  /** The table, if it is in memory. */
  peek(key: number): CachedTable | undefined {
    return this.#dirty.get(key) ?? this.#clean.get(key);
  }

  /** The table, which is read if it is not in memory. */
  load(key: number): Promise<CachedTable> | CachedTable {
    const changed = this.#dirty.get(key);
    if (changed !== undefined) return changed;
    const table = this.#clean.get(key);
    if (table !== undefined) {
      // The order of the map is the order of use.
      this.#clean.delete(key);
      this.#clean.set(key, table);
      return table;
    }
    const under = this.#loading.get(key);
    if (under !== undefined) return under;
    const loading = this.#fill(key).finally(() => this.#loading.delete(key));
    this.#loading.set(key, loading);
    return loading;
  }

  /** The table, which stays in memory until the caller takes one off its `pins`. */
  async pin(key: number): Promise<CachedTable> {
    for (;;) {
      const table = await this.load(key);
      // It may have had to go since it was read.
      if (this.peek(key) !== table) continue;
      table.pins++;
      return table;
    }
  }

  /** Puts an empty table in, which the file does not have. */
  add(key: number): CachedTable {
    const table = this.#put(key, new Uint8Array(this.#tableBytes));
    this.touch(table);
    return table;
  }

  /** Notes that a table changes. */
  touch(table: CachedTable): void {
    this.#clean.delete(table.key);
    this.#dirty.set(table.key, table);
  }

  /** Notes that a table is as the file has it, or will have it. */
  clean(table: CachedTable): void {
    if (this.#dirty.delete(table.key)) this.#clean.set(table.key, table);
  }

  /** The tables that have changed, in the order of their numbers. */
  dirtyOnes(): CachedTable[] {
    return [...this.#dirty.values()].toSorted((one, other) => one.key - other.key);
  }

  /** Forgets all tables, changed or not. */
  clear(): void {
    this.#clean.clear();
    this.#dirty.clear();
  }

  async #fill(key: number): Promise<CachedTable> {
    const bytes = new Uint8Array(this.#tableBytes);
    await this.#read(key, bytes);
    // Somebody may have put an empty one in meanwhile.
    return this.peek(key) ?? this.#put(key, bytes);
  }

  #put(key: number, bytes: Uint8Array): CachedTable {
    const table = { key, view: new DataView(bytes.buffer), pins: 0 };
    this.#clean.set(key, table);
    this.#shrink();
    return table;
  }

  /** Lets go of tables, but never of the one that has come last. */
  #shrink(): void {
    let excess = this.#clean.size + this.#dirty.size - this.#tablesMax;
    let left = this.#clean.size;
    for (const [key, { pins }] of this.#clean) {
      if (excess <= 0 || --left === 0) return;
      if (pins > 0) continue;
      this.#clean.delete(key);
      excess--;
    }
  }
}
