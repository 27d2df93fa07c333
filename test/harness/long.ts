/**
 * Tests that show with many runs, or at length, what shorter ones beside them show in little. They
 * are skipped unless asked for: `npm run test:long` runs them with all others.
 */
import { test } from 'vitest';

const wanted = process.env['GINIT_LONG'] !== undefined;

/** A `test` that is skipped unless long tests are asked for, if `long` holds. */
export const longIf = (long: boolean): ReturnType<typeof test.skipIf> => test.skipIf(long && !wanted);

/** The title of a test that is skipped for this reason says so. */
export const longTitle = (title: string, long = true): string =>
  long ? `${title} (long: npm run test:long)` : title;
