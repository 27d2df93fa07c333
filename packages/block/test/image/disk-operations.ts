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
    { weight: 1, arbitrary: fc.constant<DiskOperation>({ kind: 'sync' }) },
  );
  return fc.array(operation, { minLength: 10, maxLength: 60 });
}

/** Operations in batches in which no two touch the same sector, so that they may all be under way. */
export function batches(operations: readonly DiskOperation[]): DiskOperation[][] {
  const all: DiskOperation[][] = [[]];
  for (const operation of operations) {
    const last = all.at(-1) ?? [];
    if (operation.kind !== 'sync' && last.every((other) => apart(operation, other))) last.push(operation);
    else all.push([operation]);
  }
  return all;
}

function apart(one: DiskOperation, other: DiskOperation): boolean {
  if (one.kind === 'sync' || other.kind === 'sync') return false;
  return one.sector + one.count <= other.sector || other.sector + other.count <= one.sector;
}
