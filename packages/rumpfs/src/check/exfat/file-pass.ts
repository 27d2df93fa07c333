import { claim, clustersFor, type Context, endFatAt } from './context.ts';
import { checksumOfSet } from './sets.ts';
import { nameHash } from './upcase.ts';

const STREAM = 32;
const ALLOCATABLE = 1;
const CONTIGUOUS = 2;
const DIRECTORY = 0x10;
const DIRECTORY_BYTES_MAX = 256 * 1024 * 1024;
// oxlint-disable-next-line no-control-regex
const FORBIDDEN = /[\u0000-\u001f"*/:<>?\\|]/g;

/** What a file's entries say, once they are mended. */
export interface FileFacts {
  readonly set: Uint8Array;
  readonly name: string;
  readonly isDirectory: boolean;
  /** The clusters of a directory. */
  readonly clusters: readonly number[];
  /** The number of entries before those that may be of anybody. */
  readonly knownEntries: number;
  /** The entries with another name of the same length. */
  rename(name: string): Uint8Array;
}

/** Looks at the entries of one file, and claims its clusters. `set` is changed to what is right. */
export async function checkFile(
  context: Context,
  path: string,
  set: Uint8Array,
  name: string,
): Promise<FileFacts> {
  const { found, capitals } = context;
  const view = new DataView(set.buffer, set.byteOffset, set.byteLength);
  const isDirectory = (view.getUint16(4, true) & DIRECTORY) !== 0;
  const sum = checksumOfSet(set);
  if (sum !== view.getUint16(2, true))
    found.damage(`${path}: its checksum is ${hex(view.getUint16(2, true))}, not ${hex(sum)}`);
  const rename = (text: string): Uint8Array => {
    for (let unit = 0; unit < text.length; unit += 1)
      view.setUint16(unitAt(unit), text.charCodeAt(unit), true);
    view.setUint16(STREAM + 4, nameHash(capitals, text), true);
    view.setUint16(2, checksumOfSet(set), true);
    return set;
  };
  const hash = nameHash(capitals, name);
  if (hash !== view.getUint16(STREAM + 4, true))
    found.damage(
      `${path}: the hash of its name is ${hex(view.getUint16(STREAM + 4, true))}, not ${hex(hash)}`,
    );
  const allowed = name === '.' || name === '..' ? '_'.repeat(name.length) : name.replaceAll(FORBIDDEN, '_');
  if (allowed !== name) found.damage(`${JSON.stringify(path)}: no name holds such characters`);
  rename(allowed);
  const clusters = await checkClusters(context, path, view, isDirectory);
  view.setUint16(2, checksumOfSet(set), true);
  const knownEntries = 2 + Math.ceil(name.length / 15);
  return { set, name: allowed, isDirectory, clusters, knownEntries, rename };
}

/** Claims the clusters that the entry of the contents leads to, and sets it right. */
async function checkClusters(
  context: Context,
  path: string,
  view: DataView,
  isDirectory: boolean,
): Promise<readonly number[]> {
  const { found, geometry } = context;
  const flags = view.getUint8(STREAM + 1);
  const first = (flags & ALLOCATABLE) === 0 ? 0 : view.getUint32(STREAM + 20, true);
  const contiguous = (flags & CONTIGUOUS) !== 0;
  const size = view.getBigUint64(STREAM + 24, true);
  if (view.getBigUint64(STREAM + 8, true) > size) {
    found.damage(`${path}: more bytes are written than the ${size} that it has`);
    view.setBigUint64(STREAM + 8, size, true);
  }
  if (isDirectory && (size > BigInt(DIRECTORY_BYTES_MAX) || size % BigInt(geometry.clusterBytes) !== 0n))
    found.damage(`${path}: a directory of ${size} bytes`);
  else if (isDirectory && view.getBigUint64(STREAM + 8, true) !== size)
    found.harmless(`${path}: a directory of which only a part is written`);
  if (first === 0) {
    if (size > 0n) {
      found.damage(`${path}: ${size} bytes, but no clusters`);
      setSize(view, 0, 0);
    }
    return [];
  }
  if (size === 0n) {
    found.harmless(`${path}: clusters, but no bytes`);
    setSize(view, 0, 0);
    return [];
  }
  const wanted = clustersFor(geometry, Number(size));
  const claimed = await claim(context, first, wanted, contiguous);
  if (claimed.mistake !== undefined) {
    found.damage(`${path}: ${claimed.mistake}`);
    setSize(view, claimed.count * geometry.clusterBytes, claimed.count === 0 ? 0 : first);
    if (context.mends && !contiguous && claimed.last !== 0) await endFatAt(context, claimed.last);
  } else if (isDirectory) {
    setSize(view, claimed.count * geometry.clusterBytes, first);
    view.setBigUint64(STREAM + 8, view.getBigUint64(STREAM + 24, true), true);
  }
  if (claimed.longer && (await leadsOn(context, claimed.last))) {
    found.harmless(`${path}: has more clusters than the ${wanted} of its size`);
    if (context.mends) await endFatAt(context, claimed.last);
  }
  return claimed.clusters;
}

async function leadsOn({ image, geometry }: Context, cluster: number): Promise<boolean> {
  const entry = await image.read(geometry.fatAt + cluster * 4, 4);
  return entry.some((byte) => byte !== 0xff);
}

/** Sets the size; what was written is at most that. */
function setSize(view: DataView, bytes: number, first: number): void {
  const size = BigInt(bytes);
  view.setBigUint64(STREAM + 24, size, true);
  if (view.getBigUint64(STREAM + 8, true) > size) view.setBigUint64(STREAM + 8, size, true);
  view.setUint32(STREAM + 20, first, true);
  if (first === 0) view.setUint8(STREAM + 1, ALLOCATABLE);
}

function unitAt(unit: number): number {
  return (2 + Math.floor(unit / 15)) * 32 + 2 + (unit % 15) * 2;
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(4, '0')}`;
}
