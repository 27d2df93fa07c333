/** One run of ginit with a plan's config, in a process group of its own. */
import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { RunOutput } from './output.mjs';
import { processesOf } from './processes.mjs';
import { Summary } from './summary.mjs';

const GINIT = fileURLToPath(new URL('../../../packages/init/bin/ginit.js', import.meta.url));
/** The quota of the system: more than its components get, so that its init is never short. */
export const QUOTA = { ram: 16 * 2 ** 30, caps: 120_000 };

/** A running system. */
export class System {
  output;
  summary = new Summary();
  /** Settles with `{ code, signal }`. */
  finished;
  #child;
  #phases = new Map();

  /** `log` is a file that takes all that the run writes, if it is given. */
  constructor(config, log) {
    this.output = new RunOutput((phase) => this.#phase(phase).reach());
    this.#child = spawn(process.execPath, [GINIT, '--summary', '--ram', String(QUOTA.ram), config], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        if (log !== undefined) appendFileSync(log, `${line}\n`);
        this.output.line(line);
        this.summary.line(line);
      });
    }
    this.finished = new Promise((resolve, reject) => {
      this.#child.on('error', reject);
      this.#child.on('close', (code, signal) => resolve({ code, signal }));
    });
  }

  get group() {
    return this.#child.pid;
  }

  processes() {
    return processesOf(this.group);
  }

  /**
   * Settles with true when a phase has begun; with false if the run ends before, or it takes too
   * long.
   */
  phase(name, timeoutMs) {
    let timer;
    const late = new Promise((resolve) => (timer = setTimeout(() => resolve(false), timeoutMs)));
    const ended = this.finished.then(() => false);
    return Promise.race([this.#phase(name).begun, ended, late]).finally(() => clearTimeout(timer));
  }

  /** Ends ginit alone, as `kill -9` does. */
  kill() {
    this.#child.kill('SIGKILL');
  }

  /** Ends everything of the run. */
  killAll() {
    for (const { pid } of this.processes()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself in between.
      }
    }
  }

  #phase(name) {
    const known = this.#phases.get(name);
    if (known) return known;
    let reach;
    const begun = new Promise((resolve) => (reach = () => resolve(true)));
    const made = { begun, reach };
    this.#phases.set(name, made);
    return made;
  }
}
