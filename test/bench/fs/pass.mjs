/** Measures one contender on a copy of an image: `pass.mjs DRIVER TYPE IMAGE PEERS WORK`. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { measure } from './work.mjs';

const [driver, type, image, peers, work] = process.argv.slice(2);
const folder = mkdtempSync(join(dirname(image), `${driver}-`));
const copy = join(folder, 'copy.img');

/** Drops what the host has of files in memory, where that is allowed. */
function dropCaches() {
  try {
    execFileSync('sync');
    writeFileSync('/proc/sys/vm/drop_caches', '3');
  } catch {
    // Then cold means a new mount only.
  }
}

try {
  copyFileSync(image, copy);
  mkdirSync(join(folder, 'mounted'));
  const { open } = await import(`./drivers/${driver}.mjs`);
  const fs = await open({ image: copy, point: join(folder, 'mounted'), type, peers, dropCaches });
  console.log(JSON.stringify(await measure(fs, JSON.parse(work))));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
