/**
 * Room under RLIMIT_DATA for a moment. Making an arena has V8 allocate all of it before shared
 * memory, which does not count, takes its place. A process whose soft limit is below its hard one
 * lets us raise it meanwhile. If two threads do so at once, the second finds the limit raised and
 * leaves it alone, and the first may put it back too early for the second, whose arena then cannot
 * be had; no order of theirs leaves the limit raised.
 */
import type { Kernel } from './kernel.ts';

/** Runs `use` with the soft limit as high as it may be. */
export function withDataRoom<Result>(kernel: Kernel, use: () => Result): Result {
  const [soft, hard] = kernel.dataLimit();
  if (soft >= hard) return use();
  kernel.setDataLimit(hard, hard);
  try {
    return use();
  } finally {
    kernel.setDataLimit(soft, hard);
  }
}
