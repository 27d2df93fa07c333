/** What a sequence does when a child has ended; pure. */
import type { SequenceOptions } from '../model/index.ts';

/** The next step, or the exit code of the sequence. */
export type NextStep = { readonly index: number } | { readonly exit: number };

/**
 * What follows the step `at` of `count`. `code` is what the child has exited with (1 for a crash);
 * `undefined` if the config does not name it any more, and then the sequence begins again.
 */
export function nextStep(
  { repeat, keepGoing, restart }: SequenceOptions,
  count: number,
  at: number,
  code: number | undefined,
): NextStep {
  if (code === undefined) return count > 0 ? { index: 0 } : { exit: 0 };
  if (code !== 0 && !keepGoing) return { exit: code };
  if (code !== 0 && restart) return { index: 0 };
  if (at + 1 < count) return { index: at + 1 };
  return repeat ? { index: 0 } : { exit: 0 };
}
