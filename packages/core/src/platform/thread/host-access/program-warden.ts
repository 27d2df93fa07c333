/**
 * A process between a driver and the program that it runs. Its only task is to outlive the driver
 * by a moment: when its line to the driver's thread is gone, however that thread ended, it kills
 * the program and everything that the program has started in its process group. Its arguments are
 * the program's file and arguments. Over the line (descriptor 3) it says `started`, `failed CODE`,
 * and `ended CODE` or `ended SIGNAL`, and hears names of signals. Asked `use`, it says `used
 * MICROSECONDS`, the time of the CPUs that the program has used, or `used` if nobody knows.
 *
 * Without arguments it makes a private directory and says `directory PATH`. It then waits for the
 * word `run` with the file and arguments as JSON, and runs the program in that directory. It goes
 * on when the program has ended, and removes the directory when its line is gone.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { devNull } from 'node:os';
import { makePrivateDirectory, removePrivateDirectory } from './private-directory.ts';

const LINE_DESCRIPTOR = 3;
const STREAMS = [0, 1, 2];
/**
 * The whole environment of the program: nothing of ginit's, and nothing that a driver could have it
 * load.
 */
const ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8' };
const SIGNALS: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGKILL', 'SIGINT', 'SIGHUP'];
/** The time that a killed program has to be gone before its directory is removed. */
const GONE_MS = 5000;
/** The unit of times in /proc/PID/stat; Linux has the same on all machines. */
const TICK_US = 10_000;
/** Which of its fields, behind the name, are the times in the program and in the kernel. */
const TIME_FIELDS = [11, 12];

// Whoever ends all processes of ginit in order may reach this one, too; without it, nobody would
// end the program.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) process.on(name, () => {});

const [file, ...args] = process.argv.slice(2);
const directory = file === undefined ? privateDirectory() : undefined;
const line = new Socket({ fd: LINE_DESCRIPTOR, readable: true, writable: true });
let program: ChildProcess | undefined;

function privateDirectory(): string | undefined {
  try {
    return makePrivateDirectory();
  } catch (error) {
    new Socket({ fd: LINE_DESCRIPTOR }).end(`failed ${codeOf(error)}\n`, () => process.exit(1));
    return undefined;
  }
}

function codeOf(error: unknown): string {
  return String(error instanceof Error ? Reflect.get(error, 'code') : undefined);
}

function start(path: string, words: readonly string[]): void {
  const child = spawn(path, words, {
    stdio: 'inherit',
    cwd: directory ?? '/',
    env: ENVIRONMENT,
    detached: true,
  });
  program = child;
  child.on('spawn', () => {
    leaveStreams();
    line.write('started\n');
  });
  child.on('error', (error) => end(`failed ${codeOf(error)}\n`, 1));
  child.on('exit', (code, killedBy) => {
    // Processes that the program has left in its group end with it.
    signal('SIGKILL');
    end(`ended ${killedBy ?? code}\n`, 0);
  });
}

/**
 * Only the program has its input and output, so that the other end sees them end with the program.
 */
function leaveStreams(): void {
  for (const stream of STREAMS) {
    closeSync(stream);
    // The lowest descriptor that is free is the one that was closed.
    openSync(devNull, 'r+');
  }
}

/** Says the last word about the program. Without a directory that is all there is to do. */
function end(word: string, exitCode: number): void {
  if (directory === undefined) line.end(word, () => process.exit(exitCode));
  else line.write(word);
}

function signal(name: NodeJS.Signals): void {
  const pid = program?.pid;
  if (pid === undefined) return;
  try {
    process.kill(-pid, name);
  } catch {
    // The program has just ended.
  }
}

/** The time that the program has used; its number is its own until we hear of its end. */
function usedUs(): number | undefined {
  if (program?.pid === undefined || program.exitCode !== null || program.signalCode !== null)
    return undefined;
  try {
    const stat = readFileSync(`/proc/${program.pid}/stat`, 'utf8');
    // The name is in parentheses, and may have some itself.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = TIME_FIELDS.reduce((sum, field) => sum + Number(fields[field]), 0);
    return Number.isSafeInteger(ticks) ? ticks * TICK_US : undefined;
  } catch {
    return undefined;
  }
}

function hear(text: string): void {
  if (text === 'use') {
    line.write(`used ${usedUs() ?? ''}\n`);
    return;
  }
  if (text.startsWith('run ') && program === undefined) {
    const words: unknown = JSON.parse(text.slice('run '.length));
    if (Array.isArray(words)) start(String(words[0]), words.slice(1).map(String));
    return;
  }
  const name = SIGNALS.find((known) => known === `SIG${text}`);
  if (name) signal(name);
}

let rest = '';
line.setEncoding('utf8').on('data', (text: string) => {
  const lines = (rest + text).split('\n');
  rest = lines.pop() ?? '';
  for (const one of lines) hear(one);
});

let isGone = false;
const gone = (): void => {
  if (isGone) return;
  isGone = true;
  signal('SIGKILL');
  if (directory === undefined) process.exit(1);
  const leave = (): never => {
    removePrivateDirectory(directory);
    process.exit(0);
  };
  if (program?.pid === undefined || program.exitCode !== null || program.signalCode !== null) leave();
  program?.on('exit', leave);
  setTimeout(leave, GONE_MS);
};
line.on('end', gone).on('error', gone).on('close', gone);

if (file !== undefined) start(file, args);
else if (directory !== undefined) line.write(`directory ${directory}\n`);
