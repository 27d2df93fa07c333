/**
 * Hostile images by seed, as many as are asked for: `npm run fs-campaign -- hostile TYPE --count
 * N`. Whatever an image holds, every use of it ends, with results or an `FsError`, nothing is asked
 * for that is not on the device, and our checker ends, too. `npm run test:long` tries a few of
 * them.
 */
import { describe, expect, test } from 'vitest';
import { campaignOf, Progress } from '../campaign.ts';
import { missingTools } from '../e2fsprogs.ts';
import { exerciseImage } from '../exercise.ts';
import { missingExfatTools } from '../exfat-tools.ts';
import { missingFatTools } from '../fat-tools.ts';
import { missingMakefs } from '../ffs-tools.ts';
import { missingZisofs } from '../iso-tools.ts';
import { MemoryHypercalls } from '../memory-hypercalls.ts';
import { FsError } from '../../src/errors.ts';
import { repairFileSystem } from '../../src/file-systems.ts';
import { ourFindings } from '../our-check.ts';
import { mutate } from './mutate.ts';
import { VICTIMS, type VictimType } from './victims.ts';

/** The images that are tried without a campaign. */
const USUAL_COUNT = 40;
/** So many names of an image are followed. */
const VISITS = 40;
/** A use of one image that takes longer hangs. */
const PATIENCE_MS = 60_000;
const MISSING: Record<VictimType, string | undefined> = {
  ext2: missingTools,
  ext4: missingTools,
  msdos: missingFatTools,
  exfat: missingExfatTools,
  cd9660: missingZisofs,
  ffs: missingMakefs,
};
/** The formats that we mend. */
const REPAIRED: ReadonlySet<VictimType> = new Set(['exfat', 'ffs']);
/**
 * What no repair can know: tables and marks of an exFAT, and what is there of its future. While any
 * of it is left, the file system stays marked as in use.
 */
const LEFT =
  /up-case table|hash of its name|unknown entry|its medium|labels|no signature|allocation bitmap: |bitmaps|second FAT|entry of a vendor|was not unmounted cleanly/;
/** What follows from a table that makes many letters one: no other name would be another. */
const LEFT_BY_TABLE = /two entries have this name/;
/** What an error of a damaged image says besides the structure: where it is. */
const PLACE = /\d|superblock|boot sector|descriptor/;

/** Rejects if an image keeps us for too long without keeping the thread. */
async function within<Result>(work: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('hangs')), PATIENCE_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What is left after a repair that could be mended, by a check; undefined where it was refused. */
async function findingsAfterRepair(image: Uint8Array, type: string): Promise<string | undefined> {
  try {
    await repairFileSystem(new MemoryHypercalls(image).bio, type);
    const left = (await ourFindings(image, type)).split('\n');
    const badTable = left.some((line) => line.includes('up-case table'));
    const isLeft = (line: string): boolean => LEFT.test(line) || (badTable && LEFT_BY_TABLE.test(line));
    return left.filter((line) => !isLeft(line)).join('\n');
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    return undefined;
  }
}

describe('hostile images', () => {
  for (const type of ['ext2', 'ext4', 'msdos', 'exfat', 'cd9660', 'ffs'] as const) {
    const campaign = campaignOf('hostile', type, USUAL_COUNT);
    test.skipIf(MISSING[type] !== undefined || campaign === undefined)(
      `${type}: every use ends ${MISSING[type] ?? ''}`,
      { timeout: 0 },
      async () => {
        const victims = await VICTIMS[type]();
        const { count, seed: first } = campaign ?? { count: 0, seed: 0 };
        const counts = {
          images: 0,
          mounted: 0,
          refused: 0,
          checked: 0,
          mended: 0,
          /** The seeds after whose repair something is found still. */
          notMended: new Array<number>(),
          errors: 0,
          corrupt: 0,
        };
        const progress = new Progress(`hostile ${type}`, first, count);
        const largest = Math.max(...victims.map(({ image }) => image.length));
        const memory = new Uint8Array(largest);
        const repaired = new Uint8Array(REPAIRED.has(type) ? largest : 0);
        for (let seed = first; seed < first + count; seed += 1) {
          const victim = victims[seed % victims.length];
          if (victim === undefined) break;
          const image = memory.subarray(0, victim.image.length);
          mutate(victim, image, seed);
          const unclear: string[] = [];
          try {
            const findings = await within(
              ourFindings(image, type).catch((error: unknown) => {
                if (!(error instanceof FsError)) throw error;
                return undefined;
              }),
            );
            if (findings !== '') counts.checked += 1;
            if (REPAIRED.has(type) && findings !== undefined && findings !== '') {
              repaired.set(image);
              const left = await within(findingsAfterRepair(repaired.subarray(0, image.length), type));
              if (left === '') counts.mended += 1;
              else if (left !== undefined) counts.notMended.push(seed);
            }
            const mounted = await within(
              exerciseImage(
                image,
                type,
                (error) => {
                  counts.errors += 1;
                  if (error.code !== 'Corrupt') return;
                  counts.corrupt += 1;
                  if (!PLACE.test(error.message)) unclear.push(error.message);
                },
                VISITS,
              ),
            );
            counts[mounted ? 'mounted' : 'refused'] += 1;
          } catch (error) {
            throw new Error(`${type}, ${victim.title}, seed ${seed}`, { cause: error });
          }
          expect(unclear, `${victim.title}, seed ${seed}`).toEqual([]);
          counts.images += 1;
          progress.at(seed + 1, counts);
        }
        progress.end(counts);
        expect(counts.images).toBe(count);
        // One seed, to look at what it found, need not be mounted.
        if (count < USUAL_COUNT) return;
        expect(counts.mounted).toBeGreaterThan(count / 10);
        expect(counts.checked).toBeGreaterThan(count / 8);
        expect(counts.notMended).toEqual([]);
      },
    );
  }
});
