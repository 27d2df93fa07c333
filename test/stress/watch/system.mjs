/** One run of ginit with a plan's config. */
import { appendFileSync } from 'node:fs';
import { ProcessGroup } from './group.mjs';
import { RunOutput } from './output.mjs';
import { Summary } from './summary.mjs';

/** The quota of the system: more than its components get, so that its init is never short. */
export const QUOTA = { ram: 16 * 2 ** 30, caps: 120_000 };

/** A running system. */
export class System extends ProcessGroup {
  output;
  summary;
  #begun;

  /** `log` is a file that takes all that the run writes, if it is given; `args` are of the bus. */
  constructor(config, log, args = []) {
    const begun = new Set();
    const output = new RunOutput((phase) => begun.add(phase));
    const summary = new Summary();
    super(['--summary', '--ram', String(QUOTA.ram), config, ...args], {
      onLine: (line) => {
        if (log !== undefined) appendFileSync(log, `${line}\n`);
        output.line(line);
        summary.line(line);
      },
    });
    this.output = output;
    this.summary = summary;
    this.#begun = begun;
  }

  /**
   * Settles with true when a phase has begun; with false if the run ends before, or it takes too
   * long.
   */
  phase(name, timeoutMs) {
    return this.until(() => this.#begun.has(name), timeoutMs, name).then(
      () => true,
      () => false,
    );
  }
}
