/**
 * The directory of a benchmark, which is gone when the benchmark has ended, also when it was
 * stopped in between; and so is what contenders have mounted below it.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MOUNTS = '/proc/mounts';

/** Makes it. */
export function scratchDirectory() {
  const directory = mkdtempSync(join(tmpdir(), 'ginit-bench-'));
  process.on('exit', () => {
    const mounted = existsSync(MOUNTS) ? readFileSync(MOUNTS, 'utf8').split('\n') : [];
    for (const line of mounted.toReversed()) {
      const [, place = ''] = line.split(' ');
      // A removal that went through a mount would empty what is mounted.
      if (place.startsWith(`${directory}/`)) spawnSync('umount', ['-l', place]);
    }
    rmSync(directory, { recursive: true, force: true });
  });
  return directory;
}
