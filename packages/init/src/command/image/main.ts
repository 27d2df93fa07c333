/** `ginit image`: looks at disk images, makes them and changes them. */
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { MessageChannel } from 'node:worker_threads';
import { Piscina } from 'piscina';
import type { Output } from '../output.ts';
import { StatusLine } from '../status-line.ts';
import { IMAGE_HELP, type ImageCommandLine, parseImageArguments } from './options.ts';
import { ProgressBar } from './progress-bar.ts';
import { exitCodeOf, resultText } from './result-text.ts';
import type { ImageAnswer, ImageTask } from './task.ts';
import type { WorkerTask } from './worker.ts';

const FAILED_EXIT_CODE = 1;
const USAGE_EXIT_CODE = 2;
const INTERRUPTED_EXIT_CODE = 130;
const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url));

/** Runs the command with the arguments after `image`; the result is its exit code. */
export async function image(args: readonly string[], output: Output): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    await output.text(IMAGE_HELP);
    return 0;
  }
  const line = parseImageArguments(args);
  if (typeof line === 'string') {
    output.say(line);
    output.say('try "ginit image --help"');
    return USAGE_EXIT_CODE;
  }
  return new ImageRun(line, output).run();
}

/** The tasks of one command line, on a pool of threads. */
class ImageRun {
  readonly #line: ImageCommandLine;
  readonly #output: Output;
  readonly #pool: Piscina;
  readonly #bar: ProgressBar;
  /** The workers look at it again and again: another number than 0 tells them to stop. */
  readonly #stop = new Int32Array(new SharedArrayBuffer(4));

  constructor(line: ImageCommandLine, output: Output) {
    const { tasks } = line;
    this.#line = line;
    this.#output = output;
    this.#bar = new ProgressBar(new StatusLine(`image ${tasks[0]?.command ?? ''}`), tasks.length);
    this.#pool = new Piscina({
      filename: WORKER,
      maxThreads: Math.min(tasks.length, availableParallelism()),
      // The thread's own event loop has to turn: its files are read and written there.
      atomics: 'disabled',
    });
  }

  async run(): Promise<number> {
    const { tasks } = this.#line;
    // The workers stop by themselves, between two steps: what they have begun they put in order.
    const interrupt = (): void => void Atomics.store(this.#stop, 0, 1);
    process.once('SIGINT', interrupt);
    process.once('SIGTERM', interrupt);
    try {
      const answers = tasks.map((task, index) => this.#perform(task, index));
      let code = 0;
      // In the order of the command line, whichever ends first.
      for (const answer of answers) code = worse(code, await this.#tell(await answer));
      if (Atomics.load(this.#stop, 0) === 0) return code;
      this.#output.say('image: interrupted');
      return INTERRUPTED_EXIT_CODE;
    } finally {
      process.off('SIGINT', interrupt);
      process.off('SIGTERM', interrupt);
      await this.#pool.destroy();
    }
  }

  /** Carries out a task. */
  async #perform(task: ImageTask, index: number): Promise<ImageAnswer> {
    const { port1, port2 } = new MessageChannel();
    port1.on('message', (share: number) => this.#bar.set(index, share));
    port1.unref();
    try {
      const work: WorkerTask = { task, port: port2, stop: this.#stop };
      // The worker is our own code, so its answer has this type.
      return (await this.#pool.run(work, { transferList: [port2] })) as ImageAnswer;
    } finally {
      port1.close();
      this.#bar.set(index, 1);
    }
  }

  /** Says what came of a task. The result is its exit code. */
  async #tell(answer: ImageAnswer): Promise<number> {
    this.#bar.clear();
    if ('interrupted' in answer) return 0;
    if ('problem' in answer) {
      if (this.#line.json) await this.#output.text(JSON.stringify({ problem: answer.problem }));
      this.#output.say(`image: ${answer.problem}`);
      return FAILED_EXIT_CODE;
    }
    const { result } = answer;
    await this.#output.text(this.#line.json ? JSON.stringify(result) : resultText(result));
    return exitCodeOf(result);
  }
}

/** The exit code that says more: lost space is less than an image that is not sound. */
function worse(one: number, other: number): number {
  return one === 0 || other === FAILED_EXIT_CODE ? other : one;
}
