/** The nodes of the file system: directories by labels, and files. */
import type { ControlFile } from './control-files.ts';

/** A directory. */
export class TraceDirectory {
  readonly type = 'directory';
  readonly inode: number;
  readonly children = new Map<string, TraceNode>();

  constructor(inode: number) {
    this.inode = inode;
  }
}

/** A file, with what was written to it lately if that makes one content. */
export class TraceFile {
  readonly type = 'file';
  readonly inode: number;
  readonly file: ControlFile;
  #written = new Uint8Array(0);
  /** The content that a reader has begun to read: what it reads further on fits to that. */
  #shown: Uint8Array | undefined;

  constructor(inode: number, file: ControlFile) {
    this.inode = inode;
    this.file = file;
  }

  get sizeBytes(): number {
    return this.#look().length;
  }

  /** What was shown before is not shown to those who begin to read from now on. */
  refresh(): void {
    this.#shown = undefined;
  }

  /** Copies the content from `position` on; the result is how much. */
  read(position: number, into: Uint8Array): number {
    const shown = position === 0 ? this.#look() : (this.#shown ?? this.#look());
    const part = shown.subarray(position, position + into.length);
    into.set(part);
    return part.length;
  }

  #look(): Uint8Array {
    if (this.file.stable !== true || !this.#shown) this.#shown = this.file.read();
    return this.#shown;
  }

  /** What was written from the last truncation on, with this. */
  joined(position: number, bytes: Uint8Array): Uint8Array {
    if (this.file.whole !== true) return bytes.slice();
    const whole = new Uint8Array(Math.max(this.#written.length, position + bytes.length));
    whole.set(this.#written);
    whole.set(bytes, position);
    this.#written = whole;
    return whole;
  }

  /** Where something that is appended goes. */
  get writtenBytes(): number {
    return this.#written.length;
  }

  /** What is written from now on is another content. */
  truncate(): void {
    this.#written = new Uint8Array(0);
  }
}

/** A node. */
export type TraceNode = TraceDirectory | TraceFile;
