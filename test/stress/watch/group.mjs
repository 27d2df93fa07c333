/** One run of ginit in a process group of its own, seen from outside. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { processesOf } from './processes.mjs';

const GINIT = fileURLToPath(new URL('../../../packages/init/bin/ginit.js', import.meta.url));
/** Lines of output that the error of a wait shows. */
const LINES_KEPT = 60;

export class ProcessGroup {
  /** Settles with `{ code, signal }`. */
  finished;
  #child;
  #recent = [];
  #waiting = new Set();

  /** Starts `ginit` with these arguments; `onLine` gets each line that it writes. */
  constructor(args, { cwd, onLine = () => {} } = {}) {
    this.#child = spawn(process.execPath, [GINIT, ...args], {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        this.#recent.push(line);
        if (this.#recent.length > LINES_KEPT) this.#recent.shift();
        onLine(line);
        this.#look();
      });
    }
    this.finished = new Promise((resolve, reject) => {
      this.#child.on('error', reject);
      this.#child.on('close', (code, signal) => resolve({ code, signal }));
    });
    this.finished.then(
      () => this.#look(),
      () => this.#look(),
    );
  }

  /** The number of the group. */
  get group() {
    return this.#child.pid;
  }

  processes() {
    return processesOf(this.group);
  }

  /** Sends a signal to ginit alone. */
  signal(name) {
    this.#child.kill(name);
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

  /**
   * Waits until `holds()`, which is asked at every line. Rejects if the run ends, or after
   * `timeoutMs`.
   */
  until(holds, timeoutMs, what) {
    return new Promise((resolve, reject) => {
      const fail = (why) => {
        settle();
        reject(new Error(`${what}: ${why}:\n${this.#recent.join('\n')}`));
      };
      const timer = setTimeout(() => fail('it takes too long'), timeoutMs);
      const settle = () => {
        clearTimeout(timer);
        this.#waiting.delete(look);
      };
      const look = () => {
        if (holds()) {
          settle();
          resolve();
        } else if (this.#child.exitCode !== null || this.#child.signalCode !== null) fail('ginit has ended');
      };
      this.#waiting.add(look);
      look();
    });
  }

  #look() {
    for (const look of this.#waiting) look();
  }
}
