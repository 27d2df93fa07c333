/** Does what `ginit image` is asked for. */
import { checkImage, compactImage, ImageError, repairQcow2 } from '@ginit/block/image';
import { RpcError } from '@ginit/core';
import { describeImage, spaceOf } from './describe.ts';
import { convertImage, createImage } from './new-image.ts';
import { hostFiles } from './host-files.ts';
import { snapshotImage } from './snapshots.ts';
import { type ImageAnswer, type ImageResult, type ImageTask, Interrupted, type Progress } from './task.ts';

type TaskOf<Command> = Extract<ImageTask, { command: Command }>;

/** Carries out a task. What goes wrong with an image or a file is the answer, too. */
export async function performTask(task: ImageTask, progress: Progress = () => {}): Promise<ImageAnswer> {
  try {
    return { result: await perform(task, progress) };
  } catch (error) {
    if (error instanceof Interrupted) return { interrupted: true };
    if (!(error instanceof RpcError)) throw error;
    const { file } = task.image;
    return { problem: error.message.includes(`"${file}"`) ? error.message : `"${file}": ${error.message}` };
  }
}

async function perform(task: ImageTask, progress: Progress): Promise<ImageResult> {
  switch (task.command) {
    case 'info':
      return info(task);
    case 'check':
      return check(task, progress);
    case 'create':
      return { command: 'create', info: await createImage(task) };
    case 'resize':
      return resize(task);
    case 'compact':
      return compact(task, progress);
    case 'convert':
      return { command: 'convert', info: await convertImage(task, progress) };
    case 'snapshot':
      return snapshotImage(task, Date.now());
  }
}

async function info({ image }: TaskOf<'info'>): Promise<ImageResult> {
  await using files = hostFiles();
  return { command: 'info', info: await describeImage(await files.source(image, 'look'), image.file) };
}

async function check({ image, repair }: TaskOf<'check'>, progress: Progress): Promise<ImageResult> {
  await using files = hostFiles();
  const { file } = image;
  const { device, format } = await files.source(image, repair ? 'rw' : 'ro');
  // A repair is three walks over the tables: a check, the count anew, and a check of that.
  const walks = repair ? 3 : 1;
  const walk =
    (number: number): Progress =>
    (share) =>
      progress((number + share) / walks);
  const found = await checkImage(device, format, walk(0));
  const repaired = repair && found.repairable && format === 'qcow2';
  if (!repaired) return { command: 'check', file, check: found, repaired };
  await repairQcow2(device, walk(1));
  return { command: 'check', file, check: await checkImage(device, format, walk(2)), repaired };
}

async function resize({ image, ...task }: TaskOf<'resize'>): Promise<ImageResult> {
  await using files = hostFiles();
  const disk = await files.image(image, 'rw');
  const oldBytes = disk.sizeBytes;
  const diskBytes = task.more ? oldBytes + task.sizeBytes : task.sizeBytes;
  if (diskBytes < oldBytes && !task.shrink) {
    throw new ImageError('Invalid', `the disk has ${oldBytes} bytes: --shrink takes away what is at its end`);
  }
  await disk.resize(diskBytes);
  await disk.close();
  return { command: 'resize', file: image.file, oldBytes, diskBytes: disk.sizeBytes };
}

async function compact({ image }: TaskOf<'compact'>, progress: Progress): Promise<ImageResult> {
  await using files = hostFiles();
  const { file } = image;
  const spaceBefore = spaceOf(file);
  const source = await files.source(image, 'rw');
  const disk = await files.chain(source, image.backing, true);
  const { zeroBytes, movedBytes } = await compactImage(source.device, disk, progress);
  return { command: 'compact', file, zeroBytes, movedBytes, spaceBefore, spaceBytes: spaceOf(file) };
}
