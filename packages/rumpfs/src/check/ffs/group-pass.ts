/** The fifth pass: the bitmaps and counts of the groups, their summary, and the totals. */
import type { Context } from './context.ts';
import { type Maps, mapsFit, mapsOf, putMaps, usualMaps } from './group-maps.ts';

const DIRECTORY = 4;
const COUNTS = ['directories', 'free blocks', 'free inodes', 'free fragments'] as const;

/** What a group should say. */
interface Expected {
  readonly counts: number[];
  readonly runs: number[];
  readonly inodes: Uint8Array;
  readonly free: Uint8Array;
  readonly clusters: Uint8Array;
}

/** Compares all groups with what the first pass has found. */
export async function checkGroups(context: Context): Promise<void> {
  const { geometry, image, found, mends } = context;
  const summary = await image.read(geometry.csaddr, Math.ceil(geometry.cssize / geometry.fsize));
  const view = new DataView(summary.buffer, summary.byteOffset);
  const totals = [0, 0, 0, 0];
  const inodes = inodesByGroup(context);
  let changed = false;
  for (let group = 0; group < geometry.groups; group += 1) {
    const expected = expect(context, group, inodes.get(group) ?? []);
    await checkGroup(context, group, expected);
    for (const [index, count] of expected.counts.entries()) {
      totals[index] = (totals[index] ?? 0) + count;
      const at = group * 16 + index * 4;
      const said = view.getInt32(at, geometry.little);
      if (said === count) continue;
      found.harmless(`summary: ${said} ${COUNTS[index]} in group ${group}, not ${count}`);
      view.setInt32(at, count, geometry.little);
      changed = true;
    }
  }
  if (changed && mends) await image.change(geometry.csaddr, summary);
  await checkTotals(context, totals);
}

/** The inodes in use of each group. */
function inodesByGroup({ geometry, inodes }: Context): Map<number, number[]> {
  const groups = new Map<number, number[]>();
  for (const id of inodes.keys()) {
    const group = Math.floor(id / geometry.ipg);
    const known = groups.get(group);
    if (known === undefined) groups.set(group, [id]);
    else known.push(id);
  }
  return groups;
}

function expect({ geometry, claims, inodes }: Context, group: number, own: readonly number[]): Expected {
  const { frag } = geometry;
  const fragments = geometry.fragsIn(group);
  const used = new Uint8Array(Math.ceil(geometry.ipg / 8));
  const set = (map: Uint8Array, bit: number): void => {
    map[bit >>> 3] = (map[bit >>> 3] ?? 0) | (1 << (bit & 7));
  };
  const ids = group === 0 ? [0, 1, ...own] : own;
  for (const id of ids) set(used, id % geometry.ipg);
  const free = new Uint8Array(Math.ceil(fragments / 8));
  const clusters = new Uint8Array(Math.ceil(fragments / frag / 8));
  const runs = Array.from({ length: 8 }, () => 0);
  let [blocks, rest] = [0, 0];
  for (let block = 0; block < fragments; block += frag) {
    const lengths: number[] = [];
    let length = 0;
    const end = Math.min(block + frag, fragments);
    for (let at = block; at < end; at += 1) {
      if (claims.has(geometry.base(group) + at)) {
        if (length > 0) lengths.push(length);
        length = 0;
      } else {
        set(free, at);
        length += 1;
      }
    }
    if (length > 0) lengths.push(length);
    if (length === frag) {
      blocks += 1;
      set(clusters, block / frag);
      continue;
    }
    for (const run of lengths) {
      runs[run] = (runs[run] ?? 0) + 1;
      rest += run;
    }
  }
  const directories = own.filter((id) => inodes.get(id)?.type === DIRECTORY).length;
  return {
    counts: [directories, blocks, geometry.ipg - ids.length, rest],
    runs,
    inodes: used,
    free,
    clusters,
  };
}

async function checkGroup(context: Context, group: number, expected: Expected): Promise<void> {
  const { geometry, image, found, mends } = context;
  const bytes = await image.read(geometry.cgAt(group), geometry.frag);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const before = bytes.slice();
  const note = (at: number, value: number, what: string): void => {
    const said = view.getInt32(at, geometry.little);
    if (said === value) return;
    found.harmless(`group ${group}: ${said} ${what}, not ${value}`);
    view.setInt32(at, value, geometry.little);
  };
  if (view.getUint32(4, geometry.little) !== 0x0009_0255) view.setUint32(4, 0x0009_0255, geometry.little);
  const places: readonly (readonly [number, number, string])[] = [
    [12, group, 'is its number'],
    [20, geometry.fragsIn(group), 'fragments'],
  ];
  for (const [at, value, what] of places) note(at, value, what);
  for (const [index, count] of expected.counts.entries()) note(24 + index * 4, count, COUNTS[index] ?? '');
  for (let length = 1; length < geometry.frag; length += 1)
    note(52 + length * 4, expected.runs[length] ?? 0, `runs of ${length} free fragments`);
  const maps = checkPlaces(context, group, view);
  if (maps !== undefined) {
    compareMaps(context, group, 'inode', bytes.subarray(maps.inodes), expected.inodes, geometry.ipg);
    compareMaps(
      context,
      group,
      'fragment',
      bytes.subarray(maps.free),
      expected.free,
      geometry.fragsIn(group),
    );
    checkClusters(context, group, bytes, expected, maps);
  }
  if (mends && bytes.some((byte, index) => byte !== before[index]))
    await image.change(geometry.cgAt(group), bytes);
}

