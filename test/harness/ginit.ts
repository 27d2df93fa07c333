/**
 * Runs the ginit command as users do, in a directory of its own, and makes sure that nothing of it
 * is left.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RUN_TIMEOUT_MS } from './patience.ts';
import { simulateIn } from './sim-process.ts';

/** The command, as the workspace root has it. */
export const GINIT = fileURLToPath(new URL('../../packages/init/bin/ginit.js', import.meta.url));
/**
 * The name by which components that tests write to files import core: a `Workplace` has it
 * installed.
 */
export const CORE_URL = '@ginit/core';
const CORE = fileURLToPath(new URL('../../packages/core', import.meta.url));

/** The things that a run left behind. */
export interface FinishedRun {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Lines of components, without order between components. */
  readonly lines: readonly string[];
}

/** A running ginit. */
export class GinitRun {
  readonly child: ChildProcess;
  readonly finished: Promise<FinishedRun>;
  stdout = '';
  stderr = '';

  /**
   * `limits` are commands of the shell that starts it, for example `ulimit -n 80`; `program` runs
   * in place of Node: a shell that runs ginit, for instance.
   */
  constructor(
    args: readonly string[],
    directory: string,
    command = GINIT,
    limits = '',
    timeoutMs = RUN_TIMEOUT_MS,
    program?: readonly string[],
  ) {
    // ginit gets a process group of its own, so that any process it leaves behind can be found.
    const words = program ?? [process.execPath, command, ...args];
    const [file, ...rest] =
      limits === '' ? words : ['/bin/sh', '-c', `${limits} && exec "$0" "$@"`, ...words];
    this.child = spawn(file ?? '', rest, {
      cwd: directory,
      stdio: ['ignore', 'pipe', 'pipe'],
      // Users do not have the directories in which the tests' own runner looks for packages.
      env: { ...process.env, NODE_PATH: undefined },
      detached: true,
    });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    const timer = setTimeout(() => this.killGroup(), timeoutMs);
    this.finished = new Promise((resolve) => {
      this.child.on('close', (code, signal) => {
        clearTimeout(timer);
        const { stdout, stderr } = this;
        resolve({ code, signal, stdout, stderr, lines: linesOf(stdout) });
      });
    });
  }

  /** Waits until `text` has been written to standard output or error. */
  async until(text: string): Promise<void> {
    for (let waitedMs = 0; !`${this.stdout}${this.stderr}`.includes(text); waitedMs += 10) {
      if (this.child.exitCode !== null || waitedMs > RUN_TIMEOUT_MS) {
        throw new Error(`"${text}" was never written:\n${this.stdout}${this.stderr}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Processes of this run that are still there. */
  processes(): number[] {
    const group = this.child.pid ?? 0;
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .filter((name) => processGroup(name) === group)
      .map(Number);
  }

  /**
   * Waits for the processes of this run to be gone, for at most `timeoutMs`; those that stay are
   * the result.
   */
  async leftOver(timeoutMs = 2000): Promise<number[]> {
    for (let waitedMs = 0; waitedMs < timeoutMs && this.processes().length > 0; waitedMs += 20) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return this.processes();
  }

  killGroup(): void {
    for (const pid of this.processes()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // The process ended by itself in between.
      }
    }
  }
}

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '');

/** Group of a live process; zombies count as gone. */
function processGroup(pid: string): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' ? undefined : Number(group);
  } catch {
    return undefined;
  }
}

/** A directory with files for a run; `dispose` removes it. */
export class Workplace implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'ginit-scenario-'));

  constructor() {
    const packages = join(this.directory, 'node_modules', '@ginit');
    mkdirSync(packages, { recursive: true });
    symlinkSync(CORE, join(packages, 'core'));
  }

  /** Writes a file, with the directories above it, and returns its path. */
  write(name: string, content: string | Uint8Array): string {
    const path = join(this.directory, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return path;
  }

  read(name: string): string {
    return readFileSync(this.path(name), 'utf8');
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  start(...args: readonly string[]): GinitRun {
    return new GinitRun(args, this.directory);
  }

  /** Starts a program that runs ginit. */
  startProgram(file: string, ...args: readonly string[]): GinitRun {
    return new GinitRun([], this.directory, GINIT, '', RUN_TIMEOUT_MS, [file, ...args]);
  }

  /** Like `start`, under limits that the shell sets. */
  startLimited(limits: string, ...args: readonly string[]): GinitRun {
    return new GinitRun(args, this.directory, undefined, limits);
  }

  /** Runs ginit to its end and checks that no process of it stays. */
  async run(...args: readonly string[]): Promise<FinishedRun> {
    return this.#toItsEnd(this.start(...args));
  }

  /** Like `run`, for systems that need more time. */
  async runLong(timeoutMs: number, ...args: readonly string[]): Promise<FinishedRun> {
    return this.#toItsEnd(new GinitRun(args, this.directory, undefined, undefined, timeoutMs));
  }

  /**
   * What `run('sim', …)` does, in a process that the tests of a file share. Schedules (`--log`) may
   * name operations of the same shape by another interface there, so they are compared by `run`.
   */
  async simulate(...args: readonly string[]): Promise<FinishedRun> {
    const result = await simulateIn(this.directory, args, RUN_TIMEOUT_MS);
    return { ...result, signal: null, lines: linesOf(result.stdout) };
  }

  async #toItsEnd(started: GinitRun): Promise<FinishedRun> {
    const finished = await started.finished;
    const left = await started.leftOver();
    if (left.length > 0) {
      started.killGroup();
      throw new Error(`processes ${left.join(', ')} are still there after ginit ended`);
    }
    return finished;
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** The start nodes within the elements that nearly every config has. */
export function systemConfig(starts: string): string {
  return `<config>
  <parent-provides>
    <service name="ROM"/> <service name="LOG"/> <service name="PD"/> <service name="CPU"/> <service name="Timer"/>
  </parent-provides>
  <default-route> <any-service> <parent/> <any-child/> </any-service> </default-route>
  <default caps="100" ram="4M"/>
${starts}
</config>
`;
}
