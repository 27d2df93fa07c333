/** Making and checking file systems in images, for programs. */
import { getRandomValues } from 'node:crypto';
import type { CheckReport, RepairReport } from '../check/report.ts';
import { FsError } from '../errors.ts';
import { checkFileSystem, recogniseFileSystem, repairFileSystem } from '../file-systems.ts';
import type { FormatProgress } from '../mkfs/format-device.ts';
import { type MadeType, type MakeOptions, makeFileSystem } from '../mkfs/make-file-system.ts';
import { type ImageDevice, type ImageWishes, openImageDevice } from './image-device.ts';
import { placeOf } from './place.ts';

/** How an image is opened; the fields are those of `mount`. */
export interface ImageOptions {
  readonly format?: string | undefined;
  readonly backing?: readonly string[] | undefined;
  readonly partition?: number | undefined;
}

/** The wishes of whoever makes a file system. */
export interface MkfsOptions extends MakeOptions, ImageOptions {
  /** Whether a file system, or a table of partitions, that is there may be lost. */
  readonly force?: boolean;
  readonly progress?: FormatProgress;
}

/**
 * Makes a file system in an image, or in a partition of it (`disk.img:2`). Rejects with an
 * `FsError`: `Exists` if something is there already, `InvalidArgument` for what cannot be.
 */
export async function mkfs(place: string, type: MadeType, options: MkfsOptions = {}): Promise<void> {
  const { force = false, progress, format, backing, partition, ...wishes } = options;
  const image = wishesOf(place, { format, backing, partition });
  const device = await openImageDevice(image);
  try {
    if (device.bio.sectorCount === 0)
      throw new FsError('InvalidArgument', `"${place}" has no room: it is empty`);
    if (!force) await refuseOccupied(place, image, device);
    const world = { nowMs: Date.now(), random: (into: Uint8Array) => void getRandomValues(into) };
    await makeFileSystem(device.bio, type, wishes, progress ? { ...world, progress } : world);
  } finally {
    await device.release();
  }
}

/**
 * Checks a file system in an image, or in a partition of it, and changes nothing. Rejects with an
 * `FsError` where there is none.
 */
export async function check(
  place: string,
  options: ImageOptions & { readonly type?: string | undefined } = {},
): Promise<CheckReport> {
  const { type = 'auto', ...others } = options;
  const device = await openImageDevice({ ...wishesOf(place, others), readOnly: true });
  try {
    return await checkFileSystem(device.bio, type);
  } finally {
    await device.release();
  }
}

/**
 * Checks a file system in an image, or in a partition of it, and mends what is found. Rejects with
 * an `FsError`: `NotSupported` for a format that cannot be repaired here.
 */
export async function repair(
  place: string,
  options: ImageOptions & { readonly type?: string | undefined } = {},
): Promise<RepairReport> {
  const { type = 'auto', ...others } = options;
  const device = await openImageDevice(wishesOf(place, others));
  try {
    return await repairFileSystem(device.bio, type);
  } finally {
    await device.release();
  }
}

function wishesOf(text: string, { format, backing, partition }: ImageOptions): ImageWishes {
  const place = partition === undefined ? placeOf(text) : { file: text, partition };
  return {
    file: place.file,
    ...(place.partition === undefined ? {} : { partition: place.partition }),
    ...(format === undefined ? {} : { format }),
    ...(backing === undefined ? {} : { backing }),
  };
}

async function refuseOccupied(place: string, image: ImageWishes, device: ImageDevice): Promise<void> {
  const found = await recogniseFileSystem(device.bio);
  if (found !== undefined) throw new FsError('Exists', `"${place}" has a file system (${found})`);
  if (image.partition !== undefined) return;
  const parts = await device.partitions();
  if (parts.length > 0)
    throw new FsError('Exists', `"${place}" is a disk with partitions (${parts.join(', ')})`);
}
