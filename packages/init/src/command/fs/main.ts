/** `ginit fs`: looks into file systems in disk images, copies in and out, makes and checks them. */
import { once } from 'node:events';
import { barText } from '../image/progress-bar.ts';
import type { Output } from '../output.ts';
import { StatusLine } from '../status-line.ts';
import { FS_HELP, parseFsArguments } from './options.ts';
import { type FsWorld, performFs } from './perform.ts';
import { Interrupted, Problem } from './problem.ts';

const FAILED_EXIT_CODE = 1;
const USAGE_EXIT_CODE = 2;
const INTERRUPTED_EXIT_CODE = 130;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Runs the command with the arguments after `fs`; the result is its exit code. */
export async function fs(args: readonly string[], output: Output): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    await output.text(FS_HELP);
    return 0;
  }
  const line = parseFsArguments(args);
  if (typeof line === 'string') {
    output.say(line);
    output.say('try "ginit fs --help"');
    return USAGE_EXIT_CODE;
  }
  const status = new StatusLine(`fs ${line.task.command}`);
  let stopped = false;
  // The work stops by itself between two steps, and what is mounted is unmounted.
  const stop = (): void => void (stopped = true);
  for (const signal of SIGNALS) process.on(signal, stop);
  const say = (text: string): void => {
    status.clear();
    output.say(`fs: ${text}`);
  };
  const world: FsWorld = {
    line: (text) => output.text(text),
    bytes: writeBytes,
    say,
    progress: (share, name) => status.show(() => `${barText(share)} ${name}`),
    watched: process.stderr.isTTY,
    stopped: () => stopped || output.loss !== undefined,
  };
  try {
    const code = await performFs(line, world);
    status.clear();
    return code;
  } catch (error) {
    status.clear();
    if (error instanceof Interrupted) {
      // Whoever has closed standard output wants no more of it: that is no failure.
      if (!stopped) return 0;
      say('interrupted');
      return INTERRUPTED_EXIT_CODE;
    }
    if (!(error instanceof Problem)) throw error;
    say(error.message);
    return FAILED_EXIT_CODE;
  } finally {
    for (const signal of SIGNALS) process.off(signal, stop);
  }
}

/** Writes to standard output; settles when there is room for more. */
async function writeBytes(bytes: Uint8Array): Promise<void> {
  if (process.stdout.destroyed || process.stdout.write(bytes)) return;
  // Whoever reads may be gone; `Output` hears of that.
  await Promise.race([once(process.stdout, 'drain'), once(process.stdout, 'close')]).catch(() => {});
}
