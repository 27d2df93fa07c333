/** Memory of a process and all its descendants, as the kernel counts it. */
import { readdirSync, readFileSync } from 'node:fs';

const KIB_PER_MIB = 1024;

/** The result of `read`; `undefined` for a process that has ended in between. */
function ifThere(read) {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function parentOf(pid) {
  const stat = ifThere(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  return stat && Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

/** The process and its descendants. */
function family(root) {
  const parents = new Map(
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map((name) => [Number(name), parentOf(name)]),
  );
  const members = new Set([root]);
  // Children may have lower numbers than their parents, so this repeats until no process is added.
  for (let size = 0; size !== members.size; ) {
    size = members.size;
    for (const [pid, parent] of parents) if (members.has(parent)) members.add(pid);
  }
  return [...members];
}

/**
 * Resident memory in MiB: the sum, and the sum with shared pages divided among the processes that
 * share them. Without /proc there is none.
 */
export function memoryOf(root) {
  if (process.platform !== 'linux') return {};
  const rollups = family(root).map((pid) => ifThere(() => readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')));
  const sum = (name) => {
    const pattern = new RegExp(`^${name}:\\s*(\\d+) kB$`, 'm');
    const kib = rollups.map((text) => Number(pattern.exec(text ?? '')?.[1] ?? 0));
    return kib.reduce((total, each) => total + each, 0) / KIB_PER_MIB;
  };
  return { pssMib: sum('Pss'), rssMib: sum('Rss') };
}
