/**
 * Where fetched guests are: a directory of the user's, one for each guest, with a list of its files
 * and their hashes. A guest is there whole or not at all.
 */
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { isRecord } from '@ginit/core';
import { RECIPE } from './catalogue.ts';

const LIST = 'guest.json';

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
    mkdirSync(this.#root, { recursive: true });
    return mkdtempSync(join(this.#root, '.fetch-'));
  }

  /** Puts a guest in place, in one step. */
  keep(name: string, packages: readonly string[], files: Readonly<Record<string, Uint8Array>>): StoredGuest {
    const made = this.workplace();
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

/** Copies the files of a guest into a directory of its name. */
export function copyGuest({ directory, files }: StoredGuest, into: string): void {
  mkdirSync(into, { recursive: true });
  for (const file of Object.keys(files)) copyFileSync(join(directory, file), join(into, file));
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
