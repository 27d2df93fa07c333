/**
 * The guest of this benchmark: Debian's kernel and BusyBox, as `ginit guests fetch debian-i686` has
 * made them, with one more archive behind the initrd: the program that loads the disk, and a script
 * that becomes the first process by `rdinit=/bench/init`. All contenders get the same files.
 *
 * The script says on its serial line where it is: "BENCH KEY begin", "BENCH KEY end COUNT".
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cpioArchive } from '../../../../packages/init/dist/command/guests/cpio.js';
import { WORKLOADS } from '../workloads.mjs';

const SOURCE = fileURLToPath(new URL('./load.c', import.meta.url));
const FLAGS = [
  '-m32',
  '-O2',
  '-ffreestanding',
  '-fno-pic',
  '-no-pie',
  '-fno-stack-protector',
  '-nostdlib',
  '-static',
];
const [DIRECTORY, PROGRAM] = [0o040755, 0o100755];
const ALIGNMENT = 4;

/** What follows `console=ttyS0` on the kernel's command line, beside what the script is told. */
const COMMAND_LINE = 'console=ttyS0 quiet noisapnp cryptomgr.notests rdinit=/bench/init';

/** The first process. The kernel hands it `bench=…` and others of the command line as variables. */
const script = () => `#!/bin/busybox sh
/bin/busybox echo "BENCH boot end 1"
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
echo 1 > /proc/sys/kernel/printk
load() {
  /bench/load disk "warm-$1" $2 $3 $4 $5 $((bench_ms / 4)) $((bench_ms * 2048 / $4 + 8)) /dev/$bench_disk
  /bench/load disk "$1" $2 $3 $4 $5 $bench_ms $((bench_ms * 1024 / $4 + 8)) /dev/$bench_disk
}
case "$bench" in
disk)
  modprobe -a virtio_pci virtio_blk ata_piix sd_mod
  while [ ! -b /dev/$bench_disk ]; do sleep 0.1; done
${WORKLOADS.map(
  ({ key, write, random, bytes, depth }) =>
    `  load ${key} ${write ? 'write' : 'read'} ${random ? 'random' : 'sequential'} ${bytes} ${depth}`,
).join('\n')}
  ;;
idle)
  modprobe -a virtio_pci virtio_blk
  /bench/load memory
  sleep 2
  echo "BENCH idle begin"
  sleep $((bench_ms / 100))
  echo "BENCH idle end 1"
  ;;
esac
[ "$bench" = idle ] || echo "BENCH done end 1"
while :; do sleep 1000; done
`;

function fetchedDirectory() {
  const cache = process.env.XDG_CACHE_HOME;
  return join(cache?.startsWith('/') ? cache : join(homedir(), '.cache'), 'ginit', 'guests', 'debian-i686');
}

/**
 * Makes the guest in `directory`. The result has the paths of its files; or why there is none, as
 * `lack`.
 */
export function makeGuest(directory) {
  const fetched = fetchedDirectory();
  const kernel = join(fetched, 'linux');
  if (!existsSync(kernel)) return { lack: 'the guest is not there: ginit guests fetch debian-i686' };
  const program = join(directory, 'load');
  const { status } = spawnSync('gcc', [...FLAGS, '-o', program, SOURCE], { stdio: 'ignore' });
  if (status !== 0) return { lack: 'gcc is not there, or cannot compile for 32 bits' };
  const initrd = join(directory, 'initrd');
  const first = readFileSync(join(fetched, 'initrd'));
  const second = cpioArchive([
    { path: 'bench', mode: DIRECTORY },
    { path: 'bench/load', mode: PROGRAM, content: readFileSync(program) },
    { path: 'bench/init', mode: PROGRAM, content: Buffer.from(script()) },
  ]);
  const gap = new Uint8Array((ALIGNMENT - (first.length % ALIGNMENT)) % ALIGNMENT);
  writeFileSync(initrd, Buffer.concat([first, gap, second]));
  return { kernel, initrd };
}

/** The command line for one of the things that the script does: `boot`, `disk` or `idle`. */
export const commandLine = (what, { disk = 'none', ms }) =>
  `${COMMAND_LINE} bench=${what} bench_disk=${disk} bench_ms=${ms}`;
