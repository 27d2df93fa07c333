/**
 * `ginit sim` in a process that is kept: a test file that simulates many systems starts the command
 * once. The command as users start it is tested elsewhere (`Workplace.run('sim', …)`).
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { isRecord } from '@ginit/core';

const PROGRAM = fileURLToPath(new URL('./sim-process.mjs', import.meta.url));

/** What a run of the command has written, and its exit code. */
export interface SimResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Waiting {
  readonly resolve: (result: SimResult) => void;
  readonly reject: (error: Error) => void;
}

/** A process that simulates. It ends with the process that has started it. */
class SimProcess {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #count = 0;
  #ended = false;

  constructor() {
    this.#child = fork(PROGRAM, { execArgv: [], env: { ...process.env, NODE_PATH: undefined } });
    this.#child.on('message', (answer: unknown) => this.#answered(answer));
    this.#child.on('exit', (code, signal) => this.#end(new Error(`it ended: ${signal ?? code}`)));
    this.#keepAlive();
  }

  get ended(): boolean {
    return this.#ended;
  }

  run(directory: string, args: readonly string[], timeoutMs: number): Promise<SimResult> {
    const number = ++this.#count;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#child.kill('SIGKILL'), timeoutMs);
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(number);
        this.#keepAlive();
      };
      this.#waiting.set(number, {
        resolve: (result) => (done(), resolve(result)),
        reject: (error) => (done(), reject(error)),
      });
      this.#keepAlive();
      this.#child.send({ number, directory, args });
    });
  }

  /** Whoever has started it may end while nothing runs. */
  #keepAlive(): void {
    const { channel } = this.#child;
    if (this.#waiting.size > 0) {
      this.#child.ref();
      channel?.ref();
    } else {
      this.#child.unref();
      channel?.unref();
    }
  }

  #answered(answer: unknown): void {
    if (!isRecord(answer)) return;
    const { number, code, stdout, stderr } = answer;
    this.#waiting
      .get(Number(number))
      ?.resolve({ code: Number(code), stdout: String(stdout), stderr: String(stderr) });
  }

  #end(error: Error): void {
    this.#ended = true;
    for (const { reject } of this.#waiting.values()) reject(error);
  }
}

let current: SimProcess | undefined;

/** Runs `ginit sim` with these arguments in a directory. */
export function simulateIn(
  directory: string,
  args: readonly string[],
  timeoutMs: number,
): Promise<SimResult> {
  if (!current || current.ended) current = new SimProcess();
  return current.run(directory, args, timeoutMs);
}
