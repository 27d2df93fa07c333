/**
 * The rooms of the house: the packages, highest first, and in each package rows of rooms, highest
 * first. A room is a folder or a file; a file lies in the innermost room that has it. Imports go to
 * rooms of the same row or of lower ones, and between two rooms of one row in one direction only.
 * `scripts/graph.mjs` draws the same plan.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Place, type Plan, placeOf } from '../../scripts/graph/rooms.mjs';
import { ROOT } from './source-files.ts';

// The file is our own, and the test of its rooms fails if it has another form.
const PLAN = JSON.parse(readFileSync(join(ROOT, 'test/house/rooms.json'), 'utf8')) as Plan;

/** The packages, highest first. */
export const PACKAGES = PLAN.packages;

/** The room that a file lies in; `undefined` if the plan has none for it. */
export function roomOf(file: string): Place | undefined {
  return placeOf(PLAN, file);
}
