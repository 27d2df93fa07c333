/** Where the bytes of the disk are: runs of the disk that lie in one piece in the file. */
import { type Mapping, readEntry, SUBCLUSTERS } from './l2-entry.ts';
import type { Qcow2File } from './qcow2-file.ts';

/** A piece of the disk. */
export type Extent =
  | { readonly kind: 'none' | 'zero'; readonly length: number }
  | { readonly kind: 'data'; readonly length: number; readonly at: number; readonly sole: boolean }
  /** A part of a cluster that is compressed as a whole: `within` bytes behind its beginning. */
  | {
      readonly kind: 'compressed';
      readonly length: number;
      readonly at: number;
      readonly bytes: number;
      readonly within: number;
    };

/** What the file has at a position of the disk, for at most `lengthMax` bytes. */
export async function findExtent(file: Qcow2File, position: number, lengthMax: number): Promise<Extent> {
  const { clusterBytes, l2Entries } = file.form;
  const cluster = Math.floor(position / clusterBytes);
  const within = position % clusterBytes;
  const key = Math.floor(cluster / l2Entries);
  const index = cluster % l2Entries;
  // What lies behind the last entry of this table is for the next call.
  const reach = Math.min(lengthMax, (l2Entries - index) * clusterBytes - within);
  const tableAt = file.l1[key] ?? 0;
  if (tableAt === 0 && !file.l2.peek(key)) return { kind: 'none', length: reach };
  const { view } = await file.l2.load(key);
  const entry = (at: number): Mapping => readEntry(file.form, view, at, tableAt);
  const first = entry(index);
  switch (first.kind) {
    case 'compressed': {
      const length = Math.min(reach, clusterBytes - within);
      return { kind: 'compressed', length, at: first.host, bytes: first.bytes, within };
    }
    case 'subclusters':
      return subclusterExtent(first, clusterBytes, within, Math.min(reach, clusterBytes - within));
    case 'none':
    case 'zero': {
      const length = runLength(
        reach,
        within,
        clusterBytes,
        (ahead) => entry(index + ahead).kind === first.kind,
      );
      return { kind: first.kind, length };
    }
    case 'data': {
      const { host, sole } = first;
      const length = runLength(reach, within, clusterBytes, (ahead) => {
        const next = entry(index + ahead);
        return next.kind === 'data' && next.sole === sole && next.host === host + ahead * clusterBytes;
      });
      return { kind: 'data', length, at: host + within, sole };
    }
  }
}

/** The length of the run of clusters, up to `reach`, that go on as the first one. */
function runLength(
  reach: number,
  within: number,
  clusterBytes: number,
  goesOn: (ahead: number) => boolean,
): number {
  let length = Math.min(reach, clusterBytes - within);
  for (let ahead = 1; length < reach && goesOn(ahead); ahead++)
    length = Math.min(reach, length + clusterBytes);
  return length;
}

function subclusterExtent(
  { host, data, zero }: Extract<Mapping, { kind: 'subclusters' }>,
  clusterBytes: number,
  within: number,
  reach: number,
): Extent {
  const subclusterBytes = clusterBytes / SUBCLUSTERS;
  const stateOf = (number: number): 'data' | 'zero' | 'none' => {
    if ((data >>> number) & 1) return 'data';
    return (zero >>> number) & 1 ? 'zero' : 'none';
  };
  const first = Math.floor(within / subclusterBytes);
  const kind = stateOf(first);
  let length = Math.min(reach, (first + 1) * subclusterBytes - within);
  for (let next = first + 1; length < reach && stateOf(next) === kind; next++) {
    length = Math.min(reach, length + subclusterBytes);
  }
  return kind === 'data' ? { kind, length, at: host + within, sole: false } : { kind, length };
}
