/** libfuse's `passthrough_ll`, over a directory of the host's memory, which stands for the fastest there is. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { overMount } from './mounted.mjs';

export function open(parts) {
  const source = mkdtempSync('/dev/shm/ginit-bench-');
  const over = overMount(
    parts,
    () =>
      execFileSync('passthrough_ll', ['-o', `source=${source},cache=always`, parts.point], { stdio: 'pipe' }),
    /^fuse/,
  );
  return {
    ...over,
    end() {
      over.end();
      execFileSync('rm', ['-r', source]);
    },
  };
}
