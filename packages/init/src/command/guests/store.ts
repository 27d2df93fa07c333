/**
 * Where fetched guests are: a directory of the user's, one for each guest, with a list of its files
 * and their hashes. A guest is there whole or not at all.
 */
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { isRecord } from '@ginit/core';
import { RECIPE } from './catalogue.ts';

const LIST = 'guest.json';
/** Begins the name of a directory for what is under way; the number of its process follows. */
const WORKPLACE = '.fetch-';
/** No fetch takes longer; a process of the same number is another one by then. */
const WORKPLACE_MS = 24 * 60 * 60 * 1000;

/** A guest as it was fetched. */
export interface StoredGuest {
  readonly directory: string;
  /** What it was made of: packages with their versions. */
  readonly packages: readonly string[];
  /** Its files, with their SHA-256. */
  readonly files: Readonly<Record<string, string>>;
}

/** What is at the place of a guest. */
export type GuestState =
  | { readonly state: 'absent' }
  | { readonly state: 'fetched'; readonly guest: StoredGuest }
  | { readonly state: 'damaged'; readonly reason: string };

/** The directory of all guests. */
export function guestsDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  const cache = environment['XDG_CACHE_HOME'];
  // As the specification of these directories says, a relative path counts as none.
  const base = cache?.startsWith('/') ? cache : join(homedir(), '.cache');
  return join(base, 'ginit', 'guests');
}

/** The guests of one directory. */
export class GuestStore {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /** Looks at a guest; its files are compared with their hashes. */
  look(name: string): GuestState {
    const directory = join(this.#root, name);
    let text: string;
    try {
      text = readFileSync(join(directory, LIST), 'utf8');
    } catch {
      return { state: 'absent' };
    }
    const list = readList(text);
    if (list === undefined) return { state: 'damaged', reason: `its ${LIST} cannot be read` };
    // An older recipe may lack what a newer ginit needs.
    if (list.recipe !== RECIPE) return { state: 'absent' };
    for (const [file, hash] of Object.entries(list.files)) {
      if (hashOf(join(directory, file)) !== hash)
        return { state: 'damaged', reason: `its file "${file}" has changed` };
    }
    return { state: 'fetched', guest: { directory, packages: list.packages, files: list.files } };
  }

  /** A directory beside the guests, for what is under way. */
  workplace(): string {
    return makeWorkplace(this.#root);
  }

  /** Puts a guest in place, in one step. */
  keep(name: string, packages: readonly string[], files: Readonly<Record<string, Uint8Array>>): StoredGuest {
    const made = this.workplace();
    try {
      return this.#keep(made, name, packages, files);
    } finally {
      removeWorkplace(made);
    }
  }

  #keep(
    made: string,
    name: string,
    packages: readonly string[],
    files: Readonly<Record<string, Uint8Array>>,
  ): StoredGuest {
    const hashes: Record<string, string> = {};
    for (const [file, content] of Object.entries(files)) {
      writeFileSync(join(made, file), content);
      hashes[file] = sha256(content);
    }
    writeFileSync(
      join(made, LIST),
      `${JSON.stringify({ recipe: RECIPE, packages, files: hashes }, null, 2)}\n`,
    );
    const directory = join(this.#root, name);
    rmSync(directory, { recursive: true, force: true });
    renameSync(made, directory);
    return { directory, packages, files: hashes };
  }
}

/**
 * Copies the files of a guest into a directory of its name. Nobody finds a half of one there: they
 * are moved to their places when all of them are whole.
 */
export function copyGuest({ directory, files }: StoredGuest, into: string): void {
  const names = Object.keys(files);
  const made = makeWorkplace(into);
  try {
    for (const file of names) copyFileSync(join(directory, file), join(made, file));
    for (const file of names) renameSync(join(made, file), join(into, file));
  } finally {
    removeWorkplace(made);
  }
}

/** Makes one, and clears away those that others have left behind. */
function makeWorkplace(root: string): string {
  mkdirSync(root, { recursive: true });
  for (const name of readdirSync(root)) {
    if (name.startsWith(WORKPLACE) && isLeftBehind(root, name)) removeWorkplace(join(root, name));
  }
  return mkdtempSync(join(root, `${WORKPLACE}${process.pid}-`));
}

/** Removes a workplace, if it is still there. */
export function removeWorkplace(directory: string): void {
  // A program that was ended may still put a file there.
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}

function isLeftBehind(root: string, name: string): boolean {
  const made = statSync(join(root, name), { throwIfNoEntry: false })?.mtimeMs;
  if (made !== undefined && Date.now() - made > WORKPLACE_MS) return true;
  const owner = Number(/^\d+(?=-)/.exec(name.slice(WORKPLACE.length))?.[0] ?? Number.NaN);
  return owner > 0 && !isRunning(owner);
}

function isRunning(id: number): boolean {
  try {
    process.kill(id, 0);
    return true;
  } catch (error) {
    // It may be somebody else's.
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}

/** SHA-256, in hexadecimal. */
export function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

function hashOf(path: string): string | undefined {
  try {
    return sha256(readFileSync(path));
  } catch {
    return undefined;
  }
}

function readList(
  text: string,
): { recipe: unknown; packages: string[]; files: Record<string, string> } | undefined {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(list)) return undefined;
  const { recipe, packages, files } = list;
  if (!Array.isArray(packages) || !isRecord(files)) return undefined;
  const names: string[] = [];
  for (const one of packages) if (typeof one === 'string') names.push(one);
  const hashes: Record<string, string> = {};
  for (const [name, hash] of Object.entries(files)) {
    // A name is a file of the guest's own directory, or somebody has written that list.
    if (typeof hash !== 'string' || !/^[\w.-]+$/.test(name) || name.startsWith('.')) return undefined;
    hashes[name] = hash;
  }
  return { recipe, packages: names, files: hashes };
}
