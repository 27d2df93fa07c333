/**
 * Tables of one cluster each that are kept in memory: L2 tables, or refcount blocks. Those that
 * have changed stay until they are written back; of the others the ones used last stay.
 */

/** A table in memory. */
export interface CachedTable {
  readonly key: number;
  readonly view: DataView;
  /** Whether it differs from what the file has. */
  dirty: boolean;
  /** Users that are about to change it; it stays while there are any. */
  pins: number;
}

/** A cache of tables by a number. */
export class TableCache {
  readonly #tables = new Map<number, CachedTable>();
  readonly #loading = new Map<number, Promise<CachedTable>>();
  readonly #tableBytes: number;
  readonly #tablesMax: number;
  readonly #read: (key: number, into: Uint8Array) => Promise<void>;
  #dirty = 0;

  /** `read` fills a table that is not in memory. */
  constructor(tableBytes: number, tablesMax: number, read: (key: number, into: Uint8Array) => Promise<void>) {
    this.#tableBytes = tableBytes;
    this.#tablesMax = tablesMax;
    this.#read = read;
  }

  /** The number of tables that have changed. */
  get dirtyTables(): number {
    return this.#dirty;
  }

  /** Whether so many tables have changed that they should be written back. */
  get isCrowded(): boolean {
    return this.#dirty * 2 >= this.#tablesMax;
  }

  /** The table, if it is in memory. */
  peek(key: number): CachedTable | undefined {
    return this.#tables.get(key);
  }

  /** The table, which is read if it is not in memory. */
  load(key: number): Promise<CachedTable> | CachedTable {
    const table = this.#tables.get(key);
    if (table !== undefined) {
      // The order of the map is the order of use.
      this.#tables.delete(key);
      this.#tables.set(key, table);
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
      if (this.#tables.get(key) !== table) continue;
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
    if (table.dirty) return;
    table.dirty = true;
    this.#dirty++;
  }

  /** Notes that a table is as the file has it, or will have it. */
  clean(table: CachedTable): void {
    if (!table.dirty) return;
    table.dirty = false;
    this.#dirty--;
  }

  /** The tables that have changed, in the order of their numbers. */
  dirtyOnes(): CachedTable[] {
    const changed = [...this.#tables.values()].filter(({ dirty }) => dirty);
    return changed.toSorted((one, other) => one.key - other.key);
  }

  /** Forgets all tables, changed or not. */
  clear(): void {
    this.#tables.clear();
    this.#dirty = 0;
  }

  async #fill(key: number): Promise<CachedTable> {
    const bytes = new Uint8Array(this.#tableBytes);
    await this.#read(key, bytes);
    // Somebody may have put an empty one in meanwhile.
    return this.#tables.get(key) ?? this.#put(key, bytes);
  }

  #put(key: number, bytes: Uint8Array): CachedTable {
    const table = { key, view: new DataView(bytes.buffer), dirty: false, pins: 0 };
    this.#tables.set(key, table);
    this.#shrink();
    return table;
  }

  /** Lets go of tables, but never of the one that has come last. */
  #shrink(): void {
    let excess = this.#tables.size - this.#tablesMax;
    let left = this.#tables.size;
    for (const [key, { dirty, pins }] of this.#tables) {
      if (excess <= 0 || --left === 0) return;
      if (dirty || pins > 0) continue;
      this.#tables.delete(key);
      excess--;
    }
  }
}
