/**
 * Puts a thread on the CPUs that its start node asks for, and gives it that priority as a nice
 * value. Linux has both for threads.
 */
import { getPriority, setPriority } from 'node:os';
import { cpusOf, type CpuAffinity, PRIORITY_LIMIT, type Scheduling } from '../../session/scheduling.ts';
import { Kernel } from '../host/kernel.ts';

/** The number of nice values, from the most urgent that any user may have to the least. */
const NICE_STEPS = 20;
const NICE_MAX = 19;
/** Means the calling thread on Linux, and the whole process on other systems. */
const THIS_THREAD = 0;

/**
 * Applies a scheduling to the calling thread. The result says what could not be had, in words for
 * people.
 */
export function applyScheduling({ affinity, priority }: Scheduling): string[] {
  const problems = [];
  if (affinity.length > 0) problems.push(attempt('affinities have no effect', () => setCpus(affinity)));
  if (priority > 0) problems.push(attempt('priorities have no effect', () => setUrgency(priority)));
  return problems.filter((problem) => problem !== undefined);
}

function attempt(what: string, set: () => void): string | undefined {
  try {
    set();
    return undefined;
  } catch (error) {
    return `${what}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function setCpus(affinity: readonly CpuAffinity[]): void {
  const kernel = Kernel.load();
  if (typeof kernel === 'string') throw new Error(kernel);
  kernel.setThreadCpus(cpusOf(affinity, kernel.threadCpus()));
}

/**
 * Sets the nice value, counted from ginit's own, so that no component is more urgent than ginit.
 */
function setUrgency(priority: number): void {
  if (process.platform !== 'linux') throw new Error(`this is ${process.platform}, not Linux`);
  const nice = getPriority(THIS_THREAD) + Math.floor((priority * NICE_STEPS) / PRIORITY_LIMIT);
  setPriority(THIS_THREAD, Math.min(NICE_MAX, nice));
}