/** Reports how many bits of a bitmap are wrong, and sets them right. */
function compareMaps(
  { geometry, found }: Context,
  group: number,
  what: 'inode' | 'fragment',
  map: Uint8Array,
  expected: Uint8Array,
  bits: number,
): void {
  let [set, clear, first] = [0, 0, -1];
  for (let bit = 0; bit < bits; bit += 1) {
    const [has, should] = [bitOf(map, bit), bitOf(expected, bit)];
    if (has === should) continue;
    if (first < 0) first = bit;
    if (should) set += 1;
    else clear += 1;
    map[bit >>> 3] = (map[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
  }
  // In the one a set bit is in use, in the other it is free.
  const [lost, endangered] = what === 'inode' ? [clear, set] : [set, clear];
  const at = (what === 'inode' ? group * geometry.ipg : geometry.base(group)) + first;
  if (lost > 0) found.harmless(`group ${group}: ${lost} ${what}s are in use by nobody; first ${at}`);
  if (endangered === 0) return;
  const text = `group ${group}: ${endangered} ${what}s are in use, but marked as free; first ${at}`;
  if (geometry.clean) found.damage(text);
  else found.harmless(text);
}

/** Where the maps of a group are; undefined where that cannot be, and is not mended. */
function checkPlaces({ geometry, found, mends }: Context, group: number, view: DataView): Maps | undefined {
  const maps = mapsOf(geometry, view);
  if (mapsFit(geometry, group, maps)) return maps;
  const places = [maps.inodes, maps.free, maps.sums, maps.clusters].join(', ');
  const blocks = `${maps.clusterBlocks} blocks`;
  found.damage(`group ${group}: maps at ${places}, of ${blocks}, that overlap or leave its structure`);
  const usual = usualMaps(geometry, group);
  if (!mends || !mapsFit(geometry, group, usual)) return undefined;
  putMaps(geometry, view, usual);
  return usual;
}

function checkClusters(
  { geometry, found }: Context,
  group: number,
  bytes: Uint8Array,
  expected: Expected,
  { sums: sumsAt, clusters: mapAt, clusterBlocks: blocks }: Maps,
): void {
  const { contigsum, little } = geometry;
  if (contigsum === 0) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const sums = Array.from({ length: contigsum + 1 }, () => 0);
  let wrong = 0;
  let run = 0;
  for (let block = 0; block <= blocks; block += 1) {
    const free = block < blocks && bitOf(expected.clusters, block);
    if (block < blocks && bitOf(bytes.subarray(mapAt), block) !== free) {
      wrong += 1;
      const at = mapAt + (block >>> 3);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (block & 7));
    }
    if (free) {
      run += 1;
    } else if (run > 0) {
      const length = Math.min(run, contigsum);
      sums[length] = (sums[length] ?? 0) + 1;
      run = 0;
    }
  }
  if (wrong > 0) found.harmless(`group ${group}: ${wrong} blocks are wrong in the cluster bitmap`);
  for (let length = 1; length <= contigsum; length += 1) {
    const said = view.getInt32(sumsAt + length * 4, little);
    if (said === sums[length]) continue;
    found.harmless(`group ${group}: ${said} clusters of ${length} blocks, not ${sums[length] ?? 0}`);
    view.setInt32(sumsAt + length * 4, sums[length] ?? 0, little);
  }
}

/** Compares the totals of the superblock, in all places where they are. */
async function checkTotals(
  { geometry, image, found, mends }: Context,
  totals: readonly number[],
): Promise<void> {
  const { view, little } = geometry;
  let changed = false;
  for (const [index, total] of totals.entries()) {
    const wide = 1008 + index * 8;
    const narrow = 192 + index * 4;
    const said = geometry.wide ? geometry.i64(wide) : geometry.i32(narrow);
    const both = geometry.version === 2 || geometry.i32(narrow) === total;
    if (said === total && both) continue;
    found.harmless(`superblock: ${said} ${COUNTS[index]}, not ${total}`);
    if (geometry.wide) view.setBigInt64(wide, BigInt(total), little);
    if (geometry.version === 1) view.setInt32(narrow, total, little);
    changed = true;
  }
  if (changed && mends) await image.changeAt(geometry.at, geometry.bytes);
}

function bitOf(map: Uint8Array, bit: number): boolean {
  return (((map[bit >>> 3] ?? 0) >>> (bit & 7)) & 1) === 1;
}
