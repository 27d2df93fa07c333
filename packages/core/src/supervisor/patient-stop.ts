/**
 * Stops a component, and waits for it as long as it, or a component below it, gets something done.
 */
import type { Capability } from '../interface/interface.ts';
import type { Thread, ThreadProgress } from '../session/cpu.ts';
import type { Platform } from './platform.ts';

/** The time between two questions about its progress. */
const TICK_MS = 500;

/**
 * Resolves to true when the component has stopped or is dead, and to false when it has got nothing
 * done for `boundMs` times the number of levels, its own and those of the tree below it.
 */
export async function stopped(
  thread: Pick<Capability<typeof Thread>, 'stop' | 'progress'>,
  platform: Pick<Platform, 'after' | 'monotonicUs'>,
  boundMs: number,
): Promise<boolean> {
  const stop = { settled: false };
  const settle = (): void => {
    stop.settled = true;
  };
  const stopping = thread.stop().then(settle, settle);
  let last: ThreadProgress = { completed: 0, levelsBelow: 0 };
  let sinceUs = platform.monotonicUs();
  for (;;) {
    await tickOr(stopping, platform);
    if (stop.settled) return true;
    const progress = await thread.progress().catch(() => last);
    const nowUs = platform.monotonicUs();
    if (progress.completed !== last.completed) sinceUs = nowUs;
    last = progress;
    if (nowUs - sinceUs >= boundMs * 1000 * (1 + progress.levelsBelow)) return stop.settled;
  }
}

async function tickOr(stopping: Promise<void>, platform: Pick<Platform, 'after'>): Promise<void> {
  await new Promise<void>((resolve) => {
    const cancel = platform.after(TICK_MS * 1000, resolve);
    void stopping.then(() => {
      cancel();
      resolve();
    });
  });
}
