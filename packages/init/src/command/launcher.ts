/**
 * The program that has started us on somebody's behalf: npx, npm, pnpm or yarn, mostly by way of a
 * shell. Somebody who wants us to end tells that program. It passes SIGTERM on to its shell, which
 * dies of it, and it passes SIGKILL on to nobody. So we watch whether the program is still there.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

const LOOK_MS = 500;
const RUNNERS = /^(npm|npx|pnpm|pnpx|yarn|yarnpkg|bun|bunx)(\.c?js|-cli\.js)?$/;
const SHELLS = /^(sh|bash|dash|ash|busybox|zsh|ksh|fish)$/;
/** The largest number of shells between us and the launcher: a script may start a script. */
const SHELLS_MAX = 4;

/** A process and its parent at the time of looking. */
interface Kinship {
  readonly child: number;
  readonly parent: number;
}

/** The facts about processes; from the host, or made up by a test. */
export interface ProcessTable {
  /** `undefined` once the process is gone. */
  parentOf(pid: number): number | undefined;
  /** The arguments of the process, the program first; `undefined` where they cannot be seen. */
  argumentsOf(pid: number): readonly string[] | undefined;
}

/** The host's processes. */
export const HOST_PROCESSES: ProcessTable = {
  parentOf: (pid) => {
    if (pid === process.pid) return process.ppid;
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    } catch {
      return undefined;
    }
  },
  argumentsOf: (pid) => {
    try {
      // A program that writes a title of its own there separates the words by spaces.
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split(/[\0 ]+/);
    } catch {
      return undefined;
    }
  },
};

/** Whether we, or the process that has started us, run under a package manager. */
export function isUnderPackageManager(env: NodeJS.ProcessEnv): boolean {
  return env['npm_execpath'] !== undefined || env['npm_config_user_agent'] !== undefined;
}

/**
 * The processes from us up to the program that has started us; `undefined` if that is no package
 * manager.
 */
export function launcherOf(
  pid: number,
  env: NodeJS.ProcessEnv,
  table: ProcessTable,
): readonly Kinship[] | undefined {
  if (!isUnderPackageManager(env)) return undefined;
  const way: Kinship[] = [];
  for (let child = pid; way.length <= SHELLS_MAX; ) {
    const parent = table.parentOf(child);
    if (parent === undefined || parent <= 1) return undefined;
    way.push({ child, parent });
    const words = table.argumentsOf(parent);
    // Where the parent's arguments cannot be seen, the parent is taken for the launcher.
    if (words === undefined || words.some((word) => RUNNERS.test(basename(word)))) return way;
    if (!SHELLS.test(basename((words[0] ?? '').replace(/^-/, '')))) return undefined;
    child = parent;
  }
  return undefined;
}

/** Whether every process on the way is still there. */
export function isThere(way: readonly Kinship[], table: ProcessTable): boolean {
  return way.every(({ child, parent }) => table.parentOf(child) === parent);
}

/**
 * The package manager that has started us, if one has. It must be looked for before anything else,
 * because it may be gone before the system runs.
 */
export class Launcher {
  readonly #way: readonly Kinship[] | undefined = launcherOf(process.pid, process.env, HOST_PROCESSES);

  /** Calls `gone` once when the launcher has gone. The result stops the watch. */
  watch(gone: () => void): () => void {
    const way = this.#way;
    if (!way) return () => {};
    const timer = setInterval(() => {
      if (isThere(way, HOST_PROCESSES)) return;
      clearInterval(timer);
      gone();
    }, LOOK_MS);
    timer.unref();
    return () => clearInterval(timer);
  }
}
