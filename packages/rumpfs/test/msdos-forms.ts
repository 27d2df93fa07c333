import type { FatForm } from './fat-tools.ts';

/**
 * FATs of every kind, with sectors and clusters of every size that is laid out in another way.
 * Those with `few` are FAT32 by what their boot sector says, but mtools takes them for FAT16,
 * because they have less than 65525 clusters.
 */
export const FAT_FORMS: readonly (FatForm & {
  readonly title: string;
  readonly long?: boolean;
  readonly few?: boolean;
})[] = [
  { title: 'FAT12, a floppy', sizeBytes: 1_474_560, args: ['-F', '12', '-r', '224', '-s', '1'] },
  { title: 'FAT12, clusters of 4 KiB', sizeBytes: 4 << 20, args: ['-F', '12', '-s', '8'] },
  { title: 'FAT16, clusters of 2 KiB', sizeBytes: 9 << 20, args: ['-F', '16', '-s', '4'] },
  {
    title: 'FAT16, not aligned',
    sizeBytes: 18 << 20,
    args: ['-F', '16', '-s', '8', '-R', '1', '-a', '-r', '112'],
    long: true,
  },
  {
    title: 'FAT16, sectors of 2 KiB',
    sizeBytes: 20 << 20,
    args: ['-F', '16', '-S', '2048', '-s', '1'],
    long: true,
  },
  { title: 'FAT32, clusters of 512 bytes', sizeBytes: 34 << 20, args: ['-F', '32', '-s', '1'], long: true },
  { title: 'FAT32, clusters of 4 KiB', sizeBytes: 4 << 20, args: ['-F', '32', '-s', '8'], few: true },
  {
    title: 'FAT32, sectors of 4 KiB, one FAT',
    sizeBytes: 8 << 20,
    args: ['-F', '32', '-S', '4096', '-s', '1', '-f', '1'],
    long: true,
    few: true,
  },
  {
    title: 'FAT32, clusters of 32 KiB, not aligned',
    sizeBytes: 12 << 20,
    args: ['-F', '32', '-s', '64', '-R', '33', '-a'],
    few: true,
  },
];
