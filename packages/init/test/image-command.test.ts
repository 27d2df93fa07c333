/** `ginit image`: what it does with files, and what it says. qemu-img is the judge. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { noise, patchwork } from '../../block/test/image/disk-content.ts';
import { ImagePlace, QEMU_MISSING } from '../../block/test/image/qemu.ts';
import { parseImageArguments } from '../src/command/image/options.ts';
import { performTask } from '../src/command/image/perform.ts';
import { barText } from '../src/command/image/progress-bar.ts';
import { exitCodeOf, resultText } from '../src/command/image/result-text.ts';
import type { ImageResult } from '../src/command/image/task.ts';

const MIB = 1024 * 1024;
const HOLES = process.platform === 'linux';

let place: ImagePlace;
let before: string;
beforeEach(() => {
  place = new ImagePlace();
  before = process.cwd();
  process.chdir(place.directory);
});
afterEach(() => {
  process.chdir(before);
  place[Symbol.dispose]();
});

/** Runs a command line in this thread; the results, or the one problem. */
async function image(...args: readonly string[]): Promise<ImageResult[] | string> {
  const line = parseImageArguments(args);
  if (typeof line === 'string') return line;
  const results: ImageResult[] = [];
  for (const task of line.tasks) {
    const answer = await performTask(task);
    if (!('result' in answer)) return 'problem' in answer ? answer.problem : 'interrupted';
    results.push(answer.result);
  }
  return results;
}

/** Likewise, as text. */
async function said(...args: readonly string[]): Promise<string> {
  const results = await image(...args);
  return typeof results === 'string' ? results : results.map(resultText).join('\n');
}

const spaceOf = (file: string): number => statSync(file).blocks * 512;

