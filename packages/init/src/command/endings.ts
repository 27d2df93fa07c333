/**
 * Ends a system for reasons from outside: signals, and the loss of standard output or of the
 * program that has started us. The first reason stops the tree in order. Only a second SIGINT or
 * SIGTERM, which somebody has sent on purpose, ends it at once. SIGHUP comes when the terminal is
 * lost, which ends the system, and from people who want the config to be read again.
 */
import type { SystemEnd } from '@ginit/core/supervisor';
import { isUnderPackageManager, type Launcher } from './launcher.ts';
import type { Terminal } from './terminal.ts';
import type { Output } from './output.ts';

/** The exit code that shells report for a program that was ended by SIGINT. */
const INTERRUPTED_EXIT_CODE = 130;
const OUTPUT_LOST_EXIT_CODE = 1;
/**
 * A terminal's Ctrl-C reaches us and also the package manager above us, which passes it on. Two
 * signals within this time count as one.
 */
const PASSED_ON_MS = 1000;

/** A system that can be ended. */
export interface Endable {
  end(end: SystemEnd): void;
}

/** What a signal does that is no end, and how the loss of the terminal is told from it. */
export interface HangUps {
  readonly terminal: Pick<Terminal, 'lost'>;
  /** Called for SIGHUP from somebody who wants the config to be read again. */
  readonly reload: () => void;
}

/**
 * Ends the system when something from outside says so. The result of this function takes that back.
 */
export function endFromOutside(
  system: Endable,
  output: Output,
  launcher: Launcher,
  { terminal, reload }: HangUps,
): () => void {
  let asked = 0;
  let askedMs = 0;
  const passedOnMs = isUnderPackageManager(process.env) ? PASSED_ON_MS : 0;
  const stop = (code: number): void => {
    // From now on nobody may be kept waiting for a reader: flushing comes first.
    output.waitNoMore();
    system.end({ kind: 'exit', code });
  };
  const onAsked = (): void => {
    const nowMs = performance.now();
    if (asked > 0 && nowMs - askedMs < passedOnMs) return;
    asked++;
    askedMs = nowMs;
    // Domain processes end by themselves when this one is gone.
    if (asked > 1) process.exit(INTERRUPTED_EXIT_CODE);
    stop(0);
  };
  const onHangUp = (): void => {
    if (!terminal.lost) return reload();
    output.hangUp();
    stop(0);
  };
  output.onLoss((loss) => stop(loss.kind === 'failed' ? OUTPUT_LOST_EXIT_CODE : 0));
  const unwatch = launcher.watch(() => {
    output.say('the program that has started it is gone');
    stop(0);
  });
  process.on('SIGINT', onAsked).on('SIGTERM', onAsked).on('SIGHUP', onHangUp);
  return () => {
    unwatch();
    output.onLoss(() => {});
    process.off('SIGINT', onAsked).off('SIGTERM', onAsked);
    // The handler of SIGHUP stays: a terminal that closes may send that signal up to the end.
  };
}
