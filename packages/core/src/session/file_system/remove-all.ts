import { inLanes } from '../../async/index.ts';
import { hasCode } from '../../errors.ts';
import type { FileSystemErrorCode } from './declaration.ts';
import type { FileSystemEntry } from './directory-entry.ts';
import { fileSystemFailure } from './names.ts';
import type { OpenDirectory } from './open-directory.ts';

/** Directories open at a time; what lies deeper is moved up first. */
const LEVELS_MAX = 64;
/** Files that are removed at a time. */
const UNLINKS_MAX = 16;
/** So often a directory may be found empty and still not be removable. */
const ATTEMPTS_MAX = 3;
const NAMES_MAX = 1_000_000;

/** A directory on the way down, that is being emptied. */
interface Level {
  readonly name: string;
  readonly directory: OpenDirectory;
  /** Where its reading stands; the server keeps the place though entries vanish. */
  index: number;
  /** Subdirectories of the last entries read, yet to be entered. */
  readonly subdirectories: string[];
  /** Something was removed since the reading began. */
  progress: boolean;
  attempts: number;
}

/**
 * Removes an entry of an open directory, and if it is a directory all that is below. Nothing is
 * followed: names are looked up in open directories only, so a symbolic link that takes a
 * directory's place meanwhile leads nowhere. Memory is bounded whatever the tree: entries are read
 * in batches; a directory below the 64th level is moved to the top of the tree that is being
 * removed, which needs a file system that renames. What others remove meanwhile counts as removed;
 * what they add is removed too.
 */
export async function removeAll(parent: OpenDirectory, name: string): Promise<void> {
  if (await removedAsFile(parent, name)) return;
  const remover = new Remover(parent);
  try {
    await remover.remove(name);
  } finally {
    await remover.close();
  }
}

class Remover {
  readonly #parent: OpenDirectory;
  /** The way down; the first is the top of the tree that is removed. */
  readonly #levels: Level[] = [];
  #nextName = 0;

  constructor(parent: OpenDirectory) {
    this.#parent = parent;
  }

  async remove(name: string): Promise<void> {
    await this.#enter(this.#parent, name);
    for (let level = this.#levels.at(-1); level !== undefined; level = this.#levels.at(-1)) {
      const subdirectory = level.subdirectories.pop();
      if (subdirectory !== undefined) await this.#descend(level, subdirectory);
      else if (!(await this.#readOn(level))) await this.#leave(level);
    }
  }

  async close(): Promise<void> {
    for (const level of this.#levels) await level.directory.close().catch(() => undefined);
  }

  /** Opens a directory to be emptied; false if it is none (any more). */
  async #enter(parent: OpenDirectory, name: string): Promise<boolean> {
    const directory = await orUndefined(parent.directory(name), [
      'Lookup_failed',
      'Not_a_directory',
      'Is_a_symlink',
    ]);
    if (directory === undefined) return false;
    this.#levels.push({ name, directory, index: 0, subdirectories: [], progress: false, attempts: 0 });
    return true;
  }

  async #descend(level: Level, name: string): Promise<void> {
    const top = this.#levels[0];
    if (this.#levels.length >= LEVELS_MAX && top !== undefined) {
      await this.#moveUp(level, name, top);
    } else if (!(await this.#enter(level.directory, name))) {
      await removedAsFile(level.directory, name);
    }
    level.progress = true;
  }

  /**
   * The top is read once more before it is removed, since it is not empty then; so what is moved up
   * is met again.
   */
  async #moveUp(level: Level, name: string, top: Level): Promise<void> {
    for (; this.#nextName < NAMES_MAX; this.#nextName++) {
      try {
        await level.directory.move(name, top.directory, `.removing-${this.#nextName}`);
        this.#nextName++;
        top.progress = true;
        return;
      } catch (error) {
        if (hasCode(error, 'Lookup_failed')) return;
        // The name is taken, by something that a directory does not replace.
        if (!hasCode(error, 'Not_empty') && !hasCode(error, 'Not_a_directory')) throw error;
      }
    }
    throw fileSystemFailure('Not_empty', 'no free name to move a deep directory to');
  }

  /** Reads a batch of entries and removes the files among them; false at the directory's end. */
  async #readOn(level: Level): Promise<boolean> {
    const entries = await level.directory.entriesFrom(level.index);
    if (entries.length === 0) return false;
    level.index += entries.length;
    const files = entries.filter(({ type }) => type !== 'directory').values();
    await inLanes(UNLINKS_MAX, () => this.#unlinkAll(level, files));
    for (const { name, type } of entries) if (type === 'directory') level.subdirectories.push(name);
    return true;
  }

  async #unlinkAll(level: Level, files: Iterator<FileSystemEntry>): Promise<void> {
    for (let next = files.next(); next.done !== true; next = files.next()) {
      const { name } = next.value;
      if (!(await removedAsFile(level.directory, name))) level.subdirectories.push(name);
      level.progress = true;
    }
  }

  /**
   * The directory was read to its end: removes it, or reads it again if others have put something
   * in.
   */
  async #leave(level: Level): Promise<void> {
    const above = this.#levels.at(-2)?.directory ?? this.#parent;
    try {
      await above.rmdir(level.name);
    } catch (error) {
      if (hasCode(error, 'Not_empty')) {
        if (!level.progress) level.attempts++;
        if (level.attempts >= ATTEMPTS_MAX) throw error;
        level.index = 0;
        level.progress = false;
        return;
      }
      if (!hasCode(error, 'Lookup_failed')) throw error;
    }
    this.#levels.pop();
    await level.directory.close();
  }
}

/** Removes what is no directory; false if it is one. Whatever is gone already is removed, too. */
async function removedAsFile(directory: OpenDirectory, name: string): Promise<boolean> {
  try {
    await directory.unlink(name);
    return true;
  } catch (error) {
    if (hasCode(error, 'Is_a_directory')) return false;
    if (hasCode(error, 'Lookup_failed')) return true;
    throw error;
  }
}

async function orUndefined<T>(
  result: Promise<T>,
  codes: readonly FileSystemErrorCode[],
): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if (codes.some((code) => hasCode(error, code))) return undefined;
    throw error;
  }
}
