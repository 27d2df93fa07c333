/** Random operations on disks. */
import * as fc from 'fast-check';
import type { DiskOperation } from './disk-model.ts';

/** Operations within a disk of so many sectors; those that change much are rare. */
export function diskOperations(sectors: number, lengthMax = 300): fc.Arbitrary<DiskOperation[]> {
  const range = fc
    .record({ sector: fc.nat(sectors - 1), length: fc.integer({ min: 1, max: lengthMax }) })
    .map(({ sector, length }) => ({ sector, count: Math.min(length, sectors - sector) }));
  const operation = fc.oneof(
    {
      weight: 6,
      arbitrary: fc
        .tuple(range, fc.integer({ min: 1, max: 255 }))
        .map(([{ sector, count }, value]): DiskOperation => ({ kind: 'write', sector, count, value })),
    },
    {
      weight: 3,
      arbitrary: range.map(({ sector, count }): DiskOperation => ({ kind: 'read', sector, count })),
    },
    {
      weight: 2,
      arbitrary: range.map(({ sector, count }): DiskOperation => ({ kind: 'zero', sector, count })),
    },
    {
      weight: 2,
      arbitrary: range.map(({ sector, count }): DiskOperation => ({ kind: 'discard', sector, count })),
    },
    { weight: 2, arbitrary: fc.constant<DiskOperation>({ kind: 'sync' }) },
  );
  return fc.array(operation, { minLength: 10, maxLength: 60 });
}

/** The most operations that are under way at a time. */
const UNDER_WAY_MAX = 6;

/**
 * Performs operations side by side, but none before another one for the same sectors has ended. A
 * sync waits for nobody, so that it meets writes in all of their steps.
 */
export async function performOverlapping(
  operations: readonly DiskOperation[],
  perform: (operation: DiskOperation) => Promise<void>,
): Promise<void> {
  const underWay = new Map<DiskOperation, Promise<void>>();
  const failures: unknown[] = [];
  for (const operation of operations) {
    while (underWay.size >= UNDER_WAY_MAX || [...underWay.keys()].some((other) => !apart(operation, other)))
      await Promise.race(underWay.values());
    const performing = perform(operation)
      .catch((error: unknown) => failures.push(error))
      .then(() => void underWay.delete(operation));
    underWay.set(operation, performing);
  }
  await Promise.all(underWay.values());
  if (failures.length > 0) throw failures[0];
}

function apart(one: DiskOperation, other: DiskOperation): boolean {
  if (one.kind === 'sync' || other.kind === 'sync') return true;
  return one.sector + one.count <= other.sector || other.sector + other.count <= one.sector;
}
