// Sets up, then runs the main job: files out of an ext2 file system on a disk image, through five
// components.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root, setUp, unpackExampleDisk } from './setup.mjs';

await setUp();
// The demo writes to its disk: each run starts from the one in the repository.
unpackExampleDisk();
console.error('demo: npx ginit examples/storage.xml');
const ginit = join(root, 'node_modules', '.bin', 'ginit');
const { status } = spawnSync(ginit, ['examples/storage.xml'], { cwd: root, stdio: 'inherit' });
process.exitCode = status ?? 1;
