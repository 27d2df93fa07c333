/**
 * The use of the CPU by one thread of a process, as Linux counts it. It can be read from outside,
 * so a thread that never answers is seen, too.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import type { ThreadUse } from '../../supervisor/platform.ts';

/** The number of the calling thread at the kernel; `undefined` where that cannot be known. */
export function threadNumber(): number | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    return Number(basename(readlinkSync('/proc/thread-self')));
  } catch {
    return undefined;
  }
}

/** The use by a thread of a process; `undefined` if it is gone, or where nobody counts it. */
export function threadUse(pid: number, thread: number): ThreadUse | undefined {
  if (process.platform !== 'linux') return undefined;
  const directory = `/proc/${pid}/task/${thread}`;
  try {
    // The first number is the time on a CPU in nanoseconds.
    const [onCpuNs] = readFileSync(`${directory}/schedstat`, 'utf8').split(' ');
    const switches = /^voluntary_ctxt_switches:\s*(\d+)$/m.exec(readFileSync(`${directory}/status`, 'utf8'));
    const cpuUs = Math.floor(Number(onCpuNs) / 1000);
    return Number.isSafeInteger(cpuUs) && switches ? { cpuUs, wakeUps: Number(switches[1]) } : undefined;
  } catch {
    return undefined;
  }
}
