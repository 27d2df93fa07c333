import type { StatusEntry } from '@ginit/core/file_system';
import { ERRNO, Refused } from './errno.ts';
import type { Node } from './nodes.ts';

/** An open file. */
export interface OpenedFile {
  readonly kind: 'file';
  readonly node: Node;
  readonly writeable: boolean;
  /** Of a file without a size, its own: whoever waits for the file is woken when it is closed. */
  readonly handle: number | undefined;
}

/** An open directory, whose entries are read in batches. */
export interface OpenedDirectory {
  readonly kind: 'directory';
  readonly node: Node;
  /** None if the directory had been removed: then there is nothing in it. */
  readonly handle: number | undefined;
  /** Entries that were read and not yet told, and the number of the first of them. */
  entries: readonly StatusEntry[];
  first: number;
  /** The count of changes when they were read. */
  readAt: number;
}

/** What is open. */
export type Opened = OpenedFile | OpenedDirectory;

/** The files and directories that the kernel has open, by numbers. */
export class OpenThings {
  readonly #opened = new Map<number, Opened>();
  #next = 1;

  add(opened: Opened): number {
    const number = this.#next++;
    this.#opened.set(number, opened);
    opened.node.opens++;
    return number;
  }

  /** Throws EBADF. */
  file(number: number): OpenedFile {
    const opened = this.#opened.get(number);
    if (opened?.kind !== 'file') throw new Refused(ERRNO.EBADF);
    return opened;
  }

  /** Throws EBADF. */
  directory(number: number): OpenedDirectory {
    const opened = this.#opened.get(number);
    if (opened?.kind !== 'directory') throw new Refused(ERRNO.EBADF);
    return opened;
  }

  /** Takes one out, to be closed by the caller. */
  remove(number: number): Opened | undefined {
    const opened = this.#opened.get(number);
    if (opened === undefined) return undefined;
    this.#opened.delete(number);
    opened.node.opens--;
    return opened;
  }
}
