/** Whether ginit has lost the terminal that it was started from. */
import { closeSync, constants, openSync } from 'node:fs';

/** The device that stands for the terminal of the process that opens it. */
const OWN_TERMINAL = '/dev/tty';

/**
 * Looks whether this process has a terminal. When a terminal is closed, the kernel takes it away.
 */
function hasTerminal(): boolean {
  try {
    closeSync(openSync(OWN_TERMINAL, constants.O_RDWR | constants.O_NOCTTY));
    return true;
  } catch {
    return false;
  }
}

/** The terminal that controls this process. */
export class Terminal {
  readonly #had = hasTerminal();

  /** Whether there was a terminal at the start that is not there any more. */
  get lost(): boolean {
    return this.#had && !hasTerminal();
  }
}
