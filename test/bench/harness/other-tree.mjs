/** Another commit of this repository, built beside it in a temporary directory. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from './environment.mjs';

function run(cwd, command, ...args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (status === 0) return stdout.trim();
  throw new Error(`${command} ${args.join(' ')} failed: ${error?.message ?? stderr.trim()}`);
}

/** The full name of a commit; throws if there is none. */
export function commitOf(name) {
  try {
    return run(ROOT, 'git', 'rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`);
  } catch {
    throw new Error(`there is no commit "${name}" in this repository`);
  }
}

/** A built checkout of one commit. `remove` removes it, and so does the end of the process. */
export class OtherTree {
  #directory = mkdtempSync(join(tmpdir(), 'ginit-against-'));

  constructor(commit) {
    process.on('exit', () => this.remove());
    // Without this a Ctrl-C would leave the checkout behind.
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
    // The commits themselves stay where they are: only the work tree is written.
    run(ROOT, 'git', 'clone', '--quiet', '--shared', '--no-checkout', ROOT, this.#directory);
    run(this.#directory, 'git', 'checkout', '--quiet', '--detach', commit);
    run(this.#directory, process.execPath, join('scripts', 'setup.mjs'));
  }

  /**
   * The benchmarks of that commit: they load the packages beside them, and so use the interfaces of
   * that commit.
   */
  async benchmarks() {
    const url = pathToFileURL(join(this.#directory, 'test', 'bench', 'benchmarks.mjs'));
    const { BENCHMARKS } = await import(url.href);
    return BENCHMARKS;
  }

  remove() {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
