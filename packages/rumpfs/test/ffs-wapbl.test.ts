/**
 * Replay of the log of NetBSD's FFS. No program here writes such logs or reads them, so these are
 * built from the description of the format: what is shown is that we follow that.
 */
import { describe, expect, test } from 'vitest';
import { FsError } from '../src/errors.ts';
import { mountFileSystem } from '../src/file-systems.ts';
import { makeFfs } from '../src/mkfs/make-ffs.ts';
import { MemoryHypercalls, randomFrom } from './memory-hypercalls.ts';
import { Mounted, pattern, same } from './mounting.ts';
import { ourFindings } from './our-check.ts';
import { LOG_BLOCK_BYTES, type LogRecord, logWith, recordsOfDifference } from './wapbl-log.ts';

const IMAGE_BYTES = 3 << 20;
const LOG_BYTES = 512 << 10;
const WORLD = { nowMs: 1_700_000_000_000, random: (into: Uint8Array): void => void into.fill(7) };

interface Form {
  readonly version: 1 | 2;
  readonly little: boolean;
}

const FORMS: readonly Form[] = [
  { version: 1, little: true },
  { version: 1, little: false },
  { version: 2, little: true },
  { version: 2, little: false },
];

/** A clean file system, and what it is after some operations; both marked as clean. */
async function twoStates({ version, little }: Form): Promise<{ before: Uint8Array; after: Uint8Array }> {
  const image = new Uint8Array(IMAGE_BYTES);
  const options = { version, order: little ? 'little' : 'big', blockBytes: 4096 } as const;
  await makeFfs(new MemoryHypercalls(image).bio, options, WORLD);
  const fs = await Mounted.start(image, {}, true, 'ffs');
  await fs.mkdir('/d');
  await fs.write('/d/old', pattern(9000, 1));
  await fs.write('/gone', pattern(3000, 2));
  const before = (await fs.end()).slice();
  const again = await Mounted.start(image, {}, true, 'ffs');
  await again.write('/d/new', pattern(30_000, 3));
  await again.unlink('/gone');
  await again.mkdir('/e');
  return { before, after: (await again.end()).slice() };
}

/** A device: the file system with its flag, and the log behind it. */
function withLog(image: Uint8Array, log: Uint8Array, { version, little }: Form, clean = 0): Uint8Array {
  const device = new Uint8Array(image.length + log.length);
  device.set(image);
  device.set(log, image.length);
  const superblock = version === 1 ? 8192 : 65_536;
  const view = new DataView(device.buffer);
  view.setUint32(superblock + 1312, 0x100, little);
  device[superblock + 209] = clean;
  device[superblock + 864] = 1;
  device[superblock + 865] = 1;
  view.setBigInt64(superblock + 872, BigInt(image.length / LOG_BLOCK_BYTES), little);
  view.setBigInt64(superblock + 880, BigInt(log.length / LOG_BLOCK_BYTES), little);
  view.setBigInt64(superblock + 888, BigInt(LOG_BLOCK_BYTES), little);
  return device;
}

/** The records that lead from one state to the other; with the flags of a log in the superblock. */
function records(states: { before: Uint8Array; after: Uint8Array }, form: Form): LogRecord[] {
  const marked = (image: Uint8Array): Uint8Array =>
    withLog(image, new Uint8Array(0), form).slice(0, IMAGE_BYTES);
  const [before, after] = [marked(states.before), marked(states.after)];
  const superblock = form.version === 1 ? 8192 : 65_536;
  after.copyWithin(superblock + 864, superblock + 864, superblock + 904);
  const view = new DataView(after.buffer);
  const count = BigInt(LOG_BYTES / LOG_BLOCK_BYTES);
  view.setBigInt64(superblock + 880, count, form.little);
  return recordsOfDifference(before, after, 512);
}

async function expectAfter(fs: Mounted): Promise<void> {
  expect(await fs.list('/')).toEqual(['d', 'e']);
  expect(same(await fs.contents('/d/new'), pattern(30_000, 3))).toBe(true);
  expect(same(await fs.contents('/d/old'), pattern(9000, 1))).toBe(true);
}

