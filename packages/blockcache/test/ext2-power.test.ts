/**
 * ext2 on a cache on a device whose power fails, at every write that the device gets: what was
 * synced is there, before e2fsck has mended the file system and after.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { leftOut } from '../../../test/harness/long.ts';
import { CrashStates, RecordedDisk } from '../../rumpfs/test/crash/recorded-disk.ts';
import { wrongNames } from '../../rumpfs/test/crash/survivors.ts';
import { Workload } from '../../rumpfs/test/crash/workload.ts';
import { missingTools, Workshop } from '../../rumpfs/test/e2fsprogs.ts';
import { randomFrom } from '../../rumpfs/test/memory-hypercalls.ts';
import type { BlockIo } from '../../rumpfs/src/hypercall/hypercalls.ts';
import type { BackendDevice } from '../src/backend-device.ts';
import { makeCache } from './make-cache.ts';

const FS_BLOCK_BYTES = 1024;
const REQUEST_BLOCKS_MAX = 64;
const MEMORY_BYTES = 1024 * 1024;

/** A recorded device as the cache uses one. */
function deviceOf(io: BlockIo): BackendDevice {
  const { sectorSizeBytes: blockSize, sectorCount: blockCount } = io;
  return {
    info: { blockSize, blockCount, alignLog2: 12, writeable: true },
    requestBlocksMax: REQUEST_BLOCKS_MAX,
    waiting: 0,
    readWith: async (first, count, use) => {
      const payload = new Uint8Array(count * blockSize);
      await io.read(first, payload);
      return use(payload);
    },
    writeWith: async (first, count, fill) => {
      const payload = new Uint8Array(count * blockSize);
      fill(payload);
      await io.write(first, payload);
    },
    sync: () => io.sync(),
    trim: () => Promise.resolve(),
    writeZeroes: (first, count) => io.write(first, new Uint8Array(count * blockSize)),
  };
}

/** A small cache over a device: much of the file system does not fit. */
function cached(slots: number): (io: BlockIo) => BlockIo {
  return (io) => {
    const cache = makeCache(deviceOf(io), { slots, policy: 'auto' });
    const client = cache.join('ext2');
    let requests = 0;
    const some = (): void => {
      // Time passes: now and then something old is written.
      if (++requests % 16 === 0) cache.tick();
    };
    return {
      ...io,
      read: async (sector, into) => {
        some();
        await client.read(sector, into.length / io.sectorSizeBytes, into);
      },
      write: async (sector, from) => {
        some();
        await client.write(sector, from.length / io.sectorSizeBytes, from);
      },
      sync: () => client.sync(),
    };
  };
}

const workshop = new Workshop();
afterAll(() => workshop.dispose());

describe.skipIf(missingTools)(`ext2 on a cache when the power fails ${missingTools ?? ''}`, () => {
  test.each([12, 64])('with %i chunks', { timeout: 300_000 }, async (slots) => {
    const image = workshop.make('2M', ['-b', `${FS_BLOCK_BYTES}`, '-N', '128']);
    let [states, checked, mended] = [0, 0, 0];
    for (let seed = 1; seed <= (leftOut(true) ? 1 : 6); seed++) {
      const disk = new RecordedDisk(image, MEMORY_BYTES, seed, cached(slots));
      const moments = await Workload.run(disk, seed, 8);
      const crash = new CrashStates(disk, FS_BLOCK_BYTES);
      const random = randomFrom(seed);
      const crashed = image.slice();
      for (let end = 0; end <= disk.events.length; end++) {
        const moment = moments.findLast(({ from }) => from <= end);
        const share = random();
        crash.at(crashed, end, () => random() < share, random);
        if (moment === undefined) continue;
        const where = `seed ${seed}, before event ${end} of ${disk.events.length}`;
        states++;
        expect(await wrongNames(crashed.slice(), moment), where).toBe('');
        if (states % (leftOut(true) ? 12 : 4) !== 0) continue;
        checked++;
        const repaired = workshop.mend(crashed, ['-f', '-y']);
        if (Buffer.compare(repaired, crashed) !== 0) mended++;
        expect(await wrongNames(repaired, moment), `${where}, after e2fsck`).toBe('');
      }
      crash.at(
        crashed,
        disk.events.length,
        () => true,
        () => 0,
      );
      expect(workshop.check(crashed), 'after it was unmounted').toBe('');
    }
    if (!leftOut(true))
      console.log(`${slots} chunks: ${states} states, ${checked} seen by e2fsck, ${mended} mended`);
    expect(states).toBeGreaterThan(20);
  });
});
