/** The kinds of ext2 on which random steps are compared with the model. */
export const EXT2_MODEL_KINDS = [
  { title: '1 KiB blocks, several groups', size: '3M', args: ['-b', '1024', '-g', '1024', '-N', '96'] },
  { title: '2 KiB blocks, small inodes', size: '6M', args: ['-b', '2048', '-I', '128', '-N', '64'] },
  { title: '4 KiB blocks', size: '8M', args: ['-b', '4096', '-N', '64'] },
  { title: 'a device soon full', size: '700K', args: ['-b', '1024', '-N', '24'] },
  { title: 'revision 0', size: '2M', args: ['-b', '1024', '-r', '0', '-O', 'none', '-I', '128'] },
  { title: '64 KiB blocks', size: '12M', args: ['-b', '65536', '-N', '256'] },
];

/** Those that ext2 does not have: journals, extents, clusters, checksums. */
export const EXT4_MODEL_KINDS = [
  { title: 'ext3', size: '4M', args: ['-b', '1024', '-t', 'ext3', '-g', '1024', '-N', '96'] },
  { title: 'ext4', size: '4M', args: ['-b', '1024', '-t', 'ext4', '-g', '1024', '-N', '96'] },
  { title: 'ext4, 4 KiB blocks', size: '12M', args: ['-b', '4096', '-t', 'ext4', '-N', '64'] },
  { title: 'ext4, no journal', size: '3M', args: ['-b', '1024', '-t', 'ext4', '-O', '^has_journal'] },
  {
    title: 'ext4, clusters',
    size: '6M',
    args: ['-b', '1024', '-t', 'ext4', '-O', 'bigalloc', '-C', '4096', '-N', '96'],
  },
  {
    title: 'ext4, clusters, soon full',
    size: '3M',
    args: ['-b', '1024', '-t', 'ext4', '-O', 'bigalloc,^has_journal', '-C', '16384', '-N', '32'],
  },
  { title: 'ext4, no checksums', size: '4M', args: ['-b', '2048', '-t', 'ext4', '-O', '^metadata_csum'] },
];

export const EXT_MODEL_KINDS = [...EXT2_MODEL_KINDS, ...EXT4_MODEL_KINDS];

/** The memory with which such a kind of image works, at least as much as is asked for. */
export function memoryFor(title: string, args: readonly string[], wantedBytes: number): number {
  const buffersMin = title.startsWith('ext') ? 260 : 56;
  return Math.max(wantedBytes, Number(args[1]) * buffersMin);
}
