/** Reads the manifests of components in a process of their own: importing a module runs its code. */
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { isRecord } from '../../interface/shapes.ts';
import { FORM_FLAGS } from './form.ts';
import { ProcessStartError, startProcess } from './process-start.ts';

const MANIFEST_MAIN = new URL('./manifest-main.js', import.meta.url);
/** How long a module may take to load. */
const LOAD_TIMEOUT_MS = 20_000;

/** A manifest as plain data, not looked at yet, or why there is none. */
export type ManifestAnswer = { readonly manifest: unknown } | { readonly problem: string };

/** Imports each module and reads its manifest. */
export async function readManifests(moduleUrls: readonly string[]): Promise<Map<string, ManifestAnswer>> {
  const answers = new Map<string, ManifestAnswer>();
  let reader: ChildProcess | undefined;
  for (const moduleUrl of new Set(moduleUrls)) {
    try {
      reader ??= startReader();
    } catch (error) {
      if (!(error instanceof ProcessStartError)) throw error;
      answers.set(moduleUrl, { problem: await error.reason });
      continue;
    }
    const answer = await ask(reader, moduleUrl);
    answers.set(moduleUrl, answer ?? { problem: 'its module does not finish loading, or ends its process' });
    if (!answer) {
      // Whatever that module did to the process, the next ones get a new one.
      reader.kill('SIGKILL');
      reader = undefined;
    }
  }
  reader?.kill('SIGKILL');
  return answers;
}

/** Throws `ProcessStartError`. */
function startReader(): ChildProcess {
  return startProcess(process.execPath, [...FORM_FLAGS, fileURLToPath(MANIFEST_MAIN)], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: {},
  });
}

function ask(reader: ChildProcess, moduleUrl: string): Promise<ManifestAnswer | undefined> {
  return new Promise((resolve) => {
    const done = (answer: ManifestAnswer | undefined): void => {
      clearTimeout(timer);
      reader.removeAllListeners();
      resolve(answer);
    };
    const timer = setTimeout(() => done(undefined), LOAD_TIMEOUT_MS);
    reader.on('message', (message: unknown) => {
      if (!isRecord(message) || message['moduleUrl'] !== moduleUrl) return;
      const { manifest, problem } = message;
      done(typeof problem === 'string' ? { problem } : { manifest });
    });
    reader.on('exit', () => done(undefined));
    reader.on('error', () => done(undefined));
    reader.send(moduleUrl);
  });
}
