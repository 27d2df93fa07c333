/** Our file systems, mounted by `ginit mount`. */
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { GINIT } from '../../harness/ginit-system.mjs';
import { overMount } from './mounted.mjs';

const PAUSE = ['0.02'];
const PAUSES_MAX = 3000;

/** Waits without letting go of the thread, as everything here does. */
function until(what, holds) {
  for (let pauses = 0; !holds(); pauses++) {
    if (pauses === PAUSES_MAX) throw new Error(`waited too long: ${what}`);
    execFileSync('sleep', PAUSE);
  }
}

const isMounted = (point) =>
  readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .some((line) => line.split(' ')[1] === point);

function hasEnded(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
  } catch {
    return true;
  }
}

export function open(parts) {
  const { image, point } = parts;
  let before;
  const mount = () => {
    // The one before still saves what it has when its mount is gone.
    if (before !== undefined) until('ginit ends', () => hasEnded(before));
    const child = spawn(process.execPath, [GINIT, 'mount', image, point], { stdio: 'ignore' });
    before = child.pid;
    until('ginit mounts', () => isMounted(point) || hasEnded(child.pid));
  };
  return overMount(parts, mount, /^fuse\.ginit$/);
}
