/**
 * The rooms of the house: the packages, highest first, and in each package rows of rooms, highest first. A room is a folder or a
 * file; a file lies in the innermost room that has it. Imports go to rooms of the same row or of lower ones, and between two
 * rooms of one row in one direction only. `scripts/graph.mjs` draws the same plan.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './source-files.ts';

/** The plan, as `rooms.json` has it. */
interface Plan {
  readonly packages: readonly string[];
  /** By package: rows of rooms, by their paths from `src/`. */
  readonly rooms: Readonly<Record<string, readonly (readonly string[])[]>>;
}

/** A room of a package. */
export interface Room {
  readonly name: string;
  /** From 0, the highest. */
  readonly row: number;
}

// The file is our own, and the test of its rooms fails if it has another form.
const PLAN = JSON.parse(readFileSync(join(ROOT, 'test/house/rooms.json'), 'utf8')) as Plan;

/** The packages, highest first. */
export const PACKAGES = PLAN.packages;

/** The package of a file, and the file's path from its `src/`. */
export function placeOf(file: string): { readonly packageName: string; readonly path: string } | undefined {
  const [, packageName, path] = /^packages\/([^/]+)\/src\/(.+)$/.exec(file) ?? [];
  return packageName === undefined || path === undefined ? undefined : { packageName, path };
}

/** The room that a file lies in; `undefined` if the plan has none for it. */
export function roomOf(file: string): Room | undefined {
  const place = placeOf(file);
  if (!place) return undefined;
  let found: Room | undefined;
  for (const [row, names] of (PLAN.rooms[place.packageName] ?? []).entries()) {
    for (const name of names) {
      const here = name === '.' || place.path === name || place.path.startsWith(`${name}/`);
      if (here && depth(name) >= depth(found?.name ?? '')) found = { name, row };
    }
  }
  return found;
}

/** A file by its name is further in than a folder. */
function depth(room: string): number {
  if (room === '' || room === '.') return 0;
  return room.split('/').length + (room.endsWith('.ts') ? 1 : 0);
}