describe('a log of WAPBL', () => {
  for (const form of FORMS) {
    const title = `UFS${form.version}, ${form.little ? 'little' : 'big'} endian`;
    test(`${title}: is replayed to the device, and is empty then`, async () => {
      const states = await twoStates(form);
      // The records go on at the beginning of the ring.
      const log = logWith(LOG_BYTES, records(states, form), LOG_BYTES - 20 * LOG_BLOCK_BYTES, form.little);
      const device = withLog(states.before, log, form);
      expect(await ourFindings(device, 'ffs')).toMatch(
        /^harmless: log of WAPBL: \d+ records have to be replayed$/,
      );
      const fs = await Mounted.start(device, {}, true, 'auto');
      expect(fs.hypercalls.lines[0]).toMatch(/^ufs\d: \d+ records of the log were replayed$/);
      expect(fs.mount.writeable).toBe(true);
      await expectAfter(fs);
      await fs.write('/more', pattern(5000));
      await fs.end();
      expect(await ourFindings(device, 'ffs')).toBe('');
      const again = await Mounted.start(device, {}, true, 'auto');
      expect(again.hypercalls.lines).toEqual([]);
      expect(again.mount.writeable).toBe(true);
      await again.end();
    });
  }

  const FORM: Form = { version: 2, little: true };

  test('for a read-only mount it is replayed in memory, and the device stays as it is', async () => {
    const states = await twoStates(FORM);
    const device = withLog(states.before, logWith(LOG_BYTES, records(states, FORM), 4096), FORM);
    const kept = device.slice();
    const fs = await Mounted.start(device, {}, false, 'ffs');
    expect(fs.hypercalls.lines).toEqual([
      expect.stringMatching(/records of the log were replayed in memory$/),
    ]);
    await expectAfter(fs);
    await fs.end();
    expect(same(device, kept)).toBe(true);
  });

  test('refused or left alone, if that is wished', async () => {
    const states = await twoStates(FORM);
    const device = withLog(states.before, logWith(LOG_BYTES, records(states, FORM), 0), FORM);
    const mount = (recovery: 'refuse' | 'ignore') =>
      mountFileSystem(new MemoryHypercalls(device), 'ffs', { writeable: true, recovery });
    await expect(mount('refuse')).rejects.toMatchObject({
      code: 'NotSupported',
      message: 'ufs2: the log of WAPBL has to be replayed',
    });
    expect((await mount('ignore')).writeable).toBe(false);
  });

  test('later records count, revoked ones do not, and files without a name are freed', async () => {
    const states = await twoStates(FORM);
    const all = records(states, FORM);
    const noise = { at: IMAGE_BYTES - 4096, bytes: new Uint8Array(512).fill(0xee) };
    const list: LogRecord[] = [
      { kind: 'inodes', clear: true, inodes: [999_999, 3] },
      { kind: 'blocks', pieces: [noise, { at: noise.at + 512, bytes: noise.bytes }] },
      ...all,
      { kind: 'blocks', pieces: [{ at: noise.at + 512, bytes: new Uint8Array(512).fill(0x11) }] },
      { kind: 'revocations', pieces: [{ at: noise.at, length: 512 }] },
    ];
    const device = withLog(states.before, logWith(LOG_BYTES, list, 512), FORM);
    const fs = await Mounted.start(device, {}, true, 'ffs');
    await expectAfter(fs);
    await fs.end();
    expect(device.subarray(noise.at, noise.at + 512).every((byte) => byte === 0)).toBe(true);
    expect(device.subarray(noise.at + 512, noise.at + 1024).every((byte) => byte === 0x11)).toBe(true);
    // A file that has lost its links, and whose number is in the log.
    const clean = device.slice();
    const held = await Mounted.start(clean, {}, true, 'ffs');
    await held.write('/held', pattern(7000));
    const free = held.mount.statistics().nodesFree;
    const id = await held.with('/held', (vnode) => vnode.id);
    const vnode = await held.mount.lookup(held.mount.root, 'held');
    await held.mount.sync();
    await held.unlink('/held');
    await held.mount.sync();
    const crashed = clean.slice();
    await held.mount.release(vnode);
    const onlyInodes = logWith(LOG_BYTES, [{ kind: 'inodes', clear: true, inodes: [id] }], 0);
    const mended = withLog(crashed.subarray(0, IMAGE_BYTES), onlyInodes, FORM);
    const after = await Mounted.start(mended, {}, true, 'ffs');
    expect(after.hypercalls.lines).toContain('ufs2: 1 files without a name were freed');
    await after.mount.sync();
    expect(after.mount.statistics().nodesFree).toBe(free + 1);
    await after.end();
    expect(await ourFindings(mended, 'ffs')).toBe('');
  });

  test('a power failure at any write of the replay: the next mount does it again', async () => {
    const states = await twoStates(FORM);
    const device = withLog(states.before, logWith(LOG_BYTES, records(states, FORM), 9 * 512), FORM);
    let cuts = 0;
    for (let last = 0; ; last += 7) {
      const bytes = device.slice();
      let writes = 0;
      const fault = (operation: string): string | undefined =>
        operation === 'write' && (writes += 1) > last ? 'no power' : undefined;
      const failed = await Mounted.start(bytes, { fault }, true, 'ffs').then(
        () => false,
        (error: unknown) => {
          expect(error).toMatchObject({ code: 'InputOutput' });
          return true;
        },
      );
      const fs = await Mounted.start(bytes, {}, true, 'ffs');
      await expectAfter(fs);
      await fs.end();
      expect(await ourFindings(bytes, 'ffs')).toBe('');
      if (!failed) break;
      cuts += 1;
    }
    expect(cuts).toBeGreaterThan(5);
  });

  test('a log that lies is refused with its place; any bytes changed: no crash, no hang', async () => {
    const states = await twoStates(FORM);
    const device = withLog(states.before, logWith(LOG_BYTES, records(states, FORM), 0), FORM);
    const ring = IMAGE_BYTES + 2 * LOG_BLOCK_BYTES;
    const cases: readonly (readonly [number, number, RegExp])[] = [
      [ring, 0x1234, /^wapbl: record at byte 1024 of the log: type 0x1234/],
      [ring + 4, 100, /^wapbl: record at byte 1024 of the log: length 100/],
      [ring + 8, 1_000_000, /^wapbl: record at byte 1024 of the log: a list of 1000000/],
      [ring + 16, 0x7fff_ffff, /bytes at byte \d+ of the device/],
      [ring + 28, 513, /513 bytes at byte/],
      [ring + 4, 512, /bytes of blocks in 0/],
      [IMAGE_BYTES + 512 + 40, 3, /^wapbl: header: blocks of 0/],
      [IMAGE_BYTES + 512 + 64, 7, /^wapbl: header: a ring of \d+ bytes at 7/],
      [IMAGE_BYTES + 512 + 48, 0x7000_0000, /^wapbl: header: records from \d+ to \d+/],
      [65_536 + 880, 1, /^ufs2: superblock: a log of 512 bytes/],
    ];
    for (const [at, value, message] of cases) {
      const bytes = device.slice();
      new DataView(bytes.buffer).setUint32(at, value, true);
      const error: unknown = await Mounted.start(bytes, {}, true, 'ffs').catch((thrown: unknown) => thrown);
      expect(error, String(message)).toMatchObject({
        code: 'Corrupt',
        message: expect.stringMatching(message),
      });
    }
    const random = randomFrom(11);
    for (let round = 0; round < 150; round += 1) {
      const bytes = device.slice();
      for (let count = 0; count < 4; count += 1) {
        const at =
          random() < 0.4 ? IMAGE_BYTES + Math.floor(random() * 1024) : ring + Math.floor(random() * 40_000);
        bytes[at] = Math.floor(random() * 256);
      }
      try {
        const fs = await Mounted.start(bytes, {}, false, 'ffs');
        await fs.list('/');
      } catch (error) {
        expect(error).toBeInstanceOf(FsError);
      }
    }
  });
});
