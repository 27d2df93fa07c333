/** A running `ginit` whose log lines are waited for, and whose config file is rewritten. */
import { spawn } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { GINIT, PARENT_PROVIDES } from '../harness/ginit-system.mjs';

const BINARY = fileURLToPath(new URL('./changing.mjs', import.meta.url));
/** The child whose start node changes. */
export const CHANGED = 'c0';
/** A measurement fails if it has waited for so long. */
const PATIENCE_MS = 60_000;

/** A config of `count` children; `round` and `version` are those of the first of them. */
function configText(count, round, version) {
  const starts = Array.from({ length: count }, (_, index) => {
    const name = `c${index}`;
    const own = name === CHANGED ? ` version="${version}"` : '';
    const config = name === CHANGED ? `<config round="${round}"/>` : '<config/>';
    return `  <start name="${name}"${own}> <binary name="${BINARY}"/> ${config} </start>\n`;
  });
  return `<config>\n${PARENT_PROVIDES}\n  <default caps="50" ram="1M"/>\n${starts.join('')}</config>\n`;
}

/** A system of `count` children. */
export class System {
  #file;
  #count;
  #child;
  #waiting = [];
  /** The lines of the components since `begin` or the last `change`. */
  #lines = [];

  constructor(file, count) {
    this.#file = file;
    this.#count = count;
  }

  /** Writes a new version of the config over the old one, as editors do. */
  write(round, version) {
    this.#lines = [];
    writeFileSync(`${this.#file}.new`, configText(this.#count, round, version));
    renameSync(`${this.#file}.new`, this.#file);
  }

  /** Starts the system. Settles when all of its children run. */
  async begin() {
    this.#lines = [];
    this.#child = spawn(process.execPath, [GINIT, this.#file], { stdio: ['ignore', 'pipe', 'inherit'] });
    let rest = '';
    this.#child.stdout.setEncoding('utf8').on('data', (text) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      this.#lines.push(...lines.filter((line) => line.startsWith('[init -> ')));
      for (const look of this.#waiting) look();
    });
    await this.#until((lines) => lines.filter((line) => line.endsWith('] ready')).length === this.#count);
  }

  /** Settles when the child has said `text`, and fails if any other child has said anything. */
  async said(text) {
    const line = `[init -> ${CHANGED}] ${text}`;
    await this.#until((lines) => lines.includes(line));
    const others = this.#lines.filter((other) => other !== line);
    if (others.length > 0) throw new Error(`the change has touched others: ${others.join(', ')}`);
  }

  /** Tells the system to read its config now. */
  reload() {
    this.#child.kill('SIGHUP');
  }

  /** Stops the system in order. Settles when it is gone. */
  end() {
    const gone = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.kill('SIGTERM');
    return gone;
  }

  #until(condition) {
    return new Promise((resolve, reject) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiting = this.#waiting.filter((other) => other !== look);
      };
      const look = () => {
        if (!condition(this.#lines)) return;
        done();
        resolve();
      };
      const timer = setTimeout(() => {
        done();
        reject(new Error(`nothing came for ${PATIENCE_MS} ms`));
      }, PATIENCE_MS);
      this.#waiting.push(look);
      look();
    });
  }
}
