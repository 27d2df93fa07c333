/** Puts a thread where its start node wants it: its CPUs, and its urgency as a nice value. Linux has both for threads. */
import { getPriority, setPriority } from 'node:os';
import { cpusOf, type CpuAffinity, PRIORITY_LIMIT, type Scheduling } from '../../session/scheduling.ts';
import { Kernel } from '../host/kernel.ts';

/** Nice values from the most urgent that anybody may have to the least. */
const NICE_STEPS = 20;
const NICE_MAX = 19;
/** To Linux a thread; to other systems the whole process. */
const THIS_THREAD = 0;

/** Applies to the calling thread; the result is what could not be had, in words for people. */
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

/** Counted from where ginit itself is: nobody gets more urgent than who started it. */
function setUrgency(priority: number): void {
  if (process.platform !== 'linux') throw new Error(`this is ${process.platform}, not Linux`);
  const nice = getPriority(THIS_THREAD) + Math.floor((priority * NICE_STEPS) / PRIORITY_LIMIT);
  setPriority(THIS_THREAD, Math.min(NICE_MAX, nice));
}
