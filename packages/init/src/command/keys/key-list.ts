/**
 * The list of those whom the bus lets in: public keys, each with a name for people if it has one.
 * In a file each line is `NAME KEY` or `KEY`; `#` begins a comment. On a command line the words are
 * `NAME=KEY` or `KEY`.
 */
import { readFileSync } from 'node:fs';
import { isPublicKey } from '@ginit/core/nats';
import { systemReason } from '../system-reason.ts';

const NAME = /^[A-Za-z0-9_.-]{1,64}$/;
/** A list is a few hundred bytes for each key; a longer file is another one. */
const FILE_BYTES_MAX = 16 * 1024 * 1024;
const LINES_TOLD_MAX = 20;

/** Keys in their order, and the names of those that have one. */
export class KeyList {
  readonly #names = new Map<string, string>();
  readonly #places = new Map<string, string>();
  readonly problems: string[] = [];

  get keys(): readonly string[] {
    return [...this.#places.keys()];
  }

  get names(): ReadonlyMap<string, string> {
    return this.#names;
  }

  /** Adds a word of the command line. */
  addWord(word: string): void {
    const [name, key] = word.includes('=') ? word.split('=', 2) : [undefined, word];
    this.#add(name, key ?? '', `"${word}"`);
  }

  /** Adds the lines of a file. */
  addFile(file: string): void {
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch (error) {
      this.problems.push(`cannot read ${file}: ${systemReason(error)}`);
      return;
    }
    if (text.length > FILE_BYTES_MAX) {
      this.problems.push(`${file} is no list of keys: it is too long`);
      return;
    }
    for (const [index, line] of text.split(/\r?\n/).entries()) {
      if (this.problems.length >= LINES_TOLD_MAX) return;
      this.#addLine(line, `${file}:${index + 1}`);
    }
  }

  #addLine(line: string, place: string): void {
    const [content = ''] = line.split('#', 1);
    const words = content.trim().split(/\s+/);
    const column = content.length - content.trimStart().length + 1;
    const [first = '', second, extra] = words;
    if (first === '') return;
    if (extra !== undefined) this.problems.push(`${place}:${column}: more than a name and a key`);
    else if (second === undefined) this.#add(undefined, first, `${place}:${column}`);
    else this.#add(first, second, `${place}:${column}`);
  }

  #add(name: string | undefined, key: string, place: string): void {
    const former = this.#places.get(key);
    if (key.startsWith('S')) {
      this.problems.push(`${place}: this is a secret key; the list takes its public half (U...)`);
    } else if (!isPublicKey(key)) {
      this.problems.push(`${place}: "${key}" is not the public key of a node (U..., "ginit key show")`);
    } else if (name !== undefined && !NAME.test(name)) {
      this.problems.push(`${place}: a name has up to 64 letters, digits, ".", "_" and "-"`);
    } else if (former !== undefined) {
      this.problems.push(`${place}: this key is there already, at ${former}`);
    } else {
      this.#places.set(key, place);
      if (name !== undefined) this.#names.set(key, name);
    }
  }
}
