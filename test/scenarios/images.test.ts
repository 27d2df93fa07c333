/**
 * Disk images whose system is killed while it writes: whole and clean in the eyes of qemu-img, with
 * everything that a SYNC had covered; and snapshots likewise. And `ginit image` as the command that
 * it is.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { existsSync, readdirSync, readFileSync, truncateSync } from 'node:fs';
import { DiskDevice } from '../../packages/block/src/image/disk-device.ts';
import { RawImage } from '../../packages/block/src/image/raw/raw-image.ts';
import { SnapshotStore } from '../../packages/block/src/snapshot/snapshot-store.ts';
import { Snapshots } from '../../packages/block/src/snapshot/snapshots.ts';
import { noise } from '../../packages/block/test/image/disk-content.ts';
import { MemoryDevice } from '../../packages/block/test/image/memory-device.ts';
import { ImagePlace, QEMU_MISSING } from '../../packages/block/test/image/qemu.ts';
import { CORE_URL, GinitRun, systemConfig, Workplace } from '../harness/ginit.ts';

const DISK_BYTES = 48 * 1024 * 1024;
/** Written steps go to the first blocks; behind them, blocks are written and trimmed again. */
const BLOCKS = 8192;
const WRITES = 16;

/** The block that a step writes as the n-th one. */
const blockOf = (step: number, n: number): number => (step * 997 + n * 509) % BLOCKS;

/** Writes steps, syncs each, says so, and never ends. */
const writer = (first: number): string => `import { component } from '${CORE_URL}';
import { Block, BlockClient } from '${CORE_URL}/block';
export default component({ requires: [Block] }, async (env) => {
  const disk = await BlockClient.connect(env);
  const blockOf = ${blockOf.toString().replaceAll('BLOCKS', String(BLOCKS))};
  for (let step = ${first}; ; step++) {
    const bytes = new Uint8Array(512);
    new DataView(bytes.buffer).setUint32(0, step);
    const work = Array.from({ length: ${WRITES} }, (_, n) => disk.write(blockOf(step, n), 1, bytes));
    const large = new Uint8Array(128 * 512).fill(step);
    work.push(step % 2 ? disk.write(${BLOCKS} + (step % 64) * 256, 128, large) : disk.trim(${BLOCKS}, ${BLOCKS}));
    await Promise.all(work);
    await disk.sync();
    await env.log('synced ' + step);
  }
});`;

let place: Workplace;
let images: ImagePlace;
beforeEach(() => {
  place = new Workplace();
  images = new ImagePlace();
});
afterEach(() => {
  place[Symbol.dispose]();
  images[Symbol.dispose]();
});

/**
 * Runs the writer from a step on until it has synced some more, and kills it. The last synced step.
 */
async function runAndKill(starts: string, first: number, steps: number): Promise<number> {
  place.write('writer.mjs', writer(first));
  const routes = `<service name="Block"> <child name="disk"/> </service> <any-service> <parent/> </any-service>`;
  place.write(
    'config.xml',
    systemConfig(`${starts}
  <start name="writer"> <binary name="./writer.mjs"/> <route> ${routes} </route> </start>`),
  );
  const run = new GinitRun(['config.xml'], place.directory);
  await run.until(`synced ${first + steps}\n`);
  run.killGroup();
  const { stdout } = await run.finished;
  expect(await run.leftOver()).toEqual([]);
  return Number([...stdout.matchAll(/synced (\d+)\n/g)].at(-1)?.[1]);
}

/** A driver for a file. */
const driver = (name: string, binary: string, file: string): string =>
  `<start name="${name}" ram="8M"> <binary name="${binary}"/> <provides> <service name="Block"/> </provides>
    <host> <file path="${file}" access="rw"/> </host> <config file="${file}" writeable="yes"/> </start>`;

/** Checks what is left: of each block, what the last synced step or a later one has written. */
function checkDisk(disk: Uint8Array, synced: number): void {
  const view = new DataView(disk.buffer, disk.byteOffset);
  const expected = new Map<number, number>();
  const later = new Map<number, number[]>();
  for (let step = 1; step <= synced + 100; step++) {
    for (let n = 0; n < WRITES; n++) {
      const block = blockOf(step, n);
      if (step <= synced) expected.set(block, step);
      else later.set(block, [...(later.get(block) ?? []), step]);
    }
  }
  for (const [block, step] of expected) {
    expect([step, ...(later.get(block) ?? [])], `block ${block}`).toContain(view.getUint32(block * 512));
  }
  expect(expected.size).toBeGreaterThan(100);
}

