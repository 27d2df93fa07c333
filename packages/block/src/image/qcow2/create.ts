/** New qcow2 images: a header, a refcount table with its blocks, and an empty L1 table. */
import type { ByteDevice } from '../byte-device.ts';
import { ImageError } from '../image-error.ts';
import {
  BACKING_NAME_BYTES_MAX,
  CLUSTER_BITS_MAX,
  CLUSTER_BITS_MIN,
  EXTENSION_BACKING_FORMAT,
  HEADER_AT,
  QCOW2_INCOMPATIBLE,
  QCOW2_MAGIC,
  type Qcow2Compression,
  V2_HEADER_BYTES,
} from './header.ts';
import { writeCount } from './refcount-width.ts';
import { l1EntriesFor } from './resize.ts';

/** The size of clusters unless something else is asked for. */
export const CLUSTER_BYTES = 65_536;
const REFCOUNT_ORDER = 4;
const HEADER_BYTES = 112;

/** What a new image is to be. */
export interface CreateQcow2Options {
  readonly sizeBytes: number;
  readonly clusterBytes?: number;
  readonly version?: 2 | 3;
  readonly compression?: Qcow2Compression;
  /** The name of the image behind it, as the image will say it, and its format. */
  readonly backing?: { readonly name: string; readonly format: string };
}

/** Writes a new image on a device that is empty. Rejects with `ImageError`. */
export async function createQcow2(device: ByteDevice, options: CreateQcow2Options): Promise<void> {
  const { sizeBytes, clusterBytes = CLUSTER_BYTES, version = 3 } = options;
  const clusterBits = Math.log2(clusterBytes);
  if (!Number.isInteger(clusterBits) || clusterBits < CLUSTER_BITS_MIN || clusterBits > CLUSTER_BITS_MAX) {
    throw new ImageError(
      'Invalid',
      `clusters of ${clusterBytes} bytes: a power of two from 512 to 2M is needed`,
    );
  }
  const l1Entries = l1EntriesFor(sizeBytes, clusterBytes, clusterBytes / 8);
  const places = placeTables(clusterBytes, l1Entries);
  const table = new Uint8Array(places.tableClusters * clusterBytes);
  const tableView = new DataView(table.buffer);
  const blocks = new Uint8Array(places.blocks * clusterBytes);
  const blockView = new DataView(blocks.buffer);
  for (let block = 0; block < places.blocks; block++) {
    tableView.setBigUint64(block * 8, BigInt((places.firstBlock + block) * clusterBytes));
  }
  for (let cluster = 0; cluster < places.end; cluster++) writeCount(blockView, REFCOUNT_ORDER, cluster, 1);
  await device.write(table, clusterBytes);
  await device.write(blocks, places.firstBlock * clusterBytes);
  const l1Clusters = places.end - places.l1;
  if (l1Clusters > 0) await device.write(new Uint8Array(l1Clusters * clusterBytes), places.l1 * clusterBytes);
  // Until there is a header, there is no image.
  await device.sync();
  await device.write(headerCluster({ ...options, clusterBytes, version }, places, l1Entries), 0);
  await device.sync();
}

interface Places {
  readonly tableClusters: number;
  readonly firstBlock: number;
  readonly blocks: number;
  readonly l1: number;
  readonly end: number;
}

/** The refcount blocks have to count themselves, too. */
function placeTables(clusterBytes: number, l1Entries: number): Places {
  const perBlock = (clusterBytes * 8) / 2 ** REFCOUNT_ORDER;
  const l1Clusters = Math.ceil((l1Entries * 8) / clusterBytes);
  for (let blocks = 1; ; blocks++) {
    const tableClusters = Math.ceil((blocks * 8) / clusterBytes);
    const firstBlock = 1 + tableClusters;
    const l1 = firstBlock + blocks;
    const end = l1 + l1Clusters;
    if (end <= blocks * perBlock) return { tableClusters, firstBlock, blocks, l1, end };
  }
}

type Complete = CreateQcow2Options & Required<Pick<CreateQcow2Options, 'clusterBytes' | 'version'>>;

function headerCluster(options: Complete, places: Places, l1Entries: number): Uint8Array {
  const { sizeBytes, clusterBytes, version, compression = 'zlib', backing } = options;
  const bytes = new Uint8Array(clusterBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(HEADER_AT.magic, QCOW2_MAGIC);
  view.setUint32(HEADER_AT.version, version);
  view.setUint32(HEADER_AT.clusterBits, Math.log2(clusterBytes));
  view.setBigUint64(HEADER_AT.size, BigInt(sizeBytes));
  view.setUint32(HEADER_AT.l1Entries, l1Entries);
  view.setBigUint64(HEADER_AT.l1Offset, BigInt(places.l1 * clusterBytes));
  view.setBigUint64(HEADER_AT.refcountTableOffset, BigInt(clusterBytes));
  view.setUint32(HEADER_AT.refcountTableClusters, places.tableClusters);
  if (version === 2 && compression === 'zstd') throw new ImageError('Invalid', 'zstd needs version 3');
  if (version === 3) {
    view.setUint32(HEADER_AT.refcountOrder, REFCOUNT_ORDER);
    view.setUint32(HEADER_AT.headerBytes, HEADER_BYTES);
    if (compression === 'zstd') {
      view.setUint32(HEADER_AT.incompatible + 4, QCOW2_INCOMPATIBLE.compression);
      view.setUint8(HEADER_AT.compressionType, 1);
    }
  }
  writeBacking(bytes, view, version === 3 ? HEADER_BYTES : V2_HEADER_BYTES, backing);
  return bytes;
}

function writeBacking(
  bytes: Uint8Array,
  view: DataView,
  from: number,
  backing: CreateQcow2Options['backing'],
): void {
  if (!backing) return;
  const format = new TextEncoder().encode(backing.format);
  const name = new TextEncoder().encode(backing.name);
  const nameAt = from + 8 + Math.ceil(format.byteLength / 8) * 8 + 8;
  if (name.byteLength > BACKING_NAME_BYTES_MAX || nameAt + name.byteLength > bytes.byteLength) {
    throw new ImageError('Invalid', `a backing name of ${name.byteLength} bytes is too long`);
  }
  view.setUint32(from, EXTENSION_BACKING_FORMAT);
  view.setUint32(from + 4, format.byteLength);
  bytes.set(format, from + 8);
  bytes.set(name, nameAt);
  view.setBigUint64(HEADER_AT.backingOffset, BigInt(nameAt));
  view.setUint32(HEADER_AT.backingBytes, name.byteLength);
}
