/** A disk in a VMDK file, for reading. */
import { inflateSync } from 'node:zlib';
import { type ByteDevice, readPadded } from '../byte-device.ts';
import { checkRange, checkWriteable, type DiskExtent, type DiskImage } from '../disk-image.ts';
import { ImageError, malformed, unsupported } from '../image-error.ts';
import { TableCache } from '../table-cache.ts';
import { UnpackedClusters } from '../unpacked-clusters.ts';
import { checkDescriptor, parseVmdkHeader, VMDK_FLAG, VMDK_SECTOR_BYTES, type VmdkHeader } from './header.ts';

const TABLES_MAX = 1024;
/** The marker before a compressed grain: the sector of the disk, and the number of bytes. */
const MARKER_BYTES = 12;
/** How much longer than a grain its compressed bytes may be. */
const PACKED_EXCESS_MAX = 4096;
/** The footer lies before the last sector. */
const FOOTER_FROM_END = 2 * VMDK_SECTOR_BYTES;

/** Where a grain is: nowhere, in which case it is zero, or in a sector of the file. */
type Grain = 'zero' | number;

/** An open image. */
export class VmdkImage implements DiskImage {
  readonly format = 'vmdk';
  readonly writeable = false;
  readonly header: VmdkHeader;
  readonly #device: ByteDevice;
  readonly #directory: Uint32Array;
  readonly #tables: TableCache;
  readonly #unpacked = new UnpackedClusters();

  /** Opens an image. Rejects with `ImageError`. */
  static async open(device: ByteDevice): Promise<VmdkImage> {
    const sector = new Uint8Array(VMDK_SECTOR_BYTES);
    await readPadded(device, sector, 0);
    const first = parseVmdkHeader(sector);
    const descriptorAt = first.descriptorOffset * VMDK_SECTOR_BYTES;
    if (first.descriptorSectors === 0)
      throw unsupported('one of several files that a disk lies in: it has no descriptor');
    const descriptor = new Uint8Array(first.descriptorSectors * VMDK_SECTOR_BYTES);
    await readPadded(device, descriptor, descriptorAt);
    const end = descriptor.indexOf(0);
    checkDescriptor(
      new TextDecoder().decode(end < 0 ? descriptor : descriptor.subarray(0, end)),
      descriptorAt,
    );
    const header = first.directory === undefined ? await readFooter(device) : first;
    return new VmdkImage(device, header, await readDirectory(device, header));
  }

