import type { BufferCache } from '../buffer/buffer-cache.ts';
import { FAT_END, FAT_FREE } from '../fat/fat-entry.ts';
import type { FreeMap } from '../fat/free-map.ts';
import type { FatTable } from './fat-table.ts';

/** The free clusters, which the FAT has. Those that are taken are a chain that nothing leads to. */
export class FreeClusters implements FreeMap {
  readonly #fat: FatTable;
  readonly #cache: BufferCache;

  constructor(fat: FatTable, cache: BufferCache) {
    this.#fat = fat;
    this.#cache = cache;
  }

  findFree(from: number): { readonly cluster: number; readonly searchedTo: number } {
    return this.#fat.findFree(from);
  }

  take(first: number, countMax: number): number {
    const fat = this.#fat;
    if (!fat.trySet(first, FAT_END)) return 0;
    let count = 1;
    while (count < countMax && first + count < fat.end && fat.get(first + count) === FAT_FREE) {
      if (!fat.trySet(first + count, FAT_END)) break;
      fat.trySet(first + count - 1, first + count);
      count += 1;
    }
    this.#cache.dataFirst();
    return count;
  }

  readMissing(): Promise<void> {
    return this.#fat.readMissing();
  }
}
