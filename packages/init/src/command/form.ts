/**
 * In which form ginit runs. The bundle loads several times faster than the modules it is made of.
 * In a workspace `tsc -b` alone makes the bundle old: then the modules run, so what runs is always
 * what was compiled last.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';

/**
 * A file in the bundle of this package that says from which files the bundle was made. It matters
 * in a workspace only.
 */
export const STAMP = 'stamp.json';

/** The states of files, by their paths from the packages' directory. */
export type Fingerprint = Readonly<Record<string, string>>;

/**
 * The state of files that say what a bundle would be made of; `packages` is the URL of the
 * packages' directory.
 */
export function fingerprint(packages: URL, files: readonly string[]): Fingerprint {
  const states = files.map((file) => {
    const state = statSync(new URL(file, packages), { throwIfNoEntry: false });
    return [file, state ? `${state.mtimeMs} ${state.size}` : 'missing'];
  });
  return Object.fromEntries(states);
}

/** The directory to run: `bundle` or `dist`, of the package at the URL `own`. */
export function form(own: URL): 'bundle' | 'dist' {
  if (!existsSync(new URL('bundle/command/main.js', own))) return 'dist';
  // A published package has no sources: its bundle and its modules were made together.
  if (!existsSync(new URL('tsconfig.json', own))) return 'bundle';
  const stamp = readStamp(new URL(`bundle/${STAMP}`, own));
  if (stamp === undefined) return 'dist';
  const now = fingerprint(new URL('../', own), Object.keys(stamp));
  return Object.keys(stamp).every((file) => stamp[file] === now[file]) ? 'bundle' : 'dist';
}

function readStamp(url: URL): Record<string, unknown> | undefined {
  try {
    const stamp: unknown = JSON.parse(readFileSync(url, 'utf8'));
    return typeof stamp === 'object' && stamp !== null ? { ...stamp } : undefined;
  } catch {
    return undefined;
  }
}
