/** Runs on a recorded device, and what a crash at each of their events may leave. */
import type { DiskImage } from '../../src/image/disk-image.ts';
import { DiskModel, type DiskOperation } from './disk-model.ts';
import { performOverlapping } from './disk-operations.ts';
import type { RecordingDevice } from './recording-device.ts';

/** A moment of a run: after so many events a crash leaves what the model says. */
export interface CrashPoint {
  readonly events: number;
  readonly model: DiskModel;
}

/**
 * Performs operations side by side, with syncs while writes are under way. The result is what may
 * be there from which event on.
 */
export async function performRecorded(
  image: DiskImage,
  device: RecordingDevice,
  operations: readonly DiskOperation[],
  sectors: number,
): Promise<CrashPoint[]> {
  const model = new DiskModel(sectors);
  const points: CrashPoint[] = [{ events: 0, model: model.snapshot() }];
  const point = (): void => void points.push({ events: device.events.length, model: model.snapshot() });
  await performOverlapping(operations, async (operation) => {
    const performing = model.perform(image, operation);
    // Whatever a write writes may be there from its beginning on; a sync counts when it has ended.
    if (operation.kind !== 'sync') point();
    await performing;
    if (operation.kind === 'sync') point();
  });
  return points;
}

/** A crash after each event. */
export function crashPoints(points: readonly CrashPoint[], events: number): CrashPoint[] {
  return Array.from({ length: events + 1 }, (_, count) => {
    const point = points.findLast((candidate) => candidate.events <= count);
    if (!point) throw new Error('a run begins with a point');
    return { events: count, model: point.model };
  });
}
