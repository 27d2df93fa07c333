/** The kernel, by a loop device. */
import { execFileSync } from 'node:child_process';
import { overMount } from './mounted.mjs';

export function open(parts) {
  const { image, point, type } = parts;
  return overMount(
    parts,
    () => execFileSync('mount', ['-t', type, '-o', 'loop', image, point]),
    /^(ext[24]|exfat)$/,
  );
}
