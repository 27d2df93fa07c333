/** Reads the manifests of components in a process of their own: importing a module runs its code. */
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { isRecord } from '../../interface/shapes.ts';
import { FORM_FLAGS } from './form.ts';
import {
  LOAD_TIMEOUT_MS,
  type ManifestRequest,
  type ManifestText,
  manifestTextOf,
} from './manifest-protocol.ts';
import { ProcessStartError, startProcess } from './process-start.ts';

const MANIFEST_MAIN = new URL('./manifest-main.js', import.meta.url);
/** A process that takes so much longer than it gives a module has been stopped by what runs in it. */
const GRACE_MS = 10_000;

/** A manifest as plain data, not looked at yet, or why there is none. */
export type ManifestAnswer = { readonly manifest: unknown } | { readonly problem: string };

/**
 * Reads manifests in one process, each in a thread of its own. Should a module bring down that process all the same, those
 * that have no answer yet are read again, each in its own process: so it is that module that fails, and no other.
 */
export class ManifestReader {
  readonly #process: ReaderProcess;
  readonly #timeoutMs: number;

  /** Starts the process at once; `count`: how many modules are going to be read, `timeoutMs`: how long each may take to load. */
  constructor(count: number, timeoutMs = LOAD_TIMEOUT_MS) {
    this.#timeoutMs = timeoutMs;
    this.#process = new ReaderProcess(count, timeoutMs);
  }

  /** Reads the manifests of these modules, and ends. */
  async read(moduleUrls: readonly string[]): Promise<Map<string, ManifestAnswer>> {
    const answers = new Map<string, ManifestAnswer>();
    const together = await this.#process.read([...new Set(moduleUrls)]);
    for (const [moduleUrl, text] of together) {
      const answer = text ?? (await readAlone(moduleUrl, this.#timeoutMs));
      answers.set(moduleUrl, answerOf(answer));
    }
    return answers;
  }

  /** Ends without reading anything. */
  [Symbol.dispose](): void {
    this.#process.end();
  }
}

async function readAlone(moduleUrl: string, timeoutMs: number): Promise<ManifestText> {
  const found = await new ReaderProcess(1, timeoutMs).read([moduleUrl]);
  return found.get(moduleUrl) ?? { problem: 'its module ends or stops its process' };
}

function answerOf(answer: ManifestText): ManifestAnswer {
  if ('problem' in answer) return answer;
  try {
    return { manifest: JSON.parse(answer.text) };
  } catch {
    return { problem: 'its manifest cannot be read' };
  }
}

/** One process that reads manifests. This is the only place where one is started. */
class ReaderProcess {
  /** Or why there is none. */
  readonly #child: ChildProcess | Promise<string>;
  readonly #timeoutMs: number;

  constructor(count: number, timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
    this.#child = startReader(count, timeoutMs);
  }

  end(): void {
    if (!(this.#child instanceof Promise)) this.#child.kill('SIGKILL');
  }

  /** `undefined` for those that the process did not live to answer; it ends after the last one. */
  async read(moduleUrls: readonly string[]): Promise<Map<string, ManifestText | undefined>> {
    const child = this.#child;
    if (child instanceof Promise) {
      const problem = await child;
      return new Map(moduleUrls.map((url) => [url, { problem }]));
    }
    const answers = new Map<string, ManifestText | undefined>(moduleUrls.map((url) => [url, undefined]));
    return new Promise((resolve) => {
      let left = moduleUrls.length;
      const done = (): void => {
        clearTimeout(timer);
        child.removeAllListeners('message');
        this.end();
        resolve(answers);
      };
      const timer = setTimeout(done, this.#timeoutMs + GRACE_MS);
      child.on('message', (message: unknown) => {
        if (!isRecord(message)) return;
        const moduleUrl = moduleUrls[Number(message['id'])];
        if (moduleUrl === undefined || answers.get(moduleUrl) !== undefined) return;
        answers.set(moduleUrl, manifestTextOf(message) ?? { problem: 'its manifest cannot be read' });
        timer.refresh();
        left--;
        if (left === 0) done();
      });
      child.once('exit', done);
      child.once('error', done);
      if (left === 0) return done();
      for (const [id, moduleUrl] of moduleUrls.entries())
        child.send({ id, moduleUrl } satisfies ManifestRequest, noteUnsent);
    });
  }
}

function startReader(count: number, timeoutMs: number): ChildProcess | Promise<string> {
  try {
    const args = [...FORM_FLAGS, fileURLToPath(MANIFEST_MAIN), `${count}`, `${timeoutMs}`];
    const child = startProcess(process.execPath, args, {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      env: {},
    });
    // Its end says the same.
    child.on('error', () => {});
    return child;
  } catch (error) {
    if (!(error instanceof ProcessStartError)) throw error;
    return error.reason;
  }
}

/** A process that is gone takes nothing any more: its end says so. */
function noteUnsent(): void {}
