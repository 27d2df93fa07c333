/**
 * Private directories for programs, among the temporary files of the host. The name of one says
 * which process will remove it. If that process was killed, the next one that makes a directory
 * removes what it has left.
 */
import { lstatSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const NAME_START = 'ginit-run-';

/** Makes one that is this process's. Throws errors of the host. */
export function makePrivateDirectory(): string {
  const base = realpathSync(tmpdir());
  removeLeftOver(base);
  return mkdtempSync(join(base, `${NAME_START}${process.pid}-`));
}

/** Removes one with everything in it. */
export function removePrivateDirectory(directory: string): void {
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}

function removeLeftOver(base: string): void {
  for (const name of readdirSync(base)) {
    const owner = name.startsWith(NAME_START) ? /^\d+(?=-)/.exec(name.slice(NAME_START.length)) : null;
    if (owner === null || isRunning(Number(owner[0]))) continue;
    try {
      const stats = lstatSync(join(base, name));
      if (stats.isDirectory() && stats.uid === process.getuid?.()) removePrivateDirectory(join(base, name));
    } catch {
      // Another one has removed it just now.
    }
  }
}

function isRunning(id: number): boolean {
  try {
    process.kill(id, 0);
    return true;
  } catch (error) {
    // It may be somebody else's.
    return !(error instanceof Error && Reflect.get(error, 'code') === 'ESRCH');
  }
}
