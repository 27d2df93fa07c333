// Makes examples/disk.img.gz anew: an MBR disk of 8 MiB whose first partition is an ext2 made by
// mke2fs (Debian: e2fsprogs). The result is part of the repository; this says how it came to be.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { root } from './setup.mjs';

const SECTOR = 512;
const DISK_SECTORS = 16_384;
const FIRST_SECTOR = 2048;
const LINUX = 0x83;

const directory = mkdtempSync(join(tmpdir(), 'ginit-image-'));
const tree = join(directory, 'tree');
mkdirSync(join(tree, 'docs'), { recursive: true });
writeFileSync(
  join(tree, 'hello.txt'),
  'Hello from an ext2 file system, read by components that share nothing they were not given.\n',
);
writeFileSync(
  join(tree, 'docs', 'readme.txt'),
  'Every line you see came through five components in four processes.\n',
);
// A megabyte that does not compress away: a chain of hashes.
let block = createHash('sha256').update('ginit').digest();
const blocks = [];
for (let i = 0; i < 32_768; i++) {
  blocks.push(block);
  block = createHash('sha256').update(block).digest();
}
writeFileSync(join(tree, 'docs', 'random.bin'), Buffer.concat(blocks));
symlinkSync('docs/readme.txt', join(tree, 'readme'));

const disk = Buffer.alloc(DISK_SECTORS * SECTOR);
const entry = disk.subarray(446, 462);
entry.writeUInt8(LINUX, 4);
entry.writeUInt32LE(FIRST_SECTOR, 8);
entry.writeUInt32LE(DISK_SECTORS - FIRST_SECTOR, 12);
disk.writeUInt16LE(0xaa55, 510);

const partition = join(directory, 'partition.img');
const SIZE = `${((DISK_SECTORS - FIRST_SECTOR) * SECTOR) / 1024}k`;
const OPTIONS = [
  '-q',
  '-t',
  'ext2',
  '-b',
  '1024',
  '-L',
  'ginit',
  '-U',
  '67696e69-7400-4000-8000-000000000001',
];
const made = spawnSync('/sbin/mke2fs', [...OPTIONS, '-E', 'root_owner=0:0', '-d', tree, partition, SIZE], {
  stdio: 'inherit',
});
if (made.status !== 0) throw new Error('mke2fs failed (Debian package: e2fsprogs)');
readFileSync(partition).copy(disk, FIRST_SECTOR * SECTOR);
writeFileSync(join(root, 'examples', 'disk.img.gz'), gzipSync(disk, { level: 9 }));
rmSync(directory, { recursive: true });
