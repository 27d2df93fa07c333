/**
 * Starting the process of a domain, and the reason if that fails. The kernel may have no
 * descriptor, no process or no memory left; it says so at once or a moment later. Either way only
 * the component fails that the process was for.
 */
import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { devNull } from 'node:os';
import { keepInheritedDescriptors } from './inherited-descriptors.ts';

/**
 * The number of descriptors that ginit takes while it starts a process, and that it keeps for its
 * other tasks.
 */
const START_DESCRIPTORS = 14;
export const KEPT_DESCRIPTORS = 16;

/** A process that could not be started. */
export class ProcessStartError extends Error {
  /** Settles with the reason, in words for people: it may come a moment later. */
  readonly reason: Promise<string>;

  constructor(reason: string | Promise<string>) {
    super('a process could not be started');
    this.name = 'ProcessStartError';
    this.reason = Promise.resolve(reason);
  }
}

/** Starts a process. Throws `ProcessStartError`. */
export function startProcess(
  command: string,
  parameters: readonly string[],
  options: SpawnOptions,
): ChildProcess {
  needDescriptors();
  keepInheritedDescriptors();
  let child: ChildProcess;
  try {
    child = spawn(command, [...parameters], options);
  } catch (error) {
    throw new ProcessStartError(describeStartError(error));
  }
  if (child.pid !== undefined) return child;
  throw new ProcessStartError(
    new Promise((resolve) => child.once('error', (error) => resolve(describeStartError(error)))),
  );
}

/** Throws `ProcessStartError` if too few descriptors are left for a process. */
export function needDescriptors(): void {
  if (descriptorsLeft(START_DESCRIPTORS + KEPT_DESCRIPTORS)) return;
  throw new ProcessStartError(`${FAILED}: ginit has too few file descriptors left (raise ulimit -n)`);
}

const FAILED = 'its process could not be started';

const WORDS: Readonly<Record<string, string>> = {
  EMFILE: 'ginit has no file descriptor left (raise ulimit -n)',
  ENFILE: 'the machine has no file descriptor left',
  EAGAIN: 'there are too many processes (raise ulimit -u)',
  ENOMEM: 'the machine has no memory left',
};

/** The error of a start, in words for people. */
export function describeStartError(error: unknown): string {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
  const known = typeof code === 'string' ? (WORDS[code] ?? code) : String(error);
  return `${FAILED}: ${known}`;
}

/** Whether the kernel would give this process so many more descriptors. */
export function descriptorsLeft(count: number): boolean {
  const taken: number[] = [];
  try {
    while (taken.length < count) taken.push(openSync(devNull, 'r'));
    return true;
  } catch {
    return false;
  } finally {
    for (const descriptor of taken) closeSync(descriptor);
  }
}
