/**
 * The program that has started us on somebody's behalf: npx, npm, pnpm or yarn, mostly by way of a shell. Who wants us to
 * end tells that program; it passes SIGTERM on to its shell, which dies of it, and SIGKILL to nobody. So we look
 * whether it is still there.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

const LOOK_MS = 500;
const RUNNERS = /^(npm|npx|pnpm|pnpx|yarn|yarnpkg|bun|bunx)(\.c?js|-cli\.js)?$/;
const SHELLS = /^(sh|bash|dash|ash|busybox|zsh|ksh|fish)$/;
/** Shells between us and it, at most: a script may start a script. */
const SHELLS_MAX = 4;

/** A process and its parent, as they were. */
interface Kinship {
  readonly child: number;
  readonly parent: number;
}

/** What is known of processes; the host's own, or a test's. */
export interface ProcessTable {
  /** None once it is gone. */
  parentOf(pid: number): number | undefined;
  /** Its arguments, the program first; none where they cannot be seen. */
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
      // Programs that write a title of their own there put spaces between the words.
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split(/[\0 ]+/);
    } catch {
      return undefined;
    }
  },
};

/** Whether we, or who has started us, run under a package manager. */
export function isUnderPackageManager(env: NodeJS.ProcessEnv): boolean {
  return env['npm_execpath'] !== undefined || env['npm_config_user_agent'] !== undefined;
}

/** The way from us up to the program that has started us; undefined if no package manager has. */
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
    // Where nobody says what the parent is, it is taken for the launcher.
    if (words === undefined || words.some((word) => RUNNERS.test(basename(word)))) return way;
    if (!SHELLS.test(basename((words[0] ?? '').replace(/^-/, '')))) return undefined;
    child = parent;
  }
  return undefined;
}

/** Whether everybody on the way is still there. */
export function isThere(way: readonly Kinship[], table: ProcessTable): boolean {
  return way.every(({ child, parent }) => table.parentOf(child) === parent);
}

/** The package manager that has started us, if one has. To be found first of all: it may be gone before the system runs. */
export class Launcher {
  readonly #way: readonly Kinship[] | undefined = launcherOf(process.pid, process.env, HOST_PROCESSES);

  /** Calls `gone` once when it has gone. The result ends that. */
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
