/**
 * qcow2 images after a power cut: clean, with all that a sync has covered, whatever write was the
 * last, and whichever of the writes since the last sync the host has kept.
 */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { propertyRuns } from '../../../../test/property-runs.ts';
import { checkQcow2 } from '../../src/image/qcow2/check.ts';
import { createQcow2 } from '../../src/image/qcow2/create.ts';
import { Qcow2Image } from '../../src/image/qcow2/qcow2-image.ts';
import { Random } from '../../src/lib/random.ts';
import { wholeDisk } from './disk-content.ts';
import { crashPoints, type CrashPoint, performRecorded } from './crash-run.ts';
import { type DiskOperation, MODEL_SECTOR_BYTES } from './disk-model.ts';
import { diskOperations } from './disk-operations.ts';
import { MemoryDevice } from './memory-device.ts';
import { ImagePlace, QEMU_MISSING } from './qemu.ts';
import { RecordingDevice } from './recording-device.ts';

const SECTORS = 1200;
const RUNS = propertyRuns(1);
const TIMEOUT_MS = 60_000 + RUNS * 20_000;

async function recordedRun(
  clusterBytes: number,
  operations: readonly DiskOperation[],
  turns?: () => number,
): Promise<{ device: RecordingDevice; points: readonly CrashPoint[] }> {
  const empty = new MemoryDevice();
  await createQcow2(empty, { sizeBytes: SECTORS * MODEL_SECTOR_BYTES, clusterBytes });
  const device = new RecordingDevice(empty.content(), turns);
  const image = await Qcow2Image.open(device, { writeable: true });
  const points = await performRecorded(image, device, operations, SECTORS);
  await image.close();
  return { device, points };
}

async function checkState(bytes: Uint8Array, point: CrashPoint): Promise<void> {
  const check = await checkQcow2(new MemoryDevice(bytes));
  expect(check).toMatchObject({ problems: [], leaks: 0 });
  const image = await Qcow2Image.open(new MemoryDevice(bytes), { writeable: true });
  point.model.checkAfterCrash(await wholeDisk(image));
  // It can be used on.
  await image.write(new Uint8Array(5000).fill(9), 1000);
  await image.close();
  expect(await checkQcow2(new MemoryDevice(bytes))).toMatchObject({ problems: [] });
}

describe.each([512, 4096, 65_536])('with clusters of %i bytes', (clusterBytes) => {
  test('every write of a random run may be the last one before the power goes', {
    timeout: TIMEOUT_MS,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(
        diskOperations(SECTORS, 120),
        fc.integer({ min: 1, max: 1e9 }),
        async (operations, seed) => {
          const random = new Random(seed, 'kept sectors');
          const turns = (): number => random.below(4);
          const { device, points } = await recordedRun(clusterBytes, operations, turns);
          for (const point of crashPoints(points, device.events.length)) {
            await checkState(await device.after(point.events), point);
            // Of the writes since the last sync, any may be missing.
            await checkState(await device.after(point.events, () => random.once(2)), point);
          }
        },
      ),
      { numRuns: RUNS },
    );
  });
});

const RUN: readonly DiskOperation[] = [
  { kind: 'write', sector: 3, count: 200, value: 1 },
  { kind: 'sync' },
  { kind: 'write', sector: 900, count: 9, value: 2 },
  { kind: 'discard', sector: 0, count: 130 },
  { kind: 'sync' },
  { kind: 'write', sector: 100, count: 300, value: 3 },
  { kind: 'zero', sector: 150, count: 100 },
  { kind: 'sync' },
  { kind: 'write', sector: 0, count: 64, value: 4 },
  { kind: 'sync' },
];

describe.skipIf(QEMU_MISSING !== undefined)(
  `in the eyes of qemu-img (${QEMU_MISSING ?? 'it is installed'})`,
  () => {
    test('the image is clean, whichever write of a run was the last', { timeout: 300_000 }, async () => {
      using place = new ImagePlace();
      const { device, points } = await recordedRun(4096, RUN);
      const random = new Random(11, 'kept sectors');
      for (const point of crashPoints(points, device.events.length)) {
        // Each look by qemu-img is a process; the test before looks at every state itself.
        if (point.events % 2 === 1) continue;
        place.write('cut.qcow2', await device.after(point.events));
        expect(place.checkByQemu('cut.qcow2', 'qcow2'), `cut after event ${point.events}`).toBe('');
        if (!random.once(6)) continue;
        place.write('torn.qcow2', await device.after(point.events, () => random.once(2)));
        expect(place.checkByQemu('torn.qcow2', 'qcow2'), `torn after event ${point.events}`).toBe('');
      }
    });
  },
);

test('the check of these tests is able to fail: a header that is written too early is found', async () => {
  const { device } = await recordedRun(4096, RUN);
  const headerWrites = device.events.flatMap((event, index) =>
    event.kind === 'write' && event.at === 0 && event.bytes.byteLength === 512 ? [index] : [],
  );
  expect(headerWrites.length).toBeGreaterThan(2);
  const [first = 0] = headerWrites;
  // The header of the first commit over a file that has none of the commit's other writes.
  const event = device.events[first];
  const early = new MemoryDevice(await device.after(0));
  if (event?.kind === 'write') early.writeNow(event.bytes, 0);
  const check = await checkQcow2(early).catch((error: unknown) => error);
  expect(check).not.toMatchObject({ problems: [], leaks: 0 });
});
