/**
 * Judges a disk image by e2fsprogs. An ext2 that lost its power may need mending, for it has no
 * journal; but e2fsck must be able to mend it, nothing may be wrong with it afterwards, and what a
 * SYNC had covered must still be there.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const DIRECTORIES = ['/usr/sbin', '/sbin', '/usr/bin', '/bin', '/usr/local/sbin'];
/** Where the partition of the example disk begins. */
const PARTITION_AT = 2048 * 512;
/** e2fsck: errors were corrected, with and without the advice to reboot. */
const MENDED = [0, 1, 2, 3];

function find(program) {
  return DIRECTORIES.map((directory) => join(directory, program)).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** The programs that are not there. */
export const missing = ['e2fsck', 'debugfs'].filter((program) => find(program) === undefined);

function run(program, ...args) {
  return spawnSync(find(program), args, { encoding: 'utf8', maxBuffer: 2 ** 28 });
}

/** Lists what is wrong with the image; `files` says by path how files must begin. */
export function judge(imagePath, files) {
  const partition = `${imagePath}.partition`;
  writeFileSync(partition, readFileSync(imagePath).subarray(PARTITION_AT));
  const problems = [];
  const mending = run('e2fsck', '-f', '-y', partition);
  if (!MENDED.includes(mending.status))
    problems.push(`e2fsck -y ends with ${mending.status}: ${mending.stdout}`);
  const checking = run('e2fsck', '-f', '-n', partition);
  if (checking.status !== 0) problems.push(`e2fsck -n then ends with ${checking.status}: ${checking.stdout}`);
  for (const [path, beginning] of files) {
    const { stdout } = run('debugfs', '-R', `cat "${path}"`, partition);
    if (!stdout.startsWith(beginning)) {
      problems.push(
        `${path} was synced, but has ${stdout.length} characters: ${JSON.stringify(stdout.slice(0, 60))}`,
      );
    }
  }
  rmSync(partition);
  return { problems, mended: mending.status !== 0 };
}