test.skipIf(QEMU_MISSING !== undefined)(
  `an image whose system is killed is whole, and has what was synced (${QEMU_MISSING ?? 'with qemu-img'})`,
  { timeout: 120_000 },
  async () => {
    const image = place.path('disk.qcow2');
    images.run('qemu-img', ['create', '-f', 'qcow2', '-o', 'cluster_size=4k', image, String(DISK_BYTES)]);
    const synced = await runAndKill(driver('disk', 'image_block', 'disk.qcow2'), 1, 23);
    expect(images.checkByQemu(image, 'qcow2')).toBe('');
    images.run('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', image, 'disk.raw']);
    checkDisk(readFileSync(images.path('disk.raw')), synced);
  },
);

/** A system whose disk has snapshots of these names. */
const snapshots = (...names: readonly string[]): string =>
  `${driver('origin', 'file_block', 'origin.img')} ${driver('store', 'file_block', 'store.img')}
  <start name="disk" ram="16M"> <binary name="snapshot_block"/> <provides> <service name="Block"/> </provides>
    <config format="yes" chunk_size="4K"> ${names.map((name) => `<snapshot name="${name}"/>`).join(' ')}
      <policy label_prefix="writer" writeable="yes"/> </config>
    <route> <service name="Block" label="origin"> <child name="origin"/> </service>
      <service name="Block" label="store"> <child name="store"/> </service>
      <any-service> <parent/> </any-service> </route> </start>`;

/** What a snapshot holds of a disk that is not in use. */
async function snapshotContent(name: string): Promise<Uint8Array> {
  const device = (file: string): DiskDevice =>
    new DiskDevice(new RawImage(new MemoryDevice(readFileSync(place.path(file))), true), 512);
  const store = await SnapshotStore.open(device('store.img'));
  const events = { full: () => {}, dropped: () => {}, usage: () => {} };
  const view = (await Snapshots.open(device('origin.img'), store, () => 'fail', events)).view(name);
  if (!view) throw new Error(`there is no snapshot "${name}"`);
  const content = new Uint8Array(view.info.blockCount * 512);
  await view.read(0, view.info.blockCount, content);
  return content;
}

test('snapshots of a disk whose system is killed hold what they held, and the disk what was synced', {
  timeout: 120_000,
}, async () => {
  const before = noise(new Uint8Array(2 * BLOCKS * 512), 5);
  place.write('origin.img', before);
  place.write('store.img', new Uint8Array(24 * 1024 * 1024));
  const synced = await runAndKill(snapshots('first', 'second'), 1, 17);
  checkDisk(readFileSync(place.path('origin.img')), synced);
  expect(Buffer.compare(await snapshotContent('second'), before)).toBe(0);
  expect(Buffer.compare(await snapshotContent('first'), before)).toBe(0);
});

test('ginit image does its work in threads, and says what came of it', async () => {
  place.write('a.img', new Uint8Array(1024 * 1024).fill(3));
  const { code, lines, stderr } = await place.run('image', 'info', '--json', 'none.img', 'a.img');
  expect(stderr).toBe('ginit: image: file "none.img": there is no such file\n');
  expect(lines.map((line): unknown => JSON.parse(line))).toMatchObject([
    { problem: 'file "none.img": there is no such file' },
    { command: 'info', info: { file: 'a.img', format: 'raw', diskBytes: 1024 * 1024 } },
  ]);
  expect(code).toBe(1);
});

test('ginit image that is interrupted leaves nothing half-done', async () => {
  place.write('large.img', '');
  truncateSync(place.path('large.img'), 2 ** 42);
  const run = new GinitRun(['image', 'convert', 'large.img', 'large.vdi'], place.directory);
  while (!readdirSync(place.directory).some((name) => name.startsWith('large.vdi'))) {
    expect(run.child.exitCode).toBeNull();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  run.child.kill('SIGINT');
  const { code, stderr } = await run.finished;
  expect([code, stderr]).toEqual([130, 'ginit: image: interrupted\n']);
  expect(readdirSync(place.directory).filter((name) => name.startsWith('large'))).toEqual(['large.img']);
  expect(existsSync(place.path('large.vdi'))).toBe(false);
});