describe.skipIf(QEMU_MISSING !== undefined)(`with qemu-img (${QEMU_MISSING ?? 'it is installed'})`, () => {
  test('a disk goes through all formats and comes back the same', async () => {
    const disk = patchwork(3 * MIB + 512, 100_000);
    place.write('one.img', disk);
    const steps = [
      ['one.img', 'two.qcow2'],
      ['two.qcow2', 'three.vdi'],
      ['three.vdi', 'four.vmdk'],
      ['--compress', '--cluster-size', '4K', 'four.vmdk', 'five.qcow2'],
      ['five.qcow2', 'six', '--to', 'raw'],
    ];
    for (const step of steps) expect(typeof (await image('convert', ...step)), step.join(' ')).toBe('object');
    expect(Buffer.compare(place.read('six'), disk)).toBe(0);
    for (const [file, format] of [
      ['two.qcow2', 'qcow2'],
      ['three.vdi', 'vdi'],
      ['five.qcow2', 'qcow2'],
    ] as const) {
      expect(place.checkByQemu(file, format)).toBe('');
    }
    expect(place.compareByQemu('four.vmdk', 'vmdk', disk)).toBe('');
    expect(statSync('five.qcow2').size).toBeLessThan(statSync('two.qcow2').size);
    expect(await said('check', 'two.qcow2', 'three.vdi', 'four.vmdk')).toMatch(
      /^two\.qcow2: sound; .* of data\nthree\.vdi: sound; .*\nfour\.vmdk: sound; .*$/,
    );
    expect(readdirSync('.').filter((name) => name.includes('ginit'))).toEqual([]);
  });

  test('an image over another one: its names lead nowhere unless --backing says where', async () => {
    place.write('base.img', noise(new Uint8Array(MIB), 3));
    place.run('mkdir', ['sub']);
    expect(await said('create', 'sub/top.qcow2', '--backing', 'base.img')).toContain(
      'behind it: ../base.img (raw)',
    );
    place.run('qemu-io', ['-f', 'qcow2', '-c', 'write -P 5 4k 8k', 'sub/top.qcow2']);
    expect(await said('convert', 'sub/top.qcow2', 'flat.img')).toBe(
      'image "sub/top.qcow2": it needs the image "../base.img" behind it: --backing FILE says which file that is',
    );
    await image('convert', 'sub/top.qcow2', 'flat.img', '--backing', 'base.img');
    const disk = place.read('base.img');
    disk.fill(5, 4096, 12_288);
    expect(Buffer.compare(place.read('flat.img'), disk)).toBe(0);
    expect(
      await said('resize', 'sub/top.qcow2', '+1M', '--backing', 'base.img', '--backing', 'flat.img'),
    ).toBe('"sub/top.qcow2": no image has "flat.img" behind it');
  });

  test('an image that QEMU writes to is neither read nor replaced', async () => {
    place.write('source.img', new Uint8Array(MIB).fill(3));
    await image('convert', 'source.img', 'live.qcow2');
    const qemu = spawn('qemu-io', ['-f', 'qcow2', 'live.qcow2'], { stdio: ['pipe', 'pipe', 'ignore'] });
    try {
      qemu.stdin.write('write -P 5 0 4k\n');
      await once(qemu.stdout, 'data');
      const inUse = /file "live.qcow2" is in use by /;
      expect(await said('convert', 'live.qcow2', 'out.img')).toMatch(inUse);
      expect(await said('convert', '--force', 'source.img', 'live.qcow2')).toMatch(inUse);
      expect(await said('create', '--force', 'live.qcow2', '1M')).toMatch(inUse);
      expect(await said('info', 'live.qcow2')).toContain('format: qcow2');
    } finally {
      const gone = once(qemu, 'exit');
      qemu.stdin.end();
      await gone;
    }
    expect(readdirSync('.').toSorted()).toEqual(['live.qcow2', 'source.img']);
    await image('convert', 'live.qcow2', 'out.img');
    expect(place.read('out.img').subarray(0, 4097)).toEqual(
      new Uint8Array(4097).fill(5, 0, 4096).fill(3, 4096),
    );
  });

  test('--backing says the format of a file whose name does not', async () => {
    place.write('base', new Uint8Array(MIB).fill(3));
    const refusal = 'the image "base" behind it has no known format: --backing FORMAT:base says one';
    expect(await said('create', 'top.qcow2', '--backing', 'base')).toContain(refusal);
    await image('create', 'top.qcow2', '--backing', 'raw:base');
    await image('convert', 'top.qcow2', 'flat.img', '--backing', 'raw:base');
    expect(Buffer.compare(place.read('flat.img'), place.read('base'))).toBe(0);
    place.run('qemu-img', ['create', '-f', 'qcow2', '-b', 'base', '-F', 'vpc', '-u', 'odd.qcow2', '1M']);
    expect(await said('convert', 'odd.qcow2', 'no.img', '--backing', 'base')).toContain(
      'the image "base" behind it has the format "vpc": --backing FORMAT:base says one',
    );
    expect(typeof (await image('convert', 'odd.qcow2', 'yes.img', '--backing', 'raw:base'))).toBe('object');
  });

  test('refcounts that are wrong are found, and made anew', async () => {
    place.run('qemu-img', ['create', '-f', 'qcow2', 'disk.qcow2', '4M']);
    place.run('qemu-io', ['-f', 'qcow2', '-c', 'write -P 1 0 1M', 'disk.qcow2']);
    const bytes = place.read('disk.qcow2');
    const view = new DataView(bytes.buffer);
    const block = Number(view.getBigUint64(Number(view.getBigUint64(48))));
    view.setUint16(block + 6 * 2, 0);
    view.setUint16(block + 40 * 2, 1);
    place.write('disk.qcow2', bytes);
    const [found] = (await image('check', 'disk.qcow2')) as ImageResult[];
    expect(found && exitCodeOf(found)).toBe(1);
    expect(found && resultText(found)).toContain('disk.qcow2: cluster 6 has refcount 0 and is used 1 times');
    expect(await said('check', '--repair', 'disk.qcow2')).toMatch(/repaired, now sound/);
    expect(place.checkByQemu('disk.qcow2', 'qcow2')).toBe('');
    expect(place.compareByQemu('disk.qcow2', 'qcow2', new Uint8Array(4 * MIB).fill(1, 0, MIB))).toBe('');
  });

  test.each(['qcow2', 'vdi', 'raw'])('a %s image becomes as small as what it holds', async (format) => {
    const file = `disk.${format}`;
    const disk = noise(new Uint8Array(6 * MIB), 7);
    place.write('whole.img', disk);
    place.run('qemu-img', ['convert', '-S', '0', '-f', 'raw', '-O', format, 'whole.img', file]);
    // A guest has overwritten the beginning and a part in the middle with zeros.
    const write = ['-c', 'write -P 0 0 2M', '-c', 'write -P 0 3M 1M'];
    place.run('qemu-io', ['-f', format, '-d', 'ignore', ...write, file]);
    disk.fill(0, 0, 2 * MIB).fill(0, 3 * MIB, 4 * MIB);
    const full = spaceOf(file);
    expect(await said('compact', file)).toContain('(zeros 3M (3145728 bytes), moved ');
    // A VDI image of qemu-img gets room for a second map, which takes a block.
    if (HOLES) expect(spaceOf(file)).toBeLessThan(full - 1.5 * MIB);
    if (format !== 'raw') {
      expect(statSync(file).size).toBeLessThan(4.5 * MIB);
      expect(place.checkByQemu(file, format)).toBe('');
    }
    expect(place.compareByQemu(file, format, disk)).toBe('');
  });
});

