// Sets up, then runs the main job twice: files out of an ext2 file system on a disk image, through
// five components; then an unmodified Linux that writes to the same disk, and what rumpfs reads of
// it afterwards.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root, setUp, unpackExampleDisk } from './setup.mjs';

const ginit = join(root, 'node_modules', '.bin', 'ginit');

/** Runs ginit with these arguments, as a newcomer would; the result is its exit code. */
function run(...args) {
  console.error(`demo: npx ginit ${args.join(' ')}`);
  return spawnSync(ginit, args, { cwd: root, stdio: 'inherit' }).status ?? 1;
}

await setUp();
// The demo writes to its disk: each run starts from the one in the repository.
unpackExampleDisk();
process.exitCode = run('examples/storage.xml');
if (process.exitCode === 0) {
  if (run('guests', 'fetch', 'debian-i686', '--into', 'examples/guests') === 0) {
    console.error('demo: now a Linux boots, which takes ten seconds or more');
    process.exitCode = run('examples/guest.xml');
  } else {
    console.error(
      'demo: the guest cannot be fetched (the reason stands above), so no machine is started; all else has run',
    );
  }
}
