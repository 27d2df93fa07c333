/** How a process that the supervisor has started ends, and when. */
import { Kernel } from './kernel.ts';

/** Ends this process at once. */
export function endNow(): never {
  // Not process.exit(): that waits for threads, and one may be stuck in a system call.
  process.kill(process.pid, 'SIGKILL');
  throw new Error('unreachable');
}

/**
 * The supervisor decides when a system ends; a terminal's Ctrl-C reaches every process of its
 * group.
 */
export function ignoreTerminal(): void {
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
  process.on('SIGHUP', () => {});
}

/**
 * Makes sure that this process ends with the supervisor, whose number it was started with. Normally
 * the end of the supervisor's socket tells us. A process that is stopped (SIGSTOP) does not notice
 * that, so the kernel ends it. Without koffi, a stopped process ends only when it is continued.
 */
export function endWithSupervisor(supervisor: number): void {
  const kernel = Kernel.load();
  if (typeof kernel === 'string') return;
  kernel.endWithParent();
  // The supervisor may have ended just before the kernel was told.
  if (process.ppid !== supervisor) endNow();
}
