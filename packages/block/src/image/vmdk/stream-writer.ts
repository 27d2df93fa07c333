/**
 * Writes streamOptimized VMDK images from the beginning to the end: header, descriptor, compressed
 * grains with their tables behind them, directory, footer, each with its marker.
 */
import type { ByteDevice } from '../byte-device.ts';
import type { ClusterSink } from '../convert.ts';
import { ImageError } from '../image-error.ts';
import { VMDK_AT, VMDK_FLAG, VMDK_MAGIC, VMDK_SECTOR_BYTES } from './header.ts';

const VERSION = 3;
const GRAIN_SECTORS = 128;
const TABLE_ENTRIES = 512;
const DESCRIPTOR_SECTORS = 20;
/** The header, the descriptor, and room up to the first whole grain. */
const OVERHEAD_SECTORS = 128;
const MARKER = { table: 1, directory: 2, footer: 3 } as const;
const MARKER_BYTES = 12;
const SECTOR_MAX = 0xffff_ffff;
const FLAGS = VMDK_FLAG.newlineTest | VMDK_FLAG.compressed | VMDK_FLAG.markers;
const NEWLINES = '\n \r\n';
const DEFLATE = 1;
const HEADS = 255;
const SECTORS_PER_TRACK = 63;

/** What a new image is to be. */
export interface VmdkStreamOptions {
  readonly sizeBytes: number;
  /** The name of the file, which the descriptor repeats. */
  readonly name: string;
  /** A number that tells this content from others. */
  readonly contentId: number;
}

/** Writes one image. Grains come in order, those that are zero are left out. */
export class VmdkStreamWriter implements ClusterSink {
  readonly clusterBytes = GRAIN_SECTORS * VMDK_SECTOR_BYTES;
  readonly compression = 'deflate';
  readonly #device: ByteDevice;
  readonly #sectors: number;
  readonly #directory: Uint32Array;
  #table = new Uint32Array(TABLE_ENTRIES);
  #tableNumber = 0;
  #next = OVERHEAD_SECTORS;

  /** Begins an image on a device that is empty. Rejects with `ImageError`. */
  static async begin(device: ByteDevice, options: VmdkStreamOptions): Promise<VmdkStreamWriter> {
    if (options.sizeBytes < VMDK_SECTOR_BYTES || options.sizeBytes % VMDK_SECTOR_BYTES !== 0) {
      throw new ImageError(
        'Invalid',
        `a disk of ${options.sizeBytes} bytes: no multiple of ${VMDK_SECTOR_BYTES}`,
      );
    }
    const writer = new VmdkStreamWriter(device, options.sizeBytes / VMDK_SECTOR_BYTES);
    const head = new Uint8Array(OVERHEAD_SECTORS * VMDK_SECTOR_BYTES);
    head.set(writer.#header(0xffff_ffff_ffff_ffffn));
    head.set(new TextEncoder().encode(descriptor(options)), VMDK_SECTOR_BYTES);
    await device.write(head, 0);
    return writer;
  }

  private constructor(device: ByteDevice, sectors: number) {
    this.#device = device;
    this.#sectors = sectors;
    this.#directory = new Uint32Array(Math.ceil(sectors / (GRAIN_SECTORS * TABLE_ENTRIES)));
  }

  /** Writes a grain, which is compressed by deflate already. */
  async put(grain: number, packed: Uint8Array): Promise<void> {
    const table = Math.floor(grain / TABLE_ENTRIES);
    if (table !== this.#tableNumber) {
      await this.#endTable();
      this.#tableNumber = table;
    }
    this.#table[grain % TABLE_ENTRIES] = this.#next;
    const bytes = new Uint8Array(roundUp(MARKER_BYTES + packed.byteLength));
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, BigInt(grain * GRAIN_SECTORS), true);
    view.setUint32(8, packed.byteLength, true);
    bytes.set(packed, MARKER_BYTES);
    await this.#append(bytes);
  }