test('a disk grows, and shrinks only if that is said', async () => {
  await image('create', 'disk.qcow2', '1M', '--cluster-size', '4K');
  expect(await said('resize', 'disk.qcow2', '+1M')).toBe(
    'disk.qcow2: the disk has 2M (2097152 bytes), before 1M (1048576 bytes)',
  );
  expect(await said('resize', 'disk.qcow2', '1M')).toBe(
    '"disk.qcow2": the disk has 2097152 bytes: --shrink takes away what is at its end',
  );
  expect(await said('resize', '--shrink', 'disk.qcow2', '512K')).toContain('512K (524288 bytes)');
  expect(await said('check', 'disk.qcow2')).toContain('sound; 0 bytes of data');
});

test('snapshots of a disk are made, listed, rolled back to and deleted, over any format', async () => {
  const disk = patchwork(MIB, 50_000, 4);
  place.write('disk.img', disk);
  await image('convert', 'disk.img', 'disk.qcow2');
  const store = ['--store', 'snapshots', 'disk.qcow2'];
  expect(await said('snapshot', 'list', ...store)).toBe(
    '"disk.qcow2": there is no store "snapshots"; create makes one with --store-size SIZE',
  );
  expect(
    await said('snapshot', 'create', ...store, 'one', '--store-size', '8M', '--chunk-size', '4K'),
  ).toMatch(/^snapshot "one" made\nstore: 0 bytes of .* in use$/);
  expect(await said('snapshot', 'create', ...store, 'one')).toBe(
    '"disk.qcow2": there is a snapshot "one" already',
  );
  await image('snapshot', 'create', ...store, 'two');
  expect(await said('snapshot', 'rollback', ...store, 'one')).toContain('snapshot "one" rolled back to');
  expect(await said('snapshot', 'list', ...store)).toMatch(
    /^\S+Z {2}one {2}disk 1M \(1048576 bytes\), kept 0 bytes\n\S+Z {2}two .*\nstore: /,
  );
  expect(await said('snapshot', 'delete', ...store, 'one')).toContain('snapshot "one" deleted');
  expect(await said('snapshot', 'rollback', ...store, 'one')).toBe(
    '"disk.qcow2": there is no snapshot "one"',
  );
  await image('convert', 'disk.qcow2', 'again.img');
  expect(Buffer.compare(place.read('again.img'), disk)).toBe(0);
});

