/** New images, empty or with the content of another one. */
import { randomBytes } from 'node:crypto';
import { basename, dirname, relative } from 'node:path';
import { promisify } from 'node:util';
import { deflate, deflateRaw } from 'node:zlib';
import {
  backingFormat,
  type ByteDevice,
  type ClusterSink,
  type Compress,
  copyDisk,
  createQcow2,
  createVdi,
  type DiskImage,
  formatNamedBy,
  ImageError,
  type ImageFormat,
  openImage,
  type OpenFiles,
  packDisk,
  Qcow2Image,
  Qcow2PackedWriter,
  RAW_WINDOW_BITS,
  VmdkStreamWriter,
} from '@ginit/block/image';
import { describeImage } from './describe.ts';
import { hostFiles } from './host-files.ts';
import { makeFile } from './new-file.ts';
import type { ImageInfo, ImageTask, Progress } from './task.ts';

const SECTOR_BYTES = 512;
const UUID_BYTES = 16;
const deflating = promisify(deflate);
const deflatingRaw = promisify<Uint8Array, { windowBits: number }, Buffer>(deflateRaw);

/** Compresses in the pool of Node, several clusters at a time. */
const compress: Compress = (kind, bytes) =>
  kind === 'deflate' ? deflating(bytes) : deflatingRaw(bytes, { windowBits: RAW_WINDOW_BITS });

type TaskOf<Command> = Extract<ImageTask, { command: Command }>;

/** Makes an empty image. */
export async function createImage(task: TaskOf<'create'>): Promise<ImageInfo> {
  await using files = hostFiles();
  const {
    file,
    format = formatNamedBy(file),
    backing: [behind, ...more],
  } = task.image;
  if (more.length > 0) throw new ImageError('Invalid', 'a new image has one image behind it at most');
  if (format === 'vmdk') throw onlyConverted();
  const backing = behind === undefined ? undefined : { file: behind.file, format: backingFormat(behind) };
  if (backing && format !== 'qcow2') throw new ImageError('Invalid', `a ${format} image has none behind it`);
  const sizeBytes = task.sizeBytes ?? (backing && (await sizeBehind(files, backing)));
  if (sizeBytes === undefined) throw new ImageError('Invalid', 'no size given');
  const stated = backing && {
    // Names in an image are taken from where the image is.
    name: relative(dirname(file), backing.file),
    format: backing.format,
  };
  const { clusterBytes, fixed } = task;
  await makeFile(files, file, task.force, (device) =>
    writeEmpty(device, format, { sizeBytes, clusterBytes, fixed, backing: stated }),
  );
  return describe(files, file, format);
}

/** Copies a disk into a new image. */
export async function convertImage(task: TaskOf<'convert'>, progress: Progress): Promise<ImageInfo> {
  await using files = hostFiles();
  const { into, intoFormat = formatNamedBy(into), clusterBytes, compress: packs } = task;
  if (packs && intoFormat !== 'qcow2' && intoFormat !== 'vmdk') {
    throw new ImageError('Invalid', `a ${intoFormat} image is not compressed`);
  }
  if (clusterBytes !== undefined && intoFormat !== 'qcow2') throw noClusters(intoFormat);
  const from = await files.image(task.image, 'ro');
  const sizeBytes = Math.ceil(from.sizeBytes / SECTOR_BYTES) * SECTOR_BYTES;
  const options = { progress: (done: number) => progress(done / from.sizeBytes), compress };
  await makeFile(files, into, task.force, async (device) => {
    if (intoFormat === 'vmdk') {
      const contentId = randomBytes(4).readUInt32LE() & 0x7fff_ffff;
      const writer = await VmdkStreamWriter.begin(device, { sizeBytes, name: basename(into), contentId });
      return packDisk(from, writer, options);
    }
    await writeEmpty(device, intoFormat, { sizeBytes, clusterBytes, fixed: false });
    const image = await openImage(device, intoFormat, { writeable: true });
    if (packs) return packDisk(from, packedWriter(image), options);
    await copyDisk(from, image, options);
    await image.close();
  });
  return describe(files, into, intoFormat);
}

function packedWriter(image: DiskImage): ClusterSink {
  if (image instanceof Qcow2Image) return new Qcow2PackedWriter(image);
  throw new Error('only qcow2 images are written so');
}

async function writeEmpty(
  device: ByteDevice,
  format: ImageFormat,
  options: {
    readonly sizeBytes: number;
    readonly clusterBytes: number | undefined;
    readonly fixed: boolean;
    readonly backing?: { readonly name: string; readonly format: string } | undefined;
  },
): Promise<void> {
  const { sizeBytes, clusterBytes, fixed, backing } = options;
  if (clusterBytes !== undefined && format !== 'qcow2') throw noClusters(format);
  if (fixed && format !== 'vdi') throw new ImageError('Invalid', `there are no fixed ${format} images`);
  switch (format) {
    case 'raw':
      return device.setSize(sizeBytes);
    case 'qcow2':
      return createQcow2(device, {
        sizeBytes,
        ...(clusterBytes === undefined ? {} : { clusterBytes }),
        ...(backing ? { backing } : {}),
      });
    case 'vdi':
      return createVdi(device, { sizeBytes, isFixed: fixed, uuid: randomBytes(UUID_BYTES) });
    case 'vmdk':
      throw onlyConverted();
  }
}

function noClusters(format: ImageFormat): ImageError {
  return new ImageError('Invalid', `a ${format} image has no clusters whose size could be chosen`);
}

function onlyConverted(): ImageError {
  return new ImageError('Unsupported', 'a VMDK image is made by converting another one');
}

async function sizeBehind(
  files: OpenFiles,
  { file, format }: { readonly file: string; readonly format: ImageFormat },
): Promise<number> {
  const source = await files.source({ file, format, backing: [] }, 'look');
  return Math.ceil((await describeImage(source, file)).diskBytes / SECTOR_BYTES) * SECTOR_BYTES;
}

async function describe(files: OpenFiles, file: string, format: ImageFormat): Promise<ImageInfo> {
  return describeImage({ device: await files.open(file, 'look'), format, name: file }, file);
}
