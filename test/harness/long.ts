/**
 * Tests that show with many runs, or in one more place, what the tests beside them show in little.
 * They are skipped unless asked for: `npm run test:long` runs them with all others.
 */
import { beforeEach, type TestContext } from 'vitest';

const WANTED = process.env['GINIT_LONG'] !== undefined;
const NOTE = 'long: npm run test:long';

/** Whether something is left out: it is long, and nobody has asked for that. */
export const leftOut = (long: boolean): boolean => long && !WANTED;

/**
 * Called first in a test, with its context: skips it, if it is long and nobody has asked for that.
 */
export function skipIfLong({ skip }: Pick<TestContext, 'skip'>, long = true): void {
  skip(leftOut(long), NOTE);
}

/** The same for all tests of the `describe` in which it is called. */
export function allLongIf(long: boolean): void {
  beforeEach((context) => skipIfLong(context, long));
}
