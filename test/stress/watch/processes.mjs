/** The kernel's view of the processes of a run, which are one process group. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const PAGE_BYTES = 4096;
const MIB = 1024 * 1024;
/** Fields of /proc/PID/stat behind the name in brackets, counted from 0 (proc(5)). */
const STATE = 0;
const GROUP = 2;
const THREADS = 17;
const RSS_PAGES = 21;

function statOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** Whether a descriptor is of a file, and not of a socket, a pipe or a device. */
function isFile(pid, descriptor) {
  try {
    return /^\/(?!dev\/)/.test(readlinkSync(`/proc/${pid}/fd/${descriptor}`));
  } catch {
    // Closed in between.
    return false;
  }
}

function measure(pid, fields) {
  const descriptors = readdirSync(`/proc/${pid}/fd`);
  return {
    pid,
    rssMiB: (Number(fields[RSS_PAGES]) * PAGE_BYTES) / MIB,
    threads: Number(fields[THREADS]),
    descriptors: descriptors.length,
    files: descriptors.filter((descriptor) => isFile(pid, descriptor)).length,
    mappings: readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n').length - 1,
  };
}

/** Live processes of a group: `{ pid, rssMiB, threads, descriptors, files, mappings }` each. */
export function processesOf(group) {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const fields = statOf(name);
        if (fields[STATE] === 'Z' || Number(fields[GROUP]) !== group) return [];
        return [measure(Number(name), fields)];
      } catch {
        // It has ended in between.
        return [];
      }
    });
}

/** Sum of one measure over processes. */
export function total(processes, key) {
  return processes.reduce((sum, process) => sum + process[key], 0);
}

/** Names in the memory file system that all processes share. */
export function sharedMemoryFiles() {
  try {
    return readdirSync('/dev/shm').toSorted();
  } catch {
    return [];
  }
}

/** Waits for a group to be gone; whoever is still there after `timeoutMs` is the result. */
export async function leftOver(group, timeoutMs) {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const left = processesOf(group);
    if (left.length === 0 || performance.now() > end) return left;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
