/** What a process and all that descend from it have used, from /proc. */
import { readdirSync, readFileSync } from 'node:fs';

const TICK_MS = 10;

/** The fields of /proc/PID/stat behind the name, from the state on. */
function statOf(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

/** The numbers of the processes, and their fields of /proc/PID/stat. */
function treeOf(root) {
  const all = new Map();
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? statOf(name) : undefined;
    if (stat) all.set(Number(name), stat);
  }
  const tree = new Map();
  const add = (pid) => {
    if (!all.has(pid)) return;
    tree.set(pid, all.get(pid));
    for (const [child, stat] of all) if (Number(stat[1]) === pid) add(child);
  };
  add(root);
  return tree;
}

/** The time of the CPUs that they and their ended children have used, in milliseconds. */
export function cpuMsOf(root) {
  let ticks = 0;
  for (const stat of treeOf(root).values()) for (const field of stat.slice(11, 15)) ticks += Number(field);
  return ticks * TICK_MS;
}

/** The memory of the largest of them, in MiB; memory that others have, too, counts in part. */
export function largestMiB(root) {
  const sizes = [...treeOf(root).keys()].map((pid) => {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) / 1024;
  });
  return Math.max(...sizes);
}