test('what is there is not overwritten, and what fails leaves nothing', async () => {
  place.write('there.img', new Uint8Array(512).fill(9));
  place.write('bad.qcow2', new Uint8Array(4096).fill(9));
  expect(await said('create', 'there.img', '1M')).toBe('"there.img" exists already (--force replaces it)');
  expect(place.read('there.img')[0]).toBe(9);
  expect(await said('convert', 'bad.qcow2', 'out.img')).toBe(
    'image "bad.qcow2": byte 0: this is no qcow2 image',
  );
  expect(await said('create', 'odd.vdi', '1000')).toBe(
    '"odd.vdi": a disk of 1000 bytes: the size is no multiple of 512',
  );
  expect(existsSync('out.img')).toBe(false);
  expect(readdirSync('.').toSorted()).toEqual(['bad.qcow2', 'there.img']);
  await image('create', '--force', 'there.img', '1M');
  expect(statSync('there.img').size).toBe(MIB);
});

test('an option that could do nothing is refused', async () => {
  place.write('disk.img', new Uint8Array(MIB));
  for (const name of ['out.vmdk', 'out.vdi', 'out.img'])
    expect(await said('convert', '--cluster-size', '4K', 'disk.img', name)).toContain(
      'image has no clusters whose size could be chosen',
    );
  expect(
    await said(
      'snapshot',
      'create',
      '--store',
      's',
      '--store-size',
      '1M',
      '--block-size',
      '1000',
      'disk.img',
      'a',
    ),
  ).toContain('blocks cannot have 1000 bytes, with chunks of 65536');
  expect(readdirSync('.')).toEqual(['disk.img']);
});

test('info tells the format of the name, and when the content looks like another one', async () => {
  await image('create', 'disk.qcow2', '1M');
  place.run('cp', ['disk.qcow2', 'disk.img']);
  expect(await said('info', 'disk.img')).toContain(
    'format: raw\n  its content looks like qcow2: --format qcow2 reads it as that',
  );
  expect(await said('info', '-f', 'qcow2', 'disk.img')).toContain('cluster bytes: 65536');
  place.run('cp', ['disk.qcow2', 'disk']);
  expect(await said('info', 'disk')).toBe('the name of "disk" says no format, so --format must');
});

test.each([
  [[], 'image: no command given'],
  [['paint'], 'image: there is no command "paint"'],
  [['info'], 'image info: no IMAGE given'],
  [['info', '-f', 'vhd', 'a'], 'image info: "vhd" is not one of raw, qcow2, vdi, vmdk'],
  [['info', '--repair', 'a.vdi'], 'image info: there is no option --repair'],
  [['create', 'a.img', 'much'], 'image create: SIZE "much" is not a size (for example 512M or 20G)'],
  [['create', 'a.img', '1M', '2M'], 'image create: nobody expects "2M"'],
  [['resize', 'a.img'], 'image resize: no SIZE given'],
  [['snapshot', 'list', 'a.img'], 'image snapshot: --store says where the snapshots are kept'],
  [['snapshot', 'keep', 'a.img'], 'image snapshot: "keep" is not one of create, list, rollback, delete'],
  [['check', 'none.qcow2'], 'file "none.qcow2": there is no such file'],
  [['create', 'a.img', '1M', '--fixed'], '"a.img": there are no fixed raw images'],
  [['create', 'a.vmdk', '1M'], '"a.vmdk": a VMDK image is made by converting another one'],
  [['create', 'a.qcow2'], '"a.qcow2": no size given'],
])('ginit image %j is one clear error', async (args, message) => {
  expect(await said(...args)).toBe(message);
  expect(readdirSync('.')).toEqual([]);
});

test('the bar shows how much is done', () => {
  expect(barText(0)).toBe(`[${'.'.repeat(40)}] 0 %`);
  expect(barText(0.5)).toBe(`[${'#'.repeat(20)}${'.'.repeat(20)}] 50 %`);
  expect(barText(1)).toBe(`[${'#'.repeat(40)}] 100 %`);
});
