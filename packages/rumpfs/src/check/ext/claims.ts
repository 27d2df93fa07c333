import type { Geometry } from './geometry.ts';

const PAGE_BYTES = 4096;
/** The most clusters with several owners that are looked into. */
const SHARED_MAX = 10_000;

/** Bits by number; only the parts in which some are set take memory. */
export class PagedBits {
  readonly #pages = new Map<number, Uint8Array>();

  get(index: number): boolean {
    const byte = Math.floor(index / 8);
    const page = this.#pages.get(Math.floor(byte / PAGE_BYTES));
    return page !== undefined && ((page[byte % PAGE_BYTES] ?? 0) & (1 << (index % 8))) !== 0;
  }

  /** Whether it was clear before. */
  set(index: number): boolean {
    const byte = Math.floor(index / 8);
    const number = Math.floor(byte / PAGE_BYTES);
    let page = this.#pages.get(number);
    if (page === undefined) {
      page = new Uint8Array(PAGE_BYTES);
      this.#pages.set(number, page);
    }
    const old = page[byte % PAGE_BYTES] ?? 0;
    page[byte % PAGE_BYTES] = old | (1 << (index % 8));
    return (old & (1 << (index % 8))) === 0;
  }

  /** The byte with the bits from `8 * index` on. */
  byte(index: number): number {
    return this.#pages.get(Math.floor(index / PAGE_BYTES))?.[index % PAGE_BYTES] ?? 0;
  }
}

/** Who has which cluster: each may be had once. */
export class Claims {
  readonly used = new PagedBits();
  /** Clusters that more than one has. */
  readonly shared = new Set<number>();
  readonly #structures = new PagedBits();
  readonly #geometry: Geometry;

  constructor(geometry: Geometry) {
    this.#geometry = geometry;
  }

  /** Takes blocks of the file system itself. */
  takeStructure(first: number, count: number): void {
    const { ratio } = this.#geometry;
    const end = this.#geometry.clusterOf(first + count - 1);
    for (let cluster = Math.max(0, this.#geometry.clusterOf(first)); cluster <= end; cluster += 1) {
      this.used.set(cluster);
      this.#structures.set(cluster);
    }
    // Without clusters the boot block has no bit; with clusters it shares the first one.
    if (ratio > 1 && first === 1) this.used.set(0);
  }

  isStructure(block: number): boolean {
    return this.#structures.get(this.#geometry.clusterOf(block));
  }

  /** Takes the cluster of a block for a file. False where somebody has it. */
  take(block: number): boolean {
    const cluster = this.#geometry.clusterOf(block);
    if (this.used.set(cluster)) return true;
    if (this.shared.size < SHARED_MAX) this.shared.add(cluster);
    return false;
  }
}
