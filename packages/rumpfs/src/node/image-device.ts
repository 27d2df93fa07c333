/** The disk in an image file, or a partition of it, as a device for a file system. */
import { realpathSync } from 'node:fs';
import {
  type BackingFile,
  type DiskImage,
  type ImageFormat,
  isImageFormat,
  OpenFiles,
} from '@ginit/block/image';
import { type PartitionTable, readPartitionTable, WHOLE_DISK } from '@ginit/block/partitions';
import { openNodeFile } from '@ginit/core/supervisor';
import { FsError } from '../errors.ts';
import type { FormatDevice } from '../mkfs/format-device.ts';
import type { MountDevice } from '../promises/index.ts';

/** The sizes of blocks in which tables of partitions count, the usual one first. */
const TABLE_BLOCK_BYTES = [512, 4096] as const;
const SECTOR_BYTES = 512;

/** Which image, and how it is opened. All of it is plain data. */
export interface ImageWishes {
  readonly file: string;
  /** Missing: as the name ends, and `raw` where that says nothing. */
  readonly format?: string;
  /** The images behind it, in their order; `FORMAT:FILE` also says a format. */
  readonly backing?: readonly string[];
  /** 0: the whole disk, whatever table it has; missing: the same, but tables are told of. */
  readonly partition?: number;
  readonly readOnly?: boolean;
}

/** An open image. */
export interface ImageDevice extends MountDevice {
  readonly bio: FormatDevice;
  /** The partitions that there are, where none was chosen; for an error that says so. */
  partitions(): Promise<readonly number[]>;
}

/**
 * Opens an image. Rejects with the error of Node for a file that cannot be opened, or an
 * `RpcError`.
 */
export async function openImageDevice(wishes: ImageWishes): Promise<ImageDevice> {
  const { file, readOnly = false, partition = WHOLE_DISK } = wishes;
  const files = new OpenFiles((path, use) => {
    const access = use === 'rw' ? 'rw' : 'ro';
    return openNodeFile(realpathSync(path), path, access, { steady: use === 'ro' });
  });
  try {
    const image = {
      file,
      format: formatOf(wishes.format, file),
      backing: (wishes.backing ?? []).map(backingFile),
    };
    const disk = await files.image(image, readOnly ? 'ro' : 'rw');
    const range =
      partition === WHOLE_DISK ? { first: 0, bytes: disk.sizeBytes } : await rangeOf(disk, partition);
    return {
      bio: blockIo(disk, range, readOnly),
      partitions: async () =>
        [...(await tableOf(disk)).partitions.keys()].filter((number) => number !== WHOLE_DISK),
      release: async () => {
        try {
          await disk.close();
        } finally {
          await files[Symbol.asyncDispose]();
        }
      },
    };
  } catch (error) {
    await files[Symbol.asyncDispose]();
    throw error;
  }
}

interface ByteRange {
  /** The first byte. */
  readonly first: number;
  readonly bytes: number;
}

function blockIo(disk: DiskImage, { first, bytes }: ByteRange, readOnly: boolean): FormatDevice {
  return {
    sectorSizeBytes: SECTOR_BYTES,
    sectorCount: Math.floor(bytes / SECTOR_BYTES),
    writeable: disk.writeable && !readOnly,
    read: (sector, into) => disk.read(into, first + sector * SECTOR_BYTES),
    write: (sector, from) => disk.write(from, first + sector * SECTOR_BYTES),
    sync: () => disk.sync(),
    zero: (sector, count) => disk.writeZeroes(first + sector * SECTOR_BYTES, count * SECTOR_BYTES),
  };
}

async function rangeOf(disk: DiskImage, number: number): Promise<ByteRange> {
  const table = await tableOf(disk);
  const partition = table.partitions.get(number);
  if (partition === undefined) {
    const fault = table.faults.get(number);
    const why = fault === undefined ? table.absence : `partition ${number} ${fault}`;
    throw new FsError('InvalidArgument', `there is no partition ${number}: ${why}`);
  }
  return { first: partition.first * table.blockSize, bytes: partition.count * table.blockSize };
}

async function tableOf(disk: DiskImage): Promise<PartitionTable & { readonly blockSize: number }> {
  let found: (PartitionTable & { readonly blockSize: number }) | undefined;
  for (const blockSize of TABLE_BLOCK_BYTES) {
    const table = await readPartitionTable({
      blockSize,
      blockCount: Math.floor(disk.sizeBytes / blockSize),
      read: async (first, count) => {
        const bytes = new Uint8Array(count * blockSize);
        await disk.read(bytes, first * blockSize);
        return bytes;
      },
    });
    if (table.kind !== 'disk' && table.partitions.size > 0) return { ...table, blockSize };
    found ??= { ...table, blockSize };
  }
  if (found) return found;
  throw new Error('there is a size of blocks at least');
}

function formatOf(word: string | undefined, file: string): ImageFormat | undefined {
  if (word !== undefined && isImageFormat(word)) return word;
  if (word !== undefined) throw new FsError('InvalidArgument', `there is no image format "${word}"`);
  return /\.(?:raw|img|qcow2|vdi|vmdk)$/i.test(file) ? undefined : 'raw';
}

function backingFile(text: string): BackingFile {
  const [, format = '', file = text] = /^([a-z0-9]+):(.+)$/s.exec(text) ?? [];
  return isImageFormat(format) ? { file, format } : { file: text, format: undefined };
}