  private constructor(device: ByteDevice, header: VmdkHeader, directory: Uint32Array) {
    this.#device = device;
    this.header = header;
    this.#directory = directory;
    this.#tables = new TableCache(header.tableEntries * 4, TABLES_MAX, (key, into) =>
      readPadded(device, into, (directory[key] ?? 0) * VMDK_SECTOR_BYTES),
    );
  }

  get sizeBytes(): number {
    return this.header.sectors * VMDK_SECTOR_BYTES;
  }

  /** The size of a grain in bytes. */
  get grainBytes(): number {
    return this.header.grainSectors * VMDK_SECTOR_BYTES;
  }

  async read(into: Uint8Array, position: number): Promise<void> {
    checkRange(this, position, into.byteLength);
    const { grainBytes } = this;
    for (let done = 0; done < into.byteLength; ) {
      const at = position + done;
      const within = at % grainBytes;
      const part = into.subarray(done, done + Math.min(into.byteLength - done, grainBytes - within));
      await this.#readGrain(Math.floor(at / grainBytes), within, part);
      done += part.byteLength;
    }
  }

  async #readGrain(number: number, within: number, into: Uint8Array): Promise<void> {
    const grain = await this.#find(number);
    if (grain === 'zero') {
      into.fill(0);
      return;
    }
    const at = grain * VMDK_SECTOR_BYTES;
    if (at >= this.#device.sizeBytes)
      throw malformed(`grain ${number} at byte ${at} lies behind the end of the file`);
    if (!this.header.isCompressed) return readPadded(this.#device, into, at + within);
    const unpacked = await this.#unpacked.get(at, () => this.#unpack(number, at));
    into.set(unpacked.subarray(within, within + into.byteLength));
  }

  async #unpack(number: number, at: number): Promise<Uint8Array> {
    const { grainBytes } = this;
    const hasMarker = (this.header.flags & VMDK_FLAG.markers) !== 0;
    const marker = new Uint8Array(MARKER_BYTES);
    if (hasMarker) await readPadded(this.#device, marker, at);
    const view = new DataView(marker.buffer);
    const most = grainBytes + PACKED_EXCESS_MAX;
    const size = hasMarker ? view.getUint32(8, true) : Math.min(most, this.#device.sizeBytes - at);
    const sector = Number(view.getBigUint64(0, true));
    if (hasMarker && (size > most || sector !== number * this.header.grainSectors)) {
      throw malformed(`the marker of grain ${number} says sector ${sector} and ${size} bytes`, at);
    }
    const packed = new Uint8Array(size);
    await readPadded(this.#device, packed, at + (hasMarker ? MARKER_BYTES : 0));
    try {
      const grain = inflateSync(packed, { maxOutputLength: grainBytes });
      if (grain.byteLength === grainBytes) return grain;
      // The last grain of a disk may be as short as the disk.
      const whole = new Uint8Array(grainBytes);
      whole.set(grain);
      return whole;
    } catch (error) {
      throw malformed(
        `grain ${number} cannot be read (${error instanceof Error ? error.message : String(error)})`,
        at,
      );
    }
  }

  async #find(number: number): Promise<Grain> {
    const { tableEntries, flags } = this.header;
    const key = Math.floor(number / tableEntries);
    if ((this.#directory[key] ?? 0) === 0) return 'zero';
    const { view } = await this.#tables.load(key);
    const sector = view.getUint32((number % tableEntries) * 4, true);
    if (sector === 0 || (sector === 1 && (flags & VMDK_FLAG.zeroGrains) !== 0)) return 'zero';
    return sector;
  }

  /** Where the tables are: 0 for one that would hold zeros. */
  get directory(): Uint32Array {
    return this.#directory;
  }

  /** The sector of the file where a grain is; `undefined` if it is zero. */
  async sectorOf(grain: number): Promise<number | undefined> {
    const found = await this.#find(grain);
    return found === 'zero' ? undefined : found;
  }

  async write(): Promise<void> {
    checkWriteable(this);
  }

  async writeZeroes(): Promise<void> {
    checkWriteable(this);
  }

  async discard(): Promise<void> {
    checkWriteable(this);
  }

  async sync(): Promise<void> {}

  async extent(position: number, lengthMax: number): Promise<DiskExtent> {
    checkRange(this, position, lengthMax);
    const { grainBytes } = this;
    const { tableEntries } = this.header;
    const first = Math.floor(position / grainBytes);
    let table = Math.floor(first / tableEntries);
    const upTo = (grain: number): number => Math.min(lengthMax, grain * grainBytes - position);
    if ((this.#directory[table] ?? 0) === 0) {
      while (upTo(table * tableEntries) < lengthMax && (this.#directory[table] ?? 0) === 0) table++;
      return { kind: 'zero', length: upTo(table * tableEntries) };
    }
    const isZero = (await this.#find(first)) === 'zero';
    // What lies behind the last grain of this table is for the next call.
    const end = (table + 1) * tableEntries;
    let next = first + 1;
    while (next < end && upTo(next) < lengthMax && ((await this.#find(next)) === 'zero') === isZero) next++;
    return { kind: isZero ? 'zero' : 'data', length: upTo(next) };
  }

  async resize(): Promise<void> {
    throw new ImageError('Unsupported', 'VMDK images are only read');
  }

  async close(): Promise<void> {}
}

async function readFooter(device: ByteDevice): Promise<VmdkHeader> {
  const at = device.sizeBytes - FOOTER_FROM_END;
  if (at <= 0) throw malformed('the file has no footer');
  const sector = new Uint8Array(VMDK_SECTOR_BYTES);
  await readPadded(device, sector, at);
  const footer = parseVmdkHeader(sector, at);
  if (footer.directory === undefined) throw malformed('the footer does not say where the directory is', at);
  return footer;
}

async function readDirectory(device: ByteDevice, header: VmdkHeader): Promise<Uint32Array> {
  const at = (header.directory ?? 0) * VMDK_SECTOR_BYTES;
  if (at === 0 || at + header.tables * 4 > device.sizeBytes) {
    throw malformed(`the directory at ${at} lies outside the ${device.sizeBytes} bytes of the file`);
  }
  const bytes = new Uint8Array(header.tables * 4);
  await device.read(bytes, at);
  const view = new DataView(bytes.buffer);
  return Uint32Array.from({ length: header.tables }, (_, index) => view.getUint32(index * 4, true));
}