  /** Ends the image, and takes it to stable storage. */
  async finish(): Promise<void> {
    await this.#endTable();
    const directoryBytes = new Uint8Array(roundUp(this.#directory.byteLength));
    const view = new DataView(directoryBytes.buffer);
    for (const [index, sector] of this.#directory.entries()) view.setUint32(index * 4, sector, true);
    await this.#append(marker(MARKER.directory, directoryBytes.byteLength));
    const directory = this.#next;
    await this.#append(directoryBytes);
    await this.#append(marker(MARKER.footer, VMDK_SECTOR_BYTES));
    await this.#append(this.#header(BigInt(directory)));
    // A sector of zeros is the marker of the end.
    await this.#append(new Uint8Array(VMDK_SECTOR_BYTES));
    await this.#device.sync();
  }

  async #endTable(): Promise<void> {
    if (this.#table.every((sector) => sector === 0)) return;
    const bytes = new Uint8Array(TABLE_ENTRIES * 4);
    const view = new DataView(bytes.buffer);
    for (const [index, sector] of this.#table.entries()) view.setUint32(index * 4, sector, true);
    await this.#append(marker(MARKER.table, bytes.byteLength));
    this.#directory[this.#tableNumber] = this.#next;
    await this.#append(bytes);
    this.#table = new Uint32Array(TABLE_ENTRIES);
  }

  async #append(bytes: Uint8Array): Promise<void> {
    if (this.#next > SECTOR_MAX) throw new ImageError('NoSpace', 'a VMDK file cannot become larger');
    await this.#device.write(bytes, this.#next * VMDK_SECTOR_BYTES);
    this.#next += bytes.byteLength / VMDK_SECTOR_BYTES;
  }

  #header(directory: bigint): Uint8Array {
    const bytes = new Uint8Array(VMDK_SECTOR_BYTES);
    const view = new DataView(bytes.buffer);
    view.setUint32(VMDK_AT.magic, VMDK_MAGIC, true);
    view.setUint32(VMDK_AT.version, VERSION, true);
    view.setUint32(VMDK_AT.flags, FLAGS, true);
    view.setBigUint64(VMDK_AT.capacity, BigInt(this.#sectors), true);
    view.setBigUint64(VMDK_AT.grainSectors, BigInt(GRAIN_SECTORS), true);
    view.setBigUint64(VMDK_AT.descriptorOffset, 1n, true);
    view.setBigUint64(VMDK_AT.descriptorSectors, BigInt(DESCRIPTOR_SECTORS), true);
    view.setUint32(VMDK_AT.tableEntries, TABLE_ENTRIES, true);
    view.setBigUint64(VMDK_AT.directory, directory, true);
    view.setBigUint64(VMDK_AT.overhead, BigInt(OVERHEAD_SECTORS), true);
    bytes.set(new TextEncoder().encode(NEWLINES), VMDK_AT.newlines);
    view.setUint16(VMDK_AT.compression, DEFLATE, true);
    return bytes;
  }
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / VMDK_SECTOR_BYTES) * VMDK_SECTOR_BYTES;
}

/** The sector before a table, a directory or the footer. */
function marker(type: number, contentBytes: number): Uint8Array {
  const bytes = new Uint8Array(VMDK_SECTOR_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(contentBytes / VMDK_SECTOR_BYTES), true);
  view.setUint32(12, type, true);
  return bytes;
}

function descriptor({ sizeBytes, name, contentId }: VmdkStreamOptions): string {
  const sectors = sizeBytes / VMDK_SECTOR_BYTES;
  const cylinders = Math.min(65_535, Math.ceil(sectors / (HEADS * SECTORS_PER_TRACK)));
  const text = `# Disk DescriptorFile
version=1
CID=${contentId.toString(16).padStart(8, '0')}
parentCID=ffffffff
createType="streamOptimized"

# Extent description
RW ${sectors} SPARSE "${name.replaceAll(/["\r\n]/g, '_')}"

# The Disk Data Base
#DDB

ddb.virtualHWVersion = "4"
ddb.geometry.cylinders = "${cylinders}"
ddb.geometry.heads = "${HEADS}"
ddb.geometry.sectors = "${SECTORS_PER_TRACK}"
ddb.adapterType = "lsilogic"
`;
  if (new TextEncoder().encode(text).byteLength <= DESCRIPTOR_SECTORS * VMDK_SECTOR_BYTES) return text;
  throw new ImageError('Invalid', 'the name of the file is too long');
}
