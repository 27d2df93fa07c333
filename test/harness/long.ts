/**
 * Tests that show with many runs, or in one more place, what the tests beside them show in little.
 * They are skipped unless asked for: `npm run test:long` runs them with all others.
 */
import { beforeEach, test, type TestContext } from 'vitest';

const WANTED = process.env['GINIT_LONG'] !== undefined;
const NOTE = 'long: npm run test:long';

/** Whether something is left out: it is long, and nobody has asked for that. */
export const leftOut = (long: boolean): boolean => long && !WANTED;

/** A `test` that is skipped unless long tests are asked for, if `long` holds. */
export const longIf = (long: boolean): ReturnType<typeof test.skipIf> => test.skipIf(leftOut(long));

/** The title of a test that is skipped for this reason says so. */
export const longTitle = (title: string, long = true): string => (long ? `${title} (${NOTE})` : title);

/** Called first in a test of a table, with its context: skips it as `longIf` does. */
export function skipIfLong(long: boolean, { skip }: Pick<TestContext, 'skip'>): void {
  skip(leftOut(long), NOTE);
}

/** Called in a `describe`: its tests are skipped unless long tests are asked for, if `long` holds. */
export function allLongIf(long: boolean): void {
  beforeEach(({ skip }) => skip(leftOut(long), NOTE));
}
