/** Runs something for a cluster until somebody ends it, or it fails. */
import { endFromOutside } from '../endings.ts';
import type { Launcher } from '../launcher.ts';
import type { Output } from '../output.ts';
import { Terminal } from '../terminal.ts';

const FAILED_EXIT_CODE = 1;

/**
 * `start` begins it and says how it is ended in order; it calls its argument, with the reason, if
 * it cannot go on. Settles with the exit code when it has ended.
 */
export async function untilEnded(
  output: Output,
  launcher: Launcher,
  start: (failed: (reason: string) => void) => () => Promise<void>,
): Promise<number> {
  let end: (code: number) => void = () => {};
  const ended = new Promise<number>((resolve) => {
    end = resolve;
  });
  const stop = start((reason) => {
    output.say(reason);
    end(FAILED_EXIT_CODE);
  });
  const endable = { end: (how: { kind: string; code?: number }): void => end(how.code ?? FAILED_EXIT_CODE) };
  const unlisten = endFromOutside(endable, output, launcher, { terminal: new Terminal(), reload: () => {} });
  const code = await ended;
  await stop();
  unlisten();
  return code;
}
