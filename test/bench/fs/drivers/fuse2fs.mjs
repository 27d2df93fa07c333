/** fuse2fs, of e2fsprogs. */
import { execFileSync } from 'node:child_process';
import { overMount } from './mounted.mjs';

export function open(parts) {
  const { image, point } = parts;
  return overMount(
    parts,
    () => execFileSync('fuse2fs', [image, point, '-o', 'rw'], { stdio: 'pipe' }),
    /^fuse/,
  );
}
