/**
 * Disks in VDI images, which are files of the File_system session "files". An image is only read.
 * What the guest writes goes to its overlay, a qcow2 image with the VDI image behind it, which is
 * made when it is not there yet.
 */
import { backingOf, createQcow2, type DiskImage, ImageError, openImage } from '@ginit/block/image';
import type { Env } from '@ginit/core';
import { FileSystemClient } from '@ginit/core/file_system';
import { FileDevice } from '../image/file-device.ts';
import { ImageDisk } from '../image/image-disk.ts';
import { type OpenDisk, openDiskOver } from './disks.ts';
import type { Held } from './patient-disk.ts';
import { refusedAt } from './refused.ts';
import type { ImageConfig } from './schema.ts';

/** Opens all that are disks. Throws a `ConfigError` at the first that cannot be used. */
export async function openImages(
  env: Pick<Env, 'connect' | 'close'>,
  configs: readonly ImageConfig[],
  held: (label: string) => Held,
): Promise<OpenDisk[]> {
  const open: OpenDisk[] = [];
  for (const config of configs) if (config.type === 'vdi') open.push(await openVdi(env, config, held));
  return open;
}

async function openVdi(
  env: Pick<Env, 'connect' | 'close'>,
  config: ImageConfig,
  held: (label: string) => Held,
): Promise<OpenDisk> {
  const { file, overlay, model, on_error, $node } = config;
  const writeable = overlay !== undefined;
  const files = await FileSystemClient.connect(env, { label: 'files', writeable }).catch(
    refusedAt($node, 'file', 'there is no File_system session "files"'),
  );
  const image = await atAttribute(config, 'file', async () =>
    openImage(await FileDevice.open(files, file, false), 'vdi', { writeable: false }),
  );
  const disk = writeable
    ? await atAttribute(config, 'overlay', () => openOverlay(files, overlay, file, image))
    : image;
  return openDiskOver(new ImageDisk(disk), { label: file, model, writeable, on_error, $node }, held);
}

async function openOverlay(
  files: FileSystemClient,
  path: string,
  base: string,
  backing: DiskImage,
): Promise<DiskImage> {
  const device = await FileDevice.open(files, path, true);
  const { sizeBytes } = backing;
  if (device.sizeBytes === 0)
    await createQcow2(device, { sizeBytes, backing: { name: base, format: 'vdi' } });
  const named = await backingOf({ device, format: 'qcow2', name: path });
  if (named?.name !== base)
    throw new ImageError(
      'Invalid',
      `it is no overlay of "${base}", but of ${named ? `"${named.name}"` : 'none'}`,
    );
  const image = await openImage(device, 'qcow2', { writeable: true, backing });
  if (image.sizeBytes !== sizeBytes)
    throw new ImageError(
      'Invalid',
      `its disk has ${image.sizeBytes} bytes, and that of the image ${sizeBytes}`,
    );
  return image;
}

async function atAttribute<Result>(
  config: ImageConfig,
  name: 'file' | 'overlay',
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    throw config.$node.errorAt(`the image "${config[name]}" cannot be used: ${error.message}`, name);
  }
}
