/** Results of `ginit image` for people, and what their exit code is. */
import { formatBytes } from '@ginit/core/config';
import type { ImageInfo, ImageResult } from './task.ts';

const UNSOUND_EXIT_CODE = 1;
const LEAKS_EXIT_CODE = 3;

/** The exit code for a result. */
export function exitCodeOf(result: ImageResult): number {
  if (result.command !== 'check') return 0;
  if (result.check.problemCount > 0) return UNSOUND_EXIT_CODE;
  return result.check.leaks > 0 ? LEAKS_EXIT_CODE : 0;
}

/** A result as lines. */
export function resultText(result: ImageResult): string {
  switch (result.command) {
    case 'info':
    case 'create':
    case 'convert':
      return infoText(result.info);
    case 'check':
      return checkText(result);
    case 'resize':
      return `${result.file}: the disk has ${size(result.diskBytes)}, before ${size(result.oldBytes)}`;
    case 'compact': {
      const { file, zeroBytes, movedBytes, spaceBefore, spaceBytes } = result;
      const done = `zeros ${size(zeroBytes)}, moved ${size(movedBytes)}`;
      return `${file}: takes ${size(spaceBytes)} on the host, before ${size(spaceBefore)} (${done})`;
    }
    case 'snapshot':
      return snapshotText(result);
  }
}

function size(bytes: number): string {
  const short = formatBytes(bytes);
  return short === String(bytes) ? `${bytes} bytes` : `${short} (${bytes} bytes)`;
}

function infoText(info: ImageInfo): string {
  const { file, format, seems, diskBytes, fileBytes, spaceBytes, backing, details } = info;
  const lines = [
    `image: ${file}`,
    `format: ${format}`,
    ...(seems === undefined ? [] : [`  its content looks like ${seems}: --format ${seems} reads it as that`]),
    `disk: ${size(diskBytes)}`,
    `file: ${size(fileBytes)}, of which the host keeps ${size(spaceBytes)}`,
    ...Object.entries(details).map(([name, value]) => `${name.replaceAll('_', ' ')}: ${value}`),
    ...(backing
      ? [`behind it: ${backing.name} (${backing.format ?? 'of a format that it does not say'})`]
      : []),
  ];
  return lines.join('\n');
}

function checkText({ file, check, repaired }: Extract<ImageResult, { command: 'check' }>): string {
  const { problems, problemCount, leaks, dataBytes } = check;
  const more = problemCount - problems.length;
  const sum = [
    ...(problemCount === 0 ? [] : [`${problemCount} ${problemCount === 1 ? 'error' : 'errors'}`]),
    ...(leaks === 0 ? [] : [`${leaks} clusters are lost`]),
  ];
  const result = sum.length === 0 ? 'sound' : sum.join(', ');
  return [
    ...problems.map((problem) => `${file}: ${problem}`),
    ...(more > 0 ? [`${file}: and ${more} more`] : []),
    `${file}: ${repaired ? 'repaired, now ' : ''}${result}; ${size(dataBytes)} of data`,
  ].join('\n');
}

function snapshotText(result: Extract<ImageResult, { command: 'snapshot' }>): string {
  const { action, name, snapshots, totalBytes, usedBytes } = result;
  const done = { create: 'made', rollback: 'rolled back to', delete: 'deleted', list: '' }[action];
  const lines = snapshots.map(
    ({ name: known, createdMs, diskBytes, keptBytes }) =>
      `${new Date(createdMs).toISOString()}  ${known}  disk ${size(diskBytes)}, kept ${size(keptBytes)}`,
  );
  return [
    ...(action === 'list' ? [] : [`snapshot "${name}" ${done}`]),
    ...(action === 'list' ? lines : []),
    `store: ${size(usedBytes)} of ${size(totalBytes)} in use`,
  ].join('\n');
}
