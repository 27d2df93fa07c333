/**
 * Watches files by their paths. Editors write in place, rename a new file over the old one, swap a
 * symbolic link, or delete and make anew; so the directories on the way are watched, not the files,
 * and a slow poll behind sees what the host does not tell (on a network's file system, say). A
 * change is told when nothing has happened for a moment, because most of these take several steps.
 */
import { type FSWatcher, lstatSync, readlinkSync, statSync, watch } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { fileState, MISSING } from './file-state.ts';

/** A moment in which nothing has happened. */
const QUIET_MS = 50;
/** However busy the directory is, a change is told after this time. */
const PATIENCE_MS = 3000;
const POLL_MS = 2000;
/** Links on the way to one file; a circle has more. */
const LINKS_MAX = 40;

/** The times of a watch, in milliseconds. */
export interface WatchTimes {
  readonly quietMs: number;
  readonly patienceMs: number;
  readonly pollMs: number;
}

interface WatchedDirectory {
  readonly watcher: FSWatcher;
  readonly identity: string;
}

/** Watches a set of files. */
export class FilesWatch {
  readonly #changed: (files: readonly string[]) => void;
  readonly #times: WatchTimes;
  /** Each file with how it was when it was told last. */
  #files = new Map<string, string>();
  /** Those of them whose directories are watched. */
  #watched: ReadonlySet<string> = new Set();
  readonly #directories = new Map<string, WatchedDirectory>();
  readonly #poll: NodeJS.Timeout;
  #quiet: NodeJS.Timeout | undefined;
  #busySinceMs = 0;

  /** `changed` is called with the files that are different from before, also if they are gone. */
  constructor(changed: (files: readonly string[]) => void, times: Partial<WatchTimes> = {}) {
    this.#changed = changed;
    this.#times = { quietMs: QUIET_MS, patienceMs: PATIENCE_MS, pollMs: POLL_MS, ...times };
    this.#poll = setInterval(() => this.#lookForChanges(), this.#times.pollMs);
    this.#poll.unref();
  }

  /**
   * Watches these files from now on, those that were watched before as they were known. `absent`
   * are files that were not there: it is told when one of them has come. No directories are watched
   * for them, because these may be far up and everybody's; the poll sees them.
   */
  set(files: Iterable<string>, absent: Iterable<string> = []): void {
    const old = this.#files;
    this.#watched = new Set(files);
    const states = new Map(Array.from(absent, (file) => [file, old.get(file) ?? MISSING]));
    for (const file of this.#watched) states.set(file, old.get(file) ?? fileState(file));
    this.#files = states;
    this.#watchDirectories();
  }

  close(): void {
    clearInterval(this.#poll);
    clearTimeout(this.#quiet);
    for (const { watcher } of this.#directories.values()) watcher.close();
    this.#directories.clear();
  }

  #lookForChanges(): void {
    for (const [file, state] of this.#files) if (fileState(file) !== state) return this.#stir();
    // A directory may have been put in the place of another one.
    this.#watchDirectories();
  }

  /** Something has happened: tells of it when it is quiet. */
  #stir(): void {
    const nowMs = performance.now();
    if (this.#quiet === undefined) this.#busySinceMs = nowMs;
    clearTimeout(this.#quiet);
    const leftMs = this.#busySinceMs + this.#times.patienceMs - nowMs;
    this.#quiet = setTimeout(() => this.#tell(), Math.max(0, Math.min(this.#times.quietMs, leftMs)));
    this.#quiet.unref();
  }

  #tell(): void {
    this.#quiet = undefined;
    const different: string[] = [];
    for (const [file, state] of this.#files) {
      const now = fileState(file);
      if (now === state) continue;
      this.#files.set(file, now);
      different.push(file);
    }
    this.#watchDirectories();
    if (different.length > 0) this.#changed(different);
  }

  #watchDirectories(): void {
    const wanted = new Set(Array.from(this.#watched, directoriesOf).flat());
    for (const [directory, { watcher, identity }] of this.#directories) {
      if (wanted.has(directory) && identityOf(directory) === identity) continue;
      watcher.close();
      this.#directories.delete(directory);
    }
    for (const directory of wanted) if (!this.#directories.has(directory)) this.#watch(directory);
  }

  /** A directory that cannot be watched is left to the poll. */
  #watch(directory: string): void {
    try {
      const watcher = watch(directory, { persistent: false }, () => this.#stir());
      watcher.on('error', () => {
        watcher.close();
        this.#directories.delete(directory);
      });
      this.#directories.set(directory, { watcher, identity: identityOf(directory) });
    } catch {
      // It is not there, or the host has no more watches to give.
    }
  }
}

function identityOf(directory: string): string {
  try {
    const { dev, ino } = statSync(directory);
    return `${dev} ${ino}`;
  } catch {
    return 'missing';
  }
}

/**
 * The directories in which a change can make the path lead to another file: the one of the file,
 * and those of every symbolic link on the way.
 */
export function directoriesOf(file: string): readonly string[] {
  const found = new Set<string>();
  let at = resolve(file);
  for (let links = 0; links <= LINKS_MAX; links++) {
    const link = firstLink(at);
    found.add(dirname(link?.path ?? at));
    if (!link) break;
    const target = isAbsolute(link.target) ? link.target : join(dirname(link.path), link.target);
    at = resolve(target, link.rest);
  }
  return [...found];
}

/** The first symbolic link on a path, where it leads, and the part of the path behind it. */
function firstLink(
  path: string,
): { readonly path: string; readonly target: string; readonly rest: string } | undefined {
  const parts = path.split('/').filter((part) => part !== '');
  let at = '/';
  for (const [index, part] of parts.entries()) {
    at = join(at, part);
    try {
      if (!lstatSync(at).isSymbolicLink()) continue;
      return { path: at, target: readlinkSync(at), rest: parts.slice(index + 1).join('/') };
    } catch {
      return undefined;
    }
  }
  return undefined;
}
