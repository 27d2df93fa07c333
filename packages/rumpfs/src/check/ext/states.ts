import type { Kind } from './inode.ts';

const PAGE_INODES = 1024;
const KINDS: readonly Kind[] = ['free', 'file', 'directory', 'symlink', 'device', 'other', 'wrong'];

interface Page {
  readonly kinds: Uint8Array;
  /** The entry type, by which directories name it. */
  readonly types: Uint8Array;
  readonly said: Uint16Array;
  readonly counted: Uint32Array;
}

/** What is known of each inode in use; parts of the tables without any take no memory. */
export class InodeStates {
  readonly #pages = new Map<number, Page>();

  /** Notes an inode in use. */
  set(id: number, kind: Kind, entryType: number, links: number): void {
    const page = this.#page(id);
    page.kinds[id % PAGE_INODES] = KINDS.indexOf(kind) + 1;
    page.types[id % PAGE_INODES] = entryType;
    page.said[id % PAGE_INODES] = links;
  }

  /** Undefined for one that is not in use. */
  kind(id: number): Kind | undefined {
    return KINDS[(this.#pages.get(Math.floor(id / PAGE_INODES))?.kinds[id % PAGE_INODES] ?? 0) - 1];
  }

  entryType(id: number): number {
    return this.#pages.get(Math.floor(id / PAGE_INODES))?.types[id % PAGE_INODES] ?? 0;
  }

  /** The links that the inode says it has. */
  said(id: number): number {
    return this.#pages.get(Math.floor(id / PAGE_INODES))?.said[id % PAGE_INODES] ?? 0;
  }

  /** The entries that were found to lead to it. */
  counted(id: number): number {
    return this.#pages.get(Math.floor(id / PAGE_INODES))?.counted[id % PAGE_INODES] ?? 0;
  }

  count(id: number): void {
    const page = this.#page(id);
    page.counted[id % PAGE_INODES] = (page.counted[id % PAGE_INODES] ?? 0) + 1;
  }

  /** All inodes in use, in ascending order. */
  *used(): Generator<number> {
    for (const number of [...this.#pages.keys()].toSorted((one, other) => one - other)) {
      const page = this.#pages.get(number);
      for (const [index, kind] of (page?.kinds ?? []).entries())
        if (kind !== 0) yield number * PAGE_INODES + index;
    }
  }

  #page(id: number): Page {
    const number = Math.floor(id / PAGE_INODES);
    let page = this.#pages.get(number);
    if (page === undefined) {
      page = {
        kinds: new Uint8Array(PAGE_INODES),
        types: new Uint8Array(PAGE_INODES),
        said: new Uint16Array(PAGE_INODES),
        counted: new Uint32Array(PAGE_INODES),
      };
      this.#pages.set(number, page);
    }
    return page;
  }
}
